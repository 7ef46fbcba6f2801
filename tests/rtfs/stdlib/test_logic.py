import pytest

from rtfs.values import Keyword, Map, Vector


@pytest.mark.parametrize(
    ("name", "args", "expected"),
    [
        ("not", (None,), "true"),
        ("not", (False,), "true"),
        ("not", (0,), "false"),
        ("not", ("",), "false"),
        ("and", (), "true"),
        ("and", (1, 2), "2"),
        ("and", (1, False, None), "false"),
        ("and", (0, "", Vector([])), "[]"),
        ("or", (), "false"),
        ("or", (None, False), "false"),
        ("or", (False, None), "nil"),
        ("or", (None, 0, 1), "0"),
        ("compare", (1, 1.0), "0"),
        ("compare", (2, 1.5), "1"),
        ("compare", (None, False), "-1"),
        ("compare", ("a", Keyword.of("a")), "-1"),
        ("compare", (Vector([1, 2]), Vector([1])), "1"),
        ("compare", (Map({}), Vector([])), "1"),
    ],
)
def test_result(outcome, name, args, expected):
    assert outcome(name, *args) == expected
