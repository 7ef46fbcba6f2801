"""Functions of the library for strings. What they take and give is held as `rtfs.emit_wasm.texts` says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rtfs.emit_wasm import opcodes as op
from rtfs.emit_wasm.assembly import Part, call, forward, function, get, i32, load, returns, set_, store, tee
from rtfs.emit_wasm.binary import EMPTY as NOTHING
from rtfs.emit_wasm.binary import Function, ValType
from rtfs.emit_wasm.texts import (
    ALONE,
    CODE_POINT,
    DATA,
    EMPTY,
    HEADER,
    MOST_CHARACTERS,
    MOST_ROOM,
    SCRATCH,
    TAIL_END,
    TAIL_LENGTH,
    TAIL_ROOM,
)

#: bytes of a code point
_ITEM: Final = 4

#: the number of a function of the library by its name
type Number = Callable[[str], int]
#: of a code point on the stack make the string of that character
_AS_ALONE: Final[tuple[Part, ...]] = (i32(-ALONE), op.I32_OR)


def _written(number: Number) -> Function:
    """An address at which a string is; a single character is written to the scratch place given with it."""
    text, place = 0, 1
    return function(
        2, 0,
        get(text), i32(0), op.I32_LT_S, op.IF, NOTHING,
        get(place), i32(1), store(),
        get(place), get(text), i32(CODE_POINT), op.I32_AND, store(HEADER),
        get(place), get(place), i32(HEADER), op.I32_ADD, store(DATA),
        get(place), op.RETURN, op.END,
        get(text),
    )  # fmt: skip


def _same_items(number: Number) -> Function:
    """Whether so many code points at two addresses are the same."""
    a, b, count, end = range(4)
    return function(
        3, 1,
        get(a), get(count), i32(2), op.I32_SHL, op.I32_ADD, set_(end),
        op.LOOP, NOTHING,
        get(a), get(end), op.I32_EQ, op.IF, NOTHING, *returns(1), op.END,
        get(a), load(), get(b), load(), op.I32_NE, op.IF, NOTHING, *returns(0), op.END,
        *forward(a, _ITEM), *forward(b, _ITEM), op.BR, 0, op.END,
        op.UNREACHABLE,
    )  # fmt: skip


def _equal(number: Number) -> Function:
    """Whether two strings are equal."""
    a, b = range(2)
    return function(
        2, 0,
        get(a), get(b), op.I32_EQ, op.IF, NOTHING, *returns(1), op.END,
        get(a), get(b), op.I32_OR, i32(0), op.I32_LT_S, op.IF, NOTHING, *returns(0), op.END,
        get(a), load(), get(b), load(), op.I32_NE, op.IF, NOTHING, *returns(0), op.END,
        get(a), load(DATA), get(b), load(DATA), get(a), load(),
        call(number("same-items")),
    )  # fmt: skip


def _both_written(number: Number) -> tuple[Part, ...]:
    """Replace both parameters by addresses."""
    written = call(number("written"))
    return get(0), i32(SCRATCH[0]), written, set_(0), get(1), i32(SCRATCH[1]), written, set_(1)


def _compare(number: Number) -> Function:
    """-1, 0 or 1: how the first string stands to the second, by code points."""
    a, b, end, last_a, last_b = range(5)
    below = (op.I32_LT_U, op.IF, NOTHING, *returns(-1), op.END, *returns(1))
    return function(
        2, 3,
        *_both_written(number),
        get(a), load(), set_(last_a), get(b), load(), set_(last_b),
        get(b), load(DATA), set_(b),
        get(last_a), get(last_b), get(last_a), get(last_b), op.I32_LT_U, op.SELECT,
        i32(2), op.I32_SHL, get(a), load(DATA), tee(a), op.I32_ADD, set_(end),
        op.LOOP, NOTHING,
        get(a), get(end), op.I32_EQ, op.IF, NOTHING,
        get(last_a), get(last_b), op.I32_EQ, op.IF, NOTHING, *returns(0), op.END,
        get(last_a), get(last_b), *below, op.END,
        get(a), load(), get(b), load(), op.I32_NE, op.IF, NOTHING,
        get(a), load(), get(b), load(), *below, op.END,
        *forward(a, _ITEM), *forward(b, _ITEM), op.BR, 0, op.END,
        op.UNREACHABLE,
    )  # fmt: skip


def _at_end(number: Number, from_end: bool) -> Function:
    """Whether a string starts, or ends, with another."""
    text, part = range(2)
    shift: tuple[Part, ...] = ()
    if from_end:
        shift = (get(text), load(), get(part), load(), op.I32_SUB, i32(2), op.I32_SHL, op.I32_ADD)
    return function(
        2, 0,
        *_both_written(number),
        get(part), load(), get(text), load(), op.I32_GT_U, op.IF, NOTHING, *returns(0), op.END,
        get(text), load(DATA), *shift, get(part), load(DATA), get(part), load(),
        call(number("same-items")),
    )  # fmt: skip


def _contains(number: Number) -> Function:
    """Whether a string contains another: at each place at which its first character stands, a comparison."""
    text, part, end, count, first = range(5)
    return function(
        2, 3,
        *_both_written(number),
        get(part), load(), tee(count), op.I32_EQZ, op.IF, NOTHING, *returns(1), op.END,
        get(count), get(text), load(), op.I32_GT_U, op.IF, NOTHING, *returns(0), op.END,
        get(part), load(DATA), tee(part), load(), set_(first),
        get(text), load(), get(count), op.I32_SUB, i32(2), op.I32_SHL,
        get(text), load(DATA), tee(text), op.I32_ADD, set_(end),
        op.LOOP, NOTHING,
        get(text), load(), get(first), op.I32_EQ, op.IF, NOTHING,
        get(text), get(part), get(count), call(number("same-items")), op.IF, NOTHING, *returns(1), op.END,
        op.END,
        get(text), get(end), op.I32_EQ, op.IF, NOTHING, *returns(0), op.END,
        *forward(text, _ITEM), op.BR, 0, op.END,
        op.UNREACHABLE,
    )  # fmt: skip


def _new(number: Number) -> Function:
    """The address of a new string of so many characters, not yet written, which have room behind it."""
    count, made = range(2)
    return function(
        1, 1,
        get(count), i32(1), op.I32_ADD, i32(1), op.I32_SHR_U, call(number("allocate")), tee(made),
        get(count), store(),
        get(made), get(made), i32(HEADER), op.I32_ADD, store(DATA),
        get(made),
    )  # fmt: skip


def _cut(number: Number) -> Function:
    """The part of a string from one index, up to another, which are in order and within its bounds."""
    text, start, stop, made = range(4)
    where = (get(text), load(DATA), get(start), i32(2), op.I32_SHL, op.I32_ADD)
    return function(
        3, 1,
        get(stop), get(start), op.I32_SUB, tee(stop), op.I32_EQZ,
        op.IF, NOTHING, *returns(EMPTY), op.END,
        get(text), i32(0), op.I32_LT_S, op.IF, NOTHING, get(text), op.RETURN, op.END,
        get(stop), get(text), load(), op.I32_EQ, op.IF, NOTHING, get(text), op.RETURN, op.END,
        get(stop), i32(1), op.I32_EQ, op.IF, NOTHING, *where, load(), *_AS_ALONE, op.RETURN, op.END,
        i32(0), call(number("allocate")), tee(made), get(stop), store(),
        get(made), *where, store(DATA),
        get(made),
    )  # fmt: skip


def _begun(number: Number) -> Function:
    """A new string of so many characters that begins with another, and is written that far. Traps if too long.

    If the other one is the tail and there is room behind it, both share its characters. If it is the tail, and
    there is none, the new one has room for as much again. A copy becomes the tail unless the tail is longer.
    """
    count, text, made, length, room = range(5)
    return function(
        2, 3,
        get(count), lambda body: body.i64(MOST_CHARACTERS), op.I64_GT_U,
        op.IF, NOTHING, op.UNREACHABLE, op.END,
        get(count), op.I32_WRAP_I64, tee(length), set_(room),
        get(text), i32(EMPTY), op.I32_GT_S, op.IF, NOTHING,
        get(text), load(DATA), get(text), load(), i32(2), op.I32_SHL, op.I32_ADD,
        i32(TAIL_END), load(), op.I32_EQ, op.IF, NOTHING,
        # its end is where that of the new one is now, if there is room
        get(text), load(DATA), get(length), i32(2), op.I32_SHL, op.I32_ADD, tee(room),
        i32(TAIL_ROOM), load(), op.I32_GT_U, op.I32_EQZ, op.IF, NOTHING,
        i32(TAIL_END), get(room), store(),
        i32(TAIL_LENGTH), get(length), store(),
        i32(0), call(number("allocate")), tee(made), get(length), store(),
        get(made), get(text), load(DATA), store(DATA),
        get(made), op.RETURN, op.END,
        get(length), get(length), i32(MOST_ROOM), get(length), i32(MOST_ROOM), op.I32_LT_U, op.SELECT,
        op.I32_ADD, set_(room),
        op.END, op.END,
        get(room), call(number("text-new")), tee(made), get(length), store(),
        get(text), get(made), load(DATA), call(number("text-put")), op.DROP,
        i32(TAIL_END), load(), op.I32_EQZ, get(length), i32(TAIL_LENGTH), load(), op.I32_LT_U, op.I32_EQZ,
        op.I32_OR, op.IF, NOTHING,
        i32(TAIL_END), get(made), load(DATA), get(length), i32(2), op.I32_SHL, op.I32_ADD, store(),
        i32(TAIL_ROOM), get(made), load(DATA), get(room), i32(2), op.I32_SHL, op.I32_ADD, store(),
        i32(TAIL_LENGTH), get(length), store(), op.END,
        get(made),
        first=ValType.I64,
    )  # fmt: skip


def _put(number: Number) -> Function:
    """Write the characters of a string to an address; the one behind them."""
    text, at, size = range(3)
    return function(
        2, 1,
        get(text), i32(0), op.I32_LT_S, op.IF, NOTHING,
        get(at), get(text), i32(CODE_POINT), op.I32_AND, store(),
        get(at), i32(_ITEM), op.I32_ADD, op.RETURN, op.END,
        get(at), get(text), load(DATA),
        get(text), load(), i32(2), op.I32_SHL, tee(size), *op.MEMORY_COPY,
        get(at), get(size), op.I32_ADD,
    )  # fmt: skip


def _finished(number: Number) -> Function:
    """A string that was written, as strings of its length are held."""
    (made,) = range(1)
    return function(
        1, 0,
        get(made), load(), op.I32_EQZ, op.IF, NOTHING, *returns(EMPTY), op.END,
        get(made), load(), i32(1), op.I32_EQ, op.IF, NOTHING,
        get(made), load(DATA), load(), *_AS_ALONE, op.RETURN, op.END,
        get(made),
    )  # fmt: skip


def _of_integer(number: Number) -> Function:
    """The digits of an integer, behind a sign if it is negative."""
    value, at, made, rest = range(4)
    zero, ten = (lambda body: body.i64(0)), (lambda body: body.i64(10))
    magnitude: tuple[Part, ...] = (
        zero, get(value), op.I64_SUB, get(value), get(value), zero, op.I64_LT_S, op.SELECT, set_(rest),
    )  # fmt: skip
    next_digit: tuple[Part, ...] = (
        get(rest), ten, op.I64_DIV_U, tee(rest), op.I64_EQZ, op.I32_EQZ, op.BR_IF, 0, op.END,
    )  # fmt: skip
    return function(
        1, 2,
        get(value), ten, op.I64_LT_U, op.IF, NOTHING,
        get(value), op.I32_WRAP_I64, i32(ord("0")), op.I32_ADD, *_AS_ALONE, op.RETURN, op.END,
        get(value), zero, op.I64_LT_S, set_(at),
        *magnitude,
        op.LOOP, NOTHING, *forward(at, 1), *next_digit,
        get(at), call(number("text-new")), tee(made),
        get(at), i32(2), op.I32_SHL, op.I32_ADD, set_(at),
        get(made), i32(ord("-")), store(HEADER),
        *magnitude,
        op.LOOP, NOTHING,
        get(at), get(rest), ten, op.I64_REM_U, op.I32_WRAP_I64, i32(ord("0")), op.I32_ADD,
        store(HEADER - _ITEM), *forward(at, -_ITEM), *next_digit,
        get(made),
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
    "text-new": _new,
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
    "text-new": ("allocate",),
    "text-begun": ("allocate", "text-new", "text-put"),
    "text-of-integer": ("text-new",),
}
