"""Types as JSON Schema, draft 2020-12 (language.md §5).

| type | schema |
|---|---|
| int float number bool nil | `integer` `number` `number` `boolean` `null` |
| string symbol | `string` |
| keyword | `string` with pattern `^:.+` |
| timestamp uuid | `string` with format `date-time`, `uuid` |
| `[:vector T]` list set | `array` with `items`; a set has `uniqueItems` |
| `[:tuple …]` | `array` with `prefixItems`, `minItems`, `maxItems` |
| `[:array T [n]]` | nested `array`s of exactly so many items |
| `[:map …]` | `object` with `properties`, `required`, `additionalProperties`: false, or what `[:* T]` says |
| `[:map-of K V]` | `object` with `additionalProperties`; `propertyNames` where K says something |
| `[:union …]` `T?` | `anyOf`, for `T?` with `null` |
| `[:enum …]` `[:val x]` | `enum`, `const`; keywords as `":name"` |
| `[:and T p…]` | T with the keywords of the predicates; custom predicates add nothing |
| any, never | `{}`, `{"not": {}}` |
| all others | `object` |

`additionalProperties` is false although a `[:map …]` is open at run time: a schema tells what to produce.
An alias that is recursive, or used more than once, stands under `$defs` and is referred to by `$ref`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from rtfs.types import model as types
from rtfs.types.kinds import head
from rtfs.types.limits import limits_of, with_keys
from rtfs.types.model import Type
from rtfs.types.parser import resolve_aliases
from rtfs.types.walk import components
from rtfs.values import Keyword, ResourceHandle, Timestamp, Uuid, Value

type Schema = dict[str, Any]


def json_schema(t: Type, aliases: Mapping[str, Type] | None = None) -> Schema:
    """The JSON Schema of `t`: plain Python data, ready for `json.dumps`.

    Raises:
        InvalidProgram: an alias is unknown or defined only by itself.
    """
    exporter = _Exporter(aliases or {}, t)
    schema = exporter.schema(t)
    return {**schema, "$defs": exporter.definitions} if exporter.definitions else schema


class _Exporter:
    def __init__(self, aliases: Mapping[str, Type], t: Type) -> None:
        self._aliases = aliases
        self._shared = _shared_aliases(t, aliases)
        self.definitions: dict[str, Schema] = {}

    def schema(self, t: Type) -> Schema:
        """The schema of a type below the root."""
        return _SCHEMAS[type(t)](self, t)

    def kind(self, schema: Schema) -> Any:
        """The `type` that a schema says, itself or where it refers to."""
        if "$ref" in schema:
            schema = next((d for name, d in self.definitions.items() if _reference(name) == schema["$ref"]), {})
        return schema.get("type")

    def keyed(self, items: tuple[Type | types.Predicate, ...]) -> tuple[Type | types.Predicate, ...]:
        """The members of `[:and …]`; a map that comes first names all keys that it must have."""
        keys = limits_of(item for item in items if isinstance(item, types.Predicate)).keys
        first = items[0]
        meant = None if isinstance(first, types.Predicate) else head(first, self._aliases)
        if not keys or not isinstance(meant, types.MapType):
            return items
        return (with_keys(meant, keys), *items[1:])

    def alias(self, t: types.Alias) -> Schema:
        """A reference, or what a plain alias stands for."""
        if t.name not in self._shared:
            return self.schema(self._aliases[t.name])
        if t.name not in self.definitions:
            self.definitions[t.name] = {}  # known from here on, so that a recursive alias ends
            self.definitions[t.name] = self.schema(self._aliases[t.name])
        return {"$ref": _reference(t.name)}


def _reference(name: str) -> str:
    return f"#/$defs/{_pointer(name)}"


def _pointer(name: str) -> str:
    """`name` as a segment of a JSON pointer in a URI fragment."""
    from urllib.parse import quote

    return quote(name.replace("~", "~0").replace("/", "~1"), safe="~!$&'()*+,;=:@-._")


def _shared_aliases(t: Type, aliases: Mapping[str, Type]) -> set[str]:
    """Aliases that `t` reaches more than once, recursive ones among them."""
    seen: set[str] = set()
    shared: set[str] = set()
    todo: list[Type | types.Predicate] = [t]
    while todo:
        part = todo.pop()
        if not isinstance(part, types.Alias):
            todo.extend(components(part))
        elif part.name in seen:
            shared.add(part.name)
        else:
            seen.add(part.name)
            resolve_aliases(part, aliases)
            todo.append(aliases[part.name])
    return shared


_PRIMITIVES: Final[Mapping[str, Schema]] = {
    "nil": {"type": "null"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "number": {"type": "number"},
    "string": {"type": "string"},
    "symbol": {"type": "string"},
    "bool": {"type": "boolean"},
    "keyword": {"type": "string", "pattern": "^:.+"},
    "timestamp": {"type": "string", "format": "date-time"},
    "uuid": {"type": "string", "format": "uuid"},
    "vector": {"type": "array"},
    "list": {"type": "array"},
    "set": {"type": "array", "uniqueItems": True},
    "any": {},
    "never": {"not": {}},
}


def _primitive(exporter: _Exporter, t: types.Primitive) -> Schema:
    return dict(_PRIMITIVES.get(t.name, {"type": "object"}))


def _object(exporter: _Exporter, t: Type) -> Schema:
    return {"type": "object"}


def _optional(exporter: _Exporter, t: types.OptionalType) -> Schema:
    return {"anyOf": [exporter.schema(t.item), {"type": "null"}]}


def _items(exporter: _Exporter, t: types.VectorType | types.ListType) -> Schema:
    return {"type": "array", "items": exporter.schema(t.item)}


def _set(exporter: _Exporter, t: types.SetType) -> Schema:
    return {"type": "array", "items": exporter.schema(t.item), "uniqueItems": True}


def _tuple(exporter: _Exporter, t: types.TupleType) -> Schema:
    size = len(t.items)
    items = [exporter.schema(item) for item in t.items]
    return {"type": "array", "prefixItems": items, "minItems": size, "maxItems": size}


def _array(exporter: _Exporter, t: types.ArrayType) -> Schema:
    schema = exporter.schema(t.item)
    for size in reversed(t.dims or (None,)):
        schema = {"type": "array", "items": schema}
        if size is not None:
            schema |= {"minItems": size, "maxItems": size}
    return schema


def _map(exporter: _Exporter, t: types.MapType) -> Schema:
    return {
        "type": "object",
        "properties": {entry.key: exporter.schema(entry.type) for entry in t.entries},
        "required": [entry.key for entry in t.entries if not entry.optional],
        "additionalProperties": False if t.rest is None else _additional(exporter.schema(t.rest)),
    }


def _additional(schema: Schema) -> Schema | bool:
    """True and false for the schemas of any and never."""
    if schema == {"not": {}}:
        return False
    return schema or True


def _map_of(exporter: _Exporter, t: types.MapOfType) -> Schema:
    schema: Schema = {"type": "object", "additionalProperties": _additional(exporter.schema(t.value))}
    names = _key_names(t.key)
    return {**schema, "propertyNames": names} if names else schema


def _key_names(key: Type) -> Schema | None:
    """What keys look like as JSON property names: a keyword has lost its colon, an int is its digits."""
    match key:
        case types.Primitive("int"):
            return {"pattern": "^-?[0-9]+$"}
        case types.EnumType(values):
            return {"enum": [v.name if isinstance(v, Keyword) else str(v) for v in values]}
        case _:
            return None


def _union(exporter: _Exporter, t: types.UnionType) -> Schema:
    return {"anyOf": [exporter.schema(item) for item in t.items]}


def _enum(exporter: _Exporter, t: types.EnumType) -> Schema:
    values = [_literal(value) for value in t.values]
    return {"const": values[0]} if t.kind == "val" else {"enum": values}


def _literal(value: Value) -> Any:
    """A literal as JSON data. Infinities and NaN have none and become their text."""
    if isinstance(value, Keyword):
        return f":{value.name}"
    if isinstance(value, Timestamp | Uuid | ResourceHandle):
        return value.text
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


# ---------------------------------------------------------------- predicates


def _and(exporter: _Exporter, t: types.AndType) -> Schema:
    """The types and the keywords of the predicates: one object where no keyword says two things."""
    parts: list[Schema] = []
    for item in exporter.keyed(t.items):
        if not isinstance(item, types.Predicate):
            parts.append(exporter.schema(item))
    base = exporter.kind(parts[0]) if parts else None
    for item in t.items:
        if isinstance(item, types.Predicate) and item.name in _PREDICATES:
            parts.append(_PREDICATES[item.name](base, *item.args))
    merged: Schema = {}
    rest: list[Schema] = []
    for part in parts:
        if part.keys() == {"required"} and set(part["required"]) <= set(merged.get("required", ())):
            continue  # the map says so itself
        if any(key in merged and merged[key] != value for key, value in part.items()):
            rest.append(part)
        else:
            merged |= part
    return {**merged, "allOf": rest} if rest else merged


#: type of the base → the keywords for its size
_SIZES: Final[Mapping[Any, tuple[str, str]]] = {
    "string": ("minLength", "maxLength"),
    "array": ("minItems", "maxItems"),
    "object": ("minProperties", "maxProperties"),
}


def _bound(word: str, n: float) -> Schema:
    """A numeric keyword. No JSON number is infinite, so an infinite bound says nothing."""
    return {word: n} if math.isfinite(n) else {}


def _at_least(base: Any, n: float) -> Schema:
    return _bound("minimum", math.ceil(n) if base == "integer" and math.isfinite(n) else n)


def _at_most(base: Any, n: float) -> Schema:
    return _bound("maximum", math.floor(n) if base == "integer" and math.isfinite(n) else n)


def _above(base: Any, n: float) -> Schema:
    if base == "integer" and math.isfinite(n):
        return {"minimum": math.floor(n) + 1}
    return _bound("exclusiveMinimum", n)


def _below(base: Any, n: float) -> Schema:
    if base == "integer" and math.isfinite(n):
        return {"maximum": math.ceil(n) - 1}
    return _bound("exclusiveMaximum", n)


def _size(least: int | None, most: int | None) -> Callable[[Any], Schema]:
    def schema(base: Any) -> Schema:
        names = _SIZES.get(base)
        if names is None:
            return {}
        bounds = {names[0]: least, names[1]: most}
        return {name: bound for name, bound in bounds.items() if bound is not None}

    return schema


#: what patterns of JSON Schema, those of ECMA 262, do not have: flags, names of classes, `\\A` and `\\z`
_ONLY_RE2: Final = re.compile(r"\(\?(?!:)|\[\^?\[:|\[:|\\[AzpPQECa]|\\x\{")

_PREDICATES: Final[Mapping[str, Callable[..., Schema]]] = {
    ">": _above,
    ">=": _at_least,
    "<": _below,
    "<=": _at_most,
    "=": lambda base, value: {"const": _literal(value)},
    "!=": lambda base, value: {"not": {"const": _literal(value)}},
    "in-range": lambda base, low, high: _at_least(base, low) | _at_most(base, high),
    "min-length": lambda base, n: {"minLength": n},
    "max-length": lambda base, n: {"maxLength": n},
    "length": lambda base, n: {"minLength": n, "maxLength": n},
    "matches-regex": lambda base, pattern: {} if _ONLY_RE2.search(pattern) else {"pattern": pattern},
    "min-count": lambda base, n: _size(n, None)(base),
    "max-count": lambda base, n: _size(None, n)(base),
    "count": lambda base, n: _size(n, n)(base),
    "non-empty": lambda base: _size(1, None)(base),
    "has-key": lambda base, key: {"required": [key.name]},
    "required-keys": lambda base, keys: {"required": [key.name for key in keys]},
    "is-url": lambda base: {"pattern": "^https?://"},
    "is-email": lambda base: {"pattern": r"^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}$"},
}

_SCHEMAS: Final[Mapping[type, Callable[..., Schema]]] = {
    types.Primitive: _primitive,
    types.Alias: _Exporter.alias,
    types.OptionalType: _optional,
    types.VectorType: _items,
    types.ListType: _items,
    types.SetType: _set,
    types.TupleType: _tuple,
    types.MapType: _map,
    types.MapOfType: _map_of,
    types.FunctionType: _object,
    types.EnumType: _enum,
    types.UnionType: _union,
    types.AndType: _and,
    types.ArrayType: _array,
    types.ResourceType: _object,
}
