"""What the builtins do with data beyond joining their arguments into their result."""

from __future__ import annotations

from typing import Final

#: stands for every position
ALL: Final = None
#: builtins that call their arguments, and the positions of those
CALLERS: Final[dict[str, tuple[int, ...] | None]] = {
    **dict.fromkeys(
        """map map-indexed mapcat keep filter remove reduce apply every? some? some not-any? not-every?
        group-by partition-by take-while drop-while split-with sort merge-with""".split(),
        (0,),
    ),
    "sort-by": (0, 1),
    "update": (2,),
    "update-in": (2,),
}
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
CAPABILITIES: Final[dict[str, tuple[str, ...] | None]] = {
    "call": None,
    "log": ("ccos.io.log",),
    "println": ("ccos.io.println",),
    "step": ("ccos.io.println",),
    "current-time-millis": ("ccos.system.current-timestamp-ms",),
    "get-env": ("ccos.system.get-env",),
    "file-exists?": ("ccos.io.file-exists",),
    "tool/open-file": ("ccos.io.open-file",),
    "http-fetch": ("ccos.network.http-fetch",),
    "thread/sleep": ("ccos.system.sleep-ms",),
    "load-capability": ("ccos.capability.load",),
    "llm-execute": ("ccos.ai.llm-execute",),
    **dict.fromkeys(("kv/assoc!", "kv/dissoc!", "kv/conj!"), ("ccos.state.kv.get", "ccos.state.kv.put")),
}
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
