import pytest

from rtfs.errors import Generic
from rtfs.stdlib.functions import comp, complement, constantly, fnil, juxt, memoize, partial
from rtfs.stdlib.table import BUILTINS
from rtfs.values import Vector, is_function


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("((comp) 1)", "1"),
        ("((comp str +) 1 2)", '"3"'),
        ("((comp :a :b) {:b {:a 1}})", "1"),
        ("(map (comp inc inc) [1 2])", "[3 4]"),
        ("((comp inc) 1 2)", "!ArityMismatch"),
        ("(comp 5)", "!TypeError"),
        ("(comp 5 inc)", "!TypeError"),
        ("((comp (fn [] 1) inc) 1)", "!ArityMismatch"),
        ("((partial + 1) 2 3)", "6"),
        ("((partial get {:a 1}) :a)", "1"),
        ("((partial inc) 1)", "2"),
        ("((partial inc 1) 2)", "!ArityMismatch"),
        ("(partial 5)", "!TypeError"),
        ("((complement nil?) nil)", "false"),
        ("((complement :a) {})", "true"),
        ("((complement nil?))", "!ArityMismatch"),
        ("((constantly 1))", "1"),
        ("((constantly 1) 2 3)", "1"),
        ("((juxt inc dec) 5)", "[6 4]"),
        ("((juxt :a :b) {:a 1})", "[1 nil]"),
        ("(juxt 5)", "!TypeError"),
        ("((memoize inc) 1)", "2"),
        ("((memoize inc) 1 2)", "!ArityMismatch"),
        ("((fnil inc 0) 5)", "6"),
        ("((fnil vector 1 2) nil nil nil)", "[1 2 nil]"),
        ("((fnil inc 0))", "!ArityMismatch"),
        ("(update {} :n (fnil inc 0))", "{:n 1}"),
        ("(fn? (comp))", "true"),
        ("(fn? (partial inc))", "true"),
    ],
)
def test_answer(shown, source, expected):
    assert shown(source) == expected


def test_what_they_make_is_a_function_named_for_its_maker():
    inc = BUILTINS["inc"].function
    for maker in (comp, partial, complement, constantly, juxt, memoize):
        made = maker(inc)
        assert is_function(made)
        assert made.__name__ == maker.__name__
    assert fnil(inc, 0).__name__ == "fnil"


def test_memoize_calls_once_for_equal_arguments_and_tells_types_apart():
    calls = []
    remembered = memoize(lambda x: calls.append(x) or len(calls))
    answers = [remembered(x) for x in (1, 1.0, True, 1, Vector([1]), Vector([1]), Vector([1.0]), None, None)]
    assert answers == [1, 2, 3, 1, 4, 4, 5, 6, 6]


def test_memoize_remembers_no_errors():
    answers = [None, 5]

    def fails_first(x):
        answer = answers.pop(0)
        if answer is None:
            raise Generic("not yet")
        return answer

    remembered = memoize(fails_first)
    with pytest.raises(Generic):
        remembered(1)
    assert (remembered(1), remembered(1)) == (5, 5)


def test_many_nested_functions_call_through(run):
    f = BUILTINS["inc"].function
    for _ in range(5_000):
        f = partial(f)
    assert f(1) == 2
