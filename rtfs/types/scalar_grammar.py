"""Strings, numbers and names as GBNF, within the limits that predicates set (`rtfs.types.grammar`)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from rtfs.types import model as types
from rtfs.types.grammar_rules import Predicates, Rules, literal
from rtfs.types.limits import Limits
from rtfs.types.model import Predicate
from rtfs.types.number_grammar import decimals, whole
from rtfs.types.pattern_grammar import NotSimple, pattern_expression, repetition
from rtfs.values import INT_MAX, INT_MIN, Keyword, Value

#: makes an expression, and the rules that it needs
type Scalar = Callable[[Rules, Predicates], str | None]


def string(rules: Rules, predicates: Predicates) -> str | None:
    """A string."""
    limits = rules.limits(predicates)
    if not limits.allows("text") or limits.no_size:
        return None
    if limits.equal:
        return rules.literals(types.EnumType(limits.equal[:1]), (*predicates, _IS_STRING))
    if limits.unequal:
        rules.leave(_UNEQUAL)
    if limits.patterns:
        if len(limits.patterns) > 1 or limits.has_size:
            rules.leave("all but one pattern of a string")
        try:
            inside = pattern_expression(limits.patterns[0], rules.fixed("char"), rules.rule)
            return f'"\\"" {inside} "\\""'
        except NotSimple:
            rules.leave(f"the pattern `{limits.patterns[0]}`")
    return _of_length(rules, limits) if limits.has_size else rules.fixed("string")


_IS_STRING: Final = Predicate("min-length", (0,))
_UNEQUAL: Final = "the value that it must not be"


def _of_length(rules: Rules, limits: Limits) -> str:
    least, most = rules.counts(limits)
    if most == 0:
        return literal('""')
    return f'"\\"" {rules.fixed("char")}{repetition(least, most)} "\\""'


def whole_number(rules: Rules, predicates: Predicates) -> str | None:
    """An integer of 64 bits."""
    limits = rules.limits(predicates)
    if not limits.allows("number"):
        return None
    if limits.equal:
        return rules.literals(types.EnumType(_whole_only(limits.equal[:1])), predicates)
    low, high = limits.whole_range(INT_MIN, INT_MAX)
    gaps = sorted({value for value in _whole_only(limits.unequal) if low <= value <= high})
    if (low, high) == (INT_MIN, INT_MAX) and not gaps:
        return rules.fixed("int")
    options = []
    for start, end in zip([low, *(gap + 1 for gap in gaps)], [*(gap - 1 for gap in gaps), high], strict=True):
        options.append(whole(start, end) if start <= end else None)
    return rules.any_of(options)


def _whole_only(values: tuple[Value, ...]) -> tuple[int, ...]:
    return tuple(
        int(value)
        for value in values
        if type(value) in (int, float) and math.isfinite(value) and value % 1 == 0
    )


def number(rules: Rules, predicates: Predicates) -> str | None:
    """An integer or a finite float."""
    limits = rules.limits(predicates)
    if not limits.allows("number") or limits.no_number:
        return None
    if limits.equal:
        return rules.literals(types.EnumType(limits.equal[:1]), predicates)
    if limits.unequal:
        rules.leave(_UNEQUAL)
    if limits.low is None and limits.high is None:
        return rules.fixed("float")
    return decimals(limits.low, limits.low_open, limits.high, limits.high_open)


def name(rules: Rules, predicates: Predicates, colon: str) -> str | None:
    """A string that is a name, such as that of a keyword with its colon."""
    limits = rules.limits(predicates)
    if not limits.allows("other"):
        return None
    if limits.equal:
        return rules.literals(
            types.EnumType(tuple(v for v in limits.equal if isinstance(v, Keyword))), predicates
        )
    if limits.unequal:
        rules.leave(_UNEQUAL)
    return f'"\\"{colon}" {rules.fixed("name")} "\\""'


def tagged(kind: type, rule: str) -> Scalar:
    """A string that is a literal of that kind."""

    def made(rules: Rules, predicates: Predicates) -> str | None:
        limits = rules.limits(predicates)
        if not limits.allows("other"):
            return None
        if limits.equal:
            same = tuple(value for value in limits.equal if type(value) is kind)
            return rules.literals(types.EnumType(same), predicates)
        if limits.unequal:
            rules.leave(_UNEQUAL)
        return rules.fixed(rule)

    return made
