"""Numbers as digits and as words: `3`, `three` and `drei` are `#3`.

What is written in a way that a language does not know, `1,5` in English, stands for itself: `#as written 1,5`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

_INTEGER: Final = re.compile(r"[1-9]\d*|0")
_ROMAN: Final = {"II": 2, "III": 3, "IV": 4, "VI": 6, "VII": 7, "VIII": 8, "IX": 9, "XI": 11, "XII": 12} | {
    "XIII": 13, "XIV": 14, "XV": 15, "XVI": 16, "XVII": 17, "XVIII": 18, "XIX": 19,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Numerals:
    """How a language writes numbers."""

    #: between groups of three digits, and before decimals
    group: str
    decimal: str
    #: words below a hundred that take nothing more: `seven`, `einundzwanzig`
    units: Mapping[str, int]
    #: words that a unit below ten may follow: `twenty`
    tens: Mapping[str, int] = field(default_factory=dict)
    #: `hundred`, which multiplies
    hundreds: frozenset[str] = frozenset()
    #: `thousand`, `million`
    scales: Mapping[str, int] = field(default_factory=dict)
    #: may stand within a number: `and`
    joiners: frozenset[str] = frozenset()
    #: one where a hundred or a scale follows: `a`
    articles: frozenset[str] = frozenset()
    ordinals: Mapping[str, int] = field(default_factory=dict)

    def digits(self, text: str) -> str:
        """The value of a number in digits."""
        sign, rest = ("-", text[1:]) if text[0] == "-" else ("", text.lstrip("+"))
        whole, point, decimals = rest.partition(self.decimal)
        groups = re.split(f"[{self.group}'\u00a0\u202f]", whole)
        if len(groups) > 1 and 1 <= len(groups[0]) <= 3 and all(len(each) == 3 for each in groups[1:]):
            whole = "".join(groups)
        if not _INTEGER.fullmatch(whole) or (point and not decimals.isdecimal()):
            return f"#as written {text}"
        return f"#{sign}{whole}" + (f".{decimals}" if point else "")

    def words(self, words: Sequence[str], start: int) -> tuple[int, int] | None:
        """The number that begins at `start`, and where it ends; None if none does."""
        total, at = 0, start
        limit = None
        while at < len(words):
            low = self._below_thousand(words, self._joined(words, at, total))
            if low is None:
                break
            value, end = low
            scale = self.scales.get(words[end]) if end < len(words) else None
            if scale is None:
                if limit is None or value < limit:
                    return total + value, end
                break
            if limit is not None and scale >= limit:
                break
            total, at, limit = total + value * scale, end + 1, scale
        return (total, at) if at > start else None

    def _joined(self, words: Sequence[str], at: int, total: int) -> int:
        return at + 1 if total and words[at] in self.joiners else at

    def _below_thousand(self, words: Sequence[str], at: int) -> tuple[int, int] | None:
        first = self._below_hundred(words, at)
        if first is None:
            ahead = words[at + 1] if at + 1 < len(words) else ""
            is_article = at < len(words) and words[at] in self.articles
            if not is_article or not (ahead in self.hundreds or ahead in self.scales):
                return None
            first = 1, at + 1
        value, end = first
        if end >= len(words) or words[end] not in self.hundreds or value > 99:
            return first
        value, end = value * 100, end + 1
        after = end + 1 if end < len(words) and words[end] in self.joiners else end
        rest = self._below_hundred(words, after)
        return (value, end) if rest is None else (value + rest[0], rest[1])

    def _below_hundred(self, words: Sequence[str], at: int) -> tuple[int, int] | None:
        if at >= len(words):
            return None
        word = words[at]
        ten = self.tens.get(word)
        if ten is not None:
            one = self.units.get(words[at + 1]) if at + 1 < len(words) else None
            return (ten + one, at + 2) if one is not None and 0 < one < 10 else (ten, at + 1)
        unit = self.units.get(word)
        return None if unit is None else (unit, at + 1)


def scaled(value: str, scale: int) -> str | None:
    """`#1.5` times a million as `#1500000`; None where that is no whole number or `value` is no plain one."""
    whole, _, decimals = value[1:].partition(".")
    digits = whole + decimals
    if not digits.isdecimal():
        return None
    product, rest = divmod(int(digits) * scale, 10 ** len(decimals))
    return None if rest else f"#{product}"


def roman(text: str) -> int | None:
    """The value of a Roman numeral of more than one letter up to nineteen; None for all else."""
    return _ROMAN.get(text)
