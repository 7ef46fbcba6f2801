"""Functions that become WebAssembly by themselves: those for which that was measured to pay.

What a function goes through:

1. *Counting.* The sampler (`rtfs.sampling`) sees where programs are. The function's own code does nothing
   for it.
2. *Probing.* Enough time was spent in the function: the next calls of it are timed, in Python, and what they
   are given is looked at. Calls shorter than `LEAST_CALL_S` could not gain: entering wasm costs 5 us.
3. *Compiling*, in the sampler's thread, for the kinds of arguments that were seen.
4. *Trying.* Calls go to wasm and to Python in turns, both timed. Wasm stays only if it takes less than half the
   time.
5. *On.* Calls go to wasm, and are timed as a whole. Whenever the time in wasm has doubled since the last
   comparison, there is another one, so that a function whose calls become short returns to Python before it
   has lost what it gained.

A call that wasm does not finish is made by Python, and the function is Python again; it takes ten times as
much time until it is tried next. Each step is taken when it costs at most a twenty-fifth of what was spent in
the function, so what comes to nothing costs no more than that. Functions that copy vectors where Python shares
them stay with Python.

A function is entered through the code of the Python function that stands for it, which is exchanged. So it is
the same value all the time, for whoever holds it, and costs nothing while it is not wasm.
"""

from rtfs.tiering.functions import Function, State
from rtfs.tiering.units import Unit, UnitTiers

__all__ = ["Function", "State", "Unit", "UnitTiers"]
