"""Conditions on types and size of arguments, of three values."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from policies.context import CallContext
from policies.file.schema import Rule
from policies.rules.arguments import ArgumentCondition, declared_names

DECLARED = [
    ("int", {"integer"}),
    ("float", {"float", "integer"}),
    ("number", {"integer", "float"}),
    ("string?", {"string", "nil"}),
    ("[:vector int]", {"vector"}),
    ("[:map [:a int]]", {"map"}),
    ("[:union string [:list int]]", {"string", "list"}),
    ("[:enum 1 :a]", {"integer", "keyword"}),
    ("bool", {"boolean"}),
    ("[:fn [int] int]", {"function"}),
    ("any", None),
    ("Order", None),
    ("[[", None),
]


@pytest.mark.parametrize(("text", "expected"), DECLARED)
def test_declared_types_have_names(text: str, expected: set[str] | None) -> None:
    assert declared_names(text) == (None if expected is None else frozenset(expected))


# condition, declared types, types of the call; whether it holds trusting the declared types, and not
TYPES = [
    (("string",), ("any",), (), None, None),
    (("string",), ("string",), (), True, None),
    (("string",), ("int",), (), False, None),
    (("string",), ("string?",), (), None, None),
    (("string",), ("int",), ("string",), True, True),
    (("string",), ("string",), ("integer",), False, False),
    (("string",), ("any",), (None,), None, None),
    (("any",), ("any",), (), True, True),
    (("string", "any"), ("any", "any"), ("string", "map"), True, True),
    (("string", "any"), ("any", "any"), ("map", None), False, False),
    (("string",), ("any", "any"), ("string", "map"), False, False),
    (("string", "..."), ("any", "any"), ("string", "map"), True, True),
    (("string", "..."), ("any",), ("string",), True, True),
    (("string", "string", "..."), ("any",), ("string",), False, False),
    (("string", "string"), ("any",), (), None, None),
]


@pytest.mark.parametrize(("wanted", "declared", "given", "trusting", "not_trusting"), TYPES)
def test_types(
    call: Callable[..., CallContext],
    wanted: tuple[str, ...],
    declared: tuple[str, ...],
    given: tuple[str | None, ...],
    trusting: bool | None,
    not_trusting: bool | None,
) -> None:
    condition = ArgumentCondition.of(Rule(arg_types=wanted))
    assert condition is not None
    facts = call(declared=declared, types=given).facts
    assert condition.holds(facts, trust_declared=True) is trusting
    assert condition.holds(facts, trust_declared=False) is not_trusting


@pytest.mark.parametrize("types", [("string",), ("integer",), ("any",), ("any", "..."), ("string", "...")])
def test_declared_types_say_nothing_of_the_calls_of_other_arities(
    call: Callable[..., CallContext], types: tuple[str, ...]
) -> None:
    condition = ArgumentCondition.of(Rule(arg_types=types))
    assert condition is not None
    unknown = call(declared=("string",), variadic=True).facts
    assert condition.holds(unknown, trust_declared=True) is None
    known = call(declared=("string",), types=("string",), variadic=True).facts
    assert condition.holds(known, trust_declared=True) is (types[0] != "integer")


SIZES = [
    (Rule(min_size=10), {None: None, 9: False, 10: True, 11: True}, (9,)),
    (Rule(max_size=10), {None: None, 9: True, 10: True, 11: False}, (10,)),
    (Rule(min_size=5, max_size=10), {4: False, 5: True, 10: True, 11: False}, (4, 10)),
]


@pytest.mark.parametrize(("rule", "answers", "bounds"), SIZES)
def test_sizes(
    call: Callable[..., CallContext],
    rule: Rule,
    answers: dict[int | None, bool | None],
    bounds: tuple[int, ...],
) -> None:
    condition = ArgumentCondition.of(rule)
    assert condition is not None
    assert condition.bounds == bounds
    found = {size: condition.holds(call(size=size).facts, trust_declared=True) for size in answers}
    assert found == answers


def test_sizes_of_one_class_are_decided_alike(call: Callable[..., CallContext]) -> None:
    condition = ArgumentCondition.of(Rule(min_size=3, max_size=6))
    assert condition is not None
    for size in range(10):
        of_class = next((bound for bound in condition.bounds if size <= bound), condition.bounds[-1] + 1)
        exact, alike = (condition.holds(call(size=one).facts, trust_declared=True) for one in (size, of_class))
        assert exact == alike


@pytest.mark.parametrize("rule", [Rule(), Rule(min_size=0), Rule(arg_types=("...",)), Rule(symbols=("a",))])
def test_rules_that_ask_nothing_have_no_condition(rule: Rule) -> None:
    assert ArgumentCondition.of(rule) is None
