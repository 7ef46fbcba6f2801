"""Builtins that call the functions they are given."""

from __future__ import annotations

from typing import Final

#: builtin → positions of the arguments that it calls
CALLERS: Final[dict[str, tuple[int, ...]]] = {
    **dict.fromkeys(
        """map map-indexed mapcat keep filter remove reduce apply every? some? some not-any? not-every?
        group-by partition-by take-while drop-while split-with sort merge-with""".split(),
        (0,),
    ),
    "sort-by": (0, 1),
    "update": (2,),
    "update-in": (2,),
}
