"""Reads `answer_types.txt`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from rtfs.types.model import Type
from rtfs.types.parser import parse_type_text

_FILE: Final = Path(__file__).with_suffix(".txt")


@dataclass(frozen=True, slots=True)
class Case:
    """One type of the table."""

    text: str
    verdict: Literal["full", "part", "none"]
    #: that cannot be answered
    part: str = ""


def read_table() -> tuple[tuple[Case, ...], Mapping[str, str]]:
    """The types, and what the names in them stand for."""
    cases: list[Case] = []
    aliases: dict[str, str] = {}
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "alias":
            name, _, text = rest.partition(" ")
            aliases[name] = text
        elif kind == "none":
            part, _, text = rest.partition(" | ")
            cases.append(Case(text, "none", part))
        elif kind in ("full", "part"):
            cases.append(Case(rest, "full" if kind == "full" else "part"))
    return tuple(cases), aliases


CASES, ALIAS_TEXTS = read_table()
ALIASES: Final[Mapping[str, Type]] = {name: parse_type_text(text) for name, text in ALIAS_TEXTS.items()}
