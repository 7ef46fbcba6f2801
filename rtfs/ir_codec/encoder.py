"""Units to bytes."""

from __future__ import annotations

import struct
from typing import Any

from rtfs import errors, forms, ir
from rtfs.errors import Span
from rtfs.ir_codec.schema import (
    COLLECTION_OPS,
    FORMAT_VERSION,
    MAGIC,
    RECORD_OPS,
    TEXTS,
    VALUE_MAGIC,
    Op,
    parts,
)
from rtfs.values import COLLECTIONS, INT_MAX, INT_MIN, Value, type_name


def encode(unit: ir.Unit) -> bytes:
    """The unit as bytes, which `decode` reads back to an equal one.

    Raises:
        StorageError: it holds a constant that cannot be stored, such as a function.
    """
    return b"".join((MAGIC, bytes((FORMAT_VERSION, ir.IR_VERSION)), *_written(unit)))


def encode_value(value: Value) -> bytes:
    """An RTFS value as bytes, which `decode_value` reads back to an equal one of the same type.

    Raises:
        StorageError: it is or holds what has no meaning outside its run: a function, a ticket, an error.
    """
    return b"".join((VALUE_MAGIC, *_written(value)))


def _written(root: Any) -> tuple[bytearray, bytearray]:
    """The table of strings, and the operations."""
    encoder = _Encoder()
    encoder.write(root)
    strings = bytearray()
    write_varint(strings, len(encoder.strings))
    for text in encoder.strings:
        write_text(strings, text)
    return strings, encoder.out


def write_varint(out: bytearray, number: int) -> None:
    """Append a number ≥ 0, seven bits a byte, low ones first."""
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def write_text(out: bytearray, text: str) -> None:
    """Append a text after its length in bytes."""
    data = text.encode("utf-8", "surrogatepass")
    write_varint(out, len(data))
    out += data


def zigzag(number: int) -> int:
    """0, -1, 1, -2, … → 0, 1, 2, 3, …"""
    return number << 1 if number >= 0 else (-number << 1) - 1


class _Encoder:
    def __init__(self) -> None:
        self.out = bytearray()
        #: text → its number
        self.strings: dict[str, int] = {}
        #: id of a collection that was written → its number for `REF`
        self._written: dict[int, int] = {}
        self._line = 0

    def write(self, root: Any) -> None:
        todo: list[tuple[Any, int]] = [(root, -1)]
        while todo:
            item, count = todo.pop()
            if count >= 0:
                self._close(item, count)
            elif not self._leaf(item):
                below = parts(item)
                todo.append((item, len(below)))
                todo.extend([(part, -1) for part in reversed(below)])

    def _leaf(self, item: Any) -> bool:
        """Write `item` if it is no record and no collection that is still to be written."""
        kind = type(item)
        if kind in TEXTS:
            op, text_of, _ = TEXTS[kind]
            text = text_of(item)
            self._op(op, self.strings.setdefault(text, len(self.strings)))
        elif kind is Span:
            self._span(item)
        elif kind is int:
            if not INT_MIN <= item <= INT_MAX:
                raise errors.StorageError(f"cannot store an integer of {item.bit_length()} bits")
            self._op(Op.INT, zigzag(item))
        elif item is None or kind is bool:
            self.out.append(Op.NONE if item is None else Op.TRUE if item else Op.FALSE)
        elif kind is float:
            self.out.append(Op.FLOAT)
            self.out += struct.pack(">d", item)
        elif kind is forms.Colon:
            self.out.append(Op.COLON)
        elif id(item) in self._written:
            self._op(Op.REF, self._written[id(item)])
        elif kind not in RECORD_OPS and kind not in COLLECTION_OPS:
            raise errors.StorageError(f"cannot store a constant of type {type_name(item)}")
        else:
            return False
        return True

    def _close(self, item: Any, count: int) -> None:
        kind = type(item)
        if kind in RECORD_OPS:
            self.out.append(RECORD_OPS[kind])
            return
        self._op(COLLECTION_OPS[kind], count // 2 if COLLECTION_OPS[kind] is Op.MAP else count)
        if count and kind in COLLECTIONS:
            self._written[id(item)] = len(self._written)

    def _op(self, op: Op, number: int) -> None:
        self.out.append(op)
        write_varint(self.out, number)

    def _span(self, span: Span) -> None:
        """Lines as steps from the span before: they are small then."""
        self.out.append(Op.SPAN)
        write_varint(self.out, zigzag(span.line - self._line))
        write_varint(self.out, zigzag(span.column))
        write_varint(self.out, zigzag(span.end_line - span.line))
        write_varint(self.out, zigzag(span.end_column))
        self._line = span.line
