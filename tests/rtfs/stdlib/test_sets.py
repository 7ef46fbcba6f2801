import pytest


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("(disj #{1 2})", "#{1 2}"),
        ("(disj #{1 2} 1 2 3)", "#{}"),
        ("(disj #{1 1.0 true} 1.0)", "#{1 true}"),
        ("(disj [1] 1)", "!TypeError"),
        ("(union #{1})", "#{1}"),
        ("(union #{[1]} #{[1] '(1)})", "#{[1] (1)}"),
        ("(union #{} nil)", "!TypeError"),
        ("(union [1] #{1})", "!TypeError"),
        ("(intersection #{1 2})", "#{1 2}"),
        ("(intersection #{1 2 3} #{3 2} #{3})", "#{3}"),
        ("(intersection #{1} [1])", "!TypeError"),
        ("(difference #{1 2})", "#{1 2}"),
        ("(difference #{1 2 3} #{1} #{3})", "#{2}"),
        ("(difference #{1} nil)", "!TypeError"),
        ("(= #{1 2} #{2 1})", "true"),
        ("(= #{1} #{1.0})", "false"),
        ("(= #{#{1} #{2}} #{#{2} #{1}})", "true"),
    ],
)
def test_answer(shown, source, expected):
    assert shown(source) == expected
