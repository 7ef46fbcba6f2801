"""The linear memory of an instance, from Python: vectors are copied in before a call and out behind it."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Iterator, Sequence
from math import isfinite, nan
from typing import TYPE_CHECKING, Any, Final

from rtfs import errors
from rtfs.emit_wasm.binary import PAGE_BYTES
from rtfs.emit_wasm.vectors import FIRST_ADDRESS, ITEMS
from rtfs.run import reserve
from rtfs.values import Vector

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
        #: the vectors that lie at the start, and where; the next call may have the same
        self._placed: list[tuple[Vector, str, int]] = []
        self._free = FIRST_ADDRESS
        self._look()

    def _look(self) -> None:
        """Note where it is now; it may have grown."""
        self._base = ctypes.addressof(self._memory.data_ptr(self._store).contents)
        self._size = self._memory.data_len(self._store)

    def is_small(self) -> bool:
        """Whether it may be kept for later calls."""
        self._look()
        return self._size <= _SMALL_BYTES

    def place(self, vectors: Sequence[tuple[Vector, str]]) -> Iterator[int] | None:
        """Copy vectors to its start; their addresses. All behind them is free for the call.

        Vectors that the call before had, in the same places, are there still: they cannot have changed.

        Args:
            vectors: each with the type code of its items.

        Returns:
            None if an item is of another kind, or there is not enough memory.
        """
        addresses = []
        for index, (vector, code) in enumerate(vectors):
            if (
                index < len(self._placed)
                and self._placed[index][0] is vector
                and self._placed[index][1] == code
            ):
                addresses.append(self._placed[index][2])
                continue
            if not self._copy(index, vector, code):
                return None
            addresses.append(self._placed[index][2])
        if vectors:
            last, _, address = self._placed[len(vectors) - 1]
            self._free = _end(address, len(last))
        else:
            self._free = FIRST_ADDRESS
        del self._placed[len(vectors) :]
        ctypes.c_uint32.from_address(self._base).value = self._free
        return iter(addresses)

    def _copy(self, index: int, vector: Vector, code: str) -> bool:
        """Put the vector with this index behind those before it."""
        del self._placed[index:]
        items = vector.to_list()
        if not set(map(type, items)) <= {_TYPES[code]}:
            return False
        address = FIRST_ADDRESS
        if self._placed:
            before, _, at = self._placed[-1]
            address = _end(at, len(before))
        if not self._need(_end(address, len(items))):
            return False
        ctypes.c_uint32.from_address(self._base + address).value = len(items)
        packed = array(code, items)
        ctypes.memmove(self._base + address + ITEMS, packed.buffer_info()[0], 8 * len(items))
        self._placed.append((vector, code, address))
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
            self._look()
        return True

    def vector(self, address: int, code: str) -> Vector:
        """The vector at an address, as a value."""
        self._look()
        address &= 0xFFFFFFFF
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


def _end(address: int, count: int) -> int:
    return address + ITEMS + 8 * count
