import pytest

from rtfs.errors import ArityMismatch
from rtfs.stdlib.maps import assoc, assoc_in, get_in, hash_map
from rtfs.values import EMPTY_MAP, Keyword, Vector

LOOKING = [
    ("(get {:a 1} :b)", "nil"),
    ('(get {"a" 1} "a")', "1"),
    ("(get {:a nil} :a 1)", "nil"),
    ("(get {1 2} true)", "!TypeError"),
    ("(get [1 2] 1)", "2"),
    ("(get [1 2] -1)", "nil"),
    ("(get [1 2] :a)", "!TypeError"),
    ("(get #{1 2} 2)", "2"),
    ("(get #{1 2} 3 0)", "0"),
    ('(get "abc" 0)', "!TypeError"),
    ("(get '(1) 0)", "!TypeError"),
    ("(get-in {:a {:b [1 2]}} [:a :b 1])", "2"),
    ("(get-in {:a nil} [:a] 1)", "nil"),
    ("(get-in {:a nil} [:a :b] 1)", "1"),
    ("(get-in [1] [-1] :d)", ":d"),
    ("(get-in nil [:a])", "nil"),
    ("(get-in {:a 1} [])", "{:a 1}"),
    ("(get-in {:a 1} '(:a))", "1"),
    ("(get-in {:a 1} :a)", "!TypeError"),
    ("(get-in {:a 1} [nil])", "!TypeError"),
    ('(find {"k" 1} "k")', '["k" 1]'),
    ("(find {1 2} true)", "nil"),
    ("(find nil 1)", "!TypeError"),
    ("(find [1] nil)", "!TypeError"),
    ("(keys {})", "[]"),
    ("(keys nil)", "!TypeError"),
    ("(vals {:b 2 :a 1})", "[2 1]"),
    ("(vals [1])", "!TypeError"),
]

CHANGING = [
    ("(hash-map)", "{}"),
    ("(hash-map :a 1 :a 2)", "{:a 2}"),
    ("(hash-map 1.5 2)", "!TypeError"),
    ("(hash-map :a)", "!ArityMismatch"),
    ("(assoc {:a 1} :a 2)", "{:a 2}"),
    ("(assoc {} :a 1 :b 2 :a 3)", "{:a 3 :b 2}"),
    ("(assoc [1 2 3] 0 :x 2 :y)", "[:x 2 :y]"),
    ("(assoc [1] 1 2)", "!IndexOutOfBounds"),
    ("(assoc [1] -1 2)", "!IndexOutOfBounds"),
    ("(assoc [1] :a 2)", "!TypeError"),
    ("(assoc {} :a 1 :b)", "!ArityMismatch"),
    ("(assoc {} nil 1)", "!TypeError"),
    ("(assoc {} true 1)", "!TypeError"),
    ("(assoc nil :a 1)", "!TypeError"),
    ("(dissoc {:a 1 :b 2 :c 3} :a :c :d)", "{:b 2}"),
    ("(dissoc {1 2} true)", "{1 2}"),
    ("(dissoc [1] 0)", "!TypeError"),
    ("(update {:n 1} :n + 1 2)", "{:n 4}"),
    ('(update {:n 1} :n "inc")', "{:n 2}"),
    ('(update {:n 1} :n "no such function")', "!UndefinedSymbol"),
    ("(update {} :n nil?)", "{:n true}"),
    ("(update [1 2] 1 inc)", "[1 3]"),
    ("(update [1 2] 2 inc)", "!IndexOutOfBounds"),
    ("(update {:a {:b 1}} :a :b)", "{:a 1}"),
    ("(update {:n 1} :n 5)", "!TypeError"),
    ("(update {:n 1} :n inc 5)", "!ArityMismatch"),
    ("(update nil :n inc)", "!TypeError"),
    ("(assoc-in {} [:a :b :c] 1)", "{:a {:b {:c 1}}}"),
    ("(assoc-in {:a nil} [:a :b] 1)", "{:a {:b 1}}"),
    ("(assoc-in [[1 2] [3]] [0 1] 9)", "[[1 9] [3]]"),
    ("(assoc-in [1] [5 0] 9)", "!IndexOutOfBounds"),
    ("(assoc-in {:a 1} [:a :b] 9)", "!TypeError"),
    ("(assoc-in nil [:a] 9)", "!TypeError"),
    ("(assoc-in {} [] 9)", "!InvalidArgument"),
    ("(assoc-in {} :a 9)", "!TypeError"),
    ("(update-in {:a {:n 1}} [:a :n] + 1 1)", "{:a {:n 3}}"),
    ("(update-in {} [:a :b] nil?)", "{:a {:b true}}"),
]

COMBINING = [
    ("(select-keys {:a 1 :b 2 :c 3} [:c :a :x])", "{:c 3 :a 1}"),
    ("(select-keys {1 2} [true])", "{}"),
    ("(select-keys {:a 1} '(:a))", "{:a 1}"),
    ("(select-keys [1] [0])", "!TypeError"),
    ("(rename-keys {:a 1 :b 2} {:a :b :b :a})", "{:b 1 :a 2}"),
    ("(rename-keys {:a 1} {:x :y})", "{:a 1}"),
    ("(rename-keys {:a 1} {:a nil})", "!TypeError"),
    ("(zipmap [:a :b :c] [1 2])", "{:a 1 :b 2}"),
    ('(zipmap "ab" [1 2])', '{"a" 1 "b" 2}'),
    ("(zipmap [nil] [1])", "!TypeError"),
    ("(merge {:a 1} {} {:a 2 :b 3})", "{:a 2 :b 3}"),
    ("(merge nil {:a 1})", "!TypeError"),
    ("(merge {:a 1} [:b 2])", "!TypeError"),
    ("(merge-with + {:a 1} {:a 10} {:a 100 :b 1})", "{:a 111 :b 1}"),
    ("(merge-with +)", "{}"),
    ("(merge-with 5 {:a 1} {:b 2})", "{:a 1 :b 2}"),
    ("(merge-with 5 {:a 1} {:a 2})", "!TypeError"),
    ("(merge-with + {:a 1} nil)", "!TypeError"),
]


@pytest.mark.parametrize(("source", "expected"), LOOKING + CHANGING + COMBINING)
def test_answer(shown, source, expected):
    assert shown(source) == expected


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: hash_map(1), "Arity mismatch in hash-map: expected an even number, got 1"),
        (
            lambda: assoc(EMPTY_MAP, 1, 2, 3),
            "Arity mismatch in assoc: expected an odd number, at least 3, got 4",
        ),
    ],
)
def test_keys_and_values_must_pair(call, text):
    with pytest.raises(ArityMismatch) as caught:
        call()
    assert caught.value.text() == text


def test_paths_reach_any_depth():
    path = Vector([Keyword.of("a")] * 100_000)
    deep = assoc_in(EMPTY_MAP, path, 1)
    assert get_in(deep, path) == 1
