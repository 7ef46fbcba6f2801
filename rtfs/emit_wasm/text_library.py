"""Functions of the library for strings. What they take and give is held as `rtfs.emit_wasm.texts` says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rtfs.emit_wasm import opcodes as op
from rtfs.emit_wasm.binary import EMPTY as NOTHING
from rtfs.emit_wasm.binary import Body, Function, Signature, ValType
from rtfs.emit_wasm.texts import ALONE, CODE_POINT, EMPTY, MOST_CHARACTERS, SCRATCH
from rtfs.emit_wasm.vectors import ITEMS

_I32: Final = ValType.I32
#: bytes of a code point
_ITEM: Final = 4

#: the number of a function of the library by its name
type Number = Callable[[str], int]
#: an instruction: its byte, or what adds it
type Part = int | Callable[[Body], None]


def _get(local: int) -> Part:
    return lambda body: body.indexed(op.LOCAL_GET, local)


def _set(local: int) -> Part:
    return lambda body: body.indexed(op.LOCAL_SET, local)


def _tee(local: int) -> Part:
    return lambda body: body.indexed(op.LOCAL_TEE, local)


def _i32(value: int) -> Part:
    return lambda body: body.i32(value)


def _load(offset: int = 0) -> Part:
    return lambda body: body.memory(op.I32_LOAD, 2, offset)


def _store(offset: int = 0) -> Part:
    return lambda body: body.memory(op.I32_STORE, 2, offset)


def _call(number: int) -> Part:
    return lambda body: body.indexed(op.CALL, number)


def _return(value: int) -> tuple[Part, ...]:
    return _i32(value), op.RETURN


def _forward(local: int, by: int) -> tuple[Part, ...]:
    return _get(local), _i32(by), op.I32_ADD, _set(local)


def _function(params: int, more: int, *parts: Part, first: ValType = _I32, wide: int = 0) -> Function:
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


def _written(number: Number) -> Function:
    """An address at which a string is; a single character is written to the scratch place given with it."""
    text, place = 0, 1
    return _function(
        2, 0,
        _get(text), _i32(0), op.I32_LT_S, op.IF, NOTHING,
        _get(place), _i32(1), _store(),
        _get(place), _get(text), _i32(CODE_POINT), op.I32_AND, _store(ITEMS),
        _get(place), op.RETURN, op.END,
        _get(text),
    )  # fmt: skip


def _same_items(number: Number) -> Function:
    """Whether so many code points at two addresses are the same."""
    a, b, count, end = range(4)
    return _function(
        3, 1,
        _get(a), _get(count), _i32(2), op.I32_SHL, op.I32_ADD, _set(end),
        op.LOOP, NOTHING,
        _get(a), _get(end), op.I32_EQ, op.IF, NOTHING, *_return(1), op.END,
        _get(a), _load(), _get(b), _load(), op.I32_NE, op.IF, NOTHING, *_return(0), op.END,
        *_forward(a, _ITEM), *_forward(b, _ITEM), op.BR, 0, op.END,
        op.UNREACHABLE,
    )  # fmt: skip


def _equal(number: Number) -> Function:
    """Whether two strings are equal."""
    a, b = range(2)
    return _function(
        2, 0,
        _get(a), _get(b), op.I32_EQ, op.IF, NOTHING, *_return(1), op.END,
        _get(a), _get(b), op.I32_OR, _i32(0), op.I32_LT_S, op.IF, NOTHING, *_return(0), op.END,
        _get(a), _load(), _get(b), _load(), op.I32_NE, op.IF, NOTHING, *_return(0), op.END,
        _get(a), _i32(ITEMS), op.I32_ADD, _get(b), _i32(ITEMS), op.I32_ADD, _get(a), _load(),
        _call(number("same-items")),
    )  # fmt: skip


def _both_written(number: Number) -> tuple[Part, ...]:
    """Replace both parameters by addresses."""
    written = _call(number("written"))
    return _get(0), _i32(SCRATCH[0]), written, _set(0), _get(1), _i32(SCRATCH[1]), written, _set(1)


def _compare(number: Number) -> Function:
    """-1, 0 or 1: how the first string stands to the second, by code points."""
    a, b, end, last_a, last_b = range(5)
    below = (op.I32_LT_U, op.IF, NOTHING, *_return(-1), op.END, *_return(1))
    return _function(
        2, 3,
        *_both_written(number),
        _get(a), _load(), _set(last_a), _get(b), _load(), _set(last_b),
        _get(last_a), _get(last_b), _get(last_a), _get(last_b), op.I32_LT_U, op.SELECT,
        _i32(2), op.I32_SHL, _get(a), op.I32_ADD, _set(end),
        op.LOOP, NOTHING,
        _get(a), _get(end), op.I32_EQ, op.IF, NOTHING,
        _get(last_a), _get(last_b), op.I32_EQ, op.IF, NOTHING, *_return(0), op.END,
        _get(last_a), _get(last_b), *below, op.END,
        _get(a), _load(ITEMS), _get(b), _load(ITEMS), op.I32_NE, op.IF, NOTHING,
        _get(a), _load(ITEMS), _get(b), _load(ITEMS), *below, op.END,
        *_forward(a, _ITEM), *_forward(b, _ITEM), op.BR, 0, op.END,
        op.UNREACHABLE,
    )  # fmt: skip


def _at_end(number: Number, from_end: bool) -> Function:
    """Whether a string starts, or ends, with another."""
    text, part = range(2)
    shift: tuple[Part, ...] = ()
    if from_end:
        shift = (_get(text), _load(), _get(part), _load(), op.I32_SUB, _i32(2), op.I32_SHL, op.I32_ADD)
    return _function(
        2, 0,
        *_both_written(number),
        _get(part), _load(), _get(text), _load(), op.I32_GT_U, op.IF, NOTHING, *_return(0), op.END,
        _get(text), _i32(ITEMS), op.I32_ADD, *shift,
        _get(part), _i32(ITEMS), op.I32_ADD, _get(part), _load(),
        _call(number("same-items")),
    )  # fmt: skip


def _contains(number: Number) -> Function:
    """Whether a string contains another: at each place at which its first character stands, a comparison."""
    text, part, end, count, first = range(5)
    return _function(
        2, 3,
        *_both_written(number),
        _get(part), _load(), _tee(count), op.I32_EQZ, op.IF, NOTHING, *_return(1), op.END,
        _get(count), _get(text), _load(), op.I32_GT_U, op.IF, NOTHING, *_return(0), op.END,
        _get(part), _load(ITEMS), _set(first),
        _get(part), _i32(ITEMS), op.I32_ADD, _set(part),
        _get(text), _load(), _get(count), op.I32_SUB, _i32(2), op.I32_SHL,
        _get(text), _i32(ITEMS), op.I32_ADD, _tee(text), op.I32_ADD, _set(end),
        op.LOOP, NOTHING,
        _get(text), _load(), _get(first), op.I32_EQ, op.IF, NOTHING,
        _get(text), _get(part), _get(count), _call(number("same-items")), op.IF, NOTHING, *_return(1), op.END,
        op.END,
        _get(text), _get(end), op.I32_EQ, op.IF, NOTHING, *_return(0), op.END,
        *_forward(text, _ITEM), op.BR, 0, op.END,
        op.UNREACHABLE,
    )  # fmt: skip


def _item(text: int, index: int) -> tuple[Part, ...]:
    """The character with this index of a string that has an address."""
    where = (_get(text), _get(index), _i32(2), op.I32_SHL, op.I32_ADD)
    return *where, _load(ITEMS), _i32(-ALONE), op.I32_OR


def _cut(number: Number) -> Function:
    """The part of a string from one index, up to another, which are in order and within its bounds."""
    text, start, stop, made = range(4)
    return _function(
        3, 1,
        _get(stop), _get(start), op.I32_SUB, _tee(stop), op.I32_EQZ,
        op.IF, NOTHING, *_return(EMPTY), op.END,
        _get(text), _i32(0), op.I32_LT_S, op.IF, NOTHING, _get(text), op.RETURN, op.END,
        _get(stop), _get(text), _load(), op.I32_EQ, op.IF, NOTHING, _get(text), op.RETURN, op.END,
        _get(stop), _i32(1), op.I32_EQ, op.IF, NOTHING, *_item(text, start), op.RETURN, op.END,
        _get(stop), _i32(1), op.I32_ADD, _i32(1), op.I32_SHR_U, _call(number("allocate")), _set(made),
        _get(made), _get(stop), _store(),
        _get(made), _i32(ITEMS), op.I32_ADD,
        _get(text), _get(start), _i32(2), op.I32_SHL, op.I32_ADD, _i32(ITEMS), op.I32_ADD,
        _get(stop), _i32(2), op.I32_SHL, *op.MEMORY_COPY,
        _get(made),
    )  # fmt: skip


def _begun(number: Number) -> Function:
    """The address of a new string of so many characters, an i64, not yet written. Traps if that is too long."""
    count, made = range(2)
    return _function(
        1, 1,
        _get(count), lambda body: body.i64(MOST_CHARACTERS), op.I64_GT_U,
        op.IF, NOTHING, op.UNREACHABLE, op.END,
        _get(count), op.I32_WRAP_I64, _i32(1), op.I32_ADD, _i32(1), op.I32_SHR_U,
        _call(number("allocate")), _tee(made),
        _get(count), op.I32_WRAP_I64, _store(),
        _get(made),
        first=ValType.I64,
    )  # fmt: skip


def _put(number: Number) -> Function:
    """Write the characters of a string to an address; the one behind them."""
    text, at, size = range(3)
    return _function(
        2, 1,
        _get(text), _i32(0), op.I32_LT_S, op.IF, NOTHING,
        _get(at), _get(text), _i32(CODE_POINT), op.I32_AND, _store(),
        _get(at), _i32(_ITEM), op.I32_ADD, op.RETURN, op.END,
        _get(at), _get(text), _i32(ITEMS), op.I32_ADD,
        _get(text), _load(), _i32(2), op.I32_SHL, _tee(size), *op.MEMORY_COPY,
        _get(at), _get(size), op.I32_ADD,
    )  # fmt: skip


def _finished(number: Number) -> Function:
    """A string that was written, as strings of its length are held."""
    (made,) = range(1)
    return _function(
        1, 0,
        _get(made), _load(), op.I32_EQZ, op.IF, NOTHING, *_return(EMPTY), op.END,
        _get(made), _load(), _i32(1), op.I32_EQ, op.IF, NOTHING,
        _get(made), _load(ITEMS), _i32(-ALONE), op.I32_OR, op.RETURN, op.END,
        _get(made),
    )  # fmt: skip


def _of_integer(number: Number) -> Function:
    """The digits of an integer, behind a sign if it is negative."""
    value, at, made, rest = range(4)
    zero, ten = (lambda body: body.i64(0)), (lambda body: body.i64(10))
    magnitude: tuple[Part, ...] = (
        zero, _get(value), op.I64_SUB, _get(value), _get(value), zero, op.I64_LT_S, op.SELECT, _set(rest),
    )  # fmt: skip
    next_digit: tuple[Part, ...] = (
        _get(rest), ten, op.I64_DIV_U, _tee(rest), op.I64_EQZ, op.I32_EQZ, op.BR_IF, 0, op.END,
    )  # fmt: skip
    return _function(
        1, 2,
        _get(value), ten, op.I64_LT_U, op.IF, NOTHING,
        _get(value), op.I32_WRAP_I64, _i32(ord("0")), op.I32_ADD, _i32(-ALONE), op.I32_OR, op.RETURN, op.END,
        _get(value), zero, op.I64_LT_S, _set(at),
        *magnitude,
        op.LOOP, NOTHING, *_forward(at, 1), *next_digit,
        _get(at), op.I64_EXTEND_I32_U, _call(number("text-begun")), _tee(made),
        _get(at), _i32(2), op.I32_SHL, op.I32_ADD, _set(at),
        _get(made), _i32(ord("-")), _store(ITEMS),
        *magnitude,
        op.LOOP, NOTHING,
        _get(at), _get(rest), ten, op.I64_REM_U, op.I32_WRAP_I64, _i32(ord("0")), op.I32_ADD,
        _store(ITEMS - _ITEM), *_forward(at, -_ITEM), *next_digit,
        _get(made),
        first=ValType.I64, wide=1,
    )  # fmt: skip


FUNCTIONS: Final[dict[str, Callable[[Number], Function]]] = {
    "written": _written,
    "same-items": _same_items,
    "text-equal": _equal,
    "text-compare": _compare,
    "text-starts": lambda number: _at_end(number, False),
    "text-ends": lambda number: _at_end(number, True),
    "text-contains": _contains,
    "text-cut": _cut,
    "text-begun": _begun,
    "text-put": _put,
    "text-finished": _finished,
    "text-of-integer": _of_integer,
}
#: the functions that these call
NEEDS: Final[dict[str, tuple[str, ...]]] = {
    "text-equal": ("same-items",),
    "text-compare": ("written",),
    "text-starts": ("written", "same-items"),
    "text-ends": ("written", "same-items"),
    "text-contains": ("written", "same-items"),
    "text-cut": ("allocate",),
    "text-begun": ("allocate",),
    "text-of-integer": ("text-begun",),
}
