"""Names in generated code. RTFS names cannot contain `·`, so names with it are ours.

A local is `name·id`; a function `name·n`; a helper `rt·name`; a builtin `b·name`; a constant `k·unit·n`; a
temporary `t·n`. A global has its own name, see `rtfs.namespace.global_key`.
"""

from __future__ import annotations

from typing import Final


def plain(name: str) -> str:
    """`name` as part of one of our names. A symbol that a macro made may hold a `·` after all."""
    return name.replace("·", "··")


#: name of a unit's own function; it stands for no RTFS function
MAIN: Final = "main·"
#: begins the names of temporaries
TEMPORARY: Final = "t·"
#: begins the names of Python functions that are parts of others; no RTFS function's name begins so
PART: Final = "rt·part·"
#: ends the global name of a function's entry that makes no checks
UNCHECKED: Final = "·unchecked"
#: ends the names of Python functions that only lead to the function proper; traces leave them out
WRAPPER: Final = "w"
