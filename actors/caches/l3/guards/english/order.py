"""One order for English sentences that ask the same, and `of` for what belongs to somebody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from actors.caches.l3.guards.language import Language
from actors.caches.l3.guards.model import Item
from actors.caches.l3.guards.questions import auxiliary_in_front, behind_question, is_how_to, without_articles

#: verbs that may stand last in a clause that asks, where a question has `do` before them
_LAST_VERBS: Final = {
    "works": "work", "means": "mean", "costs": "cost", "happens": "happen", "exists": "exist", "lives": "live",
    "stands": "stand", "comes": "come", "goes": "go", "occurs": "occur", "begins": "begin", "differs": "differ",
    "belongs": "belong", "weighs": "weigh", "lasts": "last", "opens": "open", "closes": "close",
    "starts": "start",
}  # fmt: skip
_PERIODS: Final = frozenset("second minute hour day week month year".split())


def arranged(language: Language, items: list[Item], asks: bool, read: Callable[[str], Item]) -> list[Item]:
    """A sentence in the order that guards compare."""
    made = _genitive(_last_verb(language, items, read))
    made = behind_question(language, auxiliary_in_front(language, made, asks))
    return without_articles(made, frozenset({"a"}), _PERIODS) if is_how_to(made) else made


def _last_verb(language: Language, items: list[Item], read: Callable[[str], Item]) -> list[Item]:
    """`how it works` as `how it work`, which `how does it work` becomes."""
    last = items[-1]
    is_clause = len(items) > 2 and items[0].kind == "question" and items[0].value != "yes-no"
    if not is_clause or last.shown not in _LAST_VERBS:
        return items
    if any(item.value in language.auxiliaries for item in items):
        return items
    return [*items[:-1], read(_LAST_VERBS[last.shown])]


def _genitive(items: list[Item]) -> list[Item]:
    """`the user's password` as `password of user`, where that is one word of one word."""
    places = [at for at, item in enumerate(items) if item.value == "'s"]
    if len(places) != 1 or not 0 < places[0] < len(items) - 1:
        return items
    at = places[0]
    owner, owned = items[at - 1], items[at + 1]
    ahead = items[at + 2].kind if at + 2 < len(items) else "direction"
    before = items[at - 2].kind if at > 1 else "direction"
    simple = owner.kind in ("word", "name") and owned.kind == "word"
    if not simple or ahead in ("word", "name") or before in ("word", "name"):
        return items
    return [*items[: at - 1], owned, Item("direction", "of", "of"), owner, *items[at + 2 :]]
