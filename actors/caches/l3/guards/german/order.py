"""One order for German sentences that ask how something is done, in which the verb stands in different places.

wie setze ich mein Passwort zurück              how-to mein Passwort zurücksetzen
wie kann ich mein Passwort zurücksetzen         how-to mein Passwort zurücksetzen
was muss ich tun, um mein Passwort zurückzusetzen       how-to mein Passwort zurücksetzen
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from actors.caches.l3.guards.german.forms import SEPARABLE
from actors.caches.l3.guards.german.words import REQUESTS
from actors.caches.l3.guards.language import Language
from actors.caches.l3.guards.model import CLAUSE, Item
from actors.caches.l3.guards.questions import HOW_TO, auxiliary_in_front, is_how_to

_HOW_TO: Final = Item("question", HOW_TO, "wie")
_HOW_I: Final = Item("question", "wie-ich", "wie")
#: `einen` reads as `den` where the answer does not depend on it
_DEFINITE: Final = {"einen": "den", "eine": "die", "ein": "das", "einem": "dem", "einer": "der", "eines": "des"}
_COUNTING: Final = frozenset({"scope", "negation", "number"})
#: words that ask and have no noun with them
_ASKING: Final = frozenset("wer wen wem was wo wohin woher wann warum".split())
#: verbs that ask how somebody is, or how something is called, and not how it is done
_STATES: Final = tuple(
    "sehe sieht heiße heißt fühle fühlt wirke wirkt klinge klingt sterbe stirbt nenne nennt sage sagt stehe "
    "steht gehe geht liege liegt schneide schneidet".split()
)


def arranged(language: Language, items: list[Item], asks: bool, read: Callable[[str], Item]) -> list[Item]:
    """A sentence in the order that guards compare."""
    if items[0] == CLAUSE:
        items = _main_clause(language, items[1:])
    if not items:
        return items
    if items[0].value == "request":
        items, asks = _request(items), False
    how_to = _how_to(items, read)
    if how_to is None:
        how_to = auxiliary_in_front(language, items, asks)
    return _with_definite(how_to) if is_how_to(how_to) else how_to


def _main_clause(language: Language, items: list[Item]) -> list[Item]:
    """`wo Eisbären leben` as `wo leben Eisbären`: where one word asks, the verb stands next."""
    if len(items) < 3 or items[0].value not in _ASKING or any(item.kind == "punctuation" for item in items):
        return items
    if items[-1].kind != "word" or any(item.value in language.auxiliaries for item in items):
        return items
    return [items[0], items[-1], *items[1:-1]]


def _request(items: list[Item]) -> list[Item]:
    """`kannst du mir die Fehler zeigen` as `zeig mir die Fehler`."""
    request = REQUESTS.get(items[-1].shown)
    if request is None:  # who asks whether somebody can asks no favour
        return [items[0]._replace(value=items[0].shown.removesuffix(" bitte")), *items[1:]]
    return [Item("word", f"{request}!", items[-1].shown), *items[1:-1]]


def _how_to(items: list[Item], read: Callable[[str], Item]) -> list[Item] | None:
    """A question how something is done, its verb as an infinitive at its end; None for all else."""
    first = items[0].value
    if first == HOW_TO:
        return items
    if len(items) < 3:
        return None
    if first == "how-to-zu":
        return _with_zu(items, read)
    if first == "how-to-clause":
        return _clause(items[1:], read)
    if first != "wie":
        return None
    if items[1].value in ("ich", "man"):
        return _clause(items[2:], read)
    if items[2].value not in ("ich", "man") or items[1].kind != "word" or items[1].shown in _STATES:
        return None
    base = _infinitive(items[1].shown, items[2].value)
    particle = items[-1].shown if len(items) > 3 and items[-1].shown in SEPARABLE else ""
    rest = items[3:-1] if particle else items[3:]
    return None if base is None else [_HOW_TO, *rest, read(particle + base)]


def _clause(items: list[Item], read: Callable[[str], Item]) -> list[Item]:
    """`… mein Passwort zurücksetzen kann`, `… mein Passwort zurücksetze`."""
    if items[-1].value in ("kann", "könnte"):
        return [_HOW_TO, *items[:-1]]
    word = items[-1].shown
    if word.endswith(_STATES):
        return [_HOW_I, *items]
    person = "ich" if word.endswith("e") else "man"
    base = _infinitive(word, person)
    return [_HOW_TO, *items[:-1], items[-1] if base is None else read(base)]


def _with_zu(items: list[Item], read: Callable[[str], Item]) -> list[Item]:
    """`um … zurückzusetzen`, `um … zu löschen`."""
    last = items[-1].shown
    if items[-2].value == "zu":
        return [_HOW_TO, *items[1:-2], items[-1]]
    for particle in SEPARABLE:
        rest = last.removeprefix(particle + "zu")
        if rest != last and len(rest) > 3 and rest.endswith("n"):
            return [_HOW_TO, *items[1:-1], read(particle + rest)]
    return items


def _infinitive(word: str, person: str) -> str | None:
    """Of a verb as it is said of `ich` or `man`, by rule; None if it is none."""
    if person == "man":
        return _from_third(word)
    return _from_first(word) if word.endswith("e") else None


def _from_first(word: str) -> str:
    if word.endswith("le") and len(word) > 4 and word[-3] not in "aeiouäöülhr":
        return word[:-2] + "eln"  # wandle, sammle
    if word.endswith("ere") and not word.endswith("iere"):
        return word[:-1] + "n"  # ändere, speichere
    return word + "n"


def _from_third(word: str) -> str | None:
    if not word.endswith("t") or len(word) < 4:
        return None
    stem = word[:-2] if word.endswith(("tet", "det", "net")) else word[:-1]
    if stem.endswith(("er", "el")) and not stem.endswith("ier"):
        return stem + "n"
    return stem + "en"


def _with_definite(items: list[Item]) -> list[Item]:
    """A how-to question in which indefinite articles read as definite ones, but for those that count."""
    made = []
    for at, item in enumerate(items):
        value = _DEFINITE.get(item.value)
        is_counted = at > 0 and items[at - 1].kind in _COUNTING
        counts = is_counted or (at + 1 < len(items) and items[at + 1].kind == "number")
        made.append(item if value is None or counts else item._replace(value=value))
    return made
