"""The state of emission, and how values find their way: blocks, temporaries, destinations.

Every RTFS form is an expression; Python has statements too. `Emitter.expr` gives a Python expression for a
node and may first append statements to the current block. `Emitter.into` emits a node for a *destination*:
return it, assign it, leave a loop with it, drop it.

Names are explained in `rtfs.emit_python.names`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypedDict

from rtfs import ir
from rtfs.emit_python.facts import ANY, NOTHING, Fact
from rtfs.emit_python.frozen import TypeConstant
from rtfs.emit_python.names import PART, TEMPORARY, WRAPPER, plain
from rtfs.errors import Span
from rtfs.run import STOP_REQUESTS, poll
from rtfs.types import model as types
from rtfs.values import Keyword, Value

if TYPE_CHECKING:
    from rtfs.emit_python.frames import Frame
    from rtfs.passes.forks import Forks, Items

#: longest chain of nested expressions in one Python expression; deeper ones go through temporaries
MAX_EXPRESSION_DEPTH: Final = 40
#: Python types whose literals are never the same object as what `is` is used for: nil, booleans, keywords
_NEVER_IS: Final = (int, float, str)


#: makes of the value of the node at an index what is to be done with it at once
type Change = Callable[[int, ast.expr], ast.expr]


class Unsupported(Exception):
    """This unit holds something that this backend cannot express; the interpreter runs it."""


class Place(TypedDict):
    """The position of a Python node, as `ast` counts: columns from 0."""

    lineno: int
    col_offset: int
    end_lineno: int
    end_col_offset: int


@dataclass(frozen=True, slots=True)
class CallSite:
    """A call in the code, for `blame`: where it stands, the Python name of its callee, and its arguments."""

    span: Span
    callee: str
    arguments: tuple[Span | None, ...]
    #: in-line arithmetic of more than two: for each argument its Python name, for a literal that of its type
    operands: tuple[str, ...] = ()


@dataclass(slots=True)
class Destination:
    """What becomes of a value. `facts` collects what is known about it over all ways that lead here."""

    #: emits what is done with the value
    finish: Callable[[ast.expr, Fact], list[ast.stmt]]
    #: `return`: nothing is left to do in the function afterwards
    returns: bool = False
    #: `recur` and self tail calls of the loop being emitted may stand here
    tail: bool = False
    fact: Fact = NOTHING


@dataclass(slots=True)
class LoopState:
    """A Python `while` that `recur` continues."""

    label: int
    names: tuple[str, ...]
    #: what was assumed of each loop variable
    assumed: list[Fact]
    #: what `recur` was found to give
    given: list[Fact]
    #: declared types of the loop variables, checked on each turn
    types: tuple[types.Type | None, ...] = ()
    #: the rest parameter, if the last variable is one
    rest: ir.Param | None = None
    used: bool = False


@dataclass(slots=True)
class FunctionState:
    """One Python function being emitted."""

    parent: FunctionState | None = None
    #: ids of locals that are bound inside a loop of this function: closures must capture them by value
    loop_locals: set[int] = field(default_factory=set)
    loop_depth: int = 0
    #: innermost last
    loops: list[LoopState] = field(default_factory=list)
    #: the lambda whose body this is, and which of its arities; None in thunks and in the unit's own function
    node: ir.Lambda | None = None
    arity: ir.Arity | None = None
    #: its tail calls are returned as `TailCall`
    bouncing: bool = False
    #: the Python name of the function as a value
    value_name: str = ""
    #: a parameterless function that stands for a part of its parent's body
    thunk: bool = False
    #: locals that thunks of this function assign
    assigned_in_thunks: set[str] = field(default_factory=set)
    #: RTFS globals that this function assigns
    globals: set[str] = field(default_factory=set)


class Emitter:
    """Emission of a frame, or from the form at `first` on.

    `bound`: whether a stub stands for a function. `body`: a bound function that is emitted as what its stub
    falls back to. `forks`: which of its parts may overlap.
    """

    def __init__(
        self,
        prefix: str,
        source: str,
        session: bool,
        frame: Frame,
        first: int,
        bound: Callable[[ir.Lambda], bool],
        body: ir.Lambda | None,
        forks: Forks,
        compile_module: Callable[[Emitter, ir.ModuleForm], Any],
        fork: Callable[[Emitter, Items, Sequence[ir.Node], Change | None], list[tuple[ast.expr, Fact]]],
        handlers: dict[type, Callable[[Emitter, Any], tuple[ast.expr, Fact]]],
        tails: dict[type, Callable[[Emitter, Any, Destination], None]],
    ) -> None:
        self.prefix = prefix
        self.source = source
        self.session = session
        self.frame = frame
        self.bound = bound
        self.body = body
        self.forks = forks
        self._fork = fork
        self._compile_module = compile_module
        self._handlers = handlers
        self._tails = tails
        #: id of local → its Python name
        self.local_names: dict[int, str] = {}
        self.tail_calls = frame.tail_calls
        #: Python names of locals that `LocalDef` assigns; nothing is assumed about their values
        self.mutable = {self.local(local) for local in frame.assigned}
        self.constants: list[Any] = []
        self._keywords: dict[Keyword, int] = {}
        self.calls: list[CallSite] = []
        #: what calls of known functions of this form return; one being emitted has its assumption here
        self.returns: dict[int, Fact] = {}
        #: known functions that have an entry without parameter checks: id of lambda → Python name
        self.unchecked = frame.entries_before(first)
        self.function = FunctionState()
        self.block: list[ast.stmt] = []
        self.facts: dict[int, Fact] = {}
        self.span = Span(1, 1, 1, 1)
        #: locals that a `let` under way will bind to functions
        self.pending_lambdas: set[int] = set()
        #: how many guesses about facts, each of which may emit its part several times, are under way
        self.guesses = 0
        #: `and` and `or` nodes (by id) known to need statements
        self.needs_statements: set[int] = set()
        #: ids of `and` and `or` nodes whose value is no test
        self.valued: set[int] = set()
        #: bodies of `finally` under way, one inside another
        self.finals = 0
        self._depth = 0
        self._serial = frame.last_local
        #: scope → names of the locals that belong to it
        self._fresh: dict[int, list[str]] = {}
        for local in frame.assigned:
            self._fresh.setdefault(frame.homes[local.id], []).append(self.local_names[local.id])

    def form(self, node: ir.Node) -> list[ast.stmt]:
        """The body of a parameterless function that returns the value of a form of the frame."""
        self.function, self.block, self.facts = FunctionState(), [], {}
        self.returns.clear()
        self.into(node, Destination(lambda value, fact: [ast.Return(value, **self.at)]))
        return self.block

    # ------------------------------------------------------------ names and constants

    def serial(self) -> int:
        """A number for a name made by the emitter; greater than every local's id."""
        self._serial += 1
        return self._serial

    def temporary(self) -> str:
        """A name for a value that has none."""
        return f"{TEMPORARY}{self.serial()}"

    def part(self) -> str:
        """A name for a Python function that is a part of another one."""
        return f"{PART}{self.serial()}"

    def local(self, local: ir.Local) -> str:
        """The Python name of a local."""
        name = f"{plain(local.name)}·{local.id}"
        self.local_names[local.id] = name
        return name

    def own(self, local: ir.Local) -> str:
        """The name of a local that this function binds now."""
        if self.function.loop_depth:
            self.function.loop_locals.add(local.id)
        return self.local(local)

    def constant(self, value: Any) -> ast.expr:
        """A global that the loader fills with `value`: an RTFS value, a type, the code of a module."""
        if type(value) is Keyword:
            index = self._keywords.setdefault(value, len(self.constants))
        else:
            index = len(self.constants)
        if index == len(self.constants):
            self.constants.append(value)
        return self.name(f"k·{self.prefix}·{index}")

    def type_constant(self, declared: types.Type) -> ast.expr:
        """A global that holds the type."""
        return self.constant(TypeConstant(declared))

    def compile_module(self, node: ir.ModuleForm) -> Any:
        """The code of a `module` form, which runs in a frame of its own."""
        return self._compile_module(self, node)

    # ------------------------------------------------------------ Python nodes

    @property
    def at(self) -> Place:
        """Where Python nodes made now stand."""
        line, column, end_line, end_column = self.span
        return {
            "lineno": line,
            "col_offset": column - 1,
            "end_lineno": end_line,
            "end_col_offset": end_column - 1,
        }

    def name(self, name: str) -> ast.expr:
        """`name`, read."""
        return ast.Name(name, ast.Load(), **self.at)

    def python(self, value: Value) -> ast.expr:
        """A constant that Python code can hold."""
        return ast.Constant(value, **self.at)

    def call(self, function: ast.expr | str, *args: ast.expr) -> ast.expr:
        """`function(args…)`."""
        callee = self.name(function) if isinstance(function, str) else function
        return ast.Call(callee, list(args), [], **self.at)

    def helper(self, name: str, *args: ast.expr) -> ast.expr:
        """A call of the run-time helper `name`."""
        return self.call(f"rt·{name}", *args)

    def builtin(self, name: str, *args: ast.expr) -> ast.expr:
        """A call of the builtin `name`."""
        return self.call(f"b·{name}", *args)

    def compare(self, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> ast.expr:
        """`left operator right`."""
        if isinstance(operator, ast.Is) and isinstance(left, ast.Constant) and type(left.value) in _NEVER_IS:
            return ast.Constant(False, **self.at)  # Python would warn about the comparison
        return ast.Compare(left, [operator], [right], **self.at)

    def all_of(self, *tests: ast.expr) -> ast.expr:
        """`test and test …`."""
        return tests[0] if len(tests) == 1 else ast.BoolOp(ast.And(), list(tests), **self.at)

    def conditional(self, test: ast.expr, then: ast.expr, otherwise: ast.expr) -> ast.expr:
        """`then if test else otherwise`."""
        return ast.IfExp(test, then, otherwise, **self.at)

    def walrus(self, name: str, value: ast.expr) -> ast.expr:
        """`(name := value)`."""
        return ast.NamedExpr(ast.Name(name, ast.Store(), **self.at), value, **self.at)

    def assignment(self, name: str, value: ast.expr) -> ast.stmt:
        """`name = value`, for a block."""
        return ast.Assign([ast.Name(name, ast.Store(), **self.at)], value, **self.at)

    def assign(self, name: str, value: ast.expr) -> None:
        """`name = value`, now."""
        self.block.append(self.assignment(name, value))

    def statement(self, value: ast.expr) -> None:
        """`value`, evaluated and dropped, now."""
        self.block.append(ast.Expr(value, **self.at))

    def if_(self, test: ast.expr, then: list[ast.stmt], otherwise: list[ast.stmt]) -> None:
        """`if test: then else: otherwise`, now."""
        self.block.append(ast.If(test, then or [ast.Pass(**self.at)], otherwise, **self.at))

    def fresh_locals(self, scope: int) -> list[ast.stmt]:
        """Statements that leave the locals that belong to a turn of a loop without a value."""
        deletions: list[ast.stmt] = []
        for name in self._fresh.get(scope, ()):
            target = ast.Name(name, ast.Del(), **self.at)
            deletions += [self.assignment(name, self.python(None)), ast.Delete([target], **self.at)]
        return deletions

    def note_call(self, callee: str, args: Sequence[ir.Node], operands: tuple[str, ...] = ()) -> None:
        """Note a call that stands here, in case it fails."""
        self.calls.append(CallSite(self.span, callee, tuple(arg.span for arg in args), operands))

    def safepoint(self) -> ast.stmt:
        """`if rt·STOP: rt·poll()`."""
        return ast.If(self.name("rt·STOP"), [ast.Expr(self.helper("poll"), **self.at)], [], **self.at)

    def list_of(self, items: Iterable[ast.expr]) -> ast.expr:
        """`[items…]`."""
        return ast.List(list(items), ast.Load(), **self.at)

    def tuple_of(self, items: Iterable[ast.expr]) -> ast.expr:
        """`(items…)`."""
        return ast.Tuple(list(items), ast.Load(), **self.at)

    # ------------------------------------------------------------ blocks

    @contextmanager
    def nested(self) -> Iterator[list[ast.stmt]]:
        """Emit into a block of its own; facts learnt inside are forgotten after it."""
        outer, facts = self.block, self.facts
        self.block, self.facts = [], dict(facts)
        try:
            yield self.block
        finally:
            self.block, self.facts = outer, facts

    @contextmanager
    def placed(self, node: ir.Node) -> Iterator[None]:
        """Python nodes made inside stand at `node`'s span."""
        if node.span is None or node.span == self.span:
            yield
            return
        outer, self.span = self.span, node.span
        try:
            yield
        finally:
            self.span = outer

    @contextmanager
    def nowhere(self) -> Iterator[None]:
        """Python nodes made inside have an empty span, which means: see the call that led here."""
        outer = self.span
        self.span = Span(outer.line, outer.column, outer.line, outer.column)
        try:
            yield
        finally:
            self.span = outer

    # ------------------------------------------------------------ nodes

    def expr(self, node: ir.Node) -> tuple[ast.expr, Fact]:
        """An expression for `node`'s value; statements it needs first go to the block."""
        if STOP_REQUESTS:
            poll()
        self._depth += 1
        try:
            with self.placed(node):
                handler = self._handlers.get(type(node))
                if handler is None:
                    return self._through_statements(node)
                value, fact = handler(self, node)
                if self._depth % MAX_EXPRESSION_DEPTH == 0:
                    value = self.spilled(value)
                return value, fact
        finally:
            self._depth -= 1

    def _through_statements(self, node: ir.Node) -> tuple[ast.expr, Fact]:
        name = self.temporary()
        destination = Destination(lambda value, fact: [self.assignment(name, value)])
        self.into(node, destination)
        return self.name(name), destination.fact

    def into(self, node: ir.Node, destination: Destination) -> None:
        """Emit `node` as statements that bring its value to `destination`."""
        with self.placed(node):
            tail = self._tails.get(type(node))
            if tail is not None:
                tail(self, node, destination)
            else:
                self.finish(destination, *self.expr(node))

    def finish(self, destination: Destination, value: ast.expr, fact: Fact) -> None:
        """Bring a value that is there to `destination`."""
        destination.fact = destination.fact.join(fact)
        self.block.extend(destination.finish(value, fact))

    def effect(self, node: ir.Node) -> None:
        """Emit `node` for what it does; its value is dropped."""
        self.into(node, Destination(self._dropped))

    def _dropped(self, value: ast.expr, fact: Fact) -> list[ast.stmt]:
        return [] if isinstance(value, ast.Constant | ast.Name) else [ast.Expr(value, **self.at)]

    def is_settled(self, value: ast.expr) -> bool:
        """Whether `value` can be evaluated later, or twice, with the same result and no effect."""
        if isinstance(value, ast.Constant):
            return True
        if not isinstance(value, ast.Name) or value.id in self.mutable:
            return False
        if value.id.startswith("b·"):
            return True
        head, _, tail = value.id.rpartition("·")
        # a local or a constant; a global may be defined anew. A wrapper's name ends in `w`
        return tail.rstrip(WRAPPER).isdigit() and head != "" and "··" not in value.id

    def spilled(self, value: ast.expr) -> ast.expr:
        """`value` as something settled: itself, or a temporary it is assigned to."""
        if self.is_settled(value):
            return value
        name = self.temporary()
        self.assign(name, value)
        return self.name(name)

    def exprs(self, nodes: Sequence[ir.Node], change: Change | None = None) -> list[tuple[ast.expr, Fact]]:
        """Expressions for nodes evaluated in order. One that needs statements spills all before it.

        Args:
            change: what to do at once with the value of the node at an index.
        """
        if self.forks.items:
            fork = self.forks.items.get(tuple(map(id, nodes)))
            if fork is not None:
                return self._fork(self, fork, nodes, change)
        done: list[tuple[ast.expr, Fact]] = []
        for index, node in enumerate(nodes):
            mark = len(self.block)
            value = self.expr(node)
            if change is not None:
                value = change(index, value[0]), value[1]
            if len(self.block) > mark:
                tail = self.block[mark:]
                del self.block[mark:]
                done = [(self.spilled(earlier), fact) for earlier, fact in done]
                self.block.extend(tail)
            done.append(value)
        return done

    # ------------------------------------------------------------ facts

    def fact_of(self, local: ir.Local) -> Fact:
        """What is known about a local here."""
        return self.facts.get(local.id, ANY)

    def learn(self, node: ir.Node, fact: Fact) -> None:
        """From here on `node`'s value is known to be as `fact` says."""
        if isinstance(node, ir.LocalRef) and self.local(node.local) not in self.mutable:
            self.facts[node.local.id] = fact


def checked_type(declared: types.Type | None) -> bool:
    """Whether values must be checked against `declared`."""
    return declared is not None and declared != types.Primitive("any")
