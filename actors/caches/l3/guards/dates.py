"""Days and times in several notations: `5 March 2024`, `March 5th, 2024` and `2024-03-05` are the same."""

from __future__ import annotations

from typing import Final

from actors.caches.l3.guards.language import Language
from actors.caches.l3.guards.tokens import Token

#: pieces of a date, at most
_MOST: Final = 6


def read(language: Language, tokens: list[Token], at: int) -> tuple[str, int] | None:
    """The date or time that begins at `at`, and where it ends; None if none does."""
    token = tokens[at]
    if token.kind == "iso":
        return f"d:{token.text}", at + 1
    if token.kind == "dots":
        day, month, year = token.text.split(".")
        return _day(year, int(month), int(day)), at + 1
    if token.kind == "time":
        return _time(language, tokens, at)
    if token.kind == "attached":
        return _attached(language, token, at)
    if token.kind in ("number", "ordinal"):
        return _day_first(language, tokens, at) or _hour(language, tokens, at)
    return _month_first(language, tokens, at) if token.kind == "word" else None


def _day(year: str, month: int, day: int) -> str:
    return f"d:{year}-{month:02d}-{day:02d}"


def _month(language: Language, tokens: list[Token], at: int) -> int | None:
    return language.months.get(tokens[at].lower) if at < len(tokens) and tokens[at].kind == "word" else None


def _number(tokens: list[Token], at: int) -> int | None:
    """The day at `at`."""
    if at >= len(tokens):
        return None
    text = tokens[at].text[:-2] if tokens[at].kind == "ordinal" else tokens[at].text
    is_day = tokens[at].kind in ("number", "ordinal") and text.isdecimal() and 1 <= int(text[:3]) <= 31
    return int(text) if is_day else None


def _year(tokens: list[Token], at: int) -> str | None:
    if at >= len(tokens) or tokens[at].kind != "number":
        return None
    text = tokens[at].text
    return text if len(text) == 4 and text.isdecimal() and text[0] in "12" else None


def _with_year(tokens: list[Token], at: int, month: int, day: int) -> tuple[str, int]:
    year = _year(tokens, at)
    return (_day("", month, day), at) if year is None else (_day(year, month, day), at + 1)


def _day_first(language: Language, tokens: list[Token], at: int) -> tuple[str, int] | None:
    """`5 March 2024`, `5th of March`, `5. März`."""
    day, after = _number(tokens, at), at + 1
    if day is None:
        return None
    if after < len(tokens) and (tokens[after].text == "." or tokens[after].lower in language.date_joiners):
        after += 1
    month = _month(language, tokens, after)
    if month is None or not _is_meant(language, tokens, after):
        return None
    return _with_year(tokens, after + 1, month, day)


def _month_first(language: Language, tokens: list[Token], at: int) -> tuple[str, int] | None:
    """`March 5, 2024`, or a month alone."""
    month = _month(language, tokens, at)
    if month is None:
        return None
    day = _number(tokens, at + 1) if not language.has_capital_nouns else None
    if day is not None:
        return _with_year(tokens, at + 2, month, day)
    return (f"d:month {month}", at + 1) if _is_meant(language, tokens, at) else None


def _is_meant(language: Language, tokens: list[Token], at: int) -> bool:
    """Whether the month at `at` is one: `may` alone is none."""
    text = tokens[at].text
    is_name = text[0].isupper() and text[1:].islower() and not tokens[at].is_first and len(text) > 2
    return tokens[at].lower not in language.doubtful_months or is_name or _year(tokens, at + 1) is not None


def _time(language: Language, tokens: list[Token], at: int) -> tuple[str, int] | None:
    hour, _, rest = tokens[at].text.partition(":")
    word = tokens[at + 1].lower if at + 1 < len(tokens) else ""
    added = language.clocks.get(word)
    if added is None:
        return f"d:{int(hour):02d}:{rest}", at + 1
    return f"d:{_of_day(int(hour), added):02d}:{rest}", at + 2


def _hour(language: Language, tokens: list[Token], at: int) -> tuple[str, int] | None:
    """`3 pm`, `15 Uhr`."""
    word = tokens[at + 1].lower if at + 1 < len(tokens) else ""
    added, hour = language.clocks.get(word), tokens[at].text
    if added is None or not hour.isdecimal() or int(hour[:3]) > 24:
        return None
    return f"d:{_of_day(int(hour), added):02d}:00", at + 2


def _attached(language: Language, token: Token, at: int) -> tuple[str, int] | None:
    """`3pm`."""
    digits = token.text.rstrip("apmAPM")
    added = language.clocks.get(token.lower[len(digits) :])
    if added is None or not digits.isdecimal() or not 1 <= int(digits[:3]) <= 12:
        return None
    return f"d:{_of_day(int(digits), added):02d}:00", at + 1


def _of_day(hour: int, added: int) -> int:
    """Hour of the day; twelve of a clock that is said with morning or afternoon comes before one."""
    return added + hour % 12 if added >= 0 else hour
