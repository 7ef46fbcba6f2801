import random

import pytest

from rtfs.stdlib.sorting import sort, sort_by
from rtfs.values import Vector


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("(sort [])", "[]"),
        ("(sort '(2 1))", "(1 2)"),
        ('(sort "hello")', '"ehllo"'),
        ("(sort #{2 1})", "[1 2]"),
        ("(sort {:b 1 :a 2})", "[[:a 2] [:b 1]]"),
        ("(sort [2 1.5 1])", "[1 1.5 2]"),
        ("(sort [[2 1] [1 9] [1]])", "[[1] [1 9] [2 1]]"),
        ("(sort nil)", "!TypeError"),
        ("(sort (fn [a b] (- b a)) [1 3 2])", "[3 2 1]"),
        ("(sort < '(2 1))", "(1 2)"),
        ("(sort 5 [])", "[]"),
        ("(sort 5 [1 2])", "!TypeError"),
        ("(sort inc [1 2])", "!ArityMismatch"),
        ("(sort (fn [a b] nil) [1 2])", "!TypeError"),
        ("(sort > [1 :a])", "!TypeError"),
        ("(sort-by - [1 3 2])", "[3 2 1]"),
        ("(sort-by :n '({:n 2} {:n 1}))", "({:n 1} {:n 2})"),
        ("(sort-by first {:b 1 :a 2})", "[[:a 2] [:b 1]]"),
        ("(sort-by count > [[] [1 2] [1]])", "[[1 2] [1] []]"),
        ("(sort-by inc [])", "[]"),
        ("(sort-by 5 [1])", "!TypeError"),
    ],
)
def test_answer(shown, source, expected):
    assert shown(source) == expected


@pytest.mark.parametrize("seed", range(5))
def test_comparators_agree_with_the_natural_order_and_are_stable(seed):
    chance = random.Random(seed)
    pairs = [Vector([chance.randrange(5), place]) for place in range(200)]
    expected = sorted(pairs, key=lambda pair: pair[0])
    assert sort(lambda a, b: a[0] - b[0], Vector(pairs)).to_list() == expected
    assert sort(lambda a, b: a[0] < b[0], Vector(pairs)).to_list() == expected
    assert sort_by(lambda pair: pair[0], Vector(pairs)).to_list() == expected
    assert sort_by(lambda pair: pair[0], lambda a, b: a - b, Vector(pairs)).to_list() == expected
