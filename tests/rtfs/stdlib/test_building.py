import pytest

from rtfs.errors import BudgetExhausted
from rtfs.stdlib.building import concat, conj, interleave, numbers, range_, repeat
from rtfs.stdlib.higher_order import reduce
from rtfs.values import EMPTY_VECTOR, Vector

ADDING = [
    ("(vector)", "[]"),
    ("(conj [] nil)", "[nil]"),
    ("(conj '(1) 2)", "(2 1)"),
    ("(conj #{1} 1 2)", "#{1 2}"),
    ("(conj {:a 1} [:a 2] [:b 3])", "{:a 2 :b 3}"),
    ("(conj {:a 1} {:b 2})", "{:a 1 :b 2}"),
    ("(conj {:a 1} [:b])", "!TypeError"),
    ("(conj {:a 1} 5)", "!TypeError"),
    ("(conj {:a 1} [nil 5])", "!TypeError"),
    ("(conj nil 1)", "!TypeError"),
    ('(conj "a" "b")', "!TypeError"),
    ("(into [1] {:a 2})", "[1 [:a 2]]"),
    ('(into [] "ab")', '["a" "b"]'),
    ("(into #{} [1 2 1])", "#{1 2}"),
    ("(into {:a 1} {:a 2 :b 3})", "{:a 2 :b 3}"),
    ("(into {} [{:a 1} [:b 2]])", "{:a 1 :b 2}"),
    ("(into {} '(1))", "!TypeError"),
    ("(into nil [1])", "!TypeError"),
    ("(into [] nil)", "!TypeError"),
    ("(cons 0 '(1 2))", "[0 1 2]"),
    ('(cons "x" "ab")', '["x" "a" "b"]'),
    ("(cons 1 nil)", "!TypeError"),
    ("(concat [1] [2] #{3})", "[1 2 3]"),
    ('(concat "ab" 1 :k)', '["a" "b" 1 :k]'),
    ("(concat nil)", "[nil]"),
    ("(concat [] [1])", "[1]"),
    ("(let [a [1] b (concat a [2]) c (concat a [3])] [a b c])", "[[1] [1 2] [1 3]]"),
]

RANGES = [
    ("(range 0)", "[]"),
    ("(range -2)", "[]"),
    ("(range 3 1)", "[]"),
    ("(range 0 10 4)", "[0 4 8]"),
    ("(range 3 0 -1)", "[3 2 1]"),
    ("(range 0 3 0)", "!InvalidArgument"),
    ("(range 1.0)", "!TypeError"),
    ("(numbers 2 2)", "[2]"),
    ("(numbers -1.5 1.5)", "[-1 0 1]"),
    ("(numbers 1 ##Inf)", "!InvalidArgument"),
    ("(numbers ##NaN 1)", "!InvalidArgument"),
    ("(numbers 1 true)", "!TypeError"),
    ("(repeat 0 1)", "[]"),
    ("(repeat -1 1)", "[]"),
    ("(repeat 2 [1])", "[[1] [1]]"),
    ("(repeat 1.5 1)", "!TypeError"),
    ("(interleave [1 2])", "[1 2]"),
    ('(interleave [1 2] "ab" [:x :y])', '[1 "a" :x 2 "b" :y]'),
    ("(interleave [1 2] [])", "[]"),
    ("(interpose 0 [])", "[]"),
    ("(interpose 0 [1])", "[1]"),
    ('(interpose "-" "ab")', '["a" "-" "b"]'),
]


@pytest.mark.parametrize(("source", "expected"), ADDING + RANGES)
def test_answer(shown, source, expected):
    assert shown(source) == expected


HUGE = 2**63 - 1


@pytest.mark.parametrize(
    "make",
    [
        lambda: range_(HUGE),
        lambda: range_(-HUGE, HUGE),
        lambda: range_(HUGE, -HUGE, -1),
        lambda: numbers(0, 1e308),
        lambda: repeat(HUGE, None),
        lambda: range_(1_000_000),
        lambda: repeat(1_000_000, None),
        lambda: interleave(*[Vector([0] * 1000)] * 1000),
    ],
)
def test_a_result_larger_than_the_run_may_hold_is_not_made(small_run, make):
    with pytest.raises(BudgetExhausted):
        make()


@pytest.mark.parametrize(
    "make", [lambda: range_(HUGE), lambda: repeat(HUGE, 0), lambda: numbers(-1e308, 1e308)]
)
def test_nor_one_larger_than_any_memory_where_there_is_no_limit(run, make):
    with pytest.raises(BudgetExhausted):
        make()


def test_ranges_longer_than_one_run_of_integers_are_whole():
    assert range_(5, 200_000, 3).to_list() == list(range(5, 200_000, 3))


def test_building_by_concat_keeps_old_versions():
    versions = [EMPTY_VECTOR]
    for i in range(100):
        versions.append(concat(versions[-1], Vector([i, i])))
    assert [len(v) for v in versions] == list(range(0, 201, 2))


def test_reduce_conj_builds_what_was_reduced():
    source = Vector(list(range(1000)))
    assert reduce(conj, EMPTY_VECTOR, source) == source
