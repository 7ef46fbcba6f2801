"""Pairs of texts, for whoever tests what must not be confused: those of `mutations()` differ in what they mean.

Tables are the text files beside this module.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

TABLES = Path(__file__).parent
_SLOT = re.compile(r"\[([^\]]*):(\w+)\]")
_PLACE = re.compile(r"\{([^}]*)\}")


class Pair(NamedTuple):
    base: str
    mutated: str
    #: antonym, date, entity, negation, number, order, scope or unit; paraphrase or frame where nothing differs
    kind: str
    #: code of its language
    language: str


def mutations() -> list[Pair]:
    """Some 1 200 pairs, half of them English, half German."""
    found = [
        pair
        for code in ("en", "de")
        for line in lines(f"mutations_{code}.txt")
        for base in (line, _other_base(line))
        for pair in pairs_of(base, code)
    ]
    return list(dict.fromkeys(found))


def hazards() -> list[Pair]:
    """Pairs by hand at which what guards make the same could go wrong."""
    return [Pair(*line.split(" | "), "hazard", "") for line in lines("hazards.txt")]


def held_out_mutations() -> list[Pair]:
    """Pairs that were written when the guards were done."""
    found = [
        pair
        for code in ("en", "de")
        for line in lines(f"held_out_mutations_{code}.txt")
        for pair in pairs_of(line, code)
    ]
    by_hand = lines("held_out_pairs.txt") + lines("held_out_pairs_2.txt")
    return found + [Pair(*line.split(" | "), "hand", "") for line in by_hand]


def lines(name: str) -> list[str]:
    """Lines of a table, without comments."""
    text = (TABLES / name).read_text(encoding="utf-8")
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def pairs_of(line: str, language: str) -> Iterator[Pair]:
    """The pairs that a line stands for."""
    base = _base_of(line)
    for slot in _SLOT.finditer(line):
        for choice in slot[1].split("~")[1:]:
            yield Pair(base, _base_of(line[: slot.start()] + choice + line[slot.end() :]), slot[2], language)
    places = _PLACE.findall(line)
    if len(places) == 2:
        swapped = iter(reversed(places))
        yield Pair(base, _base_of(_PLACE.sub(lambda _: next(swapped), line)), "order", language)


def _base_of(line: str) -> str:
    return _tidy(_PLACE.sub(r"\1", _SLOT.sub(lambda slot: slot[1].split("~")[0], line)))


def _other_base(line: str) -> str:
    """The line with the second choice of each slot as its base, and the first as what changes it."""

    def turned(slot: re.Match[str]) -> str:
        first, second, *others = slot[1].split("~")
        return f"[{'~'.join([second, first, *others])}:{slot[2]}]"

    return _SLOT.sub(turned, line)


def _tidy(text: str) -> str:
    text = re.sub(r"\s+", " ", text).strip()
    return text[0].upper() + text[1:]
