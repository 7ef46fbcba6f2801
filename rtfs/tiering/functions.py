"""One function on its way to WebAssembly and back."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from enum import Enum
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, Final, Protocol

from rtfs.errors import LimitError
from rtfs.namespace import global_key
from rtfs.run import run_under_way
from rtfs.tiering.arguments import UNFIT, Floats, Ints, copying_s, type_of
from rtfs.tiering.doors import LEAST_DEPTH, Door
from rtfs.tiers import executor
from rtfs.values import Value

if TYPE_CHECKING:
    from rtfs.emit_wasm.artifact import WasmArtifact

#: one part in so many of the time spent in a function may go into an attempt
PART: Final = 25
#: what loading the compiler and wasmtime takes, seconds, once in a process
LOADING_S: Final = 0.08
#: what compiling takes at least
COMPILING_S: Final = 0.003
#: calls that take less than this on average do not gain by wasm
LEAST_CALL_S: Final = 20e-6
#: probing ends after so many calls, or so much time
_MOST_PROBES: Final = 32
_PROBING_S: Final = 0.005
#: a call that takes so long in wasm takes longer in Python, unless it copied vectors
_LONG_S: Final = 200e-6
#: so many of them, one after the other, need no comparison
_LONG_CALLS: Final = 3
#: calls of Python in one comparison
_LEAST_TURNS: Final = 3
_MOST_TURNS: Final = 32
_TURNS_S: Final = 0.002
#: what a call must gain, seconds
_GAIN_S: Final = 5e-6
#: wasm that failed must be worth so many times as much when it is tried again
_PATIENCE: Final = 10


class State(Enum):
    """Where a function is."""

    COUNTING = "counting"
    PROBING = "probing"
    COMPILING = "compiling"
    ON = "on"
    #: for good: it cannot be compiled, or is not worth it
    OFF = "off"


class Surroundings(Protocol):
    """The unit in which a function is."""

    def changed(self) -> None:
        """A function is in another state."""

    def cost_s(self) -> float:
        """What it takes to compile one of its functions, beyond the least, seconds."""

    def affords(self, cost_s: float) -> bool:
        """Whether that can be paid of what was spent in it: functions that call each other share their time."""

    def compiled(self, name: str, seen: tuple[type, ...] | None, allowed_s: float) -> WasmArtifact | None:
        """The module with the function `name`; None if it is to stay with Python.

        Raises:
            LimitError: it takes longer than `allowed_s`.
        """


class Function:
    """One function of a unit, in all runs of it."""

    def __init__(self, unit: Surroundings, index: int, name: str, codes: Iterable[CodeType]) -> None:
        self.unit = unit
        self.index = index
        self.name = name
        self.key = global_key(name)
        #: those of the Python functions that stand for it
        self.codes = frozenset(codes)
        self.state = State.COUNTING
        #: seconds that were seen to be spent in it and what it calls
        self.spent_s = 0.0
        #: it is tried when that is reached
        self.due_s = COMPILING_S * PART
        self.artifact: WasmArtifact | None = None
        self.failures = 0
        self._probes: list[float] = []
        self._kinds: list[tuple[type, ...]] = []
        #: it is compiled for vectors or strings, which are copied over the border
        self.takes_vectors = False
        # of wasm: calls and seconds, in all and since the last comparison; when the next one is due
        self.wasm_s = 0.0
        self.recent_s = 0.0
        self.recent_calls = 0
        self.compare_s = 0.0
        #: the comparison under way: calls and seconds of Python, and whether it has the next call
        self.comparing = False
        self.python_s = 0.0
        self.python_calls = 0
        self.pythons_turn = False
        #: the longest call of each
        self.longest_s = self.longest_python_s = 0.0
        #: calls one after the other that took long in wasm
        self.long_calls = 0

    # ------------------------------------------------------------ the sampler's thread

    def seen(self, values: dict[str, Any], spent_s: float) -> None:
        """A thread was seen in it, in a frame whose globals are `values`."""
        self.spent_s += spent_s
        if self.state is State.COUNTING and self.spent_s >= self.due_s:
            self._probes.clear()
            self._kinds.clear()
            self.state = State.PROBING
            self.unit.changed()
        if self.state in (State.PROBING, State.ON) or (
            self.state is State.COMPILING
            and self.spent_s >= self._cost_s() * PART
            and self.unit.affords(self._cost_s())
            and self._compile()
        ):
            self.install(values)

    def _cost_s(self) -> float:
        loading = 0.0 if "rtfs.emit_wasm.execute" in sys.modules else LOADING_S
        return float((loading + COMPILING_S + self.unit.cost_s()) * _PATIENCE**self.failures)

    def _compile(self) -> bool:
        """Compile it; whether it is wasm now."""
        seen = self._kinds_seen()
        try:
            artifact = self.unit.compiled(self.name, seen, 2 * self.spent_s / PART)
        except LimitError:  # it takes longer than was thought
            self.fail()
            return False
        except Exception:  # its text cannot be read again, or there is no memory: Python does without
            artifact = None
        if artifact is None or executor() is None:
            self.stop()
            return False
        self.artifact = artifact
        self.takes_vectors = seen is not None and not {Ints, Floats, str}.isdisjoint(seen)
        self.wasm_s = self.compare_s = 0.0
        self._compare()
        self.state = State.ON
        self.unit.changed()
        logging = sys.modules.get("logging")  # who has not loaded it does not listen, and it is slow to load
        if logging is not None:
            logging.getLogger("rtfs.tiers").info("%s is WebAssembly now", self.name)
        return True

    def _kinds_seen(self) -> tuple[type, ...] | None:
        """The types of the arguments if all calls had the same."""
        return self._kinds[0] if len(set(self._kinds)) == 1 else None

    # ------------------------------------------------------------ calls' threads

    @property
    def is_on(self) -> bool:
        """Calls go to wasm."""
        return self.state is State.ON

    @property
    def is_probed(self) -> bool:
        """Calls are timed, by Python."""
        return self.state is State.PROBING

    def install(self, values: dict[str, Any]) -> None:
        """Have calls of it in the frame with these globals come here."""
        run = run_under_way()
        if run is not None and run.limits.depth < LEAST_DEPTH:
            return
        for key in (self.key, f"{self.key}·unchecked"):
            function = values.get(key)
            if type(function) is FunctionType and function.__code__ in self.codes:
                Door(self, function, values, key)

    def probed(self, args: tuple[Value, ...], spent_s: float) -> None:
        """A call was timed, by Python."""
        self._probes.append(spent_s)
        self._kinds.append(tuple(map(type_of, args)))
        if self.state is not State.PROBING:
            return
        total = sum(self._probes)
        if total >= _PROBING_S or len(self._probes) >= _MOST_PROBES:
            if UNFIT in self._kinds[-1] or self._kinds_seen() is None:
                self.stop()
            elif total / len(self._probes) < LEAST_CALL_S:
                self.fail()
            else:
                self.state = State.COMPILING
                self.unit.changed()

    def called(self, args: tuple[Value, ...], spent_s: float) -> None:
        """A call was made by wasm."""
        self.wasm_s += spent_s
        self.spent_s += spent_s
        self.recent_s += spent_s
        self.recent_calls += 1
        self.longest_s = max(self.longest_s, spent_s)
        if not self.comparing:
            if self.wasm_s >= self.compare_s:
                self._compare()
            return
        if spent_s < _LONG_S or spent_s < 4 * copying_s(args):
            self.long_calls = 0
            self.pythons_turn = True
            return
        self.long_calls += 1
        if self.long_calls == _LONG_CALLS:  # one may have been held up by something else
            self._keep()

    def compared(self, spent_s: float) -> None:
        """A call was made by Python, for comparison."""
        self.pythons_turn = False
        self.spent_s += spent_s
        self.python_s += spent_s
        self.python_calls += 1
        self.longest_python_s = max(self.longest_python_s, spent_s)
        lost_s = self.recent_s - self.recent_calls * self.python_s / self.python_calls
        if lost_s * 2 * PART > self.spent_s:
            self.fail()
            return
        few = min(self.python_calls, self.recent_calls) < _LEAST_TURNS
        if self.python_calls < _MOST_TURNS and (few or self.python_s < _TURNS_S):
            return
        if few:  # the vectors are too large for what is done with them
            self.fail()
            return
        # without the longest of each, which may have been held up by something else
        python_s = (self.python_s - self.longest_python_s) / (self.python_calls - 1)
        wasm_s = (self.recent_s - self.longest_s) / (self.recent_calls - 1)
        if wasm_s <= python_s / 2 and python_s - wasm_s >= _GAIN_S:
            self._keep()
        else:
            self.fail()

    def allows(self, args: tuple[Value, ...]) -> bool:
        """Whether copying the arguments costs little beside what was spent in it."""
        return not self.takes_vectors or copying_s(args) * PART <= self.spent_s

    def _compare(self) -> None:
        self.recent_s = self.longest_s = self.python_s = self.longest_python_s = 0.0
        self.recent_calls = self.python_calls = 0
        self.comparing, self.pythons_turn, self.long_calls = True, False, 0

    def _keep(self) -> None:
        self.compare_s = 2 * max(self.wasm_s, _PROBING_S)
        self.recent_s, self.recent_calls, self.comparing = 0.0, 0, False

    def fail(self) -> None:
        """Wasm did not do: Python has it again, for a good while."""
        self.failures += 1
        self.due_s = self.spent_s + COMPILING_S * PART * _PATIENCE**self.failures
        self.state = State.COUNTING
        self.unit.changed()

    def stop(self) -> None:
        """Python has it for good."""
        self.state = State.OFF
        self.unit.changed()
