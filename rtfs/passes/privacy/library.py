"""What the builtins do with data beyond joining their arguments into their result."""

from __future__ import annotations

from typing import Final

from rtfs.capabilities import BUILTIN_CAPABILITIES

#: stands for every position
ALL: Final = None
#: builtins that give a function which calls their arguments
MAKERS: Final[dict[str, tuple[int, ...] | None]] = {
    **dict.fromkeys("partial complement memoize fnil".split(), (0,)),
    **dict.fromkeys("comp juxt".split(), ALL),
    "constantly": (),
}
#: builtins that also call what a text in that place names
BY_NAME: Final = frozenset(("update", "update-in"))
#: builtins whose arguments come back from errors that are caught
THROWERS: Final = frozenset(("throw", "error", "ex-info", "Exception."))
#: those that ask capabilities, and which; None: the first argument names it
CAPABILITIES: Final[dict[str, frozenset[str] | None]] = {"call": None, **BUILTIN_CAPABILITIES}
#: capabilities that keep nothing that a program could read again, and give nothing of what others keep
FORGETFUL: Final = frozenset(
    (
        "ccos.io.log",
        "ccos.io.println",
        "ccos.io.print",
        "ccos.system.sleep-ms",
        "ccos.system.current-timestamp-ms",
    )
)
