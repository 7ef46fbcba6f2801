"""Values of a type as JSON text, such that `rtfs.types.from_json` reads the same value back.

The text is the one of `rtfs.types.grammar`: without blanks, the keys that a map's type names in its order.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rtfs import errors
from rtfs.json_text import serialize
from rtfs.run import deep_recursion
from rtfs.types import model as types
from rtfs.types.check import TypeEnv, matches
from rtfs.types.from_json import from_json
from rtfs.types.json_data import NotOfType
from rtfs.types.kinds import union_members
from rtfs.types.limits import flattened, limits_of, with_keys
from rtfs.types.literals import json_scalar, library_predicate
from rtfs.types.model import Type
from rtfs.types.shapes import array_item, entry_key
from rtfs.types.text import type_text
from rtfs.values import COLLECTIONS, Keyword, Map, Value, Vector, equal

_ANY: Final = types.Primitive("any")
#: Python calls for one level of data and of types
_CALLS: Final = 20_000


def to_json(value: Value, t: Type = _ANY, env: TypeEnv | None = None) -> str:
    """The JSON text of `value` as one of `t`.

    Args:
        env: by default one without aliases that knows the predicates of the library.

    Raises:
        InvalidArgument: it is none, JSON has no form for it, or the text would be read as another value: a
            string that looks like a keyword where both belong, a string as a key that the type names.
    """
    env = env or TypeEnv(function=library_predicate)
    if not matches(value, t, env):
        raise errors.InvalidArgument(f"the value is no `{type_text(t)}`")
    try:
        with deep_recursion(_CALLS):
            text = serialize(_data(value, t, env))
        back = from_json(text, t, env)
    except (errors.Generic, NotOfType) as error:
        raise errors.InvalidArgument(f"no JSON text of `{type_text(t)}` is that value: {error}") from None
    if not equal(back, value):
        raise errors.InvalidArgument(f"as `{type_text(t)}`, JSON cannot tell that value from another")
    return text


def _data(value: Value, t: Type, env: TypeEnv) -> Value:
    """`value` as what `serialize` writes: vectors, maps with keys of text in order, scalars."""
    if type(value) not in COLLECTIONS:
        return json_scalar(value)
    match t:
        case types.Alias(name):
            return _data(value, env.aliases[name], env)
        case types.UnionType() | types.OptionalType():
            member = next((each for each in union_members(t) if matches(value, each, env)), _ANY)
            return _data(value, member, env)
        case types.AndType():
            found, predicates = flattened(t, env.aliases)
            first = _definition(found[0], env)
            keyed = with_keys(first, limits_of(predicates).keys) if isinstance(first, types.MapType) else first
            return _data(value, keyed, env)
        case types.VectorType(item) | types.ListType(item) | types.SetType(item):
            return Vector([_data(each, item, env) for each in value])
        case types.ArrayType():
            return Vector([_data(each, array_item(t), env) for each in value])
        case types.TupleType(items):
            return Vector([_data(each, item, env) for each, item in zip(value, items, strict=True)])
        case types.MapType():
            return _map(value, t, env)
        case types.MapOfType():
            return _named((key, _data(each, t.value, env)) for key, each in value.items())
        case _ if type(value) is Map:
            return _named((key, _data(each, _ANY, env)) for key, each in value.items())
        case _:
            return Vector([_data(each, _ANY, env) for each in value])


def _definition(t: Type, env: TypeEnv) -> Type:
    while isinstance(t, types.Alias):
        t = env.aliases[t.name]
    return t


def _map(value: Map, t: types.MapType, env: TypeEnv) -> Map:
    pairs: list[tuple[Value, Value]] = []
    for entry in t.entries:
        key = entry_key(value, entry.key)
        if key in value:
            pairs.append((key, _data(value[key], entry.type, env)))
    taken = {key for key, _ in pairs}
    other = t.rest or _ANY
    pairs += [(key, _data(each, other, env)) for key, each in value.items() if key not in taken]
    return _named(pairs)


def _named(pairs: Iterable[tuple[Value, Value]]) -> Map:
    """A map by the texts of keys.

    Raises:
        Generic: two keys have one text.
    """
    found: dict[Value, Value] = {}
    for key, value in pairs:
        name = key.name if isinstance(key, Keyword) else str(key)
        if name in found:
            raise errors.Generic("two keys of a map have one text")
        found[name] = value
    return Map(found)
