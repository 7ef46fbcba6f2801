"""Kinds of values in wasm functions, and which declared types they belong to.

A value's kind is known when it is compiled, and says how it is held. `QUOTIENT` is what `/` gives: a float
that stands for an integer if it is integral and fits 64 bits, and else for itself. That is the rule of `/`, so
nothing has to be kept beside the value to know which it is; zero is held as `0.0`, never as `-0.0`.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Final

from rtfs.emit_wasm.binary import ValType
from rtfs.types import model as types


class Kind(Enum):
    """What a value is. The text is what a reader is told."""

    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    NIL = "nil"
    QUOTIENT = "a quotient, which is an int or a float"
    INTS = "a vector of ints"
    FLOATS = "a vector of floats"
    STRING = "string"
    #: no value: the expression goes elsewhere, or is a call of which nothing is known yet
    NEVER = "never"

    @property
    def held(self) -> ValType:
        """The wasm type of a value of this kind; of a vector, that of its address; of a string see `texts`."""
        return _HELD[self]

    @property
    def item(self) -> Kind:
        """The kind of a vector's items, or of a string's characters."""
        return _ITEMS[self]


_HELD: Final = {
    Kind.INT: ValType.I64,
    Kind.FLOAT: ValType.F64,
    Kind.BOOL: ValType.I32,
    Kind.NIL: ValType.I32,
    Kind.QUOTIENT: ValType.F64,
    Kind.INTS: ValType.I32,
    Kind.FLOATS: ValType.I32,
    Kind.STRING: ValType.I32,
    Kind.NEVER: ValType.I32,
}
_ITEMS: Final = {Kind.INTS: Kind.INT, Kind.FLOATS: Kind.FLOAT, Kind.STRING: Kind.STRING}
VECTORS: Final = {Kind.INT: Kind.INTS, Kind.FLOAT: Kind.FLOATS}

#: what lies in linear memory
IN_MEMORY: Final = frozenset({Kind.INTS, Kind.FLOATS, Kind.STRING})

NUMBERS: Final = frozenset({Kind.INT, Kind.FLOAT, Kind.QUOTIENT})

_PRIMITIVES: Final[dict[str, frozenset[Kind]]] = {
    "int": frozenset({Kind.INT}),
    "float": NUMBERS,  # an integer passes where a float is expected, unchanged
    "number": NUMBERS,
    "bool": frozenset({Kind.BOOL}),
    "string": frozenset({Kind.STRING}),
    "nil": frozenset({Kind.NIL}),
    "vector": frozenset({Kind.INTS, Kind.FLOATS}),
    "any": frozenset(Kind),
}


def belongs(kind: Kind, declared: types.Type) -> bool | None:
    """Whether every value of `kind` belongs to `declared`, or none does; None: that depends on the value."""
    if kind is Kind.NEVER:
        return True
    match declared:
        case types.Primitive(primitive):
            if kind is Kind.QUOTIENT and primitive == "int":
                return None
            return kind in _PRIMITIVES.get(primitive, ())
        case types.OptionalType(item):
            return True if kind is Kind.NIL else belongs(kind, item)
        case types.UnionType(items):
            return _any(belongs(kind, item) for item in items)
        case types.VectorType(item) if kind in VECTORS.values():
            found = belongs(kind.item, item)
            return True if found else None  # an empty vector belongs to any
        case types.AndType() | types.EnumType() | types.Alias() | types.ArrayType() | types.TupleType():
            return None
        case _:
            return False


def _any(answers: Iterable[bool | None]) -> bool | None:
    found = list(answers)
    if True in found:
        return True
    return None if None in found else False


def declared_kinds(declared: types.Type | None) -> tuple[Kind, ...]:
    """The kinds that a parameter of this type may be compiled for, the likeliest first.

    A value of another kind that belongs to the type is left to Python.
    """
    match declared:
        case None | types.Primitive("any" | "number"):
            return (Kind.INT, Kind.FLOAT)
        case types.Primitive("int"):
            return (Kind.INT,)
        case types.Primitive("float"):
            return (Kind.FLOAT,)
        case types.Primitive("bool"):
            return (Kind.BOOL,)
        case types.Primitive("string"):
            return (Kind.STRING,)
        case types.VectorType(types.Primitive("int")):
            return (Kind.INTS,)
        case types.VectorType(types.Primitive("float")):
            return (Kind.FLOATS,)
        case types.VectorType(types.Primitive("number")) | types.Primitive("vector"):
            return (Kind.INTS, Kind.FLOATS)
        case _:
            return ()
