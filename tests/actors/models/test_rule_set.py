from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.models.rule_set import LONGEST_TEXT, RuleSet, words_of
from actors.models.rules_file import read_rules

MOOD = read_rules(
    b"""
default neutral 0.3
threshold 0.2
negation not never
window 2

[glad]
3  word    thanks great
5  phrase  well done

[cross]
3  word    bad awful
2  regex   [!]{2,}$
-3 phrase  not bad

[neutral]
1  word    ok
""",
    "mood.rules",
)


def judged(text: str, rules: RuleSet = MOOD) -> tuple[str, float]:
    label, confidence = rules.judge(text)
    return label.name, round(confidence, 3)


JUDGED = [
    ("", ("neutral", 0.3)),
    ("nothing that is known", ("neutral", 0.3)),
    ("Thanks", ("glad", 0.75)),  # 3 / (3 + 1)
    ("thanks, great, thanks", ("glad", 0.75)),  # a rule counts once
    ("GREAT, well -- done", ("glad", 0.889)),  # 8 / (8 + 1)
    ("well, it is done", ("neutral", 0.3)),  # its words are not in a row
    ("wellbeing done", ("neutral", 0.3)),
    ("bad!!", ("cross", 0.833)),  # 5 / (5 + 1)
    ("great but bad!!", ("cross", 0.222)),  # (5 - 3) / (5 + 3 + 1)
    ("thanks, bad", ("glad", 0.0)),  # a draw: the first label, and no confidence
    ("ok thanks", ("glad", 0.4)),  # (3 - 1) / (3 + 1 + 1)
    ("not so great", ("neutral", 0.3)),  # negated
    ("not what I would call great", ("glad", 0.75)),  # the negation is too far away
    ("not great but really great", ("glad", 0.75)),  # one of two is not negated
    ("not bad", ("neutral", 0.3)),  # negated, and a rule of less than nothing
    ("never!!", ("cross", 0.667)),  # patterns know no negation
    ("ok, great bad awful bad!!", ("cross", 0.222)),  # only the two highest count
]


@pytest.mark.parametrize(("text", "expected"), JUDGED)
def test_judgements(text: str, expected: tuple[str, float]) -> None:
    assert judged(text) == expected


def test_below_the_threshold_it_is_a_guess() -> None:
    rules = read_rules(b"threshold 0.5\ndefault c\n[a]\n3 word x\n[b]\n2 word y\n[c]", "m")
    assert judged("x", rules) == ("a", 0.75)
    assert judged("x y", rules) == ("a", 0.0)  # (3 - 2) / 6
    assert judged("", rules) == ("c", 0.0)


def test_words() -> None:
    assert words_of("Don't half-install libgpg_error0:amd64, STRASSE straße!") == [
        "don't", "half", "install", "libgpg", "error0", "amd64", "strasse", "strasse",
    ]  # fmt: skip


def test_only_the_beginning_of_a_long_text_is_looked_at() -> None:
    assert judged("x " * LONGEST_TEXT + "thanks") == ("neutral", 0.3)
    assert judged("thanks" + " x" * LONGEST_TEXT) == ("glad", 0.75)


@given(
    st.text(st.characters(codec=None))
    | st.lists(st.sampled_from(["bad", "great", "not", "ok", "!!"])).map(" ".join)
)
def test_every_text_has_a_label_and_a_confidence(text: str) -> None:
    label, confidence = MOOD.judge(text)
    assert label in MOOD.labels
    assert 0 <= confidence < 1
