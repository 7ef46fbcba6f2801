"""Errors of other runtimes: which are the program's, and how well they are told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rtfs
from actors.remote.remote_error import ONLY_THERE, error_of, failure_of
from policies.errors import TargetFailed
from policies.running.health import CAUSES
from rtfs import errors
from rtfs.error_json import describe
from rtfs.errors import Frame, RtfsError, Span


def sent(error: RtfsError) -> Any:
    return json.loads(json.dumps(describe(error)))


EXAMPLES: dict[type[RtfsError], tuple[Any, ...]] = {
    errors.TypeMismatch: ("number", "string", "+"),
    errors.ArityMismatch: ("f", "at least 1", 0),
    errors.DivisionByZero: (),
    errors.IntegerOverflow: ("*",),
    errors.IndexOutOfBounds: (-7, 3),
    errors.KeyNotFound: (":k",),
    errors.InvalidArguments: ("a map", "a vector, got it: expected"),
    errors.ApplicationError: ("too-many", "n (x): 5", None, None),
    errors.ResourceError: ("file", "gone"),
}


def program_errors() -> list[RtfsError]:
    """One of each class that a program may end with and that is its own doing."""
    made = []
    for kind in vars(errors).values():
        if not isinstance(kind, type) or not issubclass(kind, RtfsError) or kind.__name__.startswith("_"):
            continue
        if kind in (RtfsError, errors.LimitError, errors.HostException) or kind.category in ONLY_THERE:
            continue
        made.append(kind(*EXAMPLES.get(kind, ("what: happened",))))
    return made


@pytest.mark.parametrize("error", program_errors(), ids=lambda error: type(error).__name__)
def test_an_error_of_the_program_comes_back_as_itself(error: RtfsError):
    error.span, error.source, error.hint = Span(1, 2, 3, 4), "a.rtfs", "try harder"
    error.trace = (Frame("f", "a.rtfs", Span(5, 6, 7, 8)), Frame("g", "b", None))
    error.cause = errors.KeyNotFound("k")
    error.cause.cause = errors.UndefinedSymbol("x")
    found = failure_of(sent(error))
    assert isinstance(found, RtfsError)
    assert type(found) is type(error)
    assert [getattr(found, name) for name in error.fields] == [getattr(error, name) for name in error.fields]
    assert describe(found) == describe(error)


def test_every_category_of_errors_is_decided_on():
    """A new class of error with fields needs a text in `remote_error`."""
    for error in program_errors():
        assert type(error_of(sent(error))) is type(error)
    assert set(ONLY_THERE.values()) <= CAUSES


@given(st.text(), st.text(), st.text())
def test_whatever_a_field_holds_the_text_is_the_same(a: str, b: str, c: str):
    for error in (errors.TypeMismatch(a, b, c), errors.InvalidArguments(a, b), errors.Generic(a)):
        assert error_of(describe(error)).text() == error.text()
        assert error_of(describe(error)).category == error.category


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (errors.BudgetExhausted("deadline", "1 s"), "timeout"),
        (errors.BudgetExhausted("allocation", "5 bytes"), "bad-request"),
        (errors.StackOverflow("deep"), "bad-request"),
        (errors.SecurityViolation("capability_authorization", "x", "pure"), "bad-request"),
        (errors.UnknownCapability("x"), "bad-request"),
        (errors.UndefinedSymbol("x"), "bad-request"),
        (errors.ReadError("Grammar", "no", ()), "bad-request"),
        (errors.InternalError("oops"), "server-error"),
    ],
)
def test_what_is_not_the_programs_fault_is_a_failure_of_the_target(error: RtfsError, cause: str):
    found = failure_of(sent(error))
    assert isinstance(found, TargetFailed)
    assert found.cause == cause
    assert error.text() in found.detail


def test_a_thrown_value_comes_with_its_data_if_it_is_sent():
    with pytest.raises(errors.ApplicationError) as thrown:
        rtfs.evaluate('(throw {:type :too-many :message "n" :data {:n 5}})')
    found = sent(thrown.value)
    bare = failure_of(found)
    assert isinstance(bare, errors.ApplicationError)
    assert (bare.type, bare.message, bare.data, bare.value) == ("too-many", "n", None, None)
    whole = failure_of({**found, "data": "{:n 5}", "value": "{:type :too-many}"})
    assert isinstance(whole, errors.ApplicationError)
    assert rtfs.pr_str(whole.data) == "{:n 5}"
    assert rtfs.pr_str(whole.value) == "{:type :too-many}"
    broken = failure_of({**found, "data": "{:n", "value": 7})
    assert isinstance(broken, errors.ApplicationError)
    assert broken.data is None


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"category": 5, "message": []},
        {"category": "Strange", "message": "things"},
        {"category": "TypeError", "message": "another text"},
        {"category": "ArityMismatch", "message": "Arity mismatch in f: expected 1, got many"},
        {"category": "Generic", "message": "x", "trace": 5, "causes": {}, "line": "a"},
        {"category": "Generic", "message": "x", "trace": [5, {}], "causes": [None, {}], "line": True},
    ],
)
def test_whatever_is_sent_there_is_an_error(found: dict[str, Any]):
    error = error_of(found)
    assert isinstance(error, RtfsError)
    assert str(found.get("message", "")) in error.text() or not isinstance(found.get("message"), str)
    assert error.span is None
