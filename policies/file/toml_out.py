"""Settings as TOML that reads back to the same settings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
#: smaller floats without a fraction are written as integers, which are read as the same number
_WHOLE: Final = 1e15
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def toml_text(table: Mapping[str, Any], name: str = "delegation") -> str:
    """The table `name` and all below it; None stands for a key that is not set.

    Sets are written in order of their members. In arrays of tables, tables are written in line.
    """
    return "\n\n".join(_sections((name,), table)) + "\n"


def _sections(path: tuple[str, ...], table: Mapping[str, Any]) -> Iterator[str]:
    known = {key: value for key, value in table.items() if value is not None}
    nested = {key: value for key, value in known.items() if _has_tables(value)}
    plain = {key: value for key, value in known.items() if key not in nested}
    name = ".".join(map(_key, path))
    if plain or not nested:
        yield "\n".join([f"[{name}]", *_pairs(plain)])
    for key, value in nested.items():
        if isinstance(value, Mapping):
            yield from _sections((*path, key), value)
        else:
            yield from ("\n".join([f"[[{name}.{_key(key)}]]", *_pairs(item)]) for item in value)


def _pairs(table: Mapping[str, Any]) -> list[str]:
    return [f"{_key(key)} = {toml_value(value)}" for key, value in table.items() if value is not None]


def _has_tables(value: Any) -> bool:
    """Whether the value is written under a header of its own."""
    return isinstance(value, Mapping) or (
        isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value)
    )


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _string(key)


def toml_value(value: Any) -> str:
    """A value as it stands after `=`, on one line."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _string(value)
        case float() if value.is_integer() and 0 < abs(value) < _WHOLE:
            return str(int(value))
        case int() | float():
            return repr(value)
        case Mapping():
            inner = ", ".join(
                f"{_key(key)} = {toml_value(one)}" for key, one in value.items() if one is not None
            )
            return f"{{ {inner} }}" if inner else "{}"
        case frozenset() | set():
            return toml_value(sorted(value))
        case _:
            return f"[{', '.join(map(toml_value, value))}]"


def _string(text: str) -> str:
    shown = (_ESCAPES.get(char) or (char if char.isprintable() else _escaped(char)) for char in text)
    return f'"{"".join(shown)}"'


def _escaped(char: str) -> str:
    code = ord(char)
    return f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"
