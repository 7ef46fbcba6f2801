"""Reading what the command line names, with errors that say what is wrong with it."""

from __future__ import annotations

import os
import sys
from codecs import BOM_UTF8
from typing import Final, NamedTuple

from rtfs.cli.console import UsageError

STDIN: Final = "-"
#: no program or text of this size was meant; bytes
LARGEST_FILE: Final = 1 << 30


class Source(NamedTuple):
    """A program text and the name that errors give it."""

    name: str
    text: str


def read_program(path: str) -> Source:
    """The program in the file `path`, or on stdin for `-`.

    Raises:
        UsageError: it cannot be read, or is no text.
    """
    name = "<stdin>" if path == STDIN else path
    data = _read(path)
    _refuse_binary(name, data)
    data = data.removeprefix(BOM_UTF8)
    try:
        return Source(name, data.decode())
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(
            f"{name} is not UTF-8: byte 0x{data[error.start]:02x} on line {line}",
            hint=f"convert it, for example: iconv -f ISO-8859-1 -t UTF-8 {name}",
        ) from None


def read_text(path: str) -> tuple[str, bool]:
    """The text of a data file, and whether it was UTF-8. Bytes that are not become U+FFFD.

    Raises:
        UsageError: the file cannot be read, or is no text.
    """
    data = _read(path)
    _refuse_binary(path, data)
    try:
        return data.decode("utf-8-sig"), True
    except UnicodeDecodeError:
        return data.decode("utf-8-sig", "replace"), False


def _read(path: str) -> bytes:
    if path == STDIN:
        return sys.stdin.buffer.read()
    try:
        if os.path.isfile(path) and os.path.getsize(path) > LARGEST_FILE:
            raise UsageError(f"{path} is larger than {LARGEST_FILE >> 20} MB")
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        raise UsageError(f"no such file: {path}", hint=_nearest_file(path)) from None
    except IsADirectoryError:
        raise UsageError(f"{path} is a directory; a file is needed") from None
    except PermissionError:
        raise UsageError(f"{path} may not be read: permission denied") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise UsageError(f"{path!r} cannot be read: {error}") from None


def _refuse_binary(name: str, data: bytes) -> None:
    at = data.find(b"\0")
    if at >= 0:
        raise UsageError(f"{name} is no text: it has a NUL byte at offset {at}")


def _nearest_file(path: str) -> str | None:
    from rtfs.spell import nearest

    folder, wanted = os.path.split(path)
    try:
        by_stem = {os.path.splitext(name)[0]: name for name in sorted(os.listdir(folder or "."))}
    except (OSError, ValueError):
        return None
    stem = os.path.splitext(wanted)[0]
    found = by_stem.get(stem) or by_stem.get(nearest(stem, by_stem) or "")
    return f"did you mean `{os.path.join(folder, found)}`?" if found else None
