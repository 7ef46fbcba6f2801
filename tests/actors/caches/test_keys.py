from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from math import inf, nan
from random import Random
from struct import unpack
from typing import Any

import pytest

import rtfs
from actors.caches.errors import NotCacheable
from actors.caches.keys import FunctionKey, InferenceCall, ModelKey, Scope, canonical, input_of
from rtfs.delegation import FunctionInfo
from rtfs.values import Keyword, List, Map, Set, Symbol, Timestamp, Uuid, Vector

K = Keyword.of

#: no two of these are the same input
DIFFERENT: list[Any] = [
    *(None, True, False, 0, 1, -1, 2**63 - 1, -(2**63), 0.0, -0.0, 1.0, -1.0, inf, -inf, nan),
    *("", "1", "1.0", "true", "nil", "a", "A", "é", "e\u0301", "\ud800", "\0", "a\0", "t1:a", ":a"),
    *(K("a"), K("1"), Symbol.of("a"), Timestamp("2026-01-01T00:00:00Z"), Uuid("0" * 8)),
    *(Vector([]), List([]), Map({}), Set()),
    *(
        Vector([1]),
        List([1]),
        Set([1]),
        Map({1: 1}),
        Vector([1, 1]),
        Vector([1.0]),
        Vector(["1"]),
        Vector([True]),
    ),
    *(Vector([1, 2]), Vector([2, 1]), Vector([12]), Vector(["12"]), Vector(["1", "2"])),
    *(Vector([Vector([])]), Vector([Vector([]), Vector([])]), Vector([Vector([Vector([])])])),
    *(Vector([Vector([1]), 2]), Vector([1, Vector([2])]), Vector([Vector([1, 2])]), Vector([Set([1]), 2])),
    *(Map({"a": 1}), Map({K("a"): 1}), Map({"a": 1.0}), Map({"a": None}), Map({"a": Map({})})),
    *(Map({1: 2, 3: 4}), Map({1: 4, 3: 2}), Map({1: Vector([2, 3])}), Map({1: Vector([2]), 3: None})),
    *(Set([1, 1.0]), Set([True]), Set(["1"]), Set([Vector([1])]), Set([List([1])]), Set([Set([1])])),
    *(Map({"1": 1}), Map({"": ""}), Vector([canonical(Vector([1])).decode("latin-1")])),
]


def test_values_that_differ_have_different_bytes() -> None:
    seen: dict[bytes, Any] = {}
    for value in DIFFERENT:
        assert seen.setdefault(canonical(value), value) is value
    # and none is the beginning of another, so that their sequences differ too
    encoded = sorted(seen)
    assert not [a for a, b in pairwise(encoded) if b.startswith(a)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Map({"a": 1, "b": Vector([2])}), Map({"b": Vector([2]), "a": 1})),
        (Set([1, "a", Vector([1])]), Set([Vector([1]), 1, "a"])),
        (Map({"a": Set([1, 2])}), Map({"a": Set([2, 1])})),
        (nan, unpack(">d", bytes.fromhex("fff8000000000001"))[0]),
        (Vector([1, 2]), Vector([1]).conj(2)),
    ],
)
def test_values_that_nothing_tells_apart_have_the_same_bytes(one: Any, other: Any) -> None:
    assert canonical(one) == canonical(other)


def test_depth_and_sharing_are_no_limit() -> None:
    deep: Any = 1
    shared: Any = Vector([1])
    for _ in range(20_000):
        deep = Vector([deep])
    for _ in range(200):
        shared = Vector([shared, shared])
    assert canonical(deep) != canonical(Vector([deep]))
    assert len(canonical(shared)) < 100


@pytest.mark.parametrize(
    "wrap", [lambda x: x, lambda x: Vector([x]), lambda x: Map({"a": x}), lambda x: Set([x])]
)
def test_what_has_no_meaning_elsewhere_has_no_key(wrap: Callable[[Any], Any]) -> None:
    function = rtfs.evaluate("(fn [x] x)")
    with pytest.raises(NotCacheable, match="function"):
        canonical(wrap(function))


def test_a_key_is_the_same_in_every_process() -> None:
    function = FunctionKey(symbol="m/f", ir_hash="00", language="1")
    call = InferenceCall(function, ModelKey(target="local-a", version="1"), Scope("acme"), ("x", 1))
    assert call.key.hex() == "41d8a2e369eb40349fefaf45943c42ee34fc4d18d822cdda96b831b2e39f1299"
    assert call.input.hex() == input_of("m/f", ("x", 1)).hex() == "74438ff1405586339389196d049856b9"


