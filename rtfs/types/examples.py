"""Values of a type, for trying a function out: small ones mostly, and those at which functions break."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Final

from rtfs.types import model as types
from rtfs.types.check import TypeEnv, matches
from rtfs.values import INT_MAX, INT_MIN, Keyword, List, Map, Set, Symbol, Value, Vector

#: tries to meet the conditions of `[:and …]`
_TRIES: Final = 40
#: nesting beyond which only what is small is made
_DEPTH: Final = 4
_EDGES: Final[tuple[int, ...]] = (0, 1, -1, 2, 7, 255, 1 << 31, 1 << 53, INT_MAX, INT_MIN)
_FLOATS: Final[tuple[float, ...]] = (0.0, -0.0, 1.0, -1.5, 0.1, 1e-9, 1e18, 1e300)
_TEXTS: Final[tuple[str, ...]] = ("", "a", "hello world", "Zażółć", "0", "line\nbreak", "a,b,c")
_KEYWORDS: Final[tuple[str, ...]] = ("a", "b", "status", "name")


class NoExample(Exception):
    """No value of a type was found."""


def example(
    type_: types.Type | None, random: Random, aliases: Mapping[str, types.Type], depth: int = 0
) -> Value:
    """A value of a type; of none, or `any`, one of any kind.

    Args:
        aliases: what type names stand for.

    Raises:
        NoExample: the type is a function's, has no values, or is too hard.
    """

    def inner(each: types.Type) -> Value:
        return example(each, random, aliases, depth + 1)

    def several(each: types.Type) -> list[Value]:
        return [inner(each) for _ in range(random.randrange(4 if depth < _DEPTH else 1))]

    match type_:
        case None:
            return _any(random, depth)
        case types.Primitive(name=name):
            return _primitive(name, random, depth)
        case types.OptionalType(item=item):
            return None if depth > _DEPTH or random.random() < 0.2 else inner(item)
        case types.Alias(name=name):
            if name not in aliases or depth > 4 * _DEPTH:
                raise NoExample(f"`{name}`")
            return inner(aliases[name])
        case types.VectorType(item=item):
            return Vector(several(item))
        case types.ListType(item=item):
            return List(several(item))
        case types.SetType(item=item):
            return Set(several(item))
        case types.TupleType(items=items):
            return Vector([inner(each) for each in items])
        case types.MapType(entries=entries):
            wanted = [each for each in entries if not each.optional or random.random() < 0.5]
            return Map({Keyword.of(each.key): inner(each.type) for each in wanted})
        case types.MapOfType(key=key, value=value):
            keys = [each for each in several(key) if type(each) in (str, int, Keyword)]
            return Map({each: inner(value) for each in keys})
        case types.EnumType(values=values):
            return random.choice(values)
        case types.UnionType(items=items):
            return inner(random.choice(items))
        case types.AndType():
            return _meeting(type_, random, aliases, inner)
        case types.ArrayType(item=item, dims=dims):
            return _array(item, dims or (None,), inner, random)
        case _:
            raise NoExample(type(type_).__name__)


def _meeting(
    type_: types.AndType,
    random: Random,
    aliases: Mapping[str, types.Type],
    inner: Callable[[types.Type], Value],
) -> Value:
    bases = [each for each in type_.items if not isinstance(each, types.Predicate)]
    base = bases[0] if bases else types.Primitive("int")
    near = [
        value
        for each in type_.items
        if isinstance(each, types.Predicate)
        for argument in each.args
        if type(argument) in (int, float)
        for value in (argument, argument + 1, argument - 1)
    ]
    environment = TypeEnv(dict(aliases))
    for _ in range(_TRIES):
        value = random.choice(near) if near and random.random() < 0.5 else inner(base)
        if matches(value, type_, environment):
            return value
    raise NoExample("the conditions of `[:and …]`")


def _array(
    item: types.Type, dims: tuple[int | None, ...], inner: Callable[[types.Type], Value], random: Random
) -> Value:
    length = random.randrange(3) if dims[0] is None else dims[0]
    if length > 1_000:
        raise NoExample("an array of that length")
    return Vector([_array(item, dims[1:], inner, random) if dims[1:] else inner(item) for _ in range(length)])


def _primitive(name: str, random: Random, depth: int) -> Value:
    match name:
        case "nil":
            return None
        case "int":
            return random.choice(_EDGES) if random.random() < 0.3 else random.randrange(-20, 21)
        case "float":
            return random.choice(_FLOATS) if random.random() < 0.3 else round(random.uniform(-20, 20), 2)
        case "number":
            return _primitive(random.choice(("int", "float")), random, depth)
        case "string":
            return random.choice(_TEXTS)
        case "bool":
            return random.random() < 0.5
        case "keyword":
            return Keyword.of(random.choice(_KEYWORDS))
        case "symbol":
            return Symbol.of(random.choice(_KEYWORDS))
        case "any":
            return _any(random, depth)
        case "vector":
            return Vector([_any(random, depth + 1) for _ in range(random.randrange(3))])
        case "list":
            return List([_any(random, depth + 1) for _ in range(random.randrange(3))])
        case "set":
            return Set([_any(random, depth + 1) for _ in range(random.randrange(3))])
        case "map":
            return Map({Keyword.of(each): _any(random, depth + 1) for each in random.sample(_KEYWORDS, 2)})
        case _:
            raise NoExample(f"`{name}`")


def _any(random: Random, depth: int) -> Value:
    kinds = ("nil", "int", "int", "float", "string", "bool", "keyword")
    return _primitive(random.choice(kinds if depth else (*kinds, "vector", "map")), random, depth)
