"""`try`: shapes, and which errors a clause catches."""

from __future__ import annotations

import pytest

from rtfs import errors
from rtfs.analyze.forms.errors_forms import CATEGORIES, GROUPS


@pytest.mark.parametrize(
    ("raised", "clause", "expected"),
    [
        ("(/ 1 0)", "(catch e (getMessage e))", '"Division by zero"'),
        ("(/ 1 0)", "(catch _ e 1)", "1"),
        ("(/ 1 0)", "(catch Exception e 1)", "1"),
        ("(/ 1 0)", "(catch :default e 1)", "1"),
        (
            "(/ 1 0)",
            "(catch foo e [(getMessage e) (getMessage foo)])",
            '["Division by zero" "Division by zero"]',
        ),
        ("(/ 1 0)", "(catch ArityMismatch e 1) (catch DivisionByZero e 2)", "2"),
        ("(/ 1 0)", "(catch :division-by-zero e 2)", "2"),
        ("(/ 1 0)", "(catch :error/division-by-zero e 2)", "2"),
        ("(/ 1 0)", '(catch "DivisionByZero" e 2)', "2"),
        ("(/ 1 0)", "(catch division-by-zero e 2)", "2"),
        ("(/ 1 0)", "(catch ArithmeticException e 2)", "2"),
        ("(/ 1 0)", "(catch RuntimeError e 2)", "2"),
        ("(/ 1 0)", "(catch IllegalArgumentException e 1) (catch e 2)", "2"),
        ("(inc nil)", "(catch IllegalArgumentException e 1)", "1"),
        ("(nth [1] 5)", "(catch IndexOutOfBoundsException e 1)", "1"),
        ("(let [x : int nil] x)", "(catch RuntimeError e 1) (catch ValidationError e 2)", "2"),
        ('(throw {:type :late :message "m"})', "(catch :later e 1) (catch :late e (:message e))", '"m"'),
        ("(throw :oops)", "(catch Oops e 1) (catch :oops e 2)", "2"),
        ('(throw "why")', '(catch "why" e 2)', "2"),
        ("(throw 5)", "(catch Nope e 1) (catch x 2)", "2"),
        ("(throw 5)", "(catch Nope e 1)", "!ApplicationError"),
        ("1", "(catch e 2)", "1"),
    ],
)
def test_selection(outcome, raised, clause, expected):
    found = outcome(f"(try {raised} {clause})")
    assert found == expected or (expected.startswith("!") and found.startswith(expected))


def test_the_first_clause_that_fits_wins(outcome):
    assert outcome("(try (/ 1 0) (catch RuntimeError e :first) (catch DivisionByZero e :second))") == ":first"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(try 1)", "`try` has neither `catch` nor `finally`"),
        ("(try 1 (catch e 2) 3)", "after the first `catch` only `catch` and `finally` may follow"),
        ("(try 1 (finally 2) (catch e 3))", "`finally` is the last clause of `try`"),
        ("(try 1 (finally))", "`finally` has no body"),
        ("(try 1 (catch e))", "`catch` has the shape `(catch Kind name form…)` or `(catch name form…)`"),
        ("(try 1 (catch 5 e 1))", "`catch` takes a name, keyword or string first, got `5`"),
        ("(try 1 (catch :k 1))", "`(catch :k …)` takes a name for the error, then a body"),
    ],
)
def test_refused(outcome, text, message):
    assert outcome(text) == f"!InvalidProgram: {message}"


def test_every_catchable_category_has_a_selector():
    classes = [each for each in vars(errors).values() if isinstance(each, type)]
    catchable = {
        each.category
        for each in classes
        if issubclass(each, errors.RtfsError) and each.catchable and "category" in vars(each)
    }
    assert catchable - {"RuntimeError"} <= set(CATEGORIES)
    assert "StackOverflow" not in CATEGORIES
    assert {name for members in GROUPS.values() for name in members} - {"HostException"} <= set(CATEGORIES)
