"""Bytes to units. The bytes may come from anywhere: whatever they are, there is a unit or a StorageError."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final

from rtfs import errors, forms, ir
from rtfs.errors import Span
from rtfs.ir_codec.schema import (
    FIRST_RECORD,
    FORMAT_VERSION,
    MAGIC,
    RECORDS,
    TEXTS,
    VALUE_MAGIC,
    Op,
    fields_of,
    is_plain_value,
    is_value,
)
from rtfs.ir_codec.verify import verify
from rtfs.types import model as types
from rtfs.types.shapes import PRIMITIVE_KINDS
from rtfs.values import INT_MAX, INT_MIN, MAP_KEY_TYPES, List, Map, Set, Value, Vector

#: a varint of this many bytes holds any 64-bit number
_MAX_VARINT_BYTES: Final = 10
#: what is neither unit nor value
_NOTHING: Final = object()
_PLAIN: Final[dict[int, Any]] = {Op.NONE: None, Op.TRUE: True, Op.FALSE: False, Op.COLON: forms.COLON}
_OF_TEXT: Final[dict[int, Callable[[str], Any]]] = {op: make for op, _, make in TEXTS.values()}


def decode(data: bytes) -> ir.Unit:
    """The unit that `encode` wrote.

    Raises:
        StorageError: the bytes are damaged, of another version, or no well-formed unit.
    """
    head = MAGIC + bytes((FORMAT_VERSION, ir.IR_VERSION))
    if data[: len(MAGIC)] != MAGIC:
        raise errors.StorageError("not RTFS IR: expected it to start with `RTIR`")
    if data[: len(head)] != head:
        raise errors.StorageError(
            f"RTFS IR of another version: expected {FORMAT_VERSION}.{ir.IR_VERSION}, "
            f"got {'.'.join(str(byte) for byte in data[len(MAGIC) : len(head)])}"
        )
    try:
        unit = _Decoder(data, len(head)).unit()
        verify(unit)
    except errors.StorageError:
        raise
    except (IndexError, UnicodeDecodeError, RecursionError) as exc:
        raise errors.StorageError("damaged RTFS IR: it ends too early, or nests too deeply") from exc
    return unit


def decode_value(data: bytes) -> Value:
    """The value that `encode_value` wrote.

    Raises:
        StorageError: the bytes are damaged, of another version, or no value.
    """
    if data[: len(VALUE_MAGIC)] != VALUE_MAGIC:
        raise errors.StorageError("not an RTFS value: expected it to start with `RTV1`")
    try:
        return _ValueDecoder(data, len(VALUE_MAGIC)).value()
    except (IndexError, UnicodeDecodeError) as exc:
        raise _damaged("it ends too early") from exc


def _damaged(what: str) -> errors.StorageError:
    return errors.StorageError(f"damaged RTFS IR: {what}")


class _Decoder:
    #: what may stand in a collection
    _is_item = staticmethod(is_value)

    def __init__(self, data: bytes, position: int) -> None:
        self._data = data
        self._at = position
        self._stack: list[Any] = []
        #: non-empty collections in the order they were made, for `REF`
        self._made: list[Any] = []
        self._line = 0
        self._strings = [self._text() for _ in range(self._count())]

    def unit(self) -> ir.Unit:
        found = self._only()
        if type(found) is not ir.Unit:
            raise _damaged("expected one unit")
        return found

    def _only(self) -> Any:
        """The one thing that all operations together leave on the stack."""
        data = self._data
        while self._at < len(data):
            op = data[self._at]
            self._at += 1
            if op >= FIRST_RECORD:
                self._record(op - FIRST_RECORD)
            elif op in _PLAIN:
                self._stack.append(_PLAIN[op])
            elif op in _OF_TEXT:
                self._stack.append(_OF_TEXT[op](self._strings[self._varint()]))
            elif op in _READ:
                self._stack.append(_READ[op](self))
            else:
                raise _damaged(f"unknown operation {op}")
        return self._stack[0] if len(self._stack) == 1 else _NOTHING

    # ------------------------------------------------------------ numbers and texts

    def _varint(self) -> int:
        number = 0
        for shift in range(0, 7 * _MAX_VARINT_BYTES, 7):
            byte = self._data[self._at]
            self._at += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
        raise _damaged("a number is too long")

    def _signed(self) -> int:
        number = self._varint()
        return number >> 1 if not number & 1 else -(number + 1 >> 1)

    def _count(self) -> int:
        """How many things follow or are on the stack; never more than there are bytes."""
        count = self._varint()
        if count > len(self._data):
            raise _damaged(f"a count of {count} in {len(self._data)} bytes")
        return count

    def _take(self, size: int) -> bytes:
        taken = self._data[self._at : self._at + size]
        if len(taken) != size:
            raise _damaged("it ends too early")
        self._at += size
        return taken

    def _text(self) -> str:
        return self._take(self._count()).decode("utf-8", "surrogatepass")

    def _integer(self) -> int:
        number = self._signed()
        if not INT_MIN <= number <= INT_MAX:
            raise _damaged("an integer of more than 64 bits")
        return number

    def _float(self) -> float:
        number: float = struct.unpack(">d", self._take(8))[0]
        return number

    def _span(self) -> Span:
        line = self._line = self._line + self._signed()
        column = self._signed()
        return Span(line, column, line + self._signed(), self._signed())

    # ------------------------------------------------------------ what is made of other things

    def _pop(self, count: int) -> list[Any]:
        stack = self._stack
        if count > len(stack):
            raise _damaged(f"expected {count} items, got {len(stack)}")
        start = len(stack) - count
        items = stack[start:]
        del stack[start:]
        return items

    def _values(self, count: int) -> list[Any]:
        items = self._pop(count)
        for item in items:
            if not self._is_item(item):
                raise _damaged(f"a {type(item).__name__} in a collection")
        return items

    def _collection(self, make: Callable[[list[Any]], Any], width: int = 1) -> Any:
        items = self._values(self._count() * width)
        made = make(items)
        if items:
            self._made.append(made)
        return made

    def _tuple(self) -> tuple[Any, ...]:
        return tuple(self._pop(self._count()))

    def _frozenset(self) -> frozenset[str]:
        items = self._pop(self._count())
        if any(type(item) is not str for item in items):
            raise _damaged("a set of names holds something else")
        return frozenset(items)

    def _ref(self) -> Any:
        return self._made[self._varint()]

    def _record(self, index: int) -> None:
        if index >= len(RECORDS):
            raise _damaged(f"unknown record {index}")
        record = RECORDS[index]
        fields = fields_of(record)
        made: Any = object.__new__(record)
        for field, item in zip(fields, self._pop(len(fields)), strict=True):
            _, kinds, test, set_ = field
            if type(item) not in kinds or (test is not None and not test(item)):
                raise _damaged(f"{record.__name__}.{field.name} cannot be a {type(item).__name__}")
            set_(made, item)
        if record is types.Primitive and made.name not in PRIMITIVE_KINDS:
            raise _damaged(f"unknown type {made.name}")
        self._stack.append(made)


class _ValueDecoder(_Decoder):
    """Reads values, in which nothing of forms may stand."""

    _is_item = staticmethod(is_plain_value)

    def value(self) -> Value:
        found = self._only()
        if not is_plain_value(found):
            raise _damaged("expected one value")
        return found


def _map(items: list[Any]) -> Map:
    keys = items[::2]
    for key in keys:
        if type(key) not in MAP_KEY_TYPES:
            raise _damaged(f"a map key of type {type(key).__name__}")
    return Map(dict(zip(keys, items[1::2], strict=True)))


_READ: Final[dict[int, Callable[[_Decoder], Any]]] = {
    Op.INT: _Decoder._integer,
    Op.FLOAT: _Decoder._float,
    Op.SPAN: _Decoder._span,
    Op.VECTOR: lambda decoder: decoder._collection(Vector),
    Op.LIST: lambda decoder: decoder._collection(List),
    Op.MAP: lambda decoder: decoder._collection(_map, width=2),
    Op.SET: lambda decoder: decoder._collection(Set),
    Op.TUPLE: _Decoder._tuple,
    Op.FROZENSET: _Decoder._frozenset,
    Op.REF: _Decoder._ref,
}
