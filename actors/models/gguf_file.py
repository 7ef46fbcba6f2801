"""What stands at the beginning of a GGUF file, and whether the file is whole.

llama.cpp ends its process on some files that are not as they should be, so a file is looked over before it is
handed on: the header, the metadata, and that each tensor lies within the file. What the tensors hold is not
read.

Source: "GGUF file structure" in docs/gguf.md of ggml; the sizes of blocks from `GGML_QUANT_SIZES` of its
package `gguf`.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from actors.models.errors import ModelError

_MAGIC: Final = b"GGUF"
_VERSIONS: Final = (2, 3)
_ALIGNMENT: Final = 32
#: more than any file has: what is larger is a damaged number, and must not be counted to
_MOST_ENTRIES: Final = 1_000_000
_MOST_DIMENSIONS: Final = 4
#: of the name of a key or tensor, bytes
_LONGEST_NAME: Final = 1 << 16

#: GGUF's types of single values by number, as `struct` writes them
_SCALARS: Final = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"
}  # fmt: skip
_TOKENS: Final = "tokenizer.ggml.tokens"
_STRING: Final = 8
_ARRAY: Final = 9

#: types of tensors by number: elements of a block, and its bytes. Integers and 64-bit floats, 24 to 28, are
#: left out: no weights are of them, and llama.cpp ends its process over them
_BLOCKS: Final = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 40),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292), 16: (256,
    66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82), 23: (256,
    136), 29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17), 40: (64, 36), 41: (128, 18),
}  # fmt: skip

type Scalar = str | int | float | bool

#: path, size, time of change, inode → SHA-256; a file is read for it once
_hashes: Final[dict[tuple[str, int, int, int], str]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufFile:
    """The beginning of a file that is whole."""

    #: of the model: `llama`, `bert`
    architecture: str
    #: what is told of the model, but for lists
    metadata: Mapping[str, Scalar]
    #: of the lists in the metadata, how long each is
    lengths: Mapping[str, int]
    #: shapes of the tensors, the fastest index first
    tensors: Mapping[str, tuple[int, ...]]


def read_gguf_file(path: Path) -> GgufFile:
    """Look over a file.

    Raises:
        ModelError: it cannot be read, is no GGUF file, is cut off or damaged; the text says which.
    """
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size < len(_MAGIC):
                raise ModelError(f"{path}: expected a GGUF file, it is {_short(file.read())}")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _read(_Cursor(data), str(path))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise ModelError(f"{path}: cannot read the file: {reason or error}") from error
    except _Damage as error:
        raise ModelError(f"{path}: {error}") from error


def content_hash(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal; read once. Raises ModelError if it cannot be read."""
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            key = str(path), found.st_size, found.st_mtime_ns, found.st_ino
            if key not in _hashes:
                _hashes[key] = hashlib.file_digest(file, "sha256").hexdigest()
            return _hashes[key]
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ModelError(f"{path}: cannot read the file: {reason}") from error


class _Damage(Exception):
    """What is wrong with a file."""


