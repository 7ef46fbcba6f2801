"""Checks of values against types (language.md §5).

`checker` makes a function for one type that generated code calls again and again. Two ways to decide:

- *Flat* types, those that nest at most `FLAT_HEIGHT` collections, become nested closures with exact type
  tests at the leaves (`rtfs.types.closures`).
- The others, recursive aliases above all, are decided on a stack of their own (`rtfs.types.solver`): the
  depth of data is no limit. What was decided is remembered, so that shared data is looked at once.

What failed is found afterwards, in `rtfs.types.explain`: a passing check never makes a path.

Aliases mean what they mean when the check runs. A checker keeps the definitions it was made from and is made
anew if one has changed. An alias that leads back to itself without a collection in between, such as
`(deftype A [:union A int])`, has no meaning: every check against it fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from rtfs import errors
from rtfs.types import model as types
from rtfs.types.closures import CLOSURES
from rtfs.types.model import Type
from rtfs.types.predicates import Test
from rtfs.types.shapes import PRIMITIVE_KINDS
from rtfs.types.solver import Plan, Solver, plan
from rtfs.types.walk import COLLECTION_TYPES, components, is_circular, reached_aliases
from rtfs.values import Value

type Check = Callable[[Value, str], None]
type Level = Literal["basic", "standard", "strict"]

#: types that nest more collections than this are decided by the solver
FLAT_HEIGHT: Final = 3
#: height of a type that reaches a recursive alias
_ENDLESS: Final = 1 << 30


def _no_function(name: str) -> None:
    return None


@dataclass(frozen=True, slots=True, eq=False)
class TypeEnv:
    """What the names inside types mean.

    `aliases` may change between checks. `function` finds the function of a custom predicate. `level`: `basic`
    leaves predicates out. `standard` and `strict` accept the same values; under `strict` a backend must not
    leave out checks that the static checker has proved.
    """

    aliases: Mapping[str, Type] = field(default_factory=dict)
    function: Callable[[str], Callable[..., Value] | None] = _no_function
    level: Level = "standard"
    #: what `matches` has compiled, by id of the type, which is kept to keep the id its own
    _compiled: dict[int, Compiled] = field(default_factory=dict, repr=False)


def checker(t: Type, env: TypeEnv) -> Check:
    """A function of a value and the path that names it in errors.

    It returns nothing, or raises TypeValidationError: `Type mismatch at x.name: expected string, got integer`.
    """
    if isinstance(t, types.Primitive):
        return _primitive_checker(t)
    compiled = Compiled(t, env)

    def check(value: Value, path: str) -> None:
        nonlocal compiled
        if compiled.names and compiled.is_stale():
            compiled = Compiled(t, env)
        if not compiled.test(value):
            from rtfs.types.explain import failure

            raise failure(compiled, t, value, path)

    return check


def _primitive_checker(t: types.Primitive) -> Check:
    kinds = PRIMITIVE_KINDS[t.name]

    def check(value: Value, path: str) -> None:
        if kinds is not None and type(value) not in kinds:
            from rtfs.types.explain import mismatch

            raise mismatch(path, t, value)

    return check


def matches(value: Value, t: Type, env: TypeEnv) -> bool:
    """Whether `value` belongs to `t`.

    Raises:
        TypeValidationError: the type itself is at fault: an unknown predicate, a malformed pattern, a circular
            alias.
    """
    known = env._compiled
    compiled = known.get(id(t))
    if compiled is None or compiled.is_stale():
        if len(known) > 1000:
            known.clear()
        compiled = known[id(t)] = Compiled(t, env)
    return compiled.test(value)


class Compiled:
    """The test of one type under the aliases of one moment."""

    def __init__(self, t: Type, env: TypeEnv) -> None:
        self.type = t
        self.env = env
        #: every alias that `t` reaches and its definition, None if it has none
        self.names = reached_aliases(t, env.aliases)
        self._heights: dict[str, int] = {}
        self.alias_tests: dict[str, Test] = {}
        self._tests: dict[int, tuple[Type | types.Predicate, Test | None]] = {}
        self._plans: dict[int, tuple[Type, Plan]] = {}
        circular = next((name for name in self.names if is_circular(name, self.names)), None)
        flat = self.flat_test(t) if circular is None else _always_raises(circular)
        self.test: Test = flat or (lambda value: self.solver().holds(t, value))

    def is_stale(self) -> bool:
        """Whether an alias means something else now."""
        aliases = self.env.aliases
        return any(aliases.get(name) is not definition for name, definition in self.names.items())

    def solver(self) -> Solver:
        """A solver with an empty memory."""
        return Solver(self)

    def definition(self, name: str) -> Type | None:
        """What the alias `name` stands for; None if unknown."""
        return self.names[name]

    def height(self, t: Type | types.Predicate) -> int:
        """How many collections `t` nests."""
        if isinstance(t, types.Alias):
            return self._alias_height(t.name)
        below = 0
        for part in components(t):
            below = max(below, self.height(part))
        return below + 1 if isinstance(t, COLLECTION_TYPES) else below

    def _alias_height(self, name: str) -> int:
        known = self._heights.get(name)
        if known is None:
            self._heights[name] = _ENDLESS  # what a cycle finds when it comes back
            definition = self.names[name]
            known = self._heights[name] = 0 if definition is None else min(self.height(definition), _ENDLESS)
        return known

    def flat_test(self, t: Type | types.Predicate) -> Test | None:
        """The closure that decides `t`; None if it takes a solver."""
        known = self._tests.get(id(t))
        if known is None:
            flat = self.height(t) <= FLAT_HEIGHT
            known = self._tests[id(t)] = (t, self.closure(t) if flat else None)
        return known[1]

    def plan(self, t: Type) -> Plan:
        """How the solver decides `t`, which is not flat."""
        known = self._plans.get(id(t))
        if known is None:
            known = self._plans[id(t)] = (t, plan(self, t))
        return known[1]

    def closure(self, t: Type | types.Predicate) -> Test:
        """The test of a flat type."""
        return CLOSURES[type(t)](self, t)


def _always_raises(name: str) -> Test:
    def test(value: Value) -> bool:
        raise errors.TypeValidationError(f"type {name} is defined only by itself")

    return test
