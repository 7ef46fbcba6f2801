"""WebAssembly's binary format: modules as values, and their bytes.

Only what the compiler uses of the core specification (version 2, chapter 5, with tail calls): types, functions,
one memory, exports, code, data, custom sections. Instructions are bytes in a `Body`, which notes where in
the source the instructions that may trap come from.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from rtfs.errors import Span

MAGIC: Final = b"\0asm\x01\0\0\0"
#: bytes of a page of linear memory
PAGE_BYTES: Final = 1 << 16


class ValType(IntEnum):
    """The type of a value on wasm's stack (§5.3.1)."""

    I32 = 0x7F
    I64 = 0x7E
    F64 = 0x7C


#: block type of a block that leaves nothing (§5.4.1)
EMPTY: Final = 0x40

_FUNCTION_TYPE: Final = 0x60
_CUSTOM, _TYPES, _FUNCTIONS, _MEMORIES, _EXPORTS, _CODE, _DATA = 0, 1, 3, 5, 7, 10, 11
_SECTIONS: Final = frozenset((_CUSTOM, _TYPES, _FUNCTIONS, _MEMORIES, _EXPORTS, _CODE, _DATA))
_FUNCTION_EXPORT, _MEMORY_EXPORT = 0, 2
_END: Final = 0x0B
_I64_CONST: Final = 0x42
_I32_CONST: Final = 0x41
_F64_CONST: Final = 0x44


def unsigned(value: int) -> bytes:
    """LEB128 of a number that is not negative (§5.2.2)."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def signed(value: int) -> bytes:
    """LEB128 in two's complement (§5.2.2)."""
    out = bytearray()
    while not -0x40 <= value < 0x40:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value & 0x7F)
    return bytes(out)


def read_unsigned(data: bytes, at: int) -> tuple[int, int]:
    """The number at `at`, and the index after it.

    Raises:
        IndexError: the bytes end before it does.
        ValueError: it takes more than 64 bits.
    """
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a number takes more than 64 bits")


def name(text: str) -> bytes:
    """A name: its length in bytes, then UTF-8."""
    data = text.encode("utf-8", "surrogatepass")
    return unsigned(len(data)) + data


def vector(items: Iterable[bytes]) -> bytes:
    """A vector: its length, then its items."""
    parts = list(items)
    return unsigned(len(parts)) + b"".join(parts)


@dataclass(frozen=True, slots=True)
class Signature:
    """The type of a function."""

    params: tuple[ValType, ...]
    results: tuple[ValType, ...]

    def encode(self) -> bytes:
        """§5.3.6."""
        kinds = (vector(bytes((kind,)) for kind in side) for side in (self.params, self.results))
        return bytes((_FUNCTION_TYPE,)) + b"".join(kinds)


@dataclass(frozen=True, slots=True)
class Site:
    """An instruction that may trap: its offset in the function's instructions, where it comes from, and why."""

    offset: int
    span: Span | None
    reason: str


@dataclass(slots=True)
class Body:
    """The instructions of a function being written, and its locals beyond the parameters."""

    params: int
    code: bytearray = field(default_factory=bytearray)
    locals: list[ValType] = field(default_factory=list)
    sites: list[Site] = field(default_factory=list)

    def op(self, *codes: int) -> None:
        """Add bytes: instructions, and indices below 128."""
        self.code += bytes(codes)

    def indexed(self, opcode: int, index: int) -> None:
        """Add an instruction with one index: of a local, a function, a label."""
        self.code.append(opcode)
        self.code += unsigned(index)

    def memory(self, opcode: int, align: int, offset: int) -> None:
        """Add a load or store: its alignment as a power of two, and an offset."""
        self.code += bytes((opcode, align)) + unsigned(offset)

    def i64(self, value: int) -> None:
        """Push an integer of 64 bits."""
        self.code.append(_I64_CONST)
        self.code += signed(value)

    def i32(self, value: int) -> None:
        """Push an integer of 32 bits, or a boolean."""
        self.code.append(_I32_CONST)
        self.code += signed(value)

    def f64(self, value: float) -> None:
        """Push a float."""
        self.code.append(_F64_CONST)
        self.code += struct.pack("<d", value)

    def local(self, kind: ValType) -> int:
        """The index of a new local."""
        self.locals.append(kind)
        return self.params + len(self.locals) - 1

    def trapping(self, span: Span | None, reason: str) -> None:
        """Note that the next instruction may trap."""
        self.sites.append(Site(len(self.code), span, reason))

    def encode(self) -> tuple[bytes, int]:
        """The function's entry in the code section, and how far into it the instructions start (§5.5.13)."""
        runs: list[tuple[int, ValType]] = []
        for kind in self.locals:
            if runs and runs[-1][1] == kind:
                runs[-1] = runs[-1][0] + 1, kind
            else:
                runs.append((1, kind))
        head = vector(unsigned(count) + bytes((kind,)) for count, kind in runs)
        inner = head + bytes(self.code) + bytes((_END,))
        size = unsigned(len(inner))
        return size + inner, len(size) + len(head)