class _Cursor:
    """Reads on from a place, and not beyond the end."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        self.at = 0
        self.size = len(data)

    def skip(self, nbytes: int) -> int:
        """Go on so far; where it was before."""
        start = self.at
        if nbytes > self.size - start:
            raise _Damage(f"the file is cut off or damaged: it ends within what stands at byte {start}")
        self.at = start + nbytes
        return start

    def number(self, form: str) -> Any:
        start = self.skip(struct.calcsize(form))
        return struct.unpack_from(form, self.data, start)[0]

    def count(self, what: str, most: int = _MOST_ENTRIES) -> int:
        found: int = self.number("<Q")
        if found > most:
            raise _Damage(f"the file is damaged: it tells of {found} {what}")
        return found

    def text(self, longest: int | None = None) -> str:
        length: int = self.number("<Q")
        if longest is not None and length > longest:
            raise _Damage(f"the file is damaged: a name of {length} bytes at byte {self.at}")
        start = self.skip(length)
        return self.data[start : self.at].decode("utf-8", "replace")


def _read(cursor: _Cursor, path: str) -> GgufFile:
    magic = cursor.data[: len(_MAGIC)]
    if magic != _MAGIC:
        raise ModelError(f"{path}: expected a GGUF file, it begins with {_short(magic)}")
    cursor.skip(len(_MAGIC))
    version = cursor.number("<I")
    if version not in _VERSIONS:
        swapped = int.from_bytes(version.to_bytes(4, "little"), "big")
        what = "has its bytes in big-endian order" if swapped in _VERSIONS else f"is of version {version}"
        raise ModelError(f"{path}: expected a GGUF file of version 2 or 3, little-endian, this one {what}")
    n_tensors, n_entries = cursor.count("tensors"), cursor.count("entries")
    metadata: dict[str, Scalar] = {}
    lengths: dict[str, int] = {}
    for _ in range(n_entries):
        _read_entry(cursor, metadata, lengths)
    architecture = metadata.get("general.architecture")
    if not isinstance(architecture, str) or not architecture:
        raise ModelError(f"{path}: the file does not say what its model is: `general.architecture` is missing")
    return GgufFile(
        architecture=architecture,
        metadata=MappingProxyType(metadata),
        lengths=MappingProxyType(lengths),
        tensors=MappingProxyType(_read_tensors(cursor, n_tensors, metadata)),
    )


def _read_entry(cursor: _Cursor, metadata: dict[str, Scalar], lengths: dict[str, int]) -> None:
    key = cursor.text(_LONGEST_NAME)
    if key in metadata or key in lengths:
        raise _Damage(f"the file is damaged: it tells `{key[:100]}` twice")
    kind = cursor.number("<I")
    if kind == _ARRAY:
        lengths[key] = _skip_array(cursor, key)
    elif kind == _STRING:
        metadata[key] = cursor.text()
    else:
        metadata[key] = cursor.number(_scalar(kind, key))


def _skip_array(cursor: _Cursor, key: str) -> int:
    kind = cursor.number("<I")
    length: int = cursor.number("<Q")
    if kind != _STRING:
        cursor.skip(struct.calcsize(_scalar(kind, key)) * length)
        return length
    # each has 8 bytes for its length at least
    if length * 8 > cursor.size - cursor.at:
        raise _Damage(f"the file is cut off or damaged: `{key[:100]}` has {length} texts")
    if key == _TOKENS:
        _check_tokens(cursor, length)
        return length
    for _ in range(length):
        cursor.skip(cursor.number("<Q"))
    return length


def _check_tokens(cursor: _Cursor, length: int) -> None:
    """Skip the texts of the tokens. llama.cpp ends its process if two are the same, but for empty ones."""
    seen: set[bytes] = set()
    for number in range(length):
        start = cursor.skip(cursor.number("<Q"))
        # where llama.cpp takes it to end
        text = cursor.data[start : cursor.at].partition(b"\0")[0]
        if text and text in seen:
            raise _Damage(f"the file is damaged: its token {number} is there twice")
        seen.add(text)


def _scalar(kind: int, key: str) -> str:
    if kind not in _SCALARS:
        raise _Damage(f"the file is damaged or too new: `{key[:100]}` is of a type {kind}")
    return _SCALARS[kind]


def _read_tensors(cursor: _Cursor, count: int, metadata: Mapping[str, Scalar]) -> dict[str, tuple[int, ...]]:
    """The shapes of the tensors, each of which lies within the file."""
    shapes: dict[str, tuple[int, ...]] = {}
    ends: dict[str, int] = {}
    alignment = metadata.get("general.alignment", _ALIGNMENT)
    if not isinstance(alignment, int) or alignment < 1 or alignment & (alignment - 1):
        raise _Damage(f"the file is damaged: `general.alignment` is {alignment}")
    for _ in range(count):
        name = cursor.text(_LONGEST_NAME)
        if name in shapes:
            raise _Damage(f"the file is damaged: it has a tensor `{name[:100]}` twice")
        shapes[name], ends[name] = _read_tensor(cursor, name, alignment)
    start = -(-cursor.at // alignment) * alignment
    for name, end in ends.items():
        if start + end > cursor.size:
            lacking = start + max(ends.values()) - cursor.size
            raise _Damage(
                f"the file is cut off: {lacking} bytes are missing, `{name[:100]}` lies beyond its end"
            )
    return shapes


def _read_tensor(cursor: _Cursor, name: str, alignment: int) -> tuple[tuple[int, ...], int]:
    """A tensor's shape, and where it ends, from the beginning of all tensors."""
    n_dimensions = cursor.number("<I")
    if n_dimensions > _MOST_DIMENSIONS:
        raise _Damage(f"the file is damaged: the tensor `{name[:100]}` has {n_dimensions} dimensions")
    shape = tuple(cursor.count("elements", 1 << 48) for _ in range(n_dimensions))
    kind, offset = cursor.number("<I"), cursor.number("<Q")
    if kind not in _BLOCKS:
        raise _Damage(f"the file is damaged or too new: the tensor `{name[:100]}` is of a type {kind}")
    elements, nbytes = _BLOCKS[kind]
    total = 1
    for length in shape:
        total *= length
    if offset % alignment or (shape and shape[0] % elements):
        raise _Damage(f"the file is damaged: the tensor `{name[:100]}` does not lie as it should")
    return shape, offset + total // elements * nbytes


def _short(data: bytes) -> str:
    if not data:
        return "empty"
    return (
        f"`{data.decode('utf-8', 'replace')}`" if data.isascii() and data.decode().isprintable() else repr(data)
    )
