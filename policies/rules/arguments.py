"""Conditions of rules on arguments: their types and their size.

Answers are of three values: True, False, and None where only the call itself can tell.

What a function declares may stand in for what a call brings: a parameter `int` satisfies `integer`. It is a
promise about one arity, not about each call, so a hard rule does not rely on it to let something pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from policies.context import CallFacts
from policies.file.schema import Rule
from rtfs.errors import RtfsError
from rtfs.values import TYPE_NAMES

ANY: Final = "any"
MORE: Final = "..."


@lru_cache(maxsize=4096)
def declared_names(type_text: str) -> frozenset[str] | None:
    """Names of the types that values of a declared type may have; None: any, or not to be told."""
    if type_text == ANY:
        return None
    from rtfs.types.kinds import kinds
    from rtfs.types.parser import parse_type_text

    try:
        found = kinds(parse_type_text(type_text), {})
    except RtfsError:  # such as a type that the program defines
        return None
    if found is None or not found <= TYPE_NAMES.keys():
        return None
    return frozenset(TYPE_NAMES[kind] for kind in found)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgumentCondition:
    """What one rule asks of arguments."""

    #: by position, `any` for all; None: nothing is asked
    types: tuple[str, ...] | None
    #: whether further arguments may follow
    open: bool
    min_size: int
    max_size: int | None

    @classmethod
    def of(cls, rule: Rule) -> ArgumentCondition | None:
        """The condition of `rule`, None if it has none."""
        types, open_ = rule.arg_types, False
        if types is not None and types[-1:] == (MORE,):
            types, open_ = types[:-1], True
        if not types and open_:
            types = None
        min_size = rule.min_size or 0
        if types is None and not min_size and rule.max_size is None:
            return None
        return cls(types=types, open=open_, min_size=min_size, max_size=rule.max_size)

    @property
    def looks_at_size(self) -> bool:
        """Whether the size of the arguments matters."""
        return self.min_size > 0 or self.max_size is not None

    @property
    def bounds(self) -> tuple[int, ...]:
        """Sizes after which the answer may change."""
        low = (self.min_size - 1,) if self.min_size > 0 else ()
        return low if self.max_size is None else (*low, self.max_size)

    def holds(self, facts: CallFacts, *, trust_declared: bool) -> bool | None:
        """Whether the arguments satisfy it, None if that is not known yet."""
        size = self._size_holds(facts.size)
        if size is False:
            return False
        types = self._types_hold(facts, trust_declared)
        if types is False:
            return False
        return None if size is None or types is None else True

    def _size_holds(self, size: int | None) -> bool | None:
        if size is None:
            return None if self.looks_at_size else True
        return size >= self.min_size and (self.max_size is None or size <= self.max_size)

    def _types_hold(self, facts: CallFacts, trust_declared: bool) -> bool | None:
        wanted, declared = self.types, facts.function.parameter_types
        if wanted is None:
            return True
        given = facts.arg_types
        if not given and facts.function.variadic:
            return None  # the declared types are those of other calls
        count = len(given) if given else len(declared)
        if count < len(wanted) or (count > len(wanted) and not self.open):
            return False if given else None
        answer: bool | None = True
        for place, name in enumerate(wanted):
            if name == ANY:
                continue
            found = given[place] if given else None
            if found is not None:
                if found != name:
                    return False
                continue
            names = declared_names(declared[place]) if trust_declared and place < len(declared) else None
            if names is not None and name not in names:
                return False
            if names is None or len(names) != 1:
                answer = None
        return answer
