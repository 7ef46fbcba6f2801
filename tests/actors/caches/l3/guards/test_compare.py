"""Which guard refuses, and what it says; what makes no difference."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.caches.l3.guards import Refusal, analysed, compare, refusal
from actors.caches.l3.guards.forms import LANGUAGES
from actors.caches.l3.guards.model import GUARDS, MOST_CHARS

REFUSED = [
    ("Show the last 3 errors of the server.", "Show the last 4 errors of the server.", "number"),
    ("Convert 5 km to miles.", "Convert 5 kg to miles.", "unit"),
    ("It costs $5 a day.", "It costs €5 a day.", "unit"),
    ("What happened on March 5, 2024?", "What happened on March 6, 2024?", "date"),
    ("What happened today?", "What happened yesterday?", "date"),
    ("What is the capital of France?", "What is the capital of Italy?", "name"),
    ("What are the symptoms of measles?", "What are the symptoms of mumps?", "word"),
    ("Delete the file.", "Do not delete the file.", "negation"),
    ("Is the file readable?", "Is the file unreadable?", "negation"),
    ("Buy the shares.", "Sell the shares.", "antonym"),
    ("Which prices increased?", "Which prices decreased?", "antonym"),
    ("Show all orders that are open.", "Show some orders that are open.", "scope"),
    ("Who must pay the tax?", "Who may pay the tax?", "modal"),
    ("Is Anna larger than Bob?", "Is Bob larger than Anna?", "order"),
    ("Who is the boss?", "Where is the boss?", "question"),
    ("Reset my password for the server.", "Reset your password for the server.", "person"),
    ("Does the server crash?", "Did the server crash?", "tense"),
    ("Is the letter to Anna?", "Is the letter from Anna?", "antonym"),
    ("Sort by name and age.", "Sort by name or age.", "conjunction"),
    ('The user wrote "yes".', 'The user wrote "no".', "quote"),
    ("What does `ls -a` do?", "What does `ls -l` do?", "code"),
    ("Open https://example.com/a for me.", "Open https://example.com/b for me.", "link"),
    ("What is the time?", "Wie spät ist es?", "language"),
    ("Komm, wir essen, Opa.", "Komm, wir essen Opa.", "punctuation"),
    ("Was kostet das Brot?", "Was kostet die Butter?", "word"),
    ("Erhöhe den Preis.", "Senke den Preis.", "antonym"),
    ("Zeige alle Fehler.", "Zeige keine Fehler.", "negation"),
    ("Ist das möglich?", "Ist das unmöglich?", "antonym"),
    ("Er kommt am Montag.", "Er kommt am Dienstag.", "date"),
    ("Es waren einundzwanzig Gäste.", "Es waren zweiundzwanzig Gäste.", "number"),
    (".", "!", "empty"),
]


@pytest.mark.parametrize(("one", "other", "guard"), REFUSED)
def test_a_guard_refuses_and_names_itself(one: str, other: str, guard: str) -> None:
    found = refusal(one, other)
    assert found is not None
    assert found.guard == guard, found
    assert found.guard in GUARDS


def test_a_refusal_says_what_differs() -> None:
    found = refusal("Show the last 3 errors of it.", "Show the last 4 errors of it.")
    assert found == Refusal(guard="number", detail="`3` is not `4`")
    assert str(found) == "number: `3` is not `4`"
    assert str(refusal("Delete the file.", "Do not delete the file.")) == "negation: `not` is missing"
    assert str(refusal("Anna calls Bob.", "Bob calls Anna.")) == "order: `Anna` stands elsewhere"


ALIKE = [
    ("What is 3 + 4?", "what is three + four"),
    ("It is 1,000.5 km to the sea.", "It is 1000.5 kilometres to the sea"),
    ("It takes 1.5 million years.", "It takes 1500000 years."),
    ("It costs two hundred and five dollars.", "It costs $205."),
    ("The room isn't closed.", "The room is not closed"),
    ("Who's the boss?", "Who is the boss?"),
    ("I can't find the file.", "I cannot find the file!"),
    ("It's at 3 p.m. on the 5th of March.", "It is at 15:00 on March 5."),
    ("HOW DO I RESET MY PASSWORD", "how do I reset my password?"),
    ("How Do I Reset My Password", "how do I reset my password?"),
    ("How   do I\nreset my password?", "How do I reset my password?"),
    ("World War II was long, was it not?", "World War 2 was long, was it not?"),
    ("Es sind zwei Millionen Euro.", "Es sind 2.000.000 €."),
    ("Im Jahr neunzehnhundertneunzig war es so.", "In dem Jahr 1990 war es so."),
    ("Was gibt's im Lager bei uns?", "Was gibt es in dem Lager bei uns?"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_spelling_makes_no_difference(one: str, other: str) -> None:
    assert refusal(one, other) is None


def test_the_same_text_is_never_refused_however_long() -> None:
    text = "word " * MOST_CHARS
    assert refusal(text, text) is None
    assert compare(analysed(text), analysed(text)) is None
    found = refusal(text, text + "x")
    assert found is not None
    assert found.guard == "length"
    assert refusal("short", text) is not None


def test_a_digest_is_not_the_text_it_is_of() -> None:
    long = analysed("x" * (MOST_CHARS + 1))
    assert compare(analysed(long.text), long) is not None


def test_a_text_in_an_unknown_language_is_its_words() -> None:
    assert refusal("Quelle est la capitale du Pérou ?", "quelle est la  capitale du pérou ?") is None
    assert refusal("Quelle est la capitale du Pérou ?", "Quelle est la capitale du Chili ?") is not None
    assert analysed("Quelle est la capitale du Pérou ?").language == ""


HOSTILE = [
    '"',
    "`",
    "```",
    "a-",
    "a.",
    "1.",
    "/a",
    "@",
    "a@",
    "one hundred ",
    "not, ",
    "'s ",
    "((",
    "\u202e",
    "\ud800",
]


@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.timeout(30)  # milliseconds; with the square of the length it were minutes
def test_hostile_texts_end(piece: str) -> None:
    analysed((piece * MOST_CHARS)[:MOST_CHARS])
    analysed(piece * 100_000)


@given(st.text(max_size=80))
@settings(max_examples=300, deadline=None)
def test_any_text_can_be_analysed(text: str) -> None:
    one, other = analysed(text), analysed(f"  {text}\n")
    assert compare(one, one) is None
    assert (compare(one, other) is None) == (compare(other, one) is None)
    assert len(one.form) == len(one.items)
    assert {item.kind for item in one.items} <= set(GUARDS)


@given(
    st.lists(st.sampled_from("not the 3 km Anna to from and , . ? 5 % never all Berlin ist nicht der".split()))
)
@settings(max_examples=200, deadline=None)
def test_a_negation_more_is_never_let_through(words: list[str]) -> None:
    text = " ".join(["Is", *words, "open"])
    assert refusal(f"{text} not", text) is not None


WORDS = sorted({"-", ",", ".", "?", "5", "3pm"}.union(*(language.vocabulary for language in LANGUAGES)))


@given(
    st.sampled_from(["sag mir, wie ich", "wie", "tell me", "how do i", ""]),
    st.lists(st.sampled_from(WORDS), max_size=8),
)
@settings(max_examples=400, deadline=None)
def test_any_words_of_the_tables_can_be_analysed(start: str, words: list[str]) -> None:
    text = f"{start} {' '.join(words)}"
    assert refusal(text.upper(), text.upper()) is None
    analysed(text)