@dataclass(frozen=True, slots=True)
class Function:
    """A function of a module; with a name, it is exported."""

    signature: Signature
    body: Body
    export: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A module. Its functions are numbered from 0; it imports nothing."""

    functions: Sequence[Function]
    #: pages of linear memory at the start, exported as `memory`; None: no memory
    pages: int | None = None
    #: what memory begins with
    data: bytes = b""

    def encode(self) -> tuple[bytes, list[int]]:
        """The module's bytes, and for each function the offset in them at which its instructions start.

        Custom sections may be added at the end.
        """
        signatures = list(dict.fromkeys(function.signature for function in self.functions))
        numbers = {signature: index for index, signature in enumerate(signatures)}
        out = bytearray(MAGIC)
        out += _section(_TYPES, vector(each.encode() for each in signatures))
        out += _section(_FUNCTIONS, vector(unsigned(numbers[each.signature]) for each in self.functions))
        if self.pages is not None:
            out += _section(_MEMORIES, vector([b"\0" + unsigned(self.pages)]))
        out += _section(_EXPORTS, vector(self._exports()))
        starts = self._add_code(out)
        if self.data:
            segment = bytes((0, _I32_CONST, 0, _END)) + unsigned(len(self.data)) + self.data
            out += _section(_DATA, vector([segment]))
        return bytes(out), starts

    def _exports(self) -> Iterable[bytes]:
        for index, function in enumerate(self.functions):
            if function.export is not None:
                yield name(function.export) + bytes((_FUNCTION_EXPORT,)) + unsigned(index)
        if self.pages is not None:
            yield name("memory") + bytes((_MEMORY_EXPORT, 0))

    def _add_code(self, out: bytearray) -> list[int]:
        entries = [function.body.encode() for function in self.functions]
        count = unsigned(len(entries))
        size = len(count) + sum(len(entry) for entry, _ in entries)
        out.append(_CODE)
        out += unsigned(size) + count
        starts = []
        for entry, start in entries:
            starts.append(len(out) + start)
            out += entry
        return starts


def _section(number: int, content: bytes) -> bytes:
    return bytes((number,)) + unsigned(len(content)) + content


def custom(title: str, content: bytes) -> bytes:
    """A custom section."""
    return _section(_CUSTOM, name(title) + content)


def sections(module: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and content of each section of a module.

    Raises:
        ValueError: the bytes are not laid out as a module is.
    """
    if module[: len(MAGIC)] != MAGIC:
        raise ValueError("the bytes do not begin as a WebAssembly module does")
    at = len(MAGIC)
    while at < len(module):
        number = module[at]
        try:
            size, start = read_unsigned(module, at + 1)
        except IndexError:
            size, start = 0, len(module) + 1
        at = start + size
        if at > len(module):
            raise ValueError("the last section of a module is cut off")
        yield number, module[start:at]


def custom_section(module: bytes, title: str) -> bytes | None:
    """The content of the custom section `title`; None unless there is one, or if this is no module."""
    wanted = title.encode()
    try:
        found = [each for each in map(_named, _custom_sections(module)) if each[0] == wanted]
    except (IndexError, ValueError):
        return None
    return found[0][1] if len(found) == 1 else None


def _custom_sections(module: bytes) -> Iterator[bytes]:
    return (content for number, content in sections(module) if number == _CUSTOM)


def _named(content: bytes) -> tuple[bytes, bytes]:
    """Name and content proper of a custom section. IndexError if it ends before its name begins."""
    length, first = read_unsigned(content, 0)
    return content[first : first + length], content[first + length :]


def foreign_section(module: bytes) -> int | None:
    """The number of a section that no module of this compiler has: imports, tables, globals, a start function.

    Raises:
        ValueError: the bytes are not laid out as a module is.
    """
    return next((number for number, _ in sections(module) if number not in _SECTIONS), None)
