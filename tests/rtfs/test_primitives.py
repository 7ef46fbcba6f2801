"""The operations behind destructuring, `match`, templates and free names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtfs import errors
from rtfs.host import PureHost
from rtfs.primitives import TABLE, lookup
from rtfs.run import Limits, Run, running
from rtfs.security import RuntimeContext
from rtfs.values import Keyword, List, Map, Symbol, Vector

A, B = Keyword.of("a"), Keyword.of("b")


@pytest.mark.parametrize(
    ("name", "args", "expected"),
    [
        ("item", (List.of(1, 2), 0), 1),
        ("items-from", (List.of(1, 2, 3), 1), Vector.of(2, 3)),
        ("items-from", (Vector.of(1), 1), Vector.of()),
        ("is-sequence-of", (List.of(1), 1), True),
        ("is-sequence-of", ("a", 1), False),
        ("is-sequence-from", (Vector.of(1, 2), 1), True),
        ("is-sequence-from", (Vector.of(), 1), False),
        ("is-map-with", (Map({A: 1}), A), True),
        ("is-map-with", (Map({A: 1, B: 2}), A), False),
        ("is-map-with", (Map({B: 1}), A), False),
        ("is-map-with", (None, A), False),
        ("is-map-having", (Map({A: 1, B: 2}), A), True),
        ("map-get", (Map({A: 1}), B), None),
        ("has-key", (Map({A: None}), A), True),
        ("map-without", (Map({A: 1, B: 2}), A, Keyword.of("c")), Map({B: 2})),
        ("step-truthy", (0,), False),
        ("step-truthy", (0.0,), False),
        ("step-truthy", ("",), False),
        ("step-truthy", (Map({}),), False),
        ("step-truthy", (List(),), False),
        ("step-truthy", (None,), False),
        ("step-truthy", (A,), True),
        ("step-truthy", (Vector.of(0),), True),
        ("check-integer", (3,), 3),
        ("count-turn", (9_999,), 10_000),
        ("concat-list", (Vector.of(1), None, List.of(2)), List.of(1, 2)),
        ("concat-vector", (List.of(1), Vector.of()), Vector.of(1)),
        ("form-map", (Symbol.of("x"), 1, A, 2), Map({Symbol.of("x"): 1, A: 2})),
    ],
)
def test_values(name, args, expected):
    found = TABLE[name](*args)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("name", "args", "error"),
    [
        ("no-match", (1,), errors.MatchError),
        ("check-integer", (True,), errors.TypeMismatch),
        ("count-turn", (10_000,), errors.Generic),
        ("concat-list", (5,), errors.TypeMismatch),
        ("form-map", (None, 1), errors.TypeMismatch),
        ("bad-shape", ("this", "that"), errors.InvalidArguments),
        ("not-implemented", ("gone",), errors.NotImplementedForm),
        ("destructure-map", (None,), errors.TypeMismatch),
    ],
)
def test_errors(name, args, error):
    with pytest.raises(error):
        TABLE[name](*args)


@given(st.dictionaries(st.integers(0, 20), st.integers()), st.lists(st.integers(0, 20), max_size=20))
def test_map_without_is_the_rest(table, keys):
    expected = {key: value for key, value in table.items() if key not in keys}
    found = TABLE["map-without"](Map(dict(table)), *keys)
    assert found.to_dict() == expected
    assert list(found) == list(expected)


class Host(PureHost):
    def get_context_value(self, key):
        return {"host": 1, "both": 2}.get(key)


def test_free_names_are_looked_up_in_order():
    context = RuntimeContext(level="full", cross_plan_params={"plan": 4, "both": 5, "nothing": None})
    run = Run(host=Host(), context=context, limits=Limits(), arguments={"arg": None, "both": 3})
    with running(run):
        assert [lookup(name) for name in ("arg", "both", "host", "plan", "nothing")] == [None, 3, 1, 4, None]
        assert lookup("nowhere", True) is None
        assert TABLE["resource-ref"]("host") == 1
        assert TABLE["resource-ref"]("arg") == "@arg"


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("prnt-tree", ["print-tree"], "did you mean `print-tree`?"),
        ("reduec", [], "did you mean `reduce`?"),
        ("lines", ["x"], None),
        ("when", [], "`when` is a special form, which is no value; call it as `(when …)`"),
    ],
)
def test_an_undefined_name_has_a_hint(name, known, hint):
    run = Run(host=PureHost(), context=RuntimeContext.pure(), limits=Limits())
    with running(run), pytest.raises(errors.UndefinedSymbol) as caught:
        lookup(name, False, lambda: known)
    assert caught.value.hint == hint
