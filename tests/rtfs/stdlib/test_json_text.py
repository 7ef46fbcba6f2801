import pytest

from rtfs.stdlib.table import BUILTINS
from rtfs.values import Keyword, Map, Vector


@pytest.mark.parametrize(
    ("name", "arg", "expected"),
    [
        ("parse-json", '{"a": [1, 1.0]}', '{"a" [1 1.0]}'),
        ("tool/parse-json", "[null]", "[nil]"),
        ("parse-json", "[", "!Generic"),
        ("parse-json", None, "!TypeError"),
        ("parse-json", Vector([]), "!TypeError"),
        ("serialize-json", Map({Keyword.of("a"): Vector([1.5])}), r'"{\"a\":[1.5]}"'),
        ("tool/serialize-json", "a", r'"\"a\""'),
        ("serialize-json", Keyword.of("a"), "!Generic"),
        ("serialize-json-pretty", Vector([1]), r'"[\n  1\n]"'),
        ("tool/serialize-json-pretty", Vector([]), '"[]"'),
    ],
)
def test_result(outcome, name, arg, expected):
    assert outcome(name, arg) == expected


def test_the_tool_names_are_the_same_functions():
    for name in ("parse-json", "serialize-json", "serialize-json-pretty"):
        assert BUILTINS[f"tool/{name}"] is BUILTINS[name]
