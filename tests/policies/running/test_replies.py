"""Replies against declared types."""

from __future__ import annotations

from typing import Any

import pytest

from policies.running.replies import reply_test
from rtfs.convert import from_python
from rtfs.values import Keyword

#: type, value as Python data, whether it fits
CASES: list[tuple[str, Any, bool]] = [
    ("any", None, True),
    ("any", object(), True),
    ("string", "a", True),
    ("string", 1, False),
    ("int?", None, True),
    ("int?", "a", False),
    ("[:vector int]", [1, 2], True),
    ("[:vector int]", [1, "a"], False),
    ("[:enum :yes :no]", Keyword.of("no"), True),
    ("[:enum :yes :no]", Keyword.of("maybe"), False),
    ("[:and int [:> 3]]", 4, True),
    ("[:and int [:> 3]]", 3, False),
    ('[:and string [:matches-regex "a+"]]', "aa", True),
    ('[:and string [:matches-regex "a+"]]', "b", False),
    # what the program itself defines is not known: it is taken to hold, and nothing more
    ("User", "anything", True),
    ("[:vector User]", ["anything"], True),
    ("[:vector User]", "anything", False),
    ("[:and int [:is-lucky]]", 7, True),
    ("[:and int [:is-lucky]]", "a", False),
    ("[:and int [:even?]]", 8, True),
    ("[:and int [:even?]]", 7, False),
]


@pytest.mark.parametrize(("declared", "value", "fits"), CASES)
def test_replies(declared: str, value: Any, fits: bool) -> None:
    value = from_python(value) if isinstance(value, list) else value
    assert reply_test(declared)(value) == fits


def test_a_test_is_made_once() -> None:
    assert reply_test("[:vector string]") is reply_test("[:vector string]")
