"""Names in generated code. RTFS names cannot contain `·`, so names with it are ours.

A local is `name·id`; a helper `rt·name`; a builtin `b·name`; a constant `k·unit·n`. A global has its own name,
see `rtfs.namespace.global_key`.
"""

from __future__ import annotations

from typing import Final

#: name of a unit's own function; it stands for no RTFS function
MAIN: Final = "main·"
#: begins the names of temporaries and of functions that are parts of others
TEMPORARY: Final = "t·"
#: ends the names of Python functions that only lead to the function proper; traces leave them out
WRAPPER: Final = "w"
