import time

import pytest

from rtfs.errors import IndexOutOfBounds
from rtfs.stdlib.sequences import flatten, nth, rest, subvec
from rtfs.values import EMPTY_VECTOR, Vector, equal

SIZES = [
    ("(count [])", "0"),
    ("(count '(1 2))", "2"),
    ("(count {:a 1 :b 2})", "2"),
    ("(count #{1 2 3})", "3"),
    ('(length "añ☃")', "3"),
    ("(count 1)", "!TypeError"),
    ("(count nil)", "!TypeError"),
    ("(empty? '())", "true"),
    ("(empty? {})", "true"),
    ('(empty? "")', "true"),
    ("(empty? nil)", "true"),
    ("(empty? #{1})", "false"),
    ("(empty? :a)", "false"),
    ("(seq nil)", "nil"),
    ("(seq [])", "nil"),
    ("(seq '(1))", "(1)"),
    ('(seq "ab")', '"ab"'),
    ("(seq {:a 1})", "[[:a 1]]"),
    ("(seq #{1})", "[1]"),
    ("(seq 1)", "!TypeError"),
]

ENDS = [
    ("(first [])", "nil"),
    ("(first '(7 8))", "7"),
    ('(first "ab")', '"a"'),
    ("(first #{7})", "7"),
    ("(first {:a 1})", "!TypeError"),
    ("(first nil)", "!TypeError"),
    ("(second '(7 8))", "8"),
    ('(second "a")', "nil"),
    ("(last [])", "nil"),
    ("(last '(7 8))", "8"),
    ('(last "")', '""'),
    ('(last "ab")', '"b"'),
    ("(last {:a 1})", "!TypeError"),
    ("(rest '(1 2))", "(2)"),
    ("(rest '())", "()"),
    ('(rest "")', '""'),
    ("(rest #{1 2})", "[2]"),
    ("(rest nil)", "!TypeError"),
    ("(rest {:a 1})", "!TypeError"),
    ("(next '(1))", "nil"),
    ('(next "ab")', '"b"'),
    ("(next nil)", "!TypeError"),
    ("(butlast '(1 2 3))", "(1 2)"),
    ('(butlast "ab")', '"a"'),
    ("(butlast [])", "nil"),
    ("(butlast {:a 1})", "!TypeError"),
]

PLACES = [
    ("(nth '(1 2 3) 2)", "3"),
    ('(nth "abc" 1)', '"b"'),
    ("(nth [1] -1)", "!IndexOutOfBounds"),
    ("(nth [1] -1 :d)", ":d"),
    ("(nth [1] 1 nil)", "nil"),
    ("(nth [1] 1.0)", "!TypeError"),
    ("(nth {:a 1} 0)", "!TypeError"),
    ("(contains? '(1 [2]) [2])", "true"),
    ("(contains? [1] 1.0)", "false"),
    ("(contains? [true] 1)", "false"),
    ("(contains? [1] 0)", "false"),
    ("(contains? #{[1]} [1])", "true"),
    ('(contains? {:a 1} "a")', "false"),
    ("(contains? {1 2} true)", "false"),
    ("(contains? {1 2} [])", "false"),
    ('(contains? "abc" 1)', "false"),
    ("(contains? nil 1)", "!TypeError"),
]

PARTS = [
    ("(subvec [1 2 3] 3)", "[]"),
    ("(subvec '(1 2 3) 1)", "[2 3]"),
    ("(subvec [1 2 3] -1)", "!IndexOutOfBounds"),
    ("(subvec [1 2 3] 2 1)", "!IndexOutOfBounds"),
    ("(subvec [1 2 3] 4)", "!IndexOutOfBounds"),
    ('(subvec "abc" 1)', "!TypeError"),
    ("(reverse '(1 2))", "(2 1)"),
    ("(reverse {:a 1 :b 2})", "[[:b 2] [:a 1]]"),
    ("(reverse nil)", "!TypeError"),
    ("(take 2 '(1 2 3))", "(1 2)"),
    ("(take 1 {:a 1 :b 2})", "[[:a 1]]"),
    ("(take 1 #{1 2})", "[1]"),
    ("(take 1.0 [1])", "!TypeError"),
    ("(take 1 nil)", "!TypeError"),
    ("(drop 1 '(1 2 3))", "(2 3)"),
    ('(drop 1 "abc")', '"bc"'),
    ("(drop 9 [1])", "[]"),
    ("(drop 1 {:a 1 :b 2})", "[[:b 2]]"),
    ("(drop 1 5)", "!TypeError"),
    ('(distinct "abca")', '"abc"'),
    ("(distinct '(1 true 1.0 1))", "(1 true 1.0)"),
    ("(distinct [[1] '(1) [1]])", "[[1] (1)]"),
    ("(distinct nil)", "!TypeError"),
    ("(flatten [])", "[]"),
    ("(flatten '(1 (2 [3]) #{4}))", "[1 2 3 #{4}]"),
    ("(flatten 1)", "!TypeError"),
]


@pytest.mark.parametrize(("source", "expected"), SIZES + ENDS + PLACES + PARTS)
def test_answer(shown, source, expected):
    assert shown(source) == expected


def test_an_index_out_of_bounds_says_where_the_bounds_are():
    with pytest.raises(IndexOutOfBounds) as caught:
        nth(Vector([1, 2, 3]), 5)
    assert (caught.value.index, caught.value.length) == (5, 3)


def test_walking_by_rest_does_not_copy():
    v = Vector(list(range(200_000)))
    start = time.perf_counter()
    while v:
        v = rest(v)
    assert time.perf_counter() - start < 5  # copying would move 20 000 000 000 items


def test_a_part_of_a_part_keeps_its_bounds():
    part = subvec(subvec(Vector(list(range(10))), 2, 8), 1, 4)
    assert part.to_list() == [3, 4, 5]
    assert part.conj(0).to_list() == [3, 4, 5, 0]


def test_flatten_reaches_any_depth():
    nested = Vector([1])
    for _ in range(100_000):
        nested = Vector([nested, 2])
    flat = flatten(nested)
    assert len(flat) == 100_001
    assert equal(flat.slice(0, 3), Vector([1, 2, 2]))


def test_the_shared_empty_vector_stays_empty():
    EMPTY_VECTOR.conj(1)
    assert len(EMPTY_VECTOR) == 0
