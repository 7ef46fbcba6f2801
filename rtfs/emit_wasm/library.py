"""Functions that emitted code calls beside those of the program, added to a module when they are first used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rtfs.emit_wasm import opcodes as op
from rtfs.emit_wasm.binary import EMPTY, Body, Function, Signature, ValType
from rtfs.emit_wasm.text_library import FUNCTIONS as OF_TEXTS
from rtfs.emit_wasm.text_library import NEEDS, Number
from rtfs.emit_wasm.texts import Texts
from rtfs.emit_wasm.vectors import ITEMS
from rtfs.values import INT_MIN

_I64: Final = ValType.I64
_I32: Final = ValType.I32
#: bytes of a page, as a power of two
_PAGE_BITS: Final = 16
#: pages by which memory grows beyond what is needed at once
_MORE_PAGES: Final = 15


class Library:
    """The functions in use, numbered from `first` on, and the constant strings."""

    def __init__(self, first: int) -> None:
        self._first = first
        self._numbers: dict[str, int] = {}
        self.functions: list[Function] = []
        self.texts = Texts()

    def number(self, name: str) -> int:
        """The number of the function `name`."""
        found = self._numbers.get(name)
        if found is None:
            for needed in NEEDS.get(name, ()):
                self.number(needed)
            found = self._numbers[name] = self._first + len(self.functions)
            self.functions.append(FUNCTIONS[name](self.number))
        return found

    def uses(self, name: str) -> bool:
        """Whether the function `name` is in use."""
        return name in self._numbers


def _multiply(number: Number) -> Function:
    """The product of two integers. Traps on overflow.

    Found by dividing the product again; -1 apart, by which one quotient does not fit.
    """
    body = Body(2)
    product = body.local(_I64)
    body.indexed(op.LOCAL_GET, 0)
    body.indexed(op.LOCAL_GET, 1)
    body.op(op.I64_MUL)
    body.indexed(op.LOCAL_SET, product)
    body.indexed(op.LOCAL_GET, 0)
    body.i64(-1)
    body.op(op.I64_EQ, op.IF, EMPTY)
    body.indexed(op.LOCAL_GET, 1)
    body.i64(INT_MIN)
    body.op(op.I64_EQ, op.IF, EMPTY, op.UNREACHABLE, op.END, op.ELSE)
    body.indexed(op.LOCAL_GET, 0)
    body.op(op.I64_EQZ, op.IF, EMPTY, op.ELSE)
    body.indexed(op.LOCAL_GET, product)
    body.indexed(op.LOCAL_GET, 0)
    body.op(op.I64_DIV_S)
    body.indexed(op.LOCAL_GET, 1)
    body.op(op.I64_NE, op.IF, EMPTY, op.UNREACHABLE, op.END, op.END, op.END)
    body.indexed(op.LOCAL_GET, product)
    return Function(Signature((_I64, _I64), (_I64,)), body)


def _allocate(number: Number) -> Function:
    """The address of a new vector of so many items. Traps if memory may not grow."""
    body = Body(1)
    address, end = body.local(_I32), body.local(_I32)
    body.i32(0)
    body.memory(op.I32_LOAD, 2, 0)
    body.indexed(op.LOCAL_TEE, address)
    body.indexed(op.LOCAL_GET, 0)
    body.i32(3)
    body.op(op.I32_SHL, op.I32_ADD)
    body.i32(ITEMS)
    body.op(op.I32_ADD)
    body.indexed(op.LOCAL_TEE, end)
    body.op(op.MEMORY_SIZE, 0)
    body.i32(_PAGE_BITS)
    body.op(op.I32_SHL, op.I32_GT_U, op.IF, EMPTY)
    body.indexed(op.LOCAL_GET, end)
    body.op(op.MEMORY_SIZE, 0)
    body.i32(_PAGE_BITS)
    body.op(op.I32_SHL, op.I32_SUB)
    body.i32(_PAGE_BITS)
    body.op(op.I32_SHR_U)
    body.i32(1 + _MORE_PAGES)
    body.op(op.I32_ADD, op.MEMORY_GROW, 0)
    body.i32(-1)
    body.op(op.I32_EQ, op.IF, EMPTY, op.UNREACHABLE, op.END, op.END)
    body.i32(0)
    body.indexed(op.LOCAL_GET, end)
    body.memory(op.I32_STORE, 2, 0)
    body.indexed(op.LOCAL_GET, address)
    body.indexed(op.LOCAL_GET, 0)
    body.memory(op.I32_STORE, 2, 0)
    body.indexed(op.LOCAL_GET, address)
    return Function(Signature((_I32,), (_I32,)), body)


FUNCTIONS: Final[dict[str, Callable[[Number], Function]]] = {
    "multiply": _multiply,
    "allocate": _allocate,
    **OF_TEXTS,
}
