"""How Python's garbage collector works in processes that serve."""

from __future__ import annotations

import gc
from typing import Final

#: allocations after which Python looks for unreachable cycles, and passes of one generation before the next
_GC_THRESHOLDS: Final = (50_000, 20, 100)


def collect_less() -> None:
    """Have Python's garbage collector spend less time: on what is there now none, on the rest a tenth.

    What a process has when it begins to serve stays as long as it does. And a burst of calls makes thousands of
    objects that live until the last of them ends; all of them would be looked at every 700 allocations, the
    default. `benchmarks/delegated.py` has such a burst: 500 calls.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
