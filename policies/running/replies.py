"""Replies of targets against the type that a function declares to return.

A type text out of `FunctionInfo` stands alone: what the program calls by an alias or checks with a predicate of
its own is not known here, and is taken to hold. All else is checked.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from rtfs import errors
from rtfs.values import Value

#: whether a value belongs to a type
type ReplyTest = Callable[[Value], bool]

#: types whose tests are kept
_KEPT: Final = 1024


def _anything(value: Value) -> bool:
    return True


def _predicate(name: str) -> Callable[..., Value]:
    from rtfs.namespace import builtins

    entry = builtins().get(name)
    return _always if entry is None else entry.function


def _always(*args: Any) -> Value:
    return True


@lru_cache(maxsize=_KEPT)
def reply_test(return_type: str) -> ReplyTest:
    """The test of replies of a function that declares to return `return_type`.

    Raises:
        RtfsError: the text denotes no type.
    """
    if return_type == "any":
        return _anything
    from rtfs.types.check import TypeEnv, matches
    from rtfs.types.model import Primitive
    from rtfs.types.parser import parse_type_text
    from rtfs.types.walk import reached_aliases

    declared = parse_type_text(return_type)
    aliases = dict.fromkeys(reached_aliases(declared, {}), Primitive("any"))
    env = TypeEnv(aliases=aliases, function=_predicate)

    def test(value: Value) -> bool:
        try:
            return matches(value, declared, env)
        except errors.TypeValidationError:
            return False  # a predicate of the type cannot be asked about this value

    return test
