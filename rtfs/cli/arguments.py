"""`--arg` and `--args-json`: values that a program finds under their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from rtfs.cli.console import Console, UsageError
from rtfs.cli.sources import read_text
from rtfs.values import Value

#: characters that end a symbol: a name with one could not be written in a program
_NOT_IN_NAMES = frozenset('()[]{}";,@^`~\\')


def arguments(args: Sequence[str], args_json: str | None, console: Console) -> dict[str, Value]:
    """The arguments of a run by name; a later one wins, and `--arg` wins over `--args-json`.

    Args:
        args: `name=value`; a value that is JSON is that data, `@file` the text of the file, other text itself.
        args_json: a JSON object, or `@file` with one.

    Raises:
        UsageError: one of them is malformed.
    """
    found: dict[str, Value] = {}
    if args_json is not None:
        found.update(_from_object(args_json, console))
    for arg in args:
        name, equals, text = arg.partition("=")
        if not equals:
            raise UsageError(
                f"--arg takes name=value, got `{arg}`", hint="for example --arg n=3 or --arg text=@notes.txt"
            )
        found[_checked(name)] = _text_of(text[1:], console) if text.startswith("@") else _value(text)
    return found


def _checked(name: str) -> str:
    if not name or any(char.isspace() or char in _NOT_IN_NAMES for char in name):
        raise UsageError(f"`{name}` is no name for an argument: a program could not write it")
    return name


def _text_of(path: str, console: Console) -> str:
    text, was_utf8 = read_text(path)
    if not was_utf8:
        console.note(f"rtfs {console.command}: note: {path} is not UTF-8; the bytes that are not became U+FFFD")
    return text


def _value(text: str) -> Value:
    try:
        data = _parse(text)
    except ValueError:
        return text
    return _from_data(data, text)


def _from_object(text: str, console: Console) -> dict[str, Value]:
    if text.startswith("@"):
        text = _text_of(text[1:], console)
    try:
        data = _parse(text)
    except ValueError as error:
        raise UsageError(f"--args-json is not JSON: {error}") from None
    if not isinstance(data, dict):
        raise UsageError(f'--args-json takes an object such as {{"n": 3}}, got `{text[:40]}`')
    return {_checked(name): _from_data(value, name) for name, value in data.items()}


def _parse(text: str) -> Any:
    import json

    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise UsageError("an argument is JSON nested too deep to be read") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"`{constant}` is no JSON")


def _from_data(data: Any, what: str) -> Value:
    from rtfs.convert import from_python
    from rtfs.errors import RtfsError

    try:
        return from_python(data)
    except RtfsError as error:
        raise UsageError(f"`{what[:40]}` is no RTFS value: {error.text()}") from None
