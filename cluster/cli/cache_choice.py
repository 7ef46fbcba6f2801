"""Answers that a command line names: by key, by function and arguments, by model, version or tenant."""

from __future__ import annotations

import argparse
import re
from argparse import Namespace
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from cluster.cli.cache_text import one_line
from rtfs.cli import options as common
from rtfs.cli.console import UsageError

if TYPE_CHECKING:
    from actors.caches.l2.survey import L2Survey
    from actors.caches.layer import Which

#: digits of a key that are enough to name it, if it is the only one that begins so
_LEAST_DIGITS: Final = 8
#: and characters of a version
_LEAST_OF_VERSION: Final = 4
_KEY: Final = re.compile(rf"[0-9a-f]{{{_LEAST_DIGITS},64}}")
#: names that a message lists
_LISTED: Final = 8
#: for the evaluation of `--args`, seconds
_DEADLINE_S: Final = 5.0
_FILTERS: Final = ("key", "function", "args", "model", "version", "tenant")


class NothingOf(UsageError):
    """There are no answers of the name that was given."""


def add_filters(parser: common.Parser) -> None:
    """The options that name answers; those that agree with all of them are meant."""
    add = parser.add_argument_group("which answers").add_argument
    add("--key", type=_key, metavar="HEX", help="that of a key, or of the only key that begins so")
    add("--function", metavar="SYMBOL", help="those of a function")
    add(
        "--args",
        metavar="VECTOR",
        help="those to these arguments of it, an RTFS vector such as '[\"hello\" 3]'",
    )
    add("--model", metavar="NAME", help="those of a model or a service, `local-small`, or `small` for short")
    add("--version", metavar="TEXT", help="those of a version of it, or of the only one that begins so")
    add("--tenant", metavar="NAME", help="those of a tenant")


def given(options: Namespace) -> list[str]:
    """The filters that were given."""
    return [f"--{name}" for name in _FILTERS if getattr(options, name) is not None]


def which_of(options: Namespace, survey: L2Survey) -> Which:
    """What the filters name, in a cache.

    Raises:
        NothingOf: there is nothing of a name; the nearest one is the hint.
        UsageError: they are malformed, or name several.
    """
    from actors.caches.layer import Which

    arguments = None if options.args is None else _input(options)
    origins = survey.origins()
    found: dict[str, str] = {}
    for option, resolve in _NAMES.items():
        name = getattr(options, option)
        if name is not None:
            field = _FIELDS[option]
            known = sorted({each for origin in origins if (each := getattr(origin, field)) is not None})
            found[field] = resolve(name, known)
            origins = [origin for origin in origins if getattr(origin, field) == found[field]]
    key = None if options.key is None else _whole_key(options.key, survey)
    return Which(key=key, input=arguments, **found)


# ---------------------------------------------------------------- keys and arguments


def _key(text: str) -> str:
    if not _KEY.fullmatch(text.lower()):
        raise argparse.ArgumentTypeError(
            f"expected {_LEAST_DIGITS} to 64 hexadecimal digits of a key, got `{one_line(text[:80])}`"
        )
    return text.lower()


def _whole_key(digits: str, survey: L2Survey) -> bytes:
    beginning = bytes.fromhex(digits[: len(digits) // 2 * 2])
    found = [key for key in survey.keys(beginning, 64) if key.hex().startswith(digits)]
    if len(found) > 1:
        raise UsageError(
            f"{len(found)} keys begin with `{digits}`", hint=f"two of them: {found[0].hex()}, {found[1].hex()}"
        )
    if not found:
        raise NothingOf(f"there is no answer under the key `{digits}`", hint="`rtfs cache get` lists some")
    return found[0]


def _input(options: Namespace) -> bytes:
    """The digest of function and arguments."""
    from actors.caches.errors import NotCacheable
    from actors.caches.keys import input_of
    from rtfs.errors import RtfsError
    from rtfs.program import evaluate
    from rtfs.run import Limits
    from rtfs.values import Vector, type_name

    if options.function is None:
        raise UsageError("--args needs the function that they are for", hint="add --function SYMBOL")
    try:
        value = evaluate(options.args, limits=Limits(deadline_s=_DEADLINE_S), source_name="--args")
    except RtfsError as error:
        raise UsageError(f"--args cannot be read: {error.text()}") from None
    if not isinstance(value, Vector):
        raise UsageError(
            f"--args takes a vector of arguments, got one of type {type_name(value)}",
            hint="for example --args '[\"hello\" 3]'",
        )
    try:
        return input_of(options.function, tuple(value))
    except NotCacheable as error:
        raise UsageError(f"nothing can be kept of such arguments: {error}") from None


# ---------------------------------------------------------------- names


def _function(name: str, known: list[str]) -> str:
    if name in known:
        return name
    by_last = {symbol.rpartition("/")[2]: symbol for symbol in reversed(known)}
    raise _nothing("function", name, known, by_last)


def _model(name: str, known: list[str]) -> str:
    for whole in (name, f"local-{name}", f"remote-{name}"):
        if whole in known:
            return whole
    by_id = {model.partition("-")[2]: model for model in reversed(known)}
    raise _nothing("model", name, known, by_id)


def _version(name: str, known: list[str]) -> str:
    if name in known:
        return name
    found = [version for version in known if version.startswith(name)]
    if len(found) == 1 and len(name) >= _LEAST_OF_VERSION:
        return found[0]
    if len(found) == 1:
        raise UsageError(
            f"`{one_line(name)}` is too short for a version", hint=f"did you mean `{one_line(found[0])}`?"
        )
    if found:
        raise UsageError(f"{len(found)} versions begin with `{one_line(name)}`", hint=_some(found))
    raise _nothing("version", name, known, {})


def _tenant(name: str, known: list[str]) -> str:
    if name in known:
        return name
    raise _nothing("tenant", name, known, {})


_FIELDS: Final = {"function": "symbol", "model": "model", "version": "version", "tenant": "tenant"}
_NAMES: Final[dict[str, Callable[[str, list[str]], str]]] = {
    "function": _function,
    "model": _model,
    "version": _version,
    "tenant": _tenant,
}


def _nothing(kind: str, name: str, known: list[str], short: dict[str, str]) -> NothingOf:
    """The error for a name, with the nearest one; `short` has other forms of those that are known."""
    from rtfs.spell import nearest

    near = short.get(name) or nearest(name, known) or short.get(nearest(name, short) or "")
    hint = f"did you mean `{one_line(near)}`?" if near else _some(known) if known else None
    return NothingOf(f"there is no answer of the {kind} `{one_line(name)}`", hint=hint)


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - _LISTED} more" if len(listed) > _LISTED else ""
    return f"there are {', '.join(f'`{one_line(name)}`' for name in listed[:_LISTED])}{more}"
