"""The items of a text in a known language, read from its pieces from left to right."""

from __future__ import annotations

from typing import Final

from actors.caches.l3.guards import dates
from actors.caches.l3.guards.language import Language, Phrase
from actors.caches.l3.guards.model import CLAUSE, Item
from actors.caches.l3.guards.numbers import roman, scaled
from actors.caches.l3.guards.pieces import AS_WRITTEN, COMMA, case_speaks, expanded, kept_commas
from actors.caches.l3.guards.tokens import Token

#: £ is no pound of weight, and ¥ is yen or yuan
CURRENCIES: Final = {"$": "u:dollar", "€": "u:euro", "£": "u:£", "¥": "u:¥", "%": "u:percent"}
#: words of a number, at most
_MOST_WORDS: Final = 24
#: what may stand before a question after `in`
_IN_FRONT: Final = frozenset({"word", "name", "punctuation"})
#: products whose first letter is small by custom
_SMALL_FIRST: Final = frozenset("iphone ipad ipod itunes imac ios ipados macos ebay".split())


class Reader:
    """Reads one text. Lives as long as that.

    Args:
        with_synonyms: whether words are read as others that mean the same.
    """

    def __init__(self, language: Language, tokens: list[Token], *, with_synonyms: bool = True) -> None:
        self.has_contrast = False
        self._language = language
        self._tokens = expanded(language, tokens)
        self._lowers = tuple([token.lower if token.kind == "word" else "" for token in self._tokens])
        self._case_speaks = case_speaks(tokens)
        self._is_about_words = not language.mentions.isdisjoint(self._lowers)
        self._synonyms = with_synonyms and not self._is_about_words
        #: value of a group → the member that was seen
        self._members: dict[str, str] = {}
        self._done: list[Item] = []
        self._sentence: list[Item] = []
        self._is_request = False

    def items(self) -> list[Item]:
        """What the text says; commas are items of kind `punctuation`."""
        at, tokens = 0, self._tokens
        while at < len(tokens):
            token = tokens[at]
            if token.kind == "end":
                self._end(asks=token.text == "?")
                at += 1
                continue
            if token.after_comma and self._sentence not in ([], [CLAUSE]):
                self._sentence.append(COMMA)
            at = self._step(at, token)
        self._end(asks=False)
        return self._done

    def _step(self, at: int, token: Token) -> int:
        """Read what begins at `at`; where the next begins."""
        if token.kind == "word":
            if token.lower not in self._language.beginnings:
                return self._word(at)
            return self._phrase(at) or self._date(at) or self._number_words(at) or self._word(at)
        if token.kind in ("number", "attached", "time", "iso", "dots", "ordinal"):
            return self._date(at) or self._number(at)
        if self._is_before_number(at):
            end = self._number(at + 1)
            self._add("unit", CURRENCIES[token.text], token.text)
            return end
        if token.kind == "symbol" and token.text in CURRENCIES:
            self._add("unit", CURRENCIES[token.text], token.text)
        elif token.kind == "quote":
            self._add("quote", f'"{token.text[1:-1]}"', token.text)
        else:
            self._add(AS_WRITTEN[token.kind], self._written(token), token.text)
        return at + 1

    def _is_before_number(self, at: int) -> bool:
        """Whether a currency is there whose number follows, `$5`."""
        token = self._tokens[at]
        is_currency = token.kind == "symbol" and token.text in CURRENCIES and token.text != "%"
        return is_currency and self._kind(at + 1) == "number" and self._kind(at - 1) != "number"

    def _written(self, token: Token) -> str:
        is_mail = token.kind == "link" and "@" in token.text and "/" not in token.text
        return token.lower if is_mail else token.text

    def _add(self, kind: str, value: str, shown: str) -> None:
        self._sentence.append(Item(kind, value, shown))

    def _kind(self, at: int) -> str:
        return self._tokens[at].kind if 0 <= at < len(self._tokens) else ""

    def _end(self, *, asks: bool) -> None:
        """A sentence is over."""
        said = kept_commas(self._sentence)
        if said:
            arranged = self._language.arrange(self._language, said, asks and not self._is_request, self._read)
            if self._done:
                self._done.append(Item("order", ".", "end of a sentence"))
            self._done += arranged
        self._sentence = []
        self._is_request = False

    # ------------------------------------------------------------ phrases and words

    def _phrase(self, at: int) -> int:
        """Read the longest phrase that begins here; 0: none does."""
        table = self._language.phrase_table if self._synonyms else self._language.phrases_only
        lowers = self._lowers
        for second in (lowers[at + 1 : at + 2] or ("",))[0], "":
            for phrase in table.get((lowers[at], second), ()):
                end = at + len(phrase.words)
                if lowers[at:end] == phrase.words and self._stands(phrase, at, end):
                    return self._read_as(phrase, end)
        return 0

    def _stands(self, phrase: Phrase, at: int, end: int) -> bool:
        """Whether a phrase is where it must be."""
        if phrase.is_apart:
            return self._apart(at, end)
        return not phrase.is_first or not self._sentence or self._sentence == [CLAUSE] or self._is_front()

    def _is_front(self) -> bool:
        """Whether what was read of the sentence is no more than `In Python,`."""
        first, *rest = self._sentence
        kinds = {item.kind for item in rest}
        return first.value in self._language.frontable and len(rest) < 5 and kinds <= _IN_FRONT

    def _apart(self, at: int, end: int) -> bool:
        """Whether commas or ends of sentences part these pieces from the rest."""
        tokens = self._tokens
        begins = not self._sentence or (tokens[at].after_comma and not self._is_about_words)
        return begins and (end >= len(tokens) or tokens[end].after_comma or tokens[end].kind == "end")

    def _read_as(self, phrase: Phrase, end: int) -> int:
        self._is_request = self._is_request or phrase.is_request
        shown = " ".join(phrase.words)
        for part in phrase.becomes:
            kind, colon, value = part.partition(":")
            if part == "$":  # phrases may begin with it
                return end - 1
            if part == "$2":
                return end - 2
            if part == "$0":
                self._plain(phrase.words[0])
            elif part == CLAUSE.value:
                self._sentence.append(CLAUSE)
            elif colon:
                self._add(kind, value, shown)
            else:
                self._plain(shown if " " in shown and shown in self._language.lemmas else part)
        return end

    def _plain(self, lower: str) -> None:
        """A word in lower case."""
        language = self._language
        is_meant = self._is_about_words and self._sentence
        if lower not in language.silent and (lower not in language.polite or is_meant):
            self._sentence.append(self._read(lower))

    def _read(self, lower: str) -> Item:
        """What a word in lower case is read as."""
        language = self._language
        guarded = language.words.get(lower)
        if guarded is not None:
            return guarded
        lemma = language.lemmas.get(lower) if self._synonyms else None
        if lemma is None:
            return Item("word", lower, lower)
        value, member = lemma
        group = value.partition("~")[0]
        self.has_contrast |= self._members.setdefault(group, member) != member
        return Item("word", value, lower)

    def _word(self, at: int) -> int:
        token, language = self._tokens[at], self._language
        text, lower = token.text, token.lower
        labelled = self._is_labelled(at)
        if text == lower or text == "I":
            if labelled and lower in language.lemmas:
                self._add("word", lower, lower)
            else:
                self._plain(lower)
        elif not self._case_speaks or (token.is_first and (text[1:].islower() or len(text) == 1)):
            if lower in language.case_matters and lower not in language.words:
                self._add("name", f"{lower}?", text)
            elif labelled:
                self._add("word", lower, lower)
            else:
                self._plain(lower)
        elif labelled and language.has_capital_nouns:
            self._add("word", lower, lower)
        else:
            self._capital(token)
        return at + 1

    def _capital(self, token: Token) -> None:
        """A word with capitals where they mean something."""
        text, lower, language = token.text, token.lower, self._language
        is_title = all(len(part) == 1 or part[1:].islower() for part in text.split("-"))
        if lower in language.case_matters or (len(text) == 1 and lower in language.words):
            self._add("name", text, text)
        elif lower in language.words or (is_title and language.has_capital_nouns):
            self._plain(lower)
        elif is_title or text.isupper():
            value = roman(text)
            if value is not None and self._sentence and self._sentence[-1].kind == "name":
                self._add("number", f"#{value}", text)
            else:
                self._add("name", text if lower in language.lemmas else lower, text)
        else:
            is_code = text[0].islower() and lower not in _SMALL_FIRST
            self._add("name", text if is_code else lower, text)

    def _is_labelled(self, at: int) -> bool:
        """Whether a word beside it says that it is something to click or to call."""
        return not self._language.labels.isdisjoint(self._lowers[max(0, at - 2) : at + 2])

    # ------------------------------------------------------------ numbers and dates

    def _date(self, at: int) -> int:
        found = dates.read(self._language, self._tokens, at)
        if found is None:
            return 0
        value, end = found
        self._add("date", value, " ".join(token.text for token in self._tokens[at:end]))
        return end

    def _number_words(self, at: int) -> int:
        if self._lowers[at] not in self._language.number_beginnings:
            return 0
        numerals = self._language.numerals
        ordinal = numerals.ordinals.get(self._lowers[at])
        if ordinal is not None:
            self._add("number", f"#{ordinal}.", self._lowers[at])
            return at + 1
        most = min(len(self._tokens), at + _MOST_WORDS)
        stop = next((i for i in range(at + 1, most) if self._tokens[i].after_comma), most)
        found = numerals.words(self._lowers[at:stop], 0)
        if found is None:
            return 0
        value, nwords = found
        end = at + nwords
        self._add("number", f"#{value}", " ".join(self._lowers[at:end]))
        return self._unit(end)

    def _number(self, at: int) -> int:
        token, language = self._tokens[at], self._language
        text = token.text
        if token.kind == "ordinal":
            self._add("number", f"#{text[:-2]}.", text)
            return at + 1
        if token.kind == "attached":
            digits = text.rstrip("".join({letter for letter in text if not letter.isdigit()} - {".", ","}))
            unit = self._unit_named(text[len(digits) :])
            if unit is None:
                self._add("name", text, text)
                return at + 1
            self._add("number", language.numerals.digits(digits), digits)
            self._add("unit", unit, text[len(digits) :])
            return at + 1
        value = language.numerals.digits(text)
        scale = language.numerals.scales.get(self._lowers[at + 1]) if at + 1 < len(self._lowers) else None
        product = scaled(value, scale) if scale else None
        self._add("number", product or value, text)
        return self._unit(at + 1 + (product is not None))

    def _unit(self, at: int) -> int:
        """Read the unit of the number before, if there is one; where the next begins."""
        if self._kind(at) != "word":
            return at
        text = self._tokens[at].text
        unit = self._unit_named(text)
        if unit is None and self._lowers[at] in self._language.unit_letters:
            unit = text  # of a symbol the case matters: Gb is not GB
        if unit is None:
            return at
        self._add("unit", unit, text)
        return at + 1

    def _unit_named(self, text: str) -> str | None:
        units = self._language.units
        unit = units.get(text)
        if unit is None and len(text) > 3:
            unit = units.get(text.lower())
        return None if unit is None else f"u:{unit}"
