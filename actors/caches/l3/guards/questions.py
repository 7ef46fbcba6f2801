"""One order for sentences that ask the same: what moves between a question and a clause is put in front.

    what is the capital of France       (be) what capital of France
    tell me what the capital of France is     (be) what capital of France
    in Python, how do I sort a list     how-to sort list in Python

Only a single auxiliary is moved, so that what remains keeps its order, and who does what to whom with it.
"""

from __future__ import annotations

from typing import Final

from actors.caches.l3.guards.language import Language
from actors.caches.l3.guards.model import Item

HOW_TO: Final = "how-to"
#: asks for yes or no
YES_NO: Final = "yes-no"
#: words in front of a question that may as well stand behind it, at most
_MOST_IN_FRONT: Final = 4


def auxiliary_in_front(language: Language, items: list[Item], asks: bool) -> list[Item]:
    """A question with its auxiliary before it; what is no question stays as it is."""
    said = [item for item in items if item.kind != "punctuation"]
    if not said:
        return items
    first = said[0]
    if first.value in language.auxiliaries:
        return _moved(language, [Item("question", YES_NO, first.shown), *items])
    if first.kind == "question":
        return _moved(language, items)
    if asks and all(item.kind != "question" for item in said):
        return [Item("question", YES_NO, "?"), *items]
    return items


def _moved(language: Language, items: list[Item]) -> list[Item]:
    places = [at for at, item in enumerate(items) if item.value in language.auxiliaries]
    if places and items[-1].value in language.full_verbs:
        places = places[:-1]  # what does a notary do
    if len(places) != 1:
        return items
    at = places[0]
    is_empty = items[at].value in language.empty_auxiliaries
    if not _may_move(language.asking.get(items[0].value, "noun"), at, len(items) - 1, is_empty):
        return items
    rest = items[:at] + items[at + 1 :]
    return rest if is_empty and items[0].value != YES_NO else [items[at], *rest]


def _may_move(way: str, at: int, last: int, is_empty: bool) -> bool:
    """Whether nothing else can be meant when the auxiliary does not stand at `at`.

    What asks with a noun keeps an auxiliary beside it, and what asks without one any other: `what do data users
    need` is not `what data do users need`, nor `how much is sugar` `how much sugar is`.
    """
    if way == "noun":
        return at > 1
    if way == "how":
        return at == 1 if is_empty else at == 2 or at == last > 1
    return way == "alone" or at == 1 or (at == last and not is_empty)


def behind_question(language: Language, items: list[Item]) -> list[Item]:
    """`in Python, how do I …` as `how do I … in Python`. Only of how-to questions."""
    place = next((at for at, item in enumerate(items) if item.kind == "question"), 0)
    front = [item for item in items[:place] if item.kind != "punctuation"]
    if not front or items[place].value != HOW_TO or len(front) > _MOST_IN_FRONT:
        return items
    if front[0].value not in language.frontable or any(each.kind != "name" for each in front[1:]):
        return items
    return items[place:] + front


def is_how_to(items: list[Item]) -> bool:
    """Whether a sentence asks how something is done."""
    return bool(items) and items[0].value == HOW_TO


def without_articles(items: list[Item], articles: frozenset[str], periods: frozenset[str]) -> list[Item]:
    """A how-to question without its indefinite articles, but for those that count: `only a`, `once a day`."""
    made: list[Item] = []
    for at, item in enumerate(items):
        ahead = items[at + 1] if at + 1 < len(items) else item
        counts = (
            ahead.value in periods
            or ahead.kind == "number"
            or (at > 0 and items[at - 1].kind in ("scope", "negation", "number"))
        )
        if item.value not in articles or counts:
            made.append(item)
    return made
