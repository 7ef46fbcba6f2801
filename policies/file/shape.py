"""The schema as plain data: which keys a table has and what their values are.

pydantic checks values; this answers what pydantic does not: which known key is nearest, whether a text from the
environment is to be read as a string, where else a key is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType, NoneType, UnionType
from typing import Annotated, Any, Final, Literal, TypeAliasType, Union, get_args, get_origin

from pydantic import BaseModel

from policies.file.schema import PolicyFile
from policies.file.toml_lines import KeyPath

type Kind = Literal["table", "map", "array", "scalar"]

_SCALARS: Final[Mapping[type, str]] = {
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "`true` or `false`",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What may stand at a key."""

    kind: Kind
    #: of a table, in the schema's order
    fields: Mapping[str, Shape] = field(default_factory=lambda: MappingProxyType({}))
    #: of the values of a map or an array
    item: Shape | None = None
    #: what a scalar may be, for people
    scalars: frozenset[str] = frozenset()

    @property
    def is_text(self) -> bool:
        """Whether it can only be a string."""
        return self.kind == "scalar" and self.scalars == {_SCALARS[str]}

    def at(self, part: str | int) -> Shape | None:
        """What may stand one level down."""
        if self.kind == "table":
            return self.fields.get(str(part))
        return self.item


@cache
def root() -> Shape:
    """The shape of the whole file."""
    return _of(PolicyFile)


def at(path: KeyPath) -> Shape | None:
    """What may stand at `path`, None if nothing may."""
    shape: Shape | None = root()
    for part in path:
        if shape is None:
            return None
        shape = shape.at(part)
    return shape


def tables(shape: Shape | None = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Shape]]:
    """All tables of the schema with their paths; a free name is `NAME`, an index into an array `[]`."""
    shape = shape or root()
    if shape.kind == "table":
        yield path, shape
        for name, below in shape.fields.items():
            yield from tables(below, (*path, name))
    elif shape.item is not None:
        yield from tables(shape.item, (*path, "NAME" if shape.kind == "map" else "[]"))


def homes(name: str) -> tuple[str, ...]:
    """Where a key `name` is known, as headers of tables."""
    return tuple(_header(path) for path, shape in tables() if path and name in shape.fields)


def _header(path: tuple[str, ...]) -> str:
    if path[-1] == "[]":
        return f"[[{'.'.join(path[:-1])}]]"
    return f"[{'.'.join(path).replace('.[]', '')}]"


def _of(annotation: Any) -> Shape:
    """The shape of a type as the schema writes it."""
    if isinstance(annotation, TypeAliasType):
        return _of(annotation.__value__)
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _of(args[0])
    if origin in (UnionType, Union):
        return _union([_of(arg) for arg in args if arg is not NoneType])
    if origin is Literal:
        return Shape(kind="scalar", scalars=frozenset({_SCALARS[str]}))
    if origin is dict:
        return Shape(kind="map", item=_of(args[1]))
    if origin in (tuple, frozenset):
        return Shape(kind="array", item=_of(args[0]))
    if issubclass(annotation, BaseModel):
        fields = {name: _of(info.annotation) for name, info in annotation.model_fields.items()}
        return Shape(kind="table", fields=MappingProxyType(fields))
    return Shape(kind="scalar", scalars=frozenset({_SCALARS[annotation]}))


def _union(shapes: list[Shape]) -> Shape:
    """One shape stays itself; of several scalars, and arrays of them, any may stand."""
    if len(shapes) == 1:
        return shapes[0]
    scalars = frozenset().union(*(shape.scalars for shape in shapes))
    item = next((shape.item for shape in shapes if shape.item), None)
    return Shape(kind="scalar", scalars=scalars, item=item)
