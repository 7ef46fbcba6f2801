"""The tables of all languages: what is read from them, and that none confuses what another keeps apart."""

from __future__ import annotations

import pytest

from actors.caches.l3.guards.forms import LANGUAGES
from actors.caches.l3.guards.language import Language, groups, read_phrases
from actors.caches.l3.guards.model import GUARDS

EVERY = pytest.mark.parametrize("language", LANGUAGES, ids=lambda each: each.code)


@EVERY
def test_opposites_are_no_synonyms(language: Language) -> None:
    wrong = [
        (one, other)
        for one, others in language.opposite_of.items()
        for other in others
        if one in language.lemmas
        and other in language.lemmas
        and language.lemmas[one][0] == language.lemmas[other][0]
    ]
    assert wrong == []


@EVERY
def test_opposites_are_not_read_as_one_guarded_word(language: Language) -> None:
    words = language.words
    wrong = [
        (one, other)
        for one, others in language.opposite_of.items()
        for other in others
        if words.get(one) is not None and words.get(one) == words.get(other)
    ]
    assert wrong == []


@EVERY
def test_tables_are_large_enough(language: Language) -> None:
    opposites = sum(len(list(groups(part.table))) for part in language.opposites)
    synonyms = sum(len(list(groups(part.table))) for part in language.synonyms)
    assert opposites >= 350
    assert synonyms >= 200


@EVERY
def test_kinds_are_guards(language: Language) -> None:
    assert set(language.guarded) <= set(GUARDS)
    for phrase in read_phrases(language.phrases):
        kinds = {part.partition(":")[0] for part in phrase.becomes if ":" in part}
        assert kinds <= set(GUARDS), phrase


@EVERY
def test_numbers_are_no_guarded_words(language: Language) -> None:
    numbers = language.numerals.units.keys() | language.numerals.tens.keys()
    assert numbers.isdisjoint(language.words)


def test_marks_belong_to_one_language() -> None:
    for language in LANGUAGES:
        for other in LANGUAGES:
            assert other is language or language.marks.isdisjoint(other.marks)


@pytest.mark.parametrize(
    ("code", "words", "value"),
    [
        ("en", "twenty one", 21),
        ("en", "two hundred and five", 205),
        ("en", "one million two hundred thousand three", 1_200_003),
        ("en", "a hundred", 100),
        ("en", "nineteen", 19),
        ("de", "einundzwanzig", 21),
        ("de", "zweihundertfünf", 205),
        ("de", "dreitausendfünfhundert", 3500),
        ("de", "neunzehnhundertneunundachtzig", 1989),
        ("de", "zwei millionen", 2_000_000),
    ],
)
def test_numbers_in_words(code: str, words: str, value: int) -> None:
    numerals = next(each for each in LANGUAGES if each.code == code).numerals
    parts = tuple(words.split())
    assert numerals.words(parts, 0) == (value, len(parts))


@pytest.mark.parametrize(
    ("code", "text", "value"),
    [
        ("en", "1,000", "#1000"),
        ("en", "1,000.50", "#1000.50"),
        ("en", "1.000", "#1.000"),
        ("en", "1,5", "#as written 1,5"),
        ("en", "-5", "#-5"),
        ("en", "007", "#as written 007"),
        ("de", "1.000", "#1000"),
        ("de", "1.000,5", "#1000.5"),
        ("de", "1,5", "#1.5"),
        ("de", "1.5", "#as written 1.5"),
    ],
)
def test_numbers_in_digits(code: str, text: str, value: str) -> None:
    numerals = next(each for each in LANGUAGES if each.code == code).numerals
    assert numerals.digits(text) == value


def test_a_phrase_that_would_be_read_for_ever_is_no_table() -> None:
    with pytest.raises(ValueError, match="expected two words or more before `\\$`, got `why = \\$`"):
        list(read_phrases("why = $"))
