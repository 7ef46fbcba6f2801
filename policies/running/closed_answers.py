"""Answers of functions that can answer only a few values, so that calls can be told apart by them.

    (defn classify [line : string] : [:enum :error :warning :info :debug] …)      ; `:error`

Who reports about the calls of a run puts those with the same answer together. That stays small because the
declared type says beforehand how many answers there can be; of any other function the answer is not told.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from rtfs.delegation import FunctionInfo
from rtfs.errors import RtfsError
from rtfs.values import Keyword, Value

#: values of an enum whose answers are told apart; of a larger one none is
MOST_ANSWERS: Final = 32

#: types whose answers are kept
_KEPT: Final = 1024
#: aliases of aliases that are followed
_DEEPEST: Final = 16


def closed_answers(function: FunctionInfo) -> frozenset[str | Keyword] | None:
    """The answers that there can be: keywords and strings; None: there may be others."""
    if function.return_type == "any":
        return None
    return _closed(function.return_type, tuple(sorted(function.aliases.items())))


def answer_text(answers: frozenset[str | Keyword], value: Value) -> str | None:
    """The text of an answer, `:error`; None: it is none of them."""
    return str(value) if isinstance(value, (str, Keyword)) and value in answers else None


@lru_cache(maxsize=_KEPT)
def _closed(text: str, names: tuple[tuple[str, str], ...]) -> frozenset[str | Keyword] | None:
    from rtfs.types.model import Alias, EnumType
    from rtfs.types.parser import parse_type_text

    aliases = dict(names)
    try:
        declared = parse_type_text(text)
        for _ in range(_DEEPEST):
            if not isinstance(declared, Alias) or declared.name not in aliases:
                break
            declared = parse_type_text(aliases[declared.name])
    except RtfsError:
        return None
    if not isinstance(declared, EnumType) or len(declared.values) > MOST_ANSWERS:
        return None
    answers = frozenset(value for value in declared.values if isinstance(value, (str, Keyword)))
    return answers if len(answers) == len(declared.values) else None
