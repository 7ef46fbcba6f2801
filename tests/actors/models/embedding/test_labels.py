from __future__ import annotations

import pytest

from actors.models.embedding.labels import Label, labels_of
from actors.models.inference import FunctionFacts
from policies.errors import TargetFailed
from rtfs.function_info import functions_of
from rtfs.program import compile as compiled
from rtfs.values import Keyword


def function(source: str) -> FunctionFacts:
    (info,) = [info for _, info in functions_of(compiled(source).unit) if info.symbol == "f"]
    return FunctionFacts.of(info)


def labels(source: str) -> tuple[Label, ...]:
    return labels_of(function(source))


def refusal(source: str) -> str:
    with pytest.raises(TargetFailed) as caught:
        labels(source)
    assert caught.value.cause == "bad-request"
    return caught.value.detail.removeprefix("`f` cannot be answered by a classifier: ")


def test_labels_by_their_words() -> None:
    assert labels('(defn f [x] : [:enum :credit-card "bank_transfer"] :credit-card)') == (
        Label(value=Keyword.of("credit-card"), name="credit-card", meaning="credit card"),
        Label(value="bank_transfer", name="bank_transfer", meaning="bank transfer"),
    )


def test_labels_by_metadata() -> None:
    found = labels("""
        (defn ^{:labels {:spam "advertising" "ham" "a message to me"} :examples {:spam ["WIN now" "FREE"]}}
          f [x] : [:enum :spam "ham" :other] :spam)""")
    assert [(label.value, label.texts) for label in found] == [
        (Keyword.of("spam"), ("advertising", "WIN now", "FREE")),
        ("ham", ("a message to me",)),
        (Keyword.of("other"), ("other",)),
    ]


DOC_LINES = [
    (":spam — advertising", "advertising"),
    (":spam - advertising", "advertising"),
    (":spam: advertising", "advertising"),
    ("spam: advertising: of any kind", "advertising: of any kind"),
    ("  - :spam – advertising  ", "advertising"),
    ("`:spam` — advertising", "advertising"),
    ("* `spam`: advertising", "advertising"),
    ("spammer: advertising", "spam"),
    ("It is spam: all of it", "spam"),
    ("spam", "spam"),
    (":spam —", "spam"),
    ("spam-filter: what filters", "spam"),
]


@pytest.mark.parametrize(("line", "meaning"), DOC_LINES)
def test_labels_by_the_docstring(line: str, meaning: str) -> None:
    found = labels(f'(defn f "What it is.\n{line}\n:ham — a message" [x] : [:enum :spam :ham] :ham)')
    assert [label.meaning for label in found] == [meaning, "a message"]


def test_the_longest_label_counts() -> None:
    found = labels('(defn f "a-b: both" [x] : [:enum :a :a-b] :a)')
    assert [label.meaning for label in found] == ["a", "both"]


def test_metadata_count_more_than_the_docstring() -> None:
    (label, _) = labels('(defn ^{:labels {:a "this"}} f ":a — that" [x] : [:enum :a :b] :a)')
    assert label.meaning == "this"


def test_true_and_false() -> None:
    found = labels('(defn ^{:labels {:true "an advert" :false "a letter"}} f [x] : bool true)')
    assert [(label.value, label.meaning) for label in found] == [(True, "an advert"), (False, "a letter")]
    found = labels('(defn f "true: an advert\nfalse: a letter" [x] : bool true)')
    assert [label.meaning for label in found] == ["an advert", "a letter"]
    found = labels('(defn ^{:examples {:true ["WIN"] :false ["Hi Bob" "Dear"]}} f [x] : bool true)')
    assert [label.texts for label in found] == [("WIN", "WIN"), ("Hi Bob", "Hi Bob", "Dear")]


def test_names_of_types() -> None:
    found = labels("(deftype Mood [:enum :glad :cross]) (defn f [x] : Mood :glad)")
    assert [label.name for label in found] == ["glad", "cross"]


REFUSED = [
    ("(defn f [x] : string x)", "a classifier answers `bool` and enums of keywords or strings, not `string`"),
    ("(defn f [x] x)", "a classifier answers `bool` and enums of keywords or strings, not `any`"),
    (
        "(defn f [x] : [:vector [:enum :a]] [])",
        "a classifier answers `bool` and enums of keywords or strings, not `[:vector [:enum :a]]`",
    ),
    (
        "(defn f [x] : [:enum :a 1] :a)",
        "a classifier answers `bool` and enums of keywords or strings, this one has other values as well",
    ),
    ('(defn f [x] : [:enum :a "a"] :a)', "two of its labels have the same name"),
    (
        "(defn f [x] : bool true)",
        'it is not said what `true` means: write `^{:labels {:true "…" :false "…"}}`',
    ),
    (
        '(defn ^{:labels {:true "yes"}} f [x] : bool true)',
        'it is not said what `false` means: write `^{:labels {:true "…" :false "…"}}`',
    ),
    (
        '(defn ^{:labels {:glda "x"}} f [x] : [:enum :glad :cross] :glad)',
        "`glda` under `:labels` is none of its labels; did you mean `glad`?",
    ),
    (
        '(defn ^{:examples {:zzzzz ["x"]}} f [x] : [:enum :glad :cross] :glad)',
        "`zzzzz` under `:examples` is none of its labels; known are `glad`, `cross`",
    ),
    ("(defn ^{:labels 3} f [x] : [:enum :a :b] :a)", "expected a map by label under `:labels`"),
    (
        "(defn ^{:labels {:a 3}} f [x] : [:enum :a :b] :a)",
        "expected a text about `a` under `:labels`",
    ),
    ('(defn ^{:labels {:a " "}} f [x] : [:enum :a :b] :a)', "expected a text about `a` under `:labels`"),
    (
        '(defn ^{:examples {:a "x"}} f [x] : [:enum :a :b] :a)',
        "expected a vector of at most 100 texts for `a` under `:examples`",
    ),
    (
        "(defn ^{:examples {:a [1]}} f [x] : [:enum :a :b] :a)",
        "expected texts only for `a` under `:examples`",
    ),
]


@pytest.mark.parametrize(("source", "told"), REFUSED)
def test_what_no_classifier_answers(source: str, told: str) -> None:
    assert refusal(source) == told


def test_no_type() -> None:
    with pytest.raises(TargetFailed, match=r"bad-request: `\[:enum` is no type"):
        labels_of(FunctionFacts(symbol="f", return_type="[:enum"))


def test_too_many_labels() -> None:
    many = " ".join(f":l{number}" for number in range(1001))
    with pytest.raises(TargetFailed, match="it has 1001 labels, at most 1000 can be told apart"):
        labels_of(FunctionFacts(symbol="f", return_type=f"[:enum {many}]"))
