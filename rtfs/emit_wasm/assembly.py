"""Functions written as instructions one after another, for the library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rtfs.emit_wasm import opcodes as op
from rtfs.emit_wasm.binary import Body, Function, Signature, ValType

_I32: Final = ValType.I32

#: an instruction: its byte, or what adds it
type Part = int | Callable[[Body], None]


def get(local: int) -> Part:
    """Push a local."""
    return lambda body: body.indexed(op.LOCAL_GET, local)


def set_(local: int) -> Part:
    """Pop into a local."""
    return lambda body: body.indexed(op.LOCAL_SET, local)


def tee(local: int) -> Part:
    """Copy the top of the stack into a local."""
    return lambda body: body.indexed(op.LOCAL_TEE, local)


def i32(value: int) -> Part:
    """Push an integer of 32 bits."""
    return lambda body: body.i32(value)


def load(offset: int = 0) -> Part:
    """Push the i32 at `offset` from the address on the stack."""
    return lambda body: body.memory(op.I32_LOAD, 2, offset)


def store(offset: int = 0) -> Part:
    """Put the i32 on the stack at `offset` from the address below it."""
    return lambda body: body.memory(op.I32_STORE, 2, offset)


def call(number: int) -> Part:
    """Call a function by its number."""
    return lambda body: body.indexed(op.CALL, number)


def returns(value: int) -> tuple[Part, ...]:
    """Leave the function with a constant."""
    return i32(value), op.RETURN


def forward(local: int, by: int) -> tuple[Part, ...]:
    """Add a constant to a local."""
    return get(local), i32(by), op.I32_ADD, set_(local)


def function(params: int, more: int, *parts: Part, first: ValType = _I32, wide: int = 0) -> Function:
    """A function of i32s, but perhaps the first, that gives one. Locals: `more` i32s, then `wide` i64s."""
    body = Body(params)
    for _ in range(more):
        body.local(_I32)
    for _ in range(wide):
        body.local(ValType.I64)
    for part in parts:
        if isinstance(part, int):
            body.op(part)
        else:
            part(body)
    return Function(Signature((first, *[_I32] * (params - 1)), (_I32,)), body)
