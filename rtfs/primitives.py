"""Operations that the analyzer makes and no program can name. See `rtfs.ir.Primitive`.

Each is a plain function of values, in `TABLE` by its name. `lookup` is the meaning of `rtfs.ir.DynamicRef`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import FunctionType
from typing import Any, Final, NoReturn

from rtfs import errors
from rtfs.run import current_run, poll, reserve
from rtfs.values import (
    MAP_KEY_TYPES,
    List,
    Map,
    Symbol,
    Value,
    Vector,
    equal,
    truthy,
    type_name,
)

#: turns of a `step-loop` (language.md §3.6)
MAX_STEP_TURNS: Final = 10_000

_TABLE: Final[dict[str, FunctionType]] = {}
TABLE: Final[Mapping[str, FunctionType]] = _TABLE


def _primitive[F: Callable[..., Value]](name: str) -> Callable[[F], F]:
    def register(function: F) -> F:
        assert isinstance(function, FunctionType)
        assert name not in _TABLE, name
        _TABLE[name] = function
        return function

    return register


# ---------------------------------------------------------------- destructuring


@_primitive("destructure-vector")
def _destructure_vector(value: Value, count: int) -> Value:
    """The value, a vector or list of exactly `count` items."""
    if type(value) is not Vector and type(value) is not List:
        raise _not_destructured(value, f"vector with exactly {count} elements", type_name(value))
    if len(value) != count:
        raise _not_destructured(value, f"vector with exactly {count} elements", _with_length(value))
    return value


@_primitive("destructure-vector-rest")
def _destructure_vector_rest(value: Value, count: int) -> Value:
    """The value, a vector or list of at least `count` items."""
    if type(value) is not Vector and type(value) is not List:
        raise _not_destructured(value, f"vector with at least {count} elements", type_name(value))
    if len(value) < count:
        raise _not_destructured(value, f"vector with at least {count} elements", _with_length(value))
    return value


def _not_destructured(value: Value, expected: str, actual: str) -> errors.TypeMismatch:
    return errors.TypeMismatch(expected, actual, "vector destructuring")


def _with_length(value: Value) -> str:
    count = len(value)
    return f"{type_name(value)} with {count} element{'' if count == 1 else 's'}"


@_primitive("item")
def _item(value: Value, index: int) -> Value:
    """Item `index` of a sequence that has it."""
    return value[index]


@_primitive("items-from")
def _items_from(value: Value, index: int) -> Value:
    """A vector of the items from `index` on, of a sequence that has `index` items or more."""
    if type(value) is Vector:
        return value.slice(index, len(value))
    reserve(8 * len(value))
    return Vector(value.to_list()[index:])


@_primitive("destructure-map")
def _destructure_map(value: Value) -> Value:
    """The value, a map. An error value may be taken apart like one."""
    if type(value) is not Map:
        raise errors.TypeMismatch("map", type_name(value), "map destructuring")
    return value


@_primitive("map-get")
def _map_get(value: Value, key: Value) -> Value:
    return value.get(key)


@_primitive("has-key")
def _has_key(value: Value, key: Value) -> Value:
    return key in value


@_primitive("map-without")
def _map_without(value: Value, *keys: Value) -> Value:
    """A map without some keys."""
    if len(value) <= len(keys) or len(keys) > 8:
        gone = set(keys)
        return Map({key: each for key, each in value.items() if key not in gone})
    for key in keys:
        value = value.dissoc(key)
    return value


# ---------------------------------------------------------------- match


@_primitive("is-sequence-of")
def _is_sequence_of(value: Value, count: int) -> Value:
    return (type(value) is Vector or type(value) is List) and len(value) == count


@_primitive("is-sequence-from")
def _is_sequence_from(value: Value, count: int) -> Value:
    return (type(value) is Vector or type(value) is List) and len(value) >= count


@_primitive("is-map-with")
def _is_map_with(value: Value, *keys: Value) -> Value:
    """Whether the value is a map of exactly these keys, each given once."""
    return type(value) is Map and len(value) == len(keys) and _has_all(value, keys)


@_primitive("is-map-having")
def _is_map_having(value: Value, *keys: Value) -> Value:
    """Whether the value is a map with these keys, and perhaps others."""
    return type(value) is Map and _has_all(value, keys)


def _has_all(value: Map, keys: Iterable[Value]) -> bool:
    return all(key in value for key in keys)


@_primitive("equal")
def _equal(a: Value, b: Value) -> Value:
    return equal(a, b)


@_primitive("no-match")
def _no_match(value: Value) -> NoReturn:
    """No clause of `match` or `case` fits."""
    error = errors.MatchError("No matching clause")
    error.hint = (
        f"no clause fits a value of type {type_name(value)}; "
        "`_` at the end of `match`, or a default at the end of `case`, fits anything"
    )
    raise error


# ---------------------------------------------------------------- steps and checks


@_primitive("step-truthy")
def _step_truthy(value: Value) -> Value:
    """Truth of a step's condition: zero and empty values are false as well."""
    if type(value) in (int, float, str, Vector, List, Map):
        return bool(value)
    return truthy(value)


