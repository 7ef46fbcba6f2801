"""The linear memory of an instance, from Python: vectors and strings go in before a call and out behind it."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Iterator, Sequence
from math import isfinite, nan
from typing import TYPE_CHECKING, Any, Final

from rtfs import errors
from rtfs.emit_wasm.binary import PAGE_BYTES
from rtfs.emit_wasm.texts import (
    ALONE,
    CODE_POINT,
    EMPTY,
    ENCODING,
    FIRST_ADDRESS,
    HEADER,
    alone,
    header,
    size_of,
)
from rtfs.emit_wasm.vectors import ITEMS
from rtfs.run import reserve
from rtfs.values import Value, Vector

if TYPE_CHECKING:
    import wasmtime

#: the largest memory that an instance keeps between calls, bytes
_SMALL_BYTES: Final = 32 << 20
#: bytes of an item as a Python object in a list
_ITEM_BYTES: Final = 40
#: the exact type of the items of an array's type code
_TYPES: Final = {"q": int, "d": float}
_CELLS: Final[dict[str, Any]] = {"q": ctypes.c_int64, "d": ctypes.c_double}


class Memory:
    """One instance's. Nobody else uses the instance meanwhile."""

    def __init__(self, store: wasmtime.Store, memory: wasmtime.Memory) -> None:
        self._store = store
        self._memory = memory
        #: what lies at the start: each value, its code, its address or what stands for it, and where it ends;
        #: the next call may have the same
        self._placed: list[tuple[Value, str, int, int]] = []
        #: no call was made since it was looked at, which takes longer than a call
        self._known = False
        self._look()
        self._first = self._begins()

    def _look(self) -> None:
        """Note where it is now; it may have grown in the last call."""
        if self._known:
            return
        self._known = True
        self._base = ctypes.addressof(self._memory.data_ptr(self._store).contents)
        self._size = self._memory.data_len(self._store)

    def _begins(self) -> int:
        """Where the module says that free memory begins, behind its constant strings."""
        found = ctypes.c_uint32.from_address(self._base).value
        return found if FIRST_ADDRESS <= found <= self._size and found % 8 == 0 else FIRST_ADDRESS

    def is_small(self) -> bool:
        """Whether it may be kept for later calls."""
        self._look()
        return self._size <= _SMALL_BYTES

    def place(self, values: Sequence[tuple[Value, str]]) -> Iterator[int] | None:
        """Copy vectors and strings to its start; their addresses. All behind them is free for the call.

        Values that the call before had, in the same places, are there still: they cannot have changed.

        Args:
            values: each vector with the type code of its items, each string with `s`.

        Returns:
            None if an item is of another kind, or there is not enough memory.
        """
        addresses = []
        free = self._first
        for index, (value, code) in enumerate(values):
            if not (
                index < len(self._placed) and self._placed[index][0] is value and self._placed[index][1] == code
            ):
                del self._placed[index:]
                if not (self._copy_text(value, free) if code == "s" else self._copy(value, code, free)):
                    return None
            _, _, address, free = self._placed[index]
            addresses.append(address)
        del self._placed[len(values) :]
        ctypes.c_uint64.from_address(self._base).value = free  # and no string is the tail
        self._known = False
        return iter(addresses)

    def _copy(self, vector: Vector, code: str, address: int) -> bool:
        """Put a vector there, behind those before it."""
        items = vector.to_list()
        if not set(map(type, items)) <= {_TYPES[code]}:
            return False
        end = _end(address, len(items))
        if not self._need(end):
            return False
        ctypes.c_uint32.from_address(self._base + address).value = len(items)
        packed = array(code, items)
        ctypes.memmove(self._base + address + ITEMS, packed.buffer_info()[0], 8 * len(items))
        self._placed.append((vector, code, address, end))
        return True

    def _copy_text(self, text: str, address: int) -> bool:
        """Put a string there, if it is one that takes memory."""
        if len(text) < 2:
            self._placed.append((text, "s", alone(text) if text else EMPTY, address))
            return True
        end = address + size_of(len(text))
        if not self._need(end):
            return False
        ctypes.c_uint64.from_address(self._base + address).value = header(address, len(text))
        ctypes.memmove(self._base + address + HEADER, text.encode(*ENCODING), 4 * len(text))
        self._placed.append((text, "s", address, end))
        return True

    def _need(self, nbytes: int) -> bool:
        """Make it this large; whether that may be."""
        self._look()
        if nbytes > self._size:
            from wasmtime import WasmtimeError

            try:
                self._memory.grow(self._store, -(-(nbytes - self._size) // PAGE_BYTES))
            except WasmtimeError:
                return False
            self._known = False
            self._look()
        return True

    def vector(self, address: int, code: str) -> Vector:
        """The vector at an address, as a value."""
        address &= 0xFFFFFFFF
        self._look()
        if address + ITEMS > self._size:
            raise errors.InternalError("a WebAssembly function gave a vector outside of its memory")
        at = self._base + address
        count = ctypes.c_uint32.from_address(at).value
        if _end(address, count) > self._size:
            raise errors.InternalError("a WebAssembly function gave a vector outside of its memory")
        reserve(count * _ITEM_BYTES)
        items = list((_CELLS[code] * count).from_address(at + ITEMS))
        if code == "d" and not isfinite(sum(items)):
            items = [item if item == item else nan for item in items]
        return Vector(items)

    def text(self, held: int) -> str:
        """The string that stands for `held`, as a value."""
        held &= 0xFFFFFFFF
        try:
            if held & ALONE:
                return chr(held & CODE_POINT)
            self._look()
            if held + HEADER <= self._size:
                both = ctypes.c_uint64.from_address(self._base + held).value
                at, size = both >> 32, 4 * (both & 0xFFFFFFFF)
                if at + size <= self._size:
                    reserve(size)
                    return ctypes.string_at(self._base + at, size).decode(*ENCODING)
            raise errors.InternalError("a WebAssembly function gave a string outside of its memory")
        except ValueError:
            raise errors.InternalError("a WebAssembly function gave a string of no characters") from None


def _end(address: int, count: int) -> int:
    return address + ITEMS + 8 * count
