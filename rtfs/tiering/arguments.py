"""What functions are given, as far as it matters to WebAssembly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rtfs.values import Value, Vector

if TYPE_CHECKING:
    from rtfs.emit_wasm.kinds import Kind

#: to copy one item of a vector over the border, seconds
_COPY_S: Final = 0.1e-6
#: the same for a character of a string
_COPY_CHARACTER_S: Final = 1e-9
#: stands for the type of an argument that no wasm function takes
UNFIT: Final = object


class Ints:
    """Stands for the type of a vector of integers, or of one without items."""


class Floats:
    """Stands for the type of a vector of floats."""


def type_of(value: Value) -> type:
    """What it is, as far as it matters to wasm."""
    kind = type(value)
    if kind is int or kind is float or kind is bool or kind is str:
        return kind
    if kind is Vector:
        first = type(value[0]) if len(value) else int
        return Ints if first is int else Floats if first is float else UNFIT
    return UNFIT


def kinds(seen: tuple[type, ...]) -> tuple[Kind, ...]:
    """What the compiler calls these types."""
    from rtfs.emit_wasm.kinds import Kind

    found = {
        int: Kind.INT,
        float: Kind.FLOAT,
        bool: Kind.BOOL,
        Ints: Kind.INTS,
        Floats: Kind.FLOATS,
        str: Kind.STRING,
    }
    return tuple(found[each] for each in seen)


def copying_s(args: tuple[Value, ...]) -> float:
    """What copying vectors and strings in takes."""
    characters = sum([len(each) for each in args if type(each) is str])
    return _COPY_CHARACTER_S * characters + _COPY_S * sum([len(each) for each in args if type(each) is Vector])
