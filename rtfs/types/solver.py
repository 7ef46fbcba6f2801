"""Membership in types of any depth, decided on a stack of its own. See `rtfs.types.check`.

A goal is a type and a value. Aliases, unions and `T?` are taken apart once per type, into a `Plan`: what can be
decided at once, and the alternatives that need a look at parts. A goal with one such alternative is open as
long as its parts hold; one with several, as long as they do not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from rtfs import run
from rtfs.types import model as types
from rtfs.types.model import Type
from rtfs.types.predicates import Test
from rtfs.types.shapes import Fault, demands
from rtfs.values import COLLECTIONS, Value

if TYPE_CHECKING:
    from rtfs.types.check import Compiled

type _Member = Type | types.Predicate
type _Goal = tuple[_Member, Value]


class Plan(NamedTuple):
    """A type taken apart. A value belongs to it if `flat` tests say so, or if it belongs to one of `deep`."""

    flat: tuple[Test, ...]
    deep: tuple[Type, ...]


def plan(compiled: Compiled, t: Type) -> Plan:
    """The plan of a type that no closure decides."""
    flat: list[Test] = []
    deep: list[Type] = []
    todo: list[Type] = [t]
    while todo:
        run.poll()
        part = todo.pop()
        test = compiled.flat_test(part)
        if test is not None:
            flat.append(test)
            continue
        match part:
            case types.Alias(name):
                definition = compiled.definition(name)
                todo += () if definition is None else (definition,)
            case types.OptionalType(item):
                flat.append(lambda value: value is None)
                todo.append(item)
            case types.UnionType(items):
                todo.extend(items)
            case _:
                deep.append(part)
    return Plan(tuple(flat), tuple(deep))


class _Frame:
    """A goal under way: open as long as the goals below it answer `goes_on`; also its answer at their end."""

    __slots__ = ("goals", "goes_on", "type", "value")

    def __init__(self, t: _Member, value: Value, goals: Iterator[_Goal], goes_on: bool) -> None:
        self.type = t
        self.value = value
        self.goals = goals
        self.goes_on = goes_on


class Solver:
    """Decides goals without recursion and remembers those about collections."""

    def __init__(self, compiled: Compiled) -> None:
        self._compiled = compiled
        #: (id of type, id of value) → the type, kept to keep its id its own, and the answer
        self._known: dict[tuple[int, int], tuple[_Member, bool]] = {}

    def holds(self, t: _Member, value: Value) -> bool:
        """Whether `value` belongs to `t`."""
        stack: list[_Frame] = []
        answer = self._begin(t, value, stack)
        while stack:
            frame = stack[-1]
            if answer is None or answer is frame.goes_on:
                goal = next(frame.goals, None)
                if goal is not None:
                    answer = self._begin(goal[0], goal[1], stack)
                    continue
                answer = frame.goes_on
            stack.pop()
            self._known[id(frame.type), id(frame.value)] = (frame.type, answer)
        assert answer is not None
        return answer

    def _begin(self, t: _Member, value: Value, stack: list[_Frame]) -> bool | None:
        """The answer to a goal; None if it is on the stack now."""
        test = self._compiled.flat_test(t)
        if test is not None or isinstance(t, types.Predicate):
            return test is not None and test(value)
        if type(value) in COLLECTIONS:
            known = self._known.get((id(t), id(value)))
            if known is not None:
                return known[1]
        run.poll()
        flat, deep = self._compiled.plan(t)
        for test in flat:
            if test(value):
                return True
        open_ones = [(member, goals) for member in deep if (goals := _goals(member, value)) is not None]
        if not open_ones:
            return False
        if len(open_ones) == 1:
            stack.append(_Frame(t, value, open_ones[0][1], True))
        else:
            alternatives: Iterator[_Goal] = ((member, value) for member, _ in open_ones)
            stack.append(_Frame(t, value, alternatives, False))
        return None


def _goals(t: Type, value: Value) -> Iterator[_Goal] | None:
    """What must hold for `value` to belong to `t`, a collection or `[:and …]`; None: it cannot."""
    if isinstance(t, types.AndType):
        return ((item, value) for item in t.items)
    demand = demands(t, value)
    return None if isinstance(demand, Fault) else ((part[0], part[1]) for part in demand)
