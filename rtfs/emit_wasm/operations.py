"""The table of builtins that have a wasm form: what kind each gives, and how it is emitted.

One module for each group of them registers its operations here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rtfs import ir
from rtfs.emit_wasm.kinds import Kind
from rtfs.emit_wasm.refusal import Refused

if TYPE_CHECKING:
    from rtfs.emit_wasm.emitter import Emitter
    from rtfs.emit_wasm.ranges import Range

#: the kind of the value for those of the arguments; raises Refused
type Typing = Callable[[Sequence[Kind]], Kind]
#: pushes the value; what is known about its range
type Emission = Callable[[Emitter, Sequence[ir.Node]], Range]


@dataclass(frozen=True, slots=True)
class Operation:
    """A builtin of `least` to `most` arguments (None: any number)."""

    name: str
    least: int
    most: int | None
    kind: Typing
    emit: Emission


OPERATIONS: Final[dict[str, Operation]] = {}


def operation(*names: str, least: int, most: int | None = -1, kind: Typing) -> Callable[[Emission], Emission]:
    """Register the decorated function as the emission of builtins. By default `most` is `least`."""

    def register(emit: Emission) -> Emission:
        for name in names:
            OPERATIONS[name] = Operation(name, least, least if most == -1 else most, kind, emit)
        return emit

    return register


def constant_kind(kind: Kind) -> Typing:
    """The typing of an operation that always gives `kind`."""
    return lambda kinds: kind


def require(kinds: Sequence[Kind], allowed: frozenset[Kind], operation: str) -> None:
    """Refuse arguments of other kinds.

    Raises:
        Refused: one is of another kind.
    """
    for kind in kinds:
        if kind not in allowed:
            wanted = " or ".join(sorted(each.value for each in allowed))
            raise Refused(f"`{operation}`", f"its wasm form takes {wanted}, got {kind.value}")
