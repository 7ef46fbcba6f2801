"""Strings: parts of them, what they are put together of, and tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rtfs import ir
from rtfs.emit_wasm import opcodes as op
from rtfs.emit_wasm.binary import ValType
from rtfs.emit_wasm.emitter import Emitter
from rtfs.emit_wasm.kinds import Kind
from rtfs.emit_wasm.operations import Typing, operation, require
from rtfs.emit_wasm.ranges import FULL, Range
from rtfs.emit_wasm.texts import ALONE, DATA, MOST_CHARACTERS
from rtfs.emit_wasm.vectors import OUTSIDE

_HELD: Final = ValType.I32
_STRING: Final = frozenset({Kind.STRING})
_INT: Final = frozenset({Kind.INT})


def _of(name: str, result: Kind, *wanted: frozenset[Kind]) -> Typing:
    """Of as many arguments as `wanted` says, or fewer; any more are strings."""

    def kind(kinds: Sequence[Kind]) -> Kind:
        for index, each in enumerate(kinds):
            require([each], wanted[index] if index < len(wanted) else _STRING, name)
        return result

    return kind


# ---------------------------------------------------------------- length and characters


def text_length(e: Emitter, text: int) -> None:
    """Push the number of characters of a string, an i32."""
    _if_alone(e, text)
    e.body.i32(1)
    e.orelse()
    e.get(text)
    e.body.memory(op.I32_LOAD, 2, 0)
    e.body.op(op.END)


def text_at(e: Emitter, text: int, index: int) -> None:
    """Push the character with an index, an i64 in a local, which is within bounds."""
    _if_alone(e, text)
    e.get(text)
    e.orelse()
    _characters(e, text)
    e.get(index)
    e.body.op(op.I32_WRAP_I64)
    e.body.i32(2)
    e.body.op(op.I32_SHL, op.I32_ADD)
    e.body.memory(op.I32_LOAD, 2, 0)
    e.body.i32(-ALONE)
    e.body.op(op.I32_OR, op.END)


def _characters(e: Emitter, text: int) -> None:
    """Push where the characters of a string with an address begin."""
    e.get(text)
    e.body.memory(op.I32_LOAD, 2, DATA)


def _if_alone(e: Emitter, text: int) -> None:
    e.get(text)
    e.body.i32(0)
    e.body.op(op.I32_LT_S, op.IF, _HELD)


def outside_text(e: Emitter, text: int, index: int) -> None:
    """Push whether an index is out of bounds; negative ones are very large here."""
    e.get(index)
    text_length(e, text)
    e.body.op(op.I64_EXTEND_I32_U, op.I64_GE_U)


@operation("string-length", least=1, kind=_of("string-length", Kind.INT))
def emit_length(e: Emitter, args: Sequence[ir.Node]) -> Range:
    """Push the number of characters of a string."""
    text_length(e, e.operand(args[0])[0])
    e.body.op(op.I64_EXTEND_I32_U)
    return 0, MOST_CHARACTERS


# ---------------------------------------------------------------- parts


@operation("substring", least=2, most=3, kind=_of("substring", Kind.STRING, _STRING, _INT, _INT))
def _substring(e: Emitter, args: Sequence[ir.Node]) -> Range:
    text = e.operand(args[0])[0]
    start = e.operand(args[1])[0]
    if len(args) > 2:
        stop = e.operand(args[2])[0]
        e.get(stop)
        text_length(e, text)
        e.body.op(op.I64_EXTEND_I32_U, op.I64_GT_U)
        e.trap_if(OUTSIDE)
    else:
        stop = _length_kept(e, text)
    e.get(start)
    e.get(stop)
    e.body.op(op.I64_GT_U)
    e.trap_if(OUTSIDE)
    _cut(e, text, start, stop)
    return FULL


@operation("take", least=2, kind=_of("take", Kind.STRING, _INT, _STRING))
def _take(e: Emitter, args: Sequence[ir.Node]) -> Range:
    wanted = e.operand(args[0])[0]
    text = e.operand(args[1])[0]
    start = e.temporary(Kind.INT.held)
    e.body.i64(0)
    e.set(start)
    _cut(e, text, start, _within(e, wanted, text))
    return FULL


@operation("drop", least=2, kind=_of("drop", Kind.STRING, _INT, _STRING))
def _drop(e: Emitter, args: Sequence[ir.Node]) -> Range:
    wanted = e.operand(args[0])[0]
    text = e.operand(args[1])[0]
    _cut(e, text, _within(e, wanted, text), _length_kept(e, text))
    return FULL


@operation("rest", least=1, kind=_of("rest", Kind.STRING))
def _rest(e: Emitter, args: Sequence[ir.Node]) -> Range:
    text = e.operand(args[0])[0]
    one = e.temporary(Kind.INT.held)
    e.body.i64(1)
    e.set(one)
    _cut(e, text, _within(e, one, text), _length_kept(e, text))
    return FULL


def _length_kept(e: Emitter, text: int) -> int:
    """The local of the number of characters."""
    text_length(e, text)
    e.body.op(op.I64_EXTEND_I32_U)
    return e.kept(Kind.INT)


def _within(e: Emitter, wanted: int, text: int) -> int:
    """The local of an integer brought within 0 and the number of characters."""
    length = _length_kept(e, text)
    found = e.temporary(Kind.INT.held)
    e.get(wanted)
    e.get(length)
    e.get(wanted)
    e.get(length)
    e.body.op(op.I64_LT_S, op.SELECT)
    e.tee(found)
    e.body.i64(0)
    e.get(found)
    e.body.i64(0)
    e.body.op(op.I64_GT_S, op.SELECT)
    e.set(found)
    return found


def _cut(e: Emitter, text: int, start: int, stop: int) -> None:
    """Push a part of a string; both indices are within its bounds, and in order."""
    e.get(text)
    for index in (start, stop):
        e.get(index)
        e.body.op(op.I32_WRAP_I64)
    e.call_library("text-cut")


# ---------------------------------------------------------------- putting together


def _shown(kinds: Sequence[Kind]) -> Kind:
    require(kinds, frozenset({Kind.STRING, Kind.INT, Kind.BOOL, Kind.NIL}), "str")
    return Kind.STRING


def _push_shown(e: Emitter, node: ir.Node) -> None:
    """Push the text of a value."""
    kind = e.kind(node)
    e.value(node)
    if kind is Kind.INT:
        e.call_library("text-of-integer")
    elif kind is Kind.NIL:
        e.body.op(op.DROP)
        e.body.i32(e.library.texts.held("nil"))
    elif kind is Kind.BOOL:
        truth = e.kept(kind)
        for text in ("true", "false"):
            e.body.i32(e.library.texts.held(text))
        e.get(truth)
        e.body.op(op.SELECT)


@operation("str", least=0, most=None, kind=_shown)
def _str(e: Emitter, args: Sequence[ir.Node]) -> Range:
    if not args:
        e.body.i32(e.library.texts.held(""))
        return FULL
    if len(args) == 1:
        _push_shown(e, args[0])
        return FULL
    texts = []
    for arg in args:
        _push_shown(e, arg)
        texts.append(e.kept(Kind.STRING))
    e.body.i64(0)
    for text in texts:
        text_length(e, text)
        e.body.op(op.I64_EXTEND_I32_U, op.I64_ADD)
    e.get(texts[0])
    e.call_library("text-begun")
    made = e.kept(Kind.STRING)
    _characters(e, made)
    text_length(e, texts[0])
    e.body.i32(2)
    e.body.op(op.I32_SHL, op.I32_ADD)
    at = e.kept(Kind.STRING)
    for text in texts[1:]:
        e.get(text)
        e.get(at)
        e.call_library("text-put")
        e.set(at)
    e.get(made)
    e.call_library("text-finished")
    return FULL


# ---------------------------------------------------------------- tests


def _register_test(names: Sequence[str], function: str) -> None:
    @operation(*names, least=2, kind=_of(names[0], Kind.BOOL))
    def emit(e: Emitter, args: Sequence[ir.Node]) -> Range:
        e.value(args[0])
        e.value(args[1])
        e.call_library(function)
        return FULL


_register_test(["starts-with?"], "text-starts")
_register_test(["ends-with?"], "text-ends")
_register_test(["string-contains", "string-contains?"], "text-contains")
_register_test(["contains?"], "text-contains")
