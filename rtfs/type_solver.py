"""Membership in types of any depth, decided on a stack of its own. See `rtfs.type_check`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rtfs import errors, run, types
from rtfs.type_shapes import Fault, demands
from rtfs.types import Type
from rtfs.values import COLLECTIONS, Value

if TYPE_CHECKING:
    from rtfs.type_check import Compiled

_NIL: Final = types.Primitive("nil")

type _Goal = tuple[Type | types.Predicate, Value]


class Solver:
    """Decides goals (type, value) without recursion and remembers those about collections."""

    def __init__(self, compiled: Compiled) -> None:
        self._compiled = compiled
        #: (id of type, id of value) → the type, kept to keep its id its own, and the answer
        self._known: dict[tuple[int, int], tuple[Type | types.Predicate, bool]] = {}

    def holds(self, t: Type | types.Predicate, value: Value) -> bool:
        """Whether `value` belongs to `t`."""
        stack: list[_Frame] = []
        answer = self._begin(t, value, stack)
        while stack:
            frame = stack[-1]
            if answer is None or answer is frame.goes_on:
                goal = next(frame.goals, None)
                if goal is not None:
                    answer = self._begin(*goal, stack)
                    continue
                answer = frame.goes_on
            stack.pop()
            self._known[id(frame.type), id(frame.value)] = (frame.type, answer)
        assert answer is not None
        return answer

    def _begin(self, t: Type | types.Predicate, value: Value, stack: list[_Frame]) -> bool | None:
        """The answer to a goal; None if it is on the stack now."""
        test = self._compiled.flat_test(t)
        if test is not None:
            return test(value)
        if type(value) in COLLECTIONS:
            known = self._known.get((id(t), id(value)))
            if known is not None:
                return known[1]
        run.poll()
        goals, goes_on = self._goals(t, value)
        if goals is None:
            return False
        stack.append(_Frame(t, value, goals, goes_on))
        return None

    def _goals(self, t: Type | types.Predicate, value: Value) -> tuple[Iterator[_Goal] | None, bool]:
        """The goals below a goal, and the answer of each that leaves it open; None: it fails at once."""
        match t:
            case types.Alias(name):
                definition = self._compiled.definition(name)
                return None if definition is None else iter(((definition, value),)), True
            case types.Optional_(item):
                return iter(((_NIL, value), (item, value))), False
            case types.UnionType(items):
                return ((item, value) for item in items), False
            case types.AndType(items):
                return ((item, value) for item in items), True
            case types.Predicate():  # pragma: no cover - a predicate is flat
                raise errors.InternalError(f"predicate {t.name} was not decided at once")
            case _:
                demand = demands(t, value)
                if isinstance(demand, Fault):
                    return None, True
                return ((part.type, part.value) for part in demand), True


@dataclass(slots=True, eq=False)
class _Frame:
    """A goal under way: open as long as the goals below it answer `goes_on`; also its answer at their end."""

    type: Type | types.Predicate
    value: Value
    goals: Iterator[_Goal]
    goes_on: bool
