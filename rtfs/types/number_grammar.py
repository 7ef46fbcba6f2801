"""Ranges of numbers as GBNF: which digits may follow which (`rtfs.types.grammar`).

`[17, 230]` becomes `"1" [7-9] | [2-9] [0-9] | "1" [0-9]{2} | "2" ([0-2] [0-9] | "30")`.

Decimals are compared as they are written. Reading one as a float rounds it, but never past another float, so
bounds hold of the float as well, except where the bound itself is outside and a text of many digits next to it
rounds to it; therefore such ranges have few digits.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

#: digits behind the point; and digits of a number next to a bound that is outside
_FRACTION: Final = 20
_SHORT: Final = 15
#: the largest whole part that decimals of a range may have where no bound says less
_MOST_WHOLE: Final = Decimal(10**16 - 1)
#: smaller numbers are written with an exponent
_LEAST_DECIMAL: Final = Decimal("0.0001")
#: digits of the largest float behind its first, 1.7976931348623157e308
_LARGEST: Final = "7976931348623157"

#: exponents of floats of one digit before the point: to 307, and down to the smallest one, 5e-324
_EXPONENT: Final = (
    '[eE] ("+"? ([0-9]{1,2} | [0-2] [0-9]{2} | "30" [0-7])'
    ' | "-" ([0-9]{1,2} | [0-2] [0-9]{2} | "30" [0-9] | "31" [0-9] | "32" [0-4]))'
)
_TAIL: Final = f'("." [0-9]{{1,{_FRACTION}}})?'


def alternatives(options: list[str]) -> str:
    """One expression for any of several."""
    return options[0] if len(options) == 1 else f"({' | '.join(options)})"


def digit_class(low: int, high: int) -> str:
    """One digit from `low` to `high`."""
    return f'"{low}"' if low == high else f"[{low}-{high}]"


def _free(count: int) -> str:
    return "" if not count else " [0-9]" if count == 1 else f" [0-9]{{{count}}}"


def _same_length(low: str, high: str) -> str:
    """Digit strings from `low` to `high`, which are equally long."""
    if not low:
        return ""
    first, last, rest = int(low[0]), int(high[0]), len(low) - 1
    if low[1:] == "0" * rest and high[1:] == "9" * rest:
        return digit_class(first, last) + _free(rest)
    if first == last:
        return f'"{first}" {_same_length(low[1:], high[1:])}'
    options = []
    if low[1:] != "0" * rest:
        options.append(f'"{first}" {_same_length(low[1:], "9" * rest)}')
        first += 1
    end = None
    if high[1:] != "9" * rest:
        end = f'"{last}" {_same_length("0" * rest, high[1:])}'
        last -= 1
    if first <= last:
        options.append(digit_class(first, last) + _free(rest))
    if end is not None:
        options.append(end)
    return alternatives(options)


def _naturals(low: int, high: int) -> Iterator[str]:
    """Expressions for the numbers from `low` to `high`, at least 0, without leading zeros."""
    if low == 0:
        yield '"0"'
        low = 1
    while low <= high:
        size = len(str(low))
        end = min(high, 10**size - 1)
        if low == 10 ** (size - 1) and end == 10**size - 1:
            most = size
            while 10 ** (most + 1) - 1 <= high:
                most += 1
            more = "" if most == 1 else f" [0-9]{{{size - 1},{most - 1}}}"
            yield f"[1-9]{more}"
            low = 10**most
        else:
            yield _same_length(str(low), str(end))
            low = end + 1


def whole(low: int, high: int) -> str | None:
    """The integers from `low` to `high`; None if there are none."""
    options = [f'"-" {each}' for each in _naturals(max(1, -high), -low)] if low < 0 else []
    if high >= 0:
        options += _naturals(max(0, low), high)
    return alternatives(options) if options else None


# ---------------------------------------------------------------- decimals


class _Bound:
    """One end of a range of decimals, at least 0: its whole part, and the digits behind the point."""

    def __init__(self, value: Decimal, is_open: bool) -> None:
        text = format(value, "f")
        before, _, after = text.partition(".")
        self.whole = int(before)
        self.fraction = after.rstrip("0")
        self.is_open = is_open

    def fraction_digits(self) -> int:
        """Digits that numbers next to it may have behind the point without being rounded to it."""
        is_harmless = not self.is_open or (self.whole == 0 and not self.fraction)
        return _FRACTION if is_harmless else max(1, _SHORT - len(str(self.whole)))


def _fraction(low: _Bound | None, high: _Bound | None, most: int) -> str | None:
    """What may follow a whole part: a point and digits, or nothing; None if neither.

    Args:
        low, high: bounds whose whole part it is; None: no bound.
        most: digits.
    """
    digits = _digits(low.fraction if low else None, high.fraction if high else None, low, high, most)
    if low is None or (not low.fraction and not low.is_open):
        may_be_absent = high is None or bool(high.fraction) or not high.is_open
    else:
        may_be_absent = False
    if digits is None:
        return "" if may_be_absent else None
    return f' ("." {digits})?' if may_be_absent else f' "." {digits}'


def _digits(
    above: str | None, below: str | None, low: _Bound | None, high: _Bound | None, most: int
) -> str | None:
    """At least one digit, so that all stay within what is left of the bounds; None if there is none.

    Args:
        above, below: digits of the bounds from here on; None: the digits before are off the bound already.
    """
    if most < 1:
        return None
    if above == "" and low is not None and not low.is_open:
        above = None
    if above is None and below is None:
        return f"[0-9]{{1,{most}}}"
    first = int(above[:1] or "0") if above is not None else 0
    last = int(below[:1] or "0") if below is not None else 9
    options: list[str] = []
    inner_first = first if above is None else first + 1
    inner_last = last if below is None else last - 1
    edges = sorted({first} if above is not None else set()) + ([last] if below is not None else [])
    if inner_first <= inner_last:
        more = f" [0-9]{{0,{most - 1}}}" if most > 1 else ""
        options.append(digit_class(inner_first, inner_last) + more)
    for digit in dict.fromkeys(edges):
        if first <= digit <= last:
            options += _edge(digit, first, last, above, below, low, high, most)
    return alternatives(options) if options else None


def _edge(
    digit: int,
    first: int,
    last: int,
    above: str | None,
    below: str | None,
    low: _Bound | None,
    high: _Bound | None,
    most: int,
) -> list[str]:
    """A digit that is on a bound, and what may follow it."""
    still_above = above[1:] if above is not None and digit == first else None
    still_below = below[1:] if below is not None and digit == last else None
    may_end = still_above is None or (still_above == "" and low is not None and not low.is_open)
    if still_below == "":
        is_open = high is not None and high.is_open
        may_end = may_end and not is_open
        more = None  # zeros, at best
    elif still_below is not None and below == "":
        more = None
    else:
        more = _digits(still_above, still_below, low, high, most - 1)
    if more is not None:
        return [f'"{digit}" {more}' if not may_end else f'"{digit}" ({more})?']
    return [f'"{digit}"'] if may_end else []


def _between(low: Decimal, low_open: bool, high: Decimal, high_open: bool) -> list[str]:
    """Decimals from `low` to `high`, at least 0."""
    if low > high or (low == high and (low_open or high_open)):
        return []
    start, end = _Bound(low, low_open), _Bound(high, high_open)
    after_low, most = start.fraction_digits(), end.fraction_digits()
    if start.whole == end.whole:
        only = _fraction(start, end, min(after_low, most))
        return [] if only is None else [f'"{start.whole}"{only}']
    options = []
    after = _fraction(start, None, after_low)
    if after is not None:
        options.append(f'"{start.whole}"{after}')
    options += [f'{each} ("." [0-9]{{1,{most}}})?' for each in _naturals(start.whole + 1, end.whole - 1)]
    before = _fraction(None, end, most)
    if before is not None:
        options.append(f'"{end.whole}"{before}')
    return options


def _scientific(low: Decimal, high: Decimal | None) -> list[str]:
    """Numbers above 0 written with an exponent: those next to 0, and those beyond all decimals."""
    options = []
    if low == 0 and (high is None or high >= _LEAST_DECIMAL):
        options.append(f'[1-9] {_TAIL} [eE] "-" ("0" [5-9] | [1-9] [0-9] | [12] [0-9]{{2}})')
    if high is None and low <= _MOST_WHOLE:
        options.append(f'[1-9] {_TAIL} [eE] "+"? ("1" [6-9] | [2-9] [0-9] | [12] [0-9]{{2}})')
    return options


def decimals(low: float | None, low_open: bool, high: float | None, high_open: bool) -> str | None:
    """The numbers from `low` to `high` as they are written; None if there are none.

    Args:
        low, high: None: no bound.
        low_open, high_open: the bound itself is outside.
    """
    bottom, top = _decimal(low), _decimal(high)
    options: list[str] = []
    if bottom is None or bottom < 0:
        near, near_open = (Decimal(0), True) if top is None or top >= 0 else (-top, high_open)
        options += [
            f'"-" {each}' for each in _written(near, near_open, None if bottom is None else -bottom, low_open)
        ]
    if top is None or top >= 0:
        near, near_open = (Decimal(0), False) if bottom is None or bottom < 0 else (bottom, low_open)
        options += _written(near, near_open, top, high_open)
    return alternatives(options) if options else None


def _written(low: Decimal, low_open: bool, high: Decimal | None, high_open: bool) -> list[str]:
    """All that is written for the numbers from `low` to `high`, at least 0."""
    end = max(_MOST_WHOLE, low + 1) if high is None else high
    return _between(low, low_open, end, high_open and high is not None) + _scientific(low, high)


def _decimal(bound: float | None) -> Decimal | None:
    return None if bound is None else Decimal(repr(bound))


def any_float(whole_rule: str) -> str:
    """Every finite number, integers of 64 bits among them. `whole_rule` names the rule for these."""
    after_largest = _up_to(_LARGEST, _FRACTION)
    return (
        f'{whole_rule} {_TAIL} | "-0" {_TAIL} | "-"? [0-9] {_TAIL} {_EXPONENT}'
        f' | "-"? "1" ("." ([0-6] [0-9]{{0,{_FRACTION - 1}}} | {after_largest}))? [eE] "+"? "308"'
    )


def _up_to(digits: str, most: int) -> str:
    """Digits that make no more than `digits` does, with the same first digit."""
    if len(digits) == 1:
        return f'"{digits}"'
    next_ = int(digits[1])
    below = [f"{digit_class(0, next_ - 1)} [0-9]{{0,{most - 2}}}"] if next_ else []
    return f'"{digits[0]}" {alternatives([*below, _up_to(digits[1:], most - 1)])}'
