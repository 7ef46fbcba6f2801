"""The state of emission of one wasm function, and what the constructs share.

`Emitter.value` pushes a node's value in the form of its kind and gives the range of an integer;
`Emitter.test` pushes 1 or 0 for a node of which only the truth counts. What wasm cannot follow (overflow,
division by zero, an integer too large to be compared with a float exactly) traps, and the call is then made
by Python, which gives the right value or error. Each instruction that may trap is noted with its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from rtfs import ir
from rtfs.emit_wasm import opcodes as op
from rtfs.emit_wasm.binary import EMPTY, Body, ValType
from rtfs.emit_wasm.instances import Instance, Key
from rtfs.emit_wasm.kinds import Kind
from rtfs.emit_wasm.ranges import FULL, Range
from rtfs.errors import Span

if TYPE_CHECKING:
    from rtfs.emit_wasm.library import Library
    from rtfs.emit_wasm.names import Names

#: integers up to this magnitude are floats exactly
EXACT: Final = 1 << 53

type Handler = Callable[[Emitter, Any, bool], Range]
type TestHandler = Callable[[Emitter, Any], None]

HANDLERS: Final[dict[type[ir.Node], Handler]] = {}
TESTS: Final[dict[type[ir.Node], TestHandler]] = {}


def emits(*kinds: type[ir.Node]) -> Callable[[Handler], Handler]:
    """Register the decorated function as what emits these nodes. Its last argument: in tail position."""

    def register(handler: Handler) -> Handler:
        HANDLERS.update(dict.fromkeys(kinds, handler))
        return handler

    return register


def emits_test(*kinds: type[ir.Node]) -> Callable[[TestHandler], TestHandler]:
    """Register the decorated function as what emits these nodes as tests."""

    def register(handler: TestHandler) -> TestHandler:
        TESTS.update(dict.fromkeys(kinds, handler))
        return handler

    return register


class Emitter:
    """Emission of one instance.

    Args:
        numbers: of the instances' functions.
        library: the functions that emitted code calls beside the program's.
    """

    def __init__(
        self, instance: Instance, names: Names, instances: Mapping[Key, Instance], numbers: Mapping[Key, int],
        library: Library,
    ) -> None:  # fmt: skip
        self.instance = instance
        self.names = names
        self.instances = instances
        self.numbers = numbers
        self.library = library
        self.body = Body(len(instance.parameters))
        #: id of an RTFS local → wasm local
        self.variables = {local.id: index for index, (local, _) in enumerate(instance.parameters)}
        #: what is known about integers, by id of their local
        self.ranges: dict[int, Range] = {}
        #: labels of loops: how many blocks are around them, and the wasm locals that they assign
        self.loops: dict[int, tuple[int, list[int]]] = {}
        self.span: Span | None = instance.node.span
        #: ids of the arguments of `assoc` calls whose vector nothing else can see
        self.in_place: set[int] = set()
        #: ids of bindings of loops that are given a vector which nothing else can see
        self.taken_over: set[int] = set()
        #: it copies whole vectors where Python shares what did not change
        self.copies = False
        self._blocks = 0
        #: nodes made here, kept so that their ids stay their own
        self._made: list[ir.LocalRef] = []

    # ------------------------------------------------------------ nodes

    def kind(self, node: ir.Node) -> Kind:
        """What the node's value is."""
        return self.instance.kinds[id(node)]

    def value(self, node: ir.Node, tail: bool = False) -> Range:
        """Push the node's value; if it never has one, leave by a branch or trap."""
        outer, self.span = self.span, node.span or self.span
        found = HANDLERS[type(node)](self, node, tail)
        self.span = outer
        return found

    def test(self, node: ir.Node) -> None:
        """Push whether the node's value counts as true."""
        handler = TESTS.get(type(node))
        if handler is None:
            self.value(node)
            self.truth(self.kind(node))
            return
        outer, self.span = self.span, node.span or self.span
        handler(self, node)
        self.span = outer

    def truth(self, kind: Kind) -> None:
        """Of the value on the stack make whether it counts as true: all do but false and nil."""
        if kind not in (Kind.BOOL, Kind.NIL, Kind.NEVER):
            self.body.op(op.DROP)
            self.body.i32(1)

    def as_float(self, node: ir.Node) -> None:
        """Push a number as Python converts it where it meets a float."""
        constant = exact_float(node)
        if constant is not None:
            self.body.f64(constant)
            return
        self.value(node)
        if self.kind(node) is Kind.INT:
            self.body.op(op.F64_CONVERT_I64_S)

    def as_exact_float(self, node: ir.Node) -> None:
        """Push a number as a float of exactly its value, for comparisons; trap if there is none."""
        if self.kind(node) is not Kind.INT or exact_float(node) is not None:
            self.as_float(node)
            return
        low, high = self.value(node)
        if low < -EXACT or high > EXACT:
            self.check_exact(self.kept(Kind.INT))
        self.body.op(op.F64_CONVERT_I64_S)

    def check_exact(self, local: int) -> None:
        """Push the integer in a local; trap if it may be no float exactly."""
        self.get(local)
        self.body.i64(EXACT)
        self.body.op(op.I64_ADD)
        self.body.i64(2 * EXACT)
        self.body.op(op.I64_GT_U)
        self.trap_if("an integer that is no float exactly")
        self.get(local)

    # ------------------------------------------------------------ locals

    def temporary(self, held: ValType) -> int:
        """A new local."""
        return self.body.local(held)

    def kept(self, kind: Kind) -> int:
        """Move the value on the stack to a new local."""
        local = self.temporary(kind.held)
        self.set(local)
        return local

    def operand(self, node: ir.Node) -> tuple[int, Range]:
        """A local that holds the node's value."""
        if isinstance(node, ir.LocalRef):
            return self.variables[node.local.id], self.range_of(node.local)
        found = self.value(node)
        return self.kept(self.kind(node)), found

    def variable(self, local: ir.Local, kind: Kind) -> int:
        """The wasm local of an RTFS local that is bound now."""
        found = self.variables.get(local.id)
        if found is None:
            found = self.variables[local.id] = self.temporary(kind.held)
        return found

    def stand_in(self, local: int, kind: Kind) -> ir.LocalRef:
        """A node whose value is that of a wasm local."""
        node = ir.LocalRef(ir.Local(-1 - len(self._made), "value"))
        self._made.append(node)
        self.variables[node.local.id] = local
        self.instance.kinds[id(node)] = kind
        return node

    def range_of(self, local: ir.Local) -> Range:
        """What is known about an integer."""
        return self.ranges.get(local.id, FULL)

    def get(self, local: int) -> None:
        """Push a local."""
        self.body.indexed(op.LOCAL_GET, local)

    def set(self, local: int) -> None:
        """Pop into a local."""
        self.body.indexed(op.LOCAL_SET, local)

    def tee(self, local: int) -> None:
        """Copy the top of the stack into a local."""
        self.body.indexed(op.LOCAL_TEE, local)

    # ------------------------------------------------------------ blocks and traps

    @contextmanager
    def block(self, opcode: int, held: int = EMPTY) -> Iterator[int]:
        """A structured instruction, closed at the end; gives what `branch` needs to name it."""
        self.body.op(opcode, held)
        self._blocks += 1
        yield self._blocks
        self._blocks -= 1
        self.body.op(op.END)

    def branch(self, label: int, opcode: int = op.BR) -> None:
        """Go to the start of a loop, or to the end of another block."""
        self.body.indexed(opcode, self._blocks - label)

    def orelse(self) -> None:
        """The other branch of the innermost `if`."""
        self.body.op(op.ELSE)

    def trap(self, reason: str) -> None:
        """Leave to Python."""
        self.may_trap(reason)
        self.body.op(op.UNREACHABLE)

    def may_trap(self, reason: str) -> None:
        """The next instruction may trap."""
        self.body.trapping(self.span, reason)

    def trap_if(self, reason: str) -> None:
        """Leave to Python if the top of the stack is not 0."""
        self.may_trap(reason)  # where the compiler may report it
        with self.block(op.IF):
            self.trap(reason)

    def call_library(self, name: str) -> None:
        """Call a function of the library, whose traps count as traps here."""
        self.may_trap(name)
        self.body.indexed(op.CALL, self.library.number(name))

    def lost(self, nodes: Sequence[ir.Node]) -> bool:
        """If one of `nodes` never has a value, emit all as far as that one; whether that was so."""
        if all(self.kind(node) is not Kind.NEVER for node in nodes):
            return False
        for node in nodes:
            self.value(node)
            if self.kind(node) is Kind.NEVER:
                break
            self.body.op(op.DROP)
        return True


def exact_float(node: ir.Node) -> float | None:
    """The float that a constant number equals; None for other nodes, and where there is none."""
    if isinstance(node, ir.Constant):
        value = node.value
        if type(value) is float or (type(value) is int and -EXACT <= value <= EXACT):
            return float(value)
    return None
