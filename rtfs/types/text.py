"""Types as RTFS text, such that reading it gives the type again. See `rtfs.types.parser` for the grammar."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from rtfs.types import model as types
from rtfs.types.model import Type
from rtfs.values import Value


def type_text(t: Type | types.Predicate) -> str:
    """`t` as RTFS text: reading it gives `t` again."""
    return _TEXTS[type(t)](t)


def _joined(head: str, items: Sequence[Type | types.Predicate]) -> str:
    return f"[:{' '.join([head, *(type_text(item) for item in items)])}]"


def _literals_text(head: str, values: Sequence[Value]) -> str:
    from rtfs.printer import pr_str

    return f"[:{' '.join([head, *(pr_str(value) for value in values)])}]"


def _map_text(t: types.MapType) -> str:
    parts = [f" [:{e.key} {_entry_text(e.type)}{' ?' if e.optional else ''}]" for e in t.entries]
    rest = "" if t.rest is None else f" [:* {type_text(t.rest)}]"
    return f"[:map{''.join(parts)}{rest}]"


def _entry_text(t: Type) -> str:
    text = type_text(t)
    return f"[:union {text}]" if text.endswith("]?") else text


def _fn_text(t: types.FunctionType) -> str:
    params = [type_text(param) for param in t.params]
    if t.rest is not None:
        params += ["&", type_text(t.rest)]
    return f"[:fn [{' '.join(params)}] {type_text(t.returns)}]"


def _array_text(t: types.ArrayType) -> str:
    dims = " ".join("?" if dim is None else str(dim) for dim in t.dims)
    return f"[:array {type_text(t.item)}{f' [{dims}]' if t.dims else ''}]"


_TEXTS: Final[Mapping[type, Callable[..., str]]] = {
    types.Primitive: lambda t: t.name,
    types.Alias: lambda t: t.name,
    types.OptionalType: lambda t: f"{type_text(t.item)}?",
    types.VectorType: lambda t: _joined("vector", [t.item]),
    types.ListType: lambda t: _joined("list", [t.item]),
    types.SetType: lambda t: _joined("set", [t.item]),
    types.TupleType: lambda t: _joined("tuple", t.items),
    types.MapType: _map_text,
    types.MapOfType: lambda t: _joined("map-of", [t.key, t.value]),
    types.FunctionType: _fn_text,
    types.EnumType: lambda t: _literals_text(t.kind, t.values),
    types.UnionType: lambda t: _joined("union", t.items),
    types.AndType: lambda t: _joined("and", t.items),
    types.Predicate: lambda t: _literals_text(t.name, t.args),
    types.ArrayType: _array_text,
    types.ResourceType: lambda t: f"[:resource {t.name}]",
}
