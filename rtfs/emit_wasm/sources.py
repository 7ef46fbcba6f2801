"""Sources: what gives items one after another.

`map` of a `filter` of a `range` is one loop. That items are then handled in another order than in Python, one
after the other through all functions, cannot be seen: functions are pure, and what wasm cannot do is done again
by Python.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Final

from rtfs import ir
from rtfs.emit_wasm import opcodes as op
from rtfs.emit_wasm.binary import ValType
from rtfs.emit_wasm.emitter import EXACT, Emitter
from rtfs.emit_wasm.given import emit_given, given_kind
from rtfs.emit_wasm.kinds import Kind
from rtfs.emit_wasm.refusal import Refused
from rtfs.emit_wasm.strings import text_at, text_length
from rtfs.emit_wasm.vectors import advance, bounds, length, load, small_length

_ADDRESS: Final = ValType.I32

#: does something with the item in a local
type Use = Callable[[int], None]


class Source(ABC):
    """Gives items, of one kind."""

    item: Kind

    @abstractmethod
    def prepare(self, e: Emitter) -> int:
        """Evaluate what it takes; the local of an i32 that is at least the number of items."""

    @abstractmethod
    def run(self, e: Emitter, use: Use) -> None:
        """Emit the loop."""


class _Vector(Source):
    """The items of vectors and strings, side by side, until the shortest ends."""

    def __init__(self, e: Emitter, nodes: Sequence[ir.Node]) -> None:
        self._nodes = nodes
        self.items = [e.kind(node).item for node in nodes]
        self.item = self.items[0]

    def prepare(self, e: Emitter) -> int:
        self._vectors = [e.operand(node)[0] for node in self._nodes]
        count = e.temporary(_ADDRESS)
        self._length(e, 0)
        e.set(count)
        for index in range(1, len(self._vectors)):
            e.get(count)
            self._length(e, index)
            e.get(count)
            self._length(e, index)
            e.body.op(op.I32_LT_U, op.SELECT)
            e.set(count)
        self._count = count
        return count

    def _length(self, e: Emitter, index: int) -> None:
        (text_length if self.items[index] is Kind.STRING else length)(e, self._vectors[index])

    def run(self, e: Emitter, use: Use) -> None:
        self.run_all(e, lambda locals_: use(locals_[0]))

    def run_all(self, e: Emitter, use: Callable[[list[int]], None]) -> None:
        """The loop, with an item of each vector."""
        unused, left = e.temporary(_ADDRESS), e.temporary(_ADDRESS)
        places = [e.temporary(ValType.I64 if item is Kind.STRING else _ADDRESS) for item in self.items]
        found = [e.temporary(item.held) for item in self.items]
        for vector, place, item in zip(self._vectors, places, self.items, strict=True):
            if item is Kind.STRING:
                e.body.i64(0)
                e.set(place)
            else:
                bounds(e, vector, place, unused)
        e.get(self._count)
        e.set(left)
        with e.block(op.BLOCK) as out, e.block(op.LOOP) as again:
            e.get(left)
            e.body.op(op.I32_EQZ)
            e.branch(out, op.BR_IF)
            e.get(left)
            e.body.i32(1)
            e.body.op(op.I32_SUB)
            e.set(left)
            for index, local in enumerate(found):
                self._take(e, index, places[index])
                e.set(local)
            use(found)
            e.branch(again)

    def _take(self, e: Emitter, index: int, place: int) -> None:
        """Push the item that is next in the vector or string with this index."""
        item = self.items[index]
        if item is not Kind.STRING:
            e.get(place)
            load(e, item, 0)
            advance(e, place)
            return
        text_at(e, self._vectors[index], place)
        e.get(place)
        e.body.i64(1)
        e.body.op(op.I64_ADD)
        e.set(place)


class _Range(Source):
    """The integers of `range`."""

    item = Kind.INT

    def __init__(self, args: Sequence[ir.Node]) -> None:
        self._args = args

    def prepare(self, e: Emitter) -> int:
        args = self._args
        self._at = e.temporary(ValType.I64)
        if len(args) == 1:
            e.body.i64(0)
        else:
            e.value(args[0])
            e.check_exact(e.kept(Kind.INT))
        e.set(self._at)
        e.value(args[min(1, len(args) - 1)])
        e.check_exact(e.kept(Kind.INT))
        self._end = e.kept(Kind.INT)
        self._step = constant_step(args)
        count = e.temporary(_ADDRESS)
        first, last = (self._at, self._end) if self._step > 0 else (self._end, self._at)
        e.get(last)
        e.get(first)
        e.body.op(op.I64_SUB)
        e.body.i64(abs(self._step) - 1)
        e.body.op(op.I64_ADD)
        e.body.i64(abs(self._step))
        e.body.op(op.I64_DIV_S)
        small_length(e)
        e.set(count)
        return count

    def run(self, e: Emitter, use: Use) -> None:
        item = e.temporary(ValType.I64)
        with e.block(op.BLOCK) as out, e.block(op.LOOP) as again:
            e.get(self._at)
            e.get(self._end)
            e.body.op(op.I64_GE_S if self._step > 0 else op.I64_LE_S)
            e.branch(out, op.BR_IF)
            e.get(self._at)
            e.tee(item)
            e.body.i64(self._step)
            e.body.op(op.I64_ADD)
            e.set(self._at)
            use(item)
            e.branch(again)


def constant_step(args: Sequence[ir.Node]) -> int:
    """The step of a `range` call."""
    if len(args) < 3:
        return 1
    node = args[2]
    if not isinstance(node, ir.Constant) or type(node.value) is not int or not 0 < abs(node.value) < EXACT:
        raise Refused("`range`", "its step must be a constant integer that is not 0")
    return node.value


class _Map(Source):
    """What a function gives to each item, or to each row of items."""

    def __init__(self, e: Emitter, node: ir.Apply) -> None:
        self._fn = node.args[0]
        colls = node.args[1:]
        self._rows = _Vector(e, colls) if len(colls) > 1 else None
        self._inner = self._rows or source_of(e, colls[0])
        self._kinds = self._rows.items if self._rows else [self._inner.item]
        self.item = given_kind(e, self._fn, self._kinds)

    def prepare(self, e: Emitter) -> int:
        return self._inner.prepare(e)

    def run(self, e: Emitter, use: Use) -> None:
        made = e.temporary(self.item.held)

        def mapped(locals_: list[int]) -> None:
            emit_given(e, self._fn, list(zip(locals_, self._kinds, strict=True)))
            e.set(made)
            use(made)

        if self._rows is not None:
            self._rows.run_all(e, mapped)
        else:
            self._inner.run(e, lambda local: mapped([local]))


class _Filter(Source):
    """The items for which a function holds, or for `remove` does not."""

    def __init__(self, e: Emitter, node: ir.Apply) -> None:
        assert isinstance(node.fn, ir.BuiltinRef)
        self._fn = node.args[0]
        self._wanted = node.fn.name == "filter"
        self._inner = source_of(e, node.args[1])
        self.item = self._inner.item

    def prepare(self, e: Emitter) -> int:
        return self._inner.prepare(e)

    def run(self, e: Emitter, use: Use) -> None:
        def kept(local: int) -> None:
            emit_given(e, self._fn, [(local, self.item)])
            e.truth(given_kind(e, self._fn, [self.item]))
            if not self._wanted:
                e.body.op(op.I32_EQZ)
            with e.block(op.IF):
                use(local)

        self._inner.run(e, kept)


def source_of(e: Emitter, node: ir.Node) -> Source:
    """The source that gives the items of the vector that `node` is."""
    if isinstance(node, ir.Apply) and isinstance(node.fn, ir.BuiltinRef):
        match node.fn.name:
            case "range":
                return _Range(node.args)
            case "map":
                return _Map(e, node)
            case "filter" | "remove":
                return _Filter(e, node)
            case _:
                pass
    return _Vector(e, [node])
