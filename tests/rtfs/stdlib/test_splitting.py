import pytest


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("(partition 2 [])", "[]"),
        ("(partition 3 '(1 2 3 4))", "[[1 2 3] [4]]"),
        ('(partition 2 "abc")', '[["a" "b"] ["c"]]'),
        ("(partition 1 {:a 1})", "[[[:a 1]]]"),
        ("(partition -1 [1])", "!TypeError"),
        ("(partition 1.5 [1])", "!TypeError"),
        ("(partition 2 nil)", "!TypeError"),
        ("(partition-all 2 [1 2])", "[[1 2]]"),
        ("(partition-all 0 [1 2])", "!TypeError"),
        ("(partition-by identity [1 1 2 1])", "[[1 1] [2] [1]]"),
        ("(partition-by nil? [nil nil 1])", "[[nil nil] [1]]"),
        ("(partition-by identity [1 1.0])", "[[1] [1.0]]"),
        ("(partition-by 5 [])", "[]"),
        ("(partition-by 5 [1])", "!TypeError"),
        ("(split-at 2 '(1 2 3))", "[(1 2) (3)]"),
        ("(split-at -1 [1])", "[[] [1]]"),
        ("(split-at 9 [1])", "[[1] []]"),
        ("(split-at 1 {:a 1 :b 2})", "[[[:a 1]] [[:b 2]]]"),
        ("(split-at 1 nil)", "!TypeError"),
        ("(split-with even? [])", "[[] []]"),
        ("(split-with even? '(2 3 4))", "[(2) (3 4)]"),
        ("(take-while even? [1 2])", "[]"),
        ('(take-while #(not= % "c") "abcd")', '"ab"'),
        ("(take-while :a [{:a 1} {:a nil} {:a 2}])", "[{:a 1}]"),
        ("(take-while even? nil)", "!TypeError"),
        ("(drop-while even? '(2 3 4))", "(3 4)"),
        ("(drop-while even? [2 4])", "[]"),
        ("(drop-while inc 5)", "!TypeError"),
    ],
)
def test_answer(shown, source, expected):
    assert shown(source) == expected
