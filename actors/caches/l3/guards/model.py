"""What guards are about: a leaf module.

A text is reduced to its *form*: a sequence of values in which spelling, politeness and known synonyms make no
difference, and everything else does. Two texts may share an answer if their forms are the same. A word that no
table knows stands for itself, so that doubt refuses. Kinds of items do not decide; they say, for people, which
guard it was that refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

#: longer texts share an answer with themselves only, characters
MOST_CHARS: Final = 4096

#: guards in the order in which one is named where several refuse
GUARDS: Final = (
    *("length", "language", "code", "quote", "link", "date", "unit", "number", "name", "negation", "antonym"),
    *("scope", "modal", "comparison", "conjunction", "question", "person", "tense", "direction", "symbol"),
    *("word", "order", "punctuation", "empty"),
)


class Item(NamedTuple):
    """One thing that a text says."""

    #: one of GUARDS
    kind: str
    #: what is compared
    value: str
    #: as it is written, in lower case where case says nothing
    shown: str


#: says that a question is asked as a clause: `tell me what …`; no form has it
CLAUSE: Final = Item("question", "clause", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """A text, prepared to be compared with others."""

    #: the text itself, or of long ones a digest
    text: str
    #: code of its language: `en`; empty where it is none that is known
    language: str
    #: what is compared
    form: tuple[str, ...]
    items: tuple[Item, ...]
    #: places in the form before which commas stand
    commas: tuple[int, ...] = ()
    is_long: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why two texts may not share an answer."""

    #: one of GUARDS
    guard: str
    #: what differs, for people
    detail: str

    def __str__(self) -> str:
        return f"{self.guard}: {self.detail}"
