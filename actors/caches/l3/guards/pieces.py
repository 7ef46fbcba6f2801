"""Before and after a text is read: contractions, commas, and what is made of texts in no known language."""

from __future__ import annotations

from typing import Final

from actors.caches.l3.guards.language import Language
from actors.caches.l3.guards.model import Item
from actors.caches.l3.guards.tokens import Token

#: pieces that are taken as they are written → the guard that they belong to
AS_WRITTEN: Final = {
    "code": "code",
    "link": "link",
    "quote": "quote",
    "id": "name",
    "file": "link",
    "mixed": "name",
    "iso": "date",
    "dots": "date",
    "slashes": "date",
    "time": "date",
    "number": "number",
    "ordinal": "number",
    "attached": "name",
    "symbol": "symbol",
    "end": "punctuation",
    "word": "word",
}
COMMA: Final = Item("punctuation", ",", ",")
#: a comma after one of these kinds of items may change what they reach
_REACHING: Final = frozenset({"negation", "scope", "conjunction"})


def raw_items(tokens: list[Token], case_matters: frozenset[str]) -> list[Item]:
    """Items of a text in no known language: everything as it is, but for case where that does not matter."""
    items: list[Item] = []
    for token in tokens:
        if token.after_comma and items:
            items.append(COMMA)
        kind = "order" if token.kind == "end" else AS_WRITTEN[token.kind]
        folds = token.kind == "word" and token.lower not in case_matters
        items.append(Item(kind, token.lower if folds else token.text, token.text))
    return items[:-1] if items and tokens[-1].kind == "end" else items


def kept_commas(sentence: list[Item]) -> list[Item]:
    """A sentence without commas at its ends, and those after what reaches further told apart from others."""
    made: list[Item] = []
    for item in sentence:
        if item.kind == "punctuation":
            if not made or made[-1].kind == "punctuation":
                continue
            if made[-1].kind in _REACHING and made[-1].value not in ("and", "or", "und", "oder"):
                item = Item("order", ",", "a comma")
        made.append(item)
    while made and made[-1].shown in (",", "a comma"):
        made.pop()
    return made


def expanded(language: Language, tokens: list[Token]) -> list[Token]:
    """Contractions as the words that they stand for."""
    made: list[Token] = []
    for place, token in enumerate(tokens):
        parts = _parts(language, token, tokens[place + 1 : place + 3]) if token.kind == "word" else None
        if parts is None:
            made.append(token)
            continue
        for at, part in enumerate(parts):
            is_first, after_comma = token.is_first and at == 0, token.after_comma and at == 0
            made.append(Token("word", part, part.lower(), is_first, after_comma))
    return made


def _parts(language: Language, token: Token, ahead: list[Token]) -> list[str] | None:
    whole = language.contractions.get(token.lower)
    if whole is not None and not (token.lower.endswith("'s") and _is_open(language, ahead)):
        return whole.split()
    if "'" in token.lower:
        for suffix, word in language.suffixes.items():
            if token.lower.endswith(suffix) and len(token.text) > len(suffix):
                return [token.text[: -len(suffix)], word]
    if "-" in token.lower:
        parts = token.lower.split("-")
        numerals = language.numerals
        if all(part in numerals.units or part in numerals.tens for part in parts):
            return parts
    return None


def _is_open(language: Language, ahead: list[Token]) -> bool:
    """Whether `who's` before these is `who has` as well as `who is`."""
    return any(language.leaves_open(token.lower) for token in ahead)


def case_speaks(tokens: list[Token]) -> bool:
    """Whether capitals say something: not where all words have them."""
    words = [token.text for token in tokens if token.kind == "word" and len(token.text) > 3]
    if len(words) < 3:
        words = [token.text for token in tokens if token.kind == "word"]
        return len(words) < 2 or not all(word.isupper() for word in words)
    return not all(word[0].isupper() for word in words)
