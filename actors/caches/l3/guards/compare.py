"""Two texts compared: nothing if they may share an answer, else which guard refuses and what differs."""

from __future__ import annotations

from collections import Counter
from typing import Final

from actors.caches.l3.guards.forms import analysed, kept, language_named
from actors.caches.l3.guards.model import GUARDS, MOST_CHARS, Analysis, Item, Refusal

_RANK: Final = {guard: rank for rank, guard in enumerate(GUARDS)}
#: words told in a reason, at most
_MOST_TOLD: Final = 3
#: words of each side among which opposites are looked for, at most
_MOST_PAIRED: Final = 8


def refusal(query: str, known: str) -> Refusal | None:
    """Why the answer to `known` must not be given to `query`; None: no word stands against it."""
    if query == known:
        return None
    return compare(analysed(query), kept(known) if len(known) <= MOST_CHARS else analysed(known))


def compare(query: Analysis, known: Analysis) -> Refusal | None:
    """`refusal` of texts that are prepared."""
    if query.text == known.text and query.is_long == known.is_long:
        return None
    if query.is_long or known.is_long:
        return Refusal(guard="length", detail=f"texts of more than {MOST_CHARS} characters are not compared")
    if query.form == known.form and query.language == known.language:
        return _of_the_same_form(query, known)
    if query.language != known.language:
        return Refusal(guard="language", detail=f"{_language(query)} is not {_language(known)}")
    return _of_other_forms(query, known)


def _language(analysis: Analysis) -> str:
    return analysis.language or "an unknown language"


def _of_the_same_form(query: Analysis, known: Analysis) -> Refusal | None:
    if not query.form:
        return Refusal(guard="empty", detail="there are no words to compare")
    if query.commas and known.commas and query.commas != known.commas:
        return Refusal(guard="punctuation", detail="commas stand elsewhere")
    return None


def _of_other_forms(query: Analysis, known: Analysis) -> Refusal:
    only_query = _without(query.items, known.form)
    only_known = _without(known.items, query.form)
    if not only_query and not only_known:
        return Refusal(guard="order", detail=f"{_first_moved(query, known)} stands elsewhere")
    guard = min((item.kind for item in only_query + only_known), key=_RANK.__getitem__)
    if _RANK[guard] > _RANK["negation"]:
        guard = _opposite(query.language, only_query, only_known) or guard
    return Refusal(guard=guard, detail=_told(guard, only_query, only_known))


def _without(items: tuple[Item, ...], form: tuple[str, ...]) -> list[Item]:
    """Items that another form does not have, as often as they are too many."""
    left = Counter(form)
    made = []
    for item in items:
        if left[item.value]:
            left[item.value] -= 1
        else:
            made.append(item)
    return made


def _first_moved(query: Analysis, known: Analysis) -> str:
    pairs = zip(query.items, known.items, strict=True)
    return next(f"`{one.shown}`" for one, other in pairs if one.value != other.value)


def _opposite(code: str, ones: list[Item], others: list[Item]) -> str | None:
    """The guard of two words that are opposites."""
    language = language_named(code)
    if language is None:
        return None
    if any(other in language.opposite_of.get(one, ()) for one, other in _pairs(ones, others)):
        return "antonym"
    plain = _pairs(*([each for each in items if each.kind == "word"] for items in (ones, others)))
    return "negation" if any(language.negates(one, other) for one, other in plain) else None


def _pairs(ones: list[Item], others: list[Item]) -> list[tuple[str, str]]:
    return [(one.shown, other.shown) for one in ones[:_MOST_PAIRED] for other in others[:_MOST_PAIRED]]


def _told(guard: str, ones: list[Item], others: list[Item]) -> str:
    kinds = {guard} | ({"word", "negation"} if guard in ("antonym", "negation") else set())
    if guard == "antonym":
        kinds = set(GUARDS)
    a, b = (_listed([each for each in items if each.kind in kinds]) for items in (ones, others))
    if a and b:
        return f"{a} is not {b}"
    return f"{a} is not in the other" if a else f"{b} is missing"


def _listed(items: list[Item]) -> str:
    told = ", ".join(f"`{item.shown[:80]}`" for item in items[:_MOST_TOLD])
    return told + (", …" if len(items) > _MOST_TOLD else "")
