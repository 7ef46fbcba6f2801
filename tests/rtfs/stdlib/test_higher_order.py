import pytest

from rtfs.errors import BudgetExhausted
from rtfs.run import cancel
from rtfs.stdlib import higher_order
from rtfs.stdlib.table import BUILTINS
from rtfs.values import Keyword, Map, Vector

MAPPING = [
    ("(map inc [])", "[]"),
    ("(map inc '(1 2))", "[2 3]"),
    ('(map identity "ab")', '["a" "b"]'),
    ("(map identity #{1})", "[1]"),
    ("(map identity {:a 1})", "[[:a 1]]"),
    ("(map :a [{:a 1} {}])", "[1 nil]"),
    ("(map {1 :x} [1 2])", "[:x nil]"),
    ("(map [:x :y] [1 0 2])", "[:y :x nil]"),
    ("(map + [1 2 3] [10 20] '(100 200 300))", "[111 222]"),
    ("(map inc nil)", "!TypeError"),
    ("(map inc 5)", "!TypeError"),
    ("(map 5 [1])", "!TypeError"),
    ("(map 5 [])", "[]"),
    ("(map inc [1] [2])", "!ArityMismatch"),
    ("(map (fn [] 1) [1])", "!ArityMismatch"),
    ("(map (fn [x] (/ 1 x)) [1 0])", "!DivisionByZero"),
    ('(map-indexed vector "ab")', '[[0 "a"] [1 "b"]]'),
    ("(map-indexed inc [1])", "!ArityMismatch"),
    ('(mapcat identity [[1] \'(2) "ab" #{3} {:a 1} nil])', '[1 2 "a" "b" 3 [:a 1]]'),
    ("(mapcat vector [1 2] [3 4])", "[1 3 2 4]"),
    ("(mapcat inc [1])", "!TypeError"),
    ("(keep :a [{:a 1} {} {:a nil} {:a false}])", "[1 false]"),
    ('(filter identity [1 nil false 0 ""])', '[1 0 ""]'),
    ("(filter even? '(1 2))", "[2]"),
    ("(filter (fn [[k v]] (> v 1)) {:a 1 :b 2})", "[[:b 2]]"),
    ("(filter even? nil)", "!TypeError"),
    ("(remove even? '(1 2))", "(1)"),
    ("(remove identity [1 nil false 0])", "[nil false]"),
    ("(remove even? #{1 2})", "[1]"),
]

FOLDING = [
    ("(reduce + 10 [])", "10"),
    ("(reduce + [5])", "5"),
    ("(reduce + '())", "!Generic"),
    ("(reduce 5 1 [])", "1"),
    ("(reduce 5 [1])", "1"),
    ("(reduce 5 [1 2])", "!TypeError"),
    ("(reduce inc 0 [1])", "!ArityMismatch"),
    ("(reduce conj [] {:a 1})", "[[:a 1]]"),
    ('(reduce str "" "abc")', '"abc"'),
    ("(reduce - [10 1 2])", "7"),
    ("(reduce + 0 nil)", "!TypeError"),
    ("(apply + '(1 2))", "3"),
    ("(apply vector nil)", "[]"),
    ("(apply vector 1 nil)", "[1]"),
    ('(apply vector "ab")', '["a" "b"]'),
    ("(apply vector {:a 1 :b 2})", "[:a 1 :b 2]"),
    ("(apply vector 1 [{:a 1}])", "[1 {:a 1}]"),
    ("(apply :a [{:a 1}])", "1"),
    ("(apply + 5)", "!TypeError"),
    ("(apply inc [1 2])", "!ArityMismatch"),
    ("(apply 5 [])", "!TypeError"),
    ("(every? even? #{2 4})", "true"),
    ("(every? even? [2 3])", "false"),
    ("(every? :a [{:a 1} {}])", "false"),
    ("(every? even? nil)", "!TypeError"),
    ("(some? even? [1 3])", "false"),
    ("(some? identity [nil 0])", "true"),
    ("(some {2 :two} [1 2 3])", ":two"),
    ("(some false? [1])", "nil"),
    ("(some even? nil)", "!TypeError"),
    ("(not-any? even? [1 2])", "false"),
    ("(not-every? even? [2 4])", "false"),
]

GROUPING = [
    ("(group-by :k [{:k 1} {:k 2} {:k 1}])", "{1 [{:k 1} {:k 1}] 2 [{:k 2}]}"),
    ('(group-by identity "aba")', '{"a" ["a" "a"] "b" ["b"]}'),
    ("(group-by first [[1.5 2] [nil 3]])", '{"1.5" [[1.5 2]] "nil" [[nil 3]]}'),
    ("(group-by inc nil)", "{}"),
    ("(group-by inc 5)", "!TypeError"),
    ("(frequencies [1 2 1 true [1]])", '{1 2 2 1 "true" 1 "[1]" 1}'),
    ('(frequencies "aab")', '{"a" 2 "b" 1}'),
    ("(frequencies nil)", "{}"),
]


@pytest.mark.parametrize(("source", "expected"), MAPPING + FOLDING + GROUPING)
def test_answer(shown, source, expected):
    assert shown(source) == expected


KEY = Keyword.of("k")
MANY = Vector([Map({})] * 2000)


@pytest.mark.parametrize(
    "name", ["map", "keep", "filter", "remove", "some", "group-by", "mapcat", "take-while"]
)
def test_a_cancelled_run_stops_inside_a_loop_whose_callback_never_looks(run, name):
    cancel(run)
    with pytest.raises(BudgetExhausted):
        BUILTINS[name].function(KEY, MANY)


def test_callbacks_nest_deeper_than_the_c_stack(run):
    def nest(depth: int) -> int:
        if depth == 0:
            return 0
        one = Vector([depth - 1])
        return 1 + higher_order.reduce(lambda total, d: total + nest(d), 0, one)

    assert nest(20_000) == 20_000