@_primitive("count-turn")
def _count_turn(turns: int) -> Value:
    """One more turn of a `step-loop`."""
    if turns >= MAX_STEP_TURNS:
        raise errors.Generic(f"step-loop ran more than {MAX_STEP_TURNS} times")
    return turns + 1


@_primitive("check-integer")
def _check_integer(value: Value) -> Value:
    if type(value) is not int:
        raise errors.TypeMismatch("integer", type_name(value), "dotimes")
    return value


@_primitive("bad-shape")
def _bad_shape(expected: str, actual: str) -> NoReturn:
    raise errors.InvalidArguments(expected, actual)


@_primitive("not-implemented")
def _not_implemented(message: str) -> NoReturn:
    raise errors.NotImplementedForm(message)


# ---------------------------------------------------------------- templates


@_primitive("concat-list")
def _concat_list(*segments: Value) -> Value:
    """A list of the items of sequences, nil counting as none."""
    return List(_joined(segments))


@_primitive("concat-vector")
def _concat_vector(*segments: Value) -> Value:
    """A vector of the items of sequences, nil counting as none."""
    return Vector(_joined(segments))


def _joined(segments: Iterable[Value]) -> list[Value]:
    made: list[Value] = []
    for segment in segments:
        if segment is None:
            continue
        if type(segment) is not Vector and type(segment) is not List:
            raise errors.TypeMismatch("vector or list", type_name(segment), "unquote-splicing")
        poll()
        reserve(8 * (len(made) + len(segment)))
        made += segment.to_list()
    return made


_FORM_KEYS: Final = MAP_KEY_TYPES | {Symbol, Vector, Map}


@_primitive("form-map")
def _form_map(*parts: Value) -> Value:
    """A map form of keys and values in turn. Forms may have names and patterns as keys."""
    table: dict[Value, Value] = {}
    for index in range(0, len(parts), 2):
        key = parts[index]
        if type(key) not in _FORM_KEYS:
            raise errors.TypeMismatch("string, keyword or integer", type_name(key), "map key")
        table[key] = parts[index + 1]
    return Map(table)


# ---------------------------------------------------------------- names known only when run


_ABSENT: Final = object()


def lookup(name: str, or_nil: bool = False, defined: Callable[[], Iterable[str]] = tuple) -> Value:
    """The value of a name that the program binds nowhere.

    Arguments of the run, then the host's context, then values of other plans.

    Args:
        or_nil: nil if there is no value, instead of the error.
        defined: gives names that the error may suggest, beside those of the run and the library.

    Raises:
        UndefinedSymbol: there is no such name.
    """
    run = current_run()
    found = run.arguments.get(name, _ABSENT)
    if found is not _ABSENT:
        return found
    found = _context_value(name)
    if found is not None:
        return found
    found = run.context.cross_plan_params.get(name)
    if found is not None or or_nil or name in run.context.cross_plan_params:
        return found
    error = errors.UndefinedSymbol(name)
    error.hint = _hint(name, [*defined(), *run.arguments])
    raise error


def _context_value(name: str) -> Value:
    from rtfs.security import adopt, ask

    host: Any = current_run().host
    return adopt("get_context_value", ask("get_context_value", host.get_context_value, name))


def _hint(name: str, known: Iterable[str]) -> str | None:
    from rtfs.analyze.core import SPECIAL
    from rtfs.idioms import suggestion
    from rtfs.stdlib.table import BUILTINS

    if name in SPECIAL:
        return f"`{name}` is a special form, which is no value; call it as `({name} …)`"
    return suggestion(name, [*known, *BUILTINS, *SPECIAL])


@_primitive("resource-ref")
def _resource_ref(name: str) -> Value:
    """`@name`: a value of the host's context, else the text `@name`."""
    found = _context_value(name)
    return f"@{name}" if found is None else found
