"""From a text to its form: what it says, as a sequence in which only what is harmless has been made the same.

    text ─scan▶ pieces ─language▶ items (numbers, dates, names, guarded words, synonyms) ─arrange▶ form

Of a text in no known language, or of words that no table knows, nothing is made the same but case and spaces.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import Final

from actors.caches.l3.guards.english.tables import ENGLISH
from actors.caches.l3.guards.german.tables import GERMAN
from actors.caches.l3.guards.language import Language
from actors.caches.l3.guards.model import MOST_CHARS, Analysis, Item
from actors.caches.l3.guards.pieces import raw_items
from actors.caches.l3.guards.reader import Reader
from actors.caches.l3.guards.tokens import Token, scan

LANGUAGES: Final = (ENGLISH, GERMAN)

_CASE_MATTERS: Final = frozenset().union(*(language.case_matters for language in LANGUAGES))
#: share of words that a language must know for it to be that of a text
_KNOWN_SHARE: Final = 0.3
#: the same where no word is a mark of a language
_KNOWN_SHARE_WITHOUT_MARKS: Final = 0.5
#: marks of a language for each of another
_LEAD: Final = 3


def analysed(text: str) -> Analysis:
    """A text, prepared to be compared. Takes time in proportion to its length, up to MOST_CHARS."""
    if len(text) > MOST_CHARS:
        digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()
        return Analysis(text=digest, language="", form=(), items=(), is_long=True)
    tokens = list(scan(text))
    language = language_of(tokens)
    items = raw_items(tokens, _CASE_MATTERS) if language is None else _read(language, tokens)
    commas = [at for at, item in enumerate(items) if item.kind == "punctuation"]
    said = tuple(item for item in items if item.kind != "punctuation")
    return Analysis(
        text=text,
        language="" if language is None else language.code,
        form=tuple([item.value for item in said]),
        items=said,
        commas=tuple([at - before for before, at in enumerate(commas)]),
    )


def _read(language: Language, tokens: list[Token]) -> list[Item]:
    reader = Reader(language, tokens)
    items = reader.items()
    # two words for one thing in the same text may be there to be told apart
    return Reader(language, tokens, with_synonyms=False).items() if reader.has_contrast else items


def language_of(tokens: list[Token]) -> Language | None:
    """The language that a text is in; None if that is not clear."""
    words = [token.lower for token in tokens if token.kind == "word"]
    if not words:
        return None
    marks, known = [], []
    for language in LANGUAGES:
        marks.append(sum([word in language.marks for word in words]))
        known.append(sum([word in language.vocabulary for word in words]))
    counts = marks if any(marks) else known
    best = max(range(len(LANGUAGES)), key=lambda at: (counts[at], known[at]))
    second = max([count for at, count in enumerate(counts) if at != best])
    share = _KNOWN_SHARE if any(marks) else _KNOWN_SHARE_WITHOUT_MARKS
    is_clear = counts[best] >= max(1, _LEAD * second) and known[best] >= share * len(words)
    return LANGUAGES[best] if is_clear else None


@lru_cache(1024)
def kept(text: str) -> Analysis:
    """`analysed`, of texts that are asked again and again."""
    return analysed(text)


def language_named(code: str) -> Language | None:
    """The language of that code."""
    return next((each for each in LANGUAGES if each.code == code), None)