def test_the_key_of_a_function_is_made_once() -> None:
    info = FunctionInfo("m/f", None, ("x",), ("string",), "any", None, {}, "00")
    assert FunctionKey.of(info) is FunctionKey.of(info)
    assert FunctionKey.of(info, "told more") is not FunctionKey.of(info)


# ---------------------------------------------------------------- one difference, another key

_TEXTS = ["", "a", "b", "ab", "a\0b", "acme", "é", "1", "t1:a", "local-a"]
_OPTIONS: list[Any] = [None, True, False, 0, 1, 0.0, 1.0, -0.0, "1", ""]
_SCALARS: list[Any] = [*_OPTIONS, "a", K("a"), Symbol.of("a"), 7, -7, 1e300]


def _value(random: Random, depth: int = 2) -> Any:
    if depth == 0 or random.random() < 0.7:
        return random.choice(_SCALARS)
    items = [_value(random, depth - 1) for _ in range(random.randrange(3))]
    match random.randrange(4):
        case 0:
            return Vector(items)
        case 1:
            return List(items)
        case 2:
            return Set(items)
        case _:
            return Map(dict(zip(random.sample(_TEXTS, len(items)), items, strict=True)))


def _texts(random: Random, most: int = 3) -> tuple[str, ...]:
    return tuple(random.choice(_TEXTS) for _ in range(random.randrange(most)))


def _options(random: Random) -> dict[str, Any]:
    return {random.choice(_TEXTS): random.choice(_OPTIONS) for _ in range(random.randrange(3))}


def _shown(value: Any) -> str:
    """What tells values apart, by another way than `canonical`: types and nested text, in an order."""
    if isinstance(value, Map):
        return "M" + repr(sorted((_shown(k), _shown(v)) for k, v in value.items()))
    if isinstance(value, Set):
        return "S" + repr(sorted(map(_shown, value)))
    if isinstance(value, Vector | List):
        return type(value).__name__ + repr([_shown(each) for each in value.to_list()])
    return f"{type(value).__name__}:{getattr(value, 'name', value)!r}"


type Parts = dict[str, Any]

_FIELDS: dict[str, Callable[[Random], Any]] = {
    "symbol": lambda random: random.choice(_TEXTS),
    "ir_hash": lambda random: random.choice(_TEXTS),
    "parameter_types": _texts,
    "return_type": lambda random: random.choice(_TEXTS),
    "interface": lambda random: random.choice(_TEXTS),
    "language": lambda random: random.choice(_TEXTS),
    "target": lambda random: random.choice(_TEXTS),
    "version": lambda random: random.choice(_TEXTS),
    "prompt_version": lambda random: random.choice(_TEXTS),
    "options": _options,
    "tenant": lambda random: random.choice([None, *_TEXTS]),
    "labels": lambda random: frozenset(_texts(random)),
    "args": lambda random: tuple(_value(random) for _ in range(random.randrange(4))),
}


def _identity(name: str, value: Any) -> Any:
    if name == "args":
        return tuple(map(_shown, value))
    if name == "options":
        return tuple(sorted((key, _shown(each)) for key, each in value.items()))
    return value


def _key(parts: Parts) -> bytes:
    of_function = ("symbol", "ir_hash", "parameter_types", "return_type", "interface", "language")
    of_model = ("target", "version", "prompt_version", "options")
    function = FunctionKey(**{name: parts[name] for name in of_function})
    model = ModelKey(**{name: parts[name] for name in of_model})
    return InferenceCall(function, model, Scope(parts["tenant"], parts["labels"]), parts["args"]).key


def test_no_two_different_calls_share_a_key() -> None:
    """100 000 pairs that differ in one field, and all of them against all others."""
    random = Random(7)
    names = list(_FIELDS)
    seen: dict[bytes, Any] = {}
    pairs = 0
    while pairs < 100_000:
        parts = {name: make(random) for name, make in _FIELDS.items()}
        identity = {name: _identity(name, value) for name, value in parts.items()}
        key = _key(parts)
        assert seen.setdefault(key, tuple(identity.values())) == tuple(identity.values())
        for name in names * 2:
            changed = parts | {name: _FIELDS[name](random)}
            other = identity | {name: _identity(name, changed[name])}
            other_key = _key(changed)
            assert (other_key == key) == (other == identity), (parts, changed)
            assert seen.setdefault(other_key, tuple(other.values())) == tuple(other.values())
            pairs += other != identity
    assert len(seen) > 50_000


def test_a_copy_with_other_options_has_another_key() -> None:
    model = ModelKey(target="local-a", version="1", options={"temperature": 0.0})
    assert model.digest == ModelKey(target="local-a", version="1", options={"temperature": 0.0}).digest
    assert replace(model, options={"temperature": 0}).digest != model.digest
