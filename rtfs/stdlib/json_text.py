"""JSON text to values and back."""

from __future__ import annotations

from rtfs import json_text
from rtfs.stdlib.registry import builtin
from rtfs.stdlib.strings import string
from rtfs.values import Value


@builtin("parse-json", "tool/parse-json")
def parse_json(text: Value) -> Value:
    """The value that a JSON text describes. Objects become maps with string keys, arrays vectors.

    (parse-json "{\\"a\\": [1, 2.5, null]}") => {"a" [1 2.5 nil]}
    (parse-json "[1,") => !Generic
    (parse-json 1) => !TypeError
    """
    return json_text.parse(string(text, "parse-json"))


@builtin("serialize-json", "tool/serialize-json")
def serialize_json(value: Value) -> Value:
    """The value as JSON text, on one line. Keyword keys lose their colon; a keyword as a value is an error.

    (serialize-json {:a [1 nil true]}) => "{\\"a\\":[1,null,true]}"
    (serialize-json :a) => !Generic
    """
    return json_text.serialize(value)


@builtin("serialize-json-pretty", "tool/serialize-json-pretty")
def serialize_json_pretty(value: Value) -> Value:
    """The value as JSON text with each item on a line of its own, two spaces deeper than its container.

    (serialize-json-pretty [1 2]) => "[\\n  1,\\n  2\\n]"
    """
    return json_text.serialize(value, pretty=True)
