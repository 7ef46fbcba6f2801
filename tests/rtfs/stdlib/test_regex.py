import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtfs.errors import BudgetExhausted, Generic
from rtfs.run import cancel
from rtfs.stdlib.regex import compiled
from rtfs.stdlib.table import BUILTINS


@pytest.mark.parametrize(
    ("name", "args", "expected"),
    [
        ("re-matches", ("b+", "abbc"), "true"),
        ("re-matches", ("^b+$", "abbc"), "false"),
        ("re-matches", ("b", None), "false"),
        ("re-matches", ("", ""), "true"),
        ("re-matches", (None, "a"), "!TypeError"),
        ("re-matches", ("a", 1), "!TypeError"),
        ("re-matches", ("(", None), "!Generic"),
        ("re-find", ("b+", "abbc"), '"bb"'),
        ("re-find", ("(b)(c)", "abc"), '"bc"'),
        ("re-find", ("x", "abc"), "nil"),
        ("re-find", ("x", None), "nil"),
        ("re-find", ("é.", "aéb"), '"éb"'),
        ("re-find", ("[", "a"), "!Generic"),
        ("re-seq", ("[0-9]+", "a1b22c"), '["1" "22"]'),
        ("re-seq", ("a*", "baé"), '["" "a" "" ""]'),
        ("re-seq", ("", "aé"), '["" "" ""]'),
        ("re-seq", (r"^\w", "ab"), '["a"]'),
        ("re-seq", (r"\b\w", "ab cd"), '["a" "c"]'),
        ("re-seq", ("x", "abc"), "[]"),
        ("re-seq", ("x", None), "[]"),
        ("re-seq", ("x", 1), "!TypeError"),
        ("re-seq", (r"a\0?\x00", "a\0a"), '["a\0"]'),
        ("re-find", ("a.c", "a\0c"), '"a\0c"'),
        ("re-find", ("a.c", "a\ud800c"), '"a\ud800c"'),
        ("re-find", (r"(?i)HELLO", "say Hello"), '"Hello"'),
        ("re-find", (r"\pL+", "1éa2"), '"éa"'),
    ],
)
def test_result(outcome, name, args, expected):
    assert outcome(name, *args) == expected


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(", "missing ): ("),
        ("a{1001}", "invalid repetition size: {1001}"),
        (r"(a)\1", r"invalid escape sequence: \1"),
        ("(?=a)", "invalid perl operator: (?="),
        (r"\pL{900}", "pattern too large - compile failed"),
        ("a" * 10_001, "longer than 10000 characters"),
        ("x\ud800(", "missing ): x\ud800("),
    ],
)
def test_bad_pattern(pattern, reason):
    with pytest.raises(Generic) as caught:
        compiled(pattern)
    assert str(caught.value) == f"Runtime error: Invalid regex pattern '{pattern[:200]}': {reason}"


@pytest.mark.parametrize(
    "pattern", ["(" * 5000 + ")" * 5000, "(a*)*" * 2000, "x{1000}" * 1400, "[a-z]" * 2000, "(?:" * 900]
)
def test_large_patterns_are_quiet_and_quick(pattern, capfd):
    began = time.monotonic()
    with contextlib.suppress(Generic):
        compiled(pattern).is_in("x" * 1000)
    assert time.monotonic() - began < 5
    assert capfd.readouterr() == ("", "")


def test_a_pattern_that_backtracking_would_never_end():
    assert compiled("^(a+)+$").is_in("a" * 50_000 + "b") is False


def test_a_search_that_could_take_very_long_is_refused():
    with pytest.raises(Generic, match="could take too long on this text"):
        compiled("[ab]*a[ab]{1000}c").is_in("ab" * 1_000_000)


def test_any_byte_gives_text_that_can_be_handled():
    assert list(compiled(r"\C").matches("é")) == ["\ufffd", "\ufffd"]


def test_matching_stops_when_the_run_must(run):
    matches = compiled("a").matches("a" * 100)
    assert next(matches) == "a"
    cancel(run)
    with pytest.raises(BudgetExhausted, match="cancelled"):
        next(matches)


@given(
    st.text(alphabet="ab.*+?()[]{}|\\^$é\ud800\0-1", max_size=12),
    st.text(alphabet="ab\ud800é\0-1\n", max_size=20),
)
def test_any_pattern_and_text_give_a_value_or_the_error(pattern, text):
    try:
        found = BUILTINS["re-seq"].function(pattern, text)
    except Generic:
        with pytest.raises(Generic, match="Invalid regex pattern"):
            compiled(pattern)
        return
    assert BUILTINS["re-matches"].function(pattern, text) is (len(found) > 0)
    assert BUILTINS["re-find"].function(pattern, text) == (found[0] if found else None)
