"""JSON as values of a type, the way back from `rtfs.types.to_json` (language.md §5).

What a JSON text means depends on the type: `":a"` is a keyword where one belongs, a string elsewhere. Of a
union the first member that has such a value counts.

- Keys that a `[:map …]` names become keywords, and so do others that it has; of `[:map-of K V]` what K says; of
  `any` and `map` strings, as `parse-json` has it.
- First everything is taken as it stands. If that gives no value, the read is repeated with what schemas allow
  as well: `1.0` and `1e2` where an integer belongs, `null` for a key that may be absent.
- Members of a set that come twice count once. A key that comes twice is an error.
- No text is longer or nests deeper than `rtfs.types.json_data` says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NoReturn

from rtfs import errors
from rtfs.run import deep_recursion
from rtfs.types import model as types
from rtfs.types.check import TypeEnv, matches
from rtfs.types.json_data import NotOfType, json_data
from rtfs.types.limits import flattened
from rtfs.types.literals import holds, json_scalar, library_predicate
from rtfs.types.model import Type
from rtfs.types.shapes import array_item
from rtfs.types.text import type_text
from rtfs.values import INT_MAX, INT_MIN, Keyword, List, Map, Set, Symbol, Timestamp, Uuid, Value, Vector

__all__ = ["NotOfType", "from_data", "from_json"]

#: characters of a type that a message shows
_SHOWN: Final = 120
#: floats up to it hold every integer
_EXACT: Final = 2**53
_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
#: Python calls for one level of data and of types
_CALLS: Final = 20_000


def from_json(text: str, t: Type, env: TypeEnv | None = None) -> Value:
    """The value of `t` that one JSON text means.

    Args:
        env: by default one without aliases that knows the predicates of the library.

    Raises:
        NotOfType: it means none.
    """
    return from_data(json_data(text), t, env)


def from_data(data: Any, t: Type, env: TypeEnv | None = None) -> Value:
    """The value of `t` that data as `json_data` gives it means. Arguments and errors as for `from_json`."""
    env = env or TypeEnv(function=library_predicate)
    with deep_recursion(_CALLS):
        try:
            value = _Reader(env, is_exact=True).read(data, t)
        except _Mismatch as first:
            try:
                value = _Reader(env, is_exact=False).read(data, t)
            except _Mismatch:
                raise NotOfType(first.message()) from None
    try:
        is_member = matches(value, t, env)
    except errors.TypeValidationError as error:
        raise NotOfType(error.message) from None
    if not is_member:
        raise NotOfType(f"expected {_shown(t)}, got something else")
    return value


def _shown(t: Type) -> str:
    text = type_text(t)
    return f"`{text}`" if len(text) <= _SHOWN else f"`{text[: _SHOWN - 1]}…`"


class _Mismatch(Exception):
    """Data that means no value of a type: what was expected, what came, the steps to it, innermost first."""

    def __init__(self, expected: str, got: str) -> None:
        super().__init__(expected)
        self.expected = expected
        self.got = got
        self.steps: list[str] = []

    def message(self) -> str:
        place = "".join(reversed(self.steps))
        return f"expected {self.expected}, got {self.got}{f' at `{place}`' if place else ''}"


def _kind(data: Any) -> str:
    """What JSON calls such data."""
    match data:
        case None:
            return "null"
        case bool():
            return "true" if data else "false"
        case str():
            return "an empty string" if not data else "a string"
        case int():
            return "an integer"
        case float():
            return "a number"
        case list():
            return f"an array of {len(data)}"
        case _:
            return "an object"


class _Reader:
    """One read of one text."""

    def __init__(self, env: TypeEnv, *, is_exact: bool) -> None:
        self.env = env
        #: whether everything is taken as it stands
        self.is_exact = is_exact
        #: by ids of data and type: what came out. Members of a union are tried one after the other, so nested
        #: ones could be tried ever so often
        self._known: dict[tuple[int, int], Value | _Mismatch] = {}

    def read(self, data: Any, t: Type) -> Value:
        """The value that `data` means. Raises _Mismatch."""
        return _READERS[type(t)](self, data, t)

    def part(self, data: Any, t: Type, step: str) -> Value:
        """The value of a part that `step` leads to."""
        try:
            return self.read(data, t)
        except _Mismatch as error:
            error.steps.append(step)
            raise

    def alias(self, data: Any, t: types.Alias) -> Value:
        definition = self.env.aliases.get(t.name)
        if definition is None:
            raise _Mismatch(f"`{t.name}`, which nothing defines", _kind(data))
        return self.read(data, definition)

    def union(self, data: Any, t: types.UnionType) -> Value:
        key = (id(data), id(t))
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._first(data, t)
        if isinstance(known, _Mismatch):
            again = _Mismatch(known.expected, known.got)
            again.steps = list(known.steps)
            raise again
        return known

    def _first(self, data: Any, t: types.UnionType) -> Value | _Mismatch:
        """What the first member gives that takes `data`, else what is wrong with the one it is nearest to."""
        nearest: list[_Mismatch] = []
        for item in t.items:
            try:
                return self.read(data, item)
            except _Mismatch as error:
                if error.steps:
                    nearest.append(error)
        return nearest[0] if len(nearest) == 1 else _Mismatch(_shown(t), _kind(data))

    def optional(self, data: Any, t: types.OptionalType) -> Value:
        return None if data is None else self.read(data, t.item)

    def enum(self, data: Any, t: types.EnumType) -> Value:
        for value in t.values:
            if _is_same(data, value, self.is_exact):
                return value
        raise _Mismatch(_shown(t), _kind(data))

    def and_(self, data: Any, t: types.AndType) -> Value:
        found, predicates = flattened(t, self.env.aliases)
        value = self.read(data, found[0])
        for predicate in predicates:
            if self.env.level != "basic" and not holds(predicate, value):
                raise _Mismatch(f"`{type_text(predicate)}`", _kind(data))
        for other in found[1:]:
            if not matches(value, other, self.env):
                raise _Mismatch(_shown(other), _kind(data))
        return value

    # ------------------------------------------------------------ collections

    def items(self, data: Any, t: Type, item: Type) -> list[Value]:
        """The items of an array."""
        if type(data) is not list:
            raise _Mismatch(_shown(t), _kind(data))
        return [self.part(each, item, f"[{at}]") for at, each in enumerate(data)]

    def tuple_(self, data: Any, t: types.TupleType) -> Value:
        if type(data) is not list or len(data) != len(t.items):
            raise _Mismatch(_shown(t), _kind(data))
        pairs = zip(data, t.items, strict=True)
        return Vector([self.part(each, item, f"[{at}]") for at, (each, item) in enumerate(pairs)])

    def array(self, data: Any, t: types.ArrayType) -> Value:
        size = t.dims[0] if t.dims else None
        if type(data) is list and size is not None and len(data) != size:
            raise _Mismatch(f"an array of {size}", _kind(data))
        return Vector(self.items(data, t, array_item(t)))

    def map_(self, data: Any, t: types.MapType) -> Value:
        if type(data) is not dict:
            raise _Mismatch(_shown(t), _kind(data))
        entries = {entry.key: entry for entry in t.entries}
        for entry in t.entries:
            if not entry.optional and entry.key not in data:
                raise _Mismatch(f"the key `{entry.key}`", "an object without it")
        other = t.rest or _ANY
        made: dict[Value, Value] = {}
        for key, each in data.items():
            known = entries.get(key)
            if each is None and known is not None and known.optional and not self._takes_null(known.type):
                continue
            step = f".{key}" if known is not None else ".*"
            made[Keyword.of(key)] = self.part(each, other if known is None else known.type, step)
        return Map(made)

    def _takes_null(self, t: Type) -> bool:
        """Whether `null` is a value of `t`; what is taken as it stands is."""
        if self.is_exact:
            return True
        try:
            self.read(None, t)
        except _Mismatch:
            return False
        return True

    def map_of(self, data: Any, t: types.MapOfType) -> Value:
        if type(data) is not dict:
            raise _Mismatch(_shown(t), _kind(data))
        made: dict[Value, Value] = {}
        for name, each in data.items():
            key = next(_keys(name, t.key, self), _NO_KEY)
            if key is _NO_KEY:
                raise _Mismatch(f"keys of {_shown(t.key)}", "another key")
            made[key] = self.part(each, t.value, ".*")
        if len(made) != len(data):
            raise _Mismatch("keys that differ", "two names for one key")
        return Map(made)


_ANY: Final = types.Primitive("any")
_NO_KEY: Final = object()


def _is_same(data: Any, value: Value, is_exact: bool) -> bool:
    """Whether `data` is how JSON writes the literal `value`."""
    wanted = json_scalar(value)
    if type(data) is type(wanted):
        return bool(data == wanted)
    numbers = (int, float)
    return not is_exact and type(data) in numbers and type(wanted) in numbers and bool(data == wanted)


def _keys(name: str, t: Type, reader: _Reader) -> Iterator[Value]:
    """The keys of type `t` that an object's key `name` may mean, the first member's of a union first."""
    match t:
        case types.Alias(alias):
            definition = reader.env.aliases.get(alias)
            if definition is not None:
                yield from _keys(name, definition, reader)
        case types.UnionType(items):
            for item in items:
                yield from _keys(name, item, reader)
        case types.AndType():
            found, predicates = flattened(t, reader.env.aliases)
            for key in _keys(name, found[0], reader):
                if all(holds(each, key) for each in predicates):
                    yield key
        case types.EnumType(values):
            yield from (v for v in values if (v.name if isinstance(v, Keyword) else str(v)) == name)
        case types.Primitive("int"):
            if _INTEGER.fullmatch(name) and name != "-0" and INT_MIN <= int(name) <= INT_MAX:
                yield int(name)
        case types.Primitive("keyword"):
            if name:
                yield Keyword.of(name)
        case types.Primitive("string" | "any"):
            yield name
        case _:
            pass


# ---------------------------------------------------------------- scalars


def _primitive(reader: _Reader, data: Any, t: types.Primitive) -> Value:
    return _PRIMITIVES[t.name](reader, data, t)


def _of(*kinds: type) -> Callable[[_Reader, Any, types.Primitive], Value]:
    def read(reader: _Reader, data: Any, t: types.Primitive) -> Value:
        if type(data) in kinds:
            return data
        raise _Mismatch(t.name, _kind(data))

    return read


def _whole(reader: _Reader, data: Any, t: types.Primitive) -> Value:
    if type(data) is int:
        return data
    if not reader.is_exact and type(data) is float and data % 1 == 0 and abs(data) <= _EXACT:
        return int(data)
    raise _Mismatch("int", _kind(data))


def _keyword(reader: _Reader, data: Any, t: types.Primitive) -> Value:
    if type(data) is str and len(data) > 1 and data[0] == ":":
        return Keyword.of(data[1:])
    raise _Mismatch('a keyword such as ":name"', _kind(data))


def _symbol(reader: _Reader, data: Any, t: types.Primitive) -> Value:
    if type(data) is str and data:
        return Symbol.of(data)
    raise _Mismatch("symbol", _kind(data))


def _tagged(kind: type, example: str) -> Callable[[_Reader, Any, types.Primitive], Value]:
    def read(reader: _Reader, data: Any, t: types.Primitive) -> Value:
        from rtfs.reader.literals import read_atom

        if type(data) is str and data and data[0].isalnum():
            try:
                value = read_atom(data).value
            except errors.ReadError:
                value = None
            if type(value) is kind:
                return value
        raise _Mismatch(f"a {t.name} such as `{example}`", _kind(data))

    return read


def _anything(reader: _Reader, data: Any, t: types.Primitive) -> Value:
    """As `parse-json` has it."""
    if type(data) is list:
        return Vector([_anything(reader, each, t) for each in data])
    if type(data) is dict:
        return Map({key: _anything(reader, each, t) for key, each in data.items()})
    return data


def _array_of(made: Callable[[list[Value]], Value]) -> Callable[[_Reader, Any, types.Primitive], Value]:
    return lambda reader, data, t: made(reader.items(data, t, _ANY))


def _open_map(reader: _Reader, data: Any, t: types.Primitive) -> Value:
    if type(data) is not dict:
        raise _Mismatch("map", _kind(data))
    return _anything(reader, data, t)


def _nothing(reader: _Reader, data: Any, t: Type) -> NoReturn:
    raise _Mismatch(_shown(t), _kind(data))


_PRIMITIVES: Final[Mapping[str, Callable[[_Reader, Any, types.Primitive], Value]]] = {
    "nil": _of(type(None)),
    "int": _whole,
    "float": _of(int, float),
    "number": _of(int, float),
    "string": _of(str),
    "bool": _of(bool),
    "keyword": _keyword,
    "symbol": _symbol,
    "any": _anything,
    "never": _nothing,
    "vector": _array_of(Vector),
    "list": _array_of(List),
    "set": _array_of(Set),
    "map": _open_map,
    "timestamp": _tagged(Timestamp, "2025-01-31T10:20:30Z"),
    "uuid": _tagged(Uuid, "123e4567-e89b-12d3-a456-426614174000"),
    "fn": _nothing,
    "error": _nothing,
}
_READERS: Final[Mapping[type, Callable[..., Value]]] = {
    types.Primitive: _primitive,
    types.Alias: _Reader.alias,
    types.OptionalType: _Reader.optional,
    types.VectorType: lambda reader, data, t: Vector(reader.items(data, t, t.item)),
    types.ListType: lambda reader, data, t: List(reader.items(data, t, t.item)),
    types.SetType: lambda reader, data, t: Set(reader.items(data, t, t.item)),
    types.TupleType: _Reader.tuple_,
    types.MapType: _Reader.map_,
    types.MapOfType: _Reader.map_of,
    types.EnumType: _Reader.enum,
    types.UnionType: _Reader.union,
    types.AndType: _Reader.and_,
    types.ArrayType: _Reader.array,
    types.FunctionType: _nothing,
    types.ResourceType: _nothing,
}
