import pytest

from rtfs.errors import ApplicationError, DivisionByZero
from rtfs.printer import pr_str
from rtfs.stdlib.table import BUILTINS
from rtfs.values import ErrorValue, Keyword, Map, Symbol, Vector

TYPE, MESSAGE, DATA = (Keyword.of(name) for name in ("type", "message", "data"))
LATE = Keyword.of("late")


@pytest.mark.parametrize(
    ("value", "type_", "message", "data"),
    [
        ("boom", "error", "boom", "nil"),
        (LATE, "late", ":late", "nil"),
        (Keyword.of("error/late"), "late", ":error/late", "nil"),
        (42, "error", "42", "42"),
        (None, "error", "nil", "nil"),
        (Vector([1, "a"]), "error", '[1 "a"]', '[1 "a"]'),
        (Map({TYPE: LATE, MESSAGE: "m", DATA: 1}), "late", "m", "1"),
        (Map({TYPE: "late"}), "late", '{:type "late"}', "nil"),
        (Map({TYPE: Symbol.of("late"), MESSAGE: 7}), "late", "7", "nil"),
        (Map({TYPE: 3}), "error", "{:type 3}", "nil"),
        (Map({}), "error", "{}", "nil"),
    ],
)
def test_throw(value, type_, message, data):
    with pytest.raises(ApplicationError) as caught:
        BUILTINS["throw"].function(value)
    error = caught.value
    assert (error.type, error.message, pr_str(error.data)) == (type_, message, data)
    assert error.value is value


def test_an_error_value_is_thrown_as_it_is():
    original = DivisionByZero()
    for _ in range(3):
        with pytest.raises(DivisionByZero) as caught:
            BUILTINS["throw"].function(ErrorValue(original))
        assert caught.value is original
    frames = 0
    traceback = original.__traceback__
    while traceback is not None:
        frames, traceback = frames + 1, traceback.tb_next
    assert frames <= 2


@pytest.mark.parametrize(
    ("args", "type_", "message", "data"),
    [
        (("m",), "error", "m", "nil"),
        (("m", Map({TYPE: LATE})), "late", "m", "{:type :late}"),
        (("m", 3), "error", "m", "3"),
        ((Keyword.of("k"),), "error", ":k", "nil"),
    ],
)
def test_error_throws_what_the_constructors_make(args, type_, message, data):
    with pytest.raises(ApplicationError) as caught:
        BUILTINS["error"].function(*args)
    made = [BUILTINS[name].function(*args).error for name in ("Exception.", "RuntimeError.")]
    if len(args) == 2:
        made.append(BUILTINS["ex-info"].function(*args).error)
    for error in (caught.value, *made):
        assert (error.type, error.message, pr_str(error.data)) == (type_, message, data)


def test_several_data_become_a_vector():
    assert pr_str(BUILTINS["Exception."].function("m", 1, 2).data) == "[1 2]"


INNER = ErrorValue(DivisionByZero())
THROWN = ErrorValue(ApplicationError("late", "m", None, Map({TYPE: LATE})))
MADE = BUILTINS["ex-info"].function("outer", Map({TYPE: LATE}), INNER)


@pytest.mark.parametrize(
    ("name", "arg", "expected"),
    [
        ("getMessage", INNER, '"Division by zero"'),
        ("getMessage", "m", "!TypeError"),
        ("getMessage", None, "!TypeError"),
        ("ex-message", MADE, '"outer"'),
        ("ex-message", None, "nil"),
        ("ex-data", MADE, "{:type :late}"),
        ("ex-data", THROWN, "{:type :late}"),
        ("ex-data", INNER, "nil"),
        ("ex-data", 1, "nil"),
        ("ex-type", INNER, ":division-by-zero"),
        ("ex-type", MADE, ":late"),
        ("ex-type", "m", "nil"),
        ("ex-cause", MADE, "#<error: Division by zero>"),
        ("ex-cause", INNER, "nil"),
        ("ex-cause", 1, "nil"),
    ],
)
def test_taking_apart(outcome, name, arg, expected):
    assert outcome(name, arg) == expected


def test_the_cause_must_be_an_error(outcome):
    assert outcome("ex-info", "m", None, "cause") == "!TypeError"
