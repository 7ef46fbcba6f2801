"""Structural types as data (language.md §5).

Only the vocabulary. `rtfs.types.parser` makes types from forms and prints them, `rtfs.types.check` checks
values, `rtfs.types.subtyping` compares types, `rtfs.types.json_schema` exports them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rtfs.values import Value


@dataclass(frozen=True, slots=True)
class Primitive:
    """`nil int float number string bool keyword symbol any never`, or a bare kind test: `vector map list set
    fn timestamp uuid error`."""

    name: str


@dataclass(frozen=True, slots=True)
class OptionalType:
    """`T?`: T or nil."""

    item: Type


@dataclass(frozen=True, slots=True)
class Alias:
    """The name of a `deftype` or `defstruct`, resolved when it is checked."""

    name: str


@dataclass(frozen=True, slots=True)
class VectorType:
    """`[:vector T]`."""

    item: Type


@dataclass(frozen=True, slots=True)
class ListType:
    """`[:list T]`."""

    item: Type


@dataclass(frozen=True, slots=True)
class SetType:
    """`[:set T]`."""

    item: Type


@dataclass(frozen=True, slots=True)
class TupleType:
    """`[:tuple T…]`: a vector of exactly these."""

    items: tuple[Type, ...]


@dataclass(frozen=True, slots=True)
class MapEntry:
    """`key` is a keyword's name. Looked up as keyword, then as a string."""

    key: str
    type: Type
    optional: bool


@dataclass(frozen=True, slots=True)
class MapType:
    """`[:map …]`, open; `rest` is the type of other values (`[:* T]`)."""

    entries: tuple[MapEntry, ...]
    rest: Type | None = None


@dataclass(frozen=True, slots=True)
class MapOfType:
    """`[:map-of K V]`."""

    key: Type
    value: Type


@dataclass(frozen=True, slots=True)
class FunctionType:
    """`[:fn [T… & T] R]`. Any function is a member; the checker looks at the signature."""

    params: tuple[Type, ...]
    rest: Type | None
    returns: Type


@dataclass(frozen=True, slots=True)
class EnumType:
    """`[:enum …]`, and `[:val x]` with one value. Compared type-strictly."""

    values: tuple[Value, ...]
    kind: Literal["enum", "val"] = "enum"


@dataclass(frozen=True, slots=True)
class UnionType:
    """`[:union T…]`."""

    items: tuple[Type, ...]


@dataclass(frozen=True, slots=True)
class Predicate:
    """One member of `[:and …]` such as `[:> 3]`: its name without colon and its literal arguments."""

    name: str
    args: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class AndType:
    """`[:and …]`: all of these."""

    items: tuple[Type | Predicate, ...]


@dataclass(frozen=True, slots=True)
class ArrayType:
    """`dims`: an int, or None for `?`; empty: any length."""

    item: Type
    dims: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class ResourceType:
    """`[:resource name]`."""

    name: str


type Type = (
    Primitive
    | OptionalType
    | Alias
    | VectorType
    | ListType
    | SetType
    | TupleType
    | MapType
    | MapOfType
    | FunctionType
    | EnumType
    | UnionType
    | AndType
    | ArrayType
    | ResourceType
)
