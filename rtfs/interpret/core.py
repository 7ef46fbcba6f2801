"""Evaluation of a node: environments, the table of handlers, and what a tail position may give instead.

A handler is called as `handler(node, env, tail)`. With `tail` set nothing is left to do in the function after
the node, and the handler may give a `TailCall`. A `Recur` gives an `Again`, which passes up through the tail
positions between it and its loop or function.

Evaluation recurs in Python, and only from Python function to Python function: that costs heap, not C stack, and
its depth is bounded by the interpreter's recursion limit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rtfs import errors, ir
from rtfs.border import place
from rtfs.errors import Span
from rtfs.namespace import Modules, Namespace
from rtfs.values import Value

if TYPE_CHECKING:
    from rtfs.interpret.functions import Closure

type Handler = Callable[[Any, Env, bool], Value]

HANDLERS: Final[dict[type[ir.Node], Handler]] = {}


@dataclass(frozen=True, slots=True)
class World:
    """What surrounds the locals: the frame of globals, the program's modules, the text."""

    namespace: Namespace
    modules: Modules
    source: str
    #: see `rtfs.interpret.scopes`
    homes: Mapping[int, int]


class Env:
    """The locals of one scope: a call, a turn of a loop or of `for`, or a top-level form.

    Ids of locals are unique in their unit, and within one scope a node is evaluated at most once, so that a
    `let` needs no scope of its own. A function keeps the scope it was made in; each turn of a loop is a new
    one.
    """

    __slots__ = ("parent", "scope", "values", "world")

    def __init__(self, world: World, parent: Env | None, scope: int) -> None:
        self.world = world
        self.parent = parent
        #: id of the node whose scope this is
        self.scope = scope
        self.values: dict[int, Value] = {}

    def lookup(self, local: ir.Local) -> Value:
        """The value of a local.

        Raises:
            UndefinedSymbol: it has none yet.
        """
        env: Env | None = self
        while env is not None:
            if local.id in env.values:
                return env.values[local.id]
            env = env.parent
        raise errors.UndefinedSymbol(local.name)

    def assign(self, local: ir.Local, value: Value) -> None:
        """What `def` inside a frame does: the scope that all uses of the local share gets the value."""
        home = self.world.homes.get(local.id)
        env = self
        while env.scope != home and env.parent is not None:
            env = env.parent
        env.values[local.id] = value


class Site(NamedTuple):
    """Where a call stands."""

    source: str
    span: Span | None


@dataclass(frozen=True, slots=True)
class TailCall:
    """A call that the function under way leaves to its caller."""

    closure: Closure
    args: list[Value]
    site: Site


@dataclass(frozen=True, slots=True)
class Again:
    """`recur`: another turn of the loop or function with that label."""

    label: int
    args: list[Value]


def handles[N: ir.Node](
    kind: type[N],
) -> Callable[[Callable[[N, Env, bool], Value]], Callable[[N, Env, bool], Value]]:
    """Register the decorated function as the handler of `kind`."""

    def register(handler: Callable[[N, Env, bool], Value]) -> Callable[[N, Env, bool], Value]:
        HANDLERS[kind] = handler
        return handler

    return register


def evaluate(node: ir.Node, env: Env, tail: bool = False) -> Value:
    """The value of `node`; in a tail position perhaps a `TailCall` or an `Again`.

    Errors learn their place here: the innermost node wins.
    """
    try:
        return HANDLERS[type(node)](node, env, tail)
    except errors.RtfsError as error:
        place(error, env.world.source, node.span)
        raise


def checked(env: Env, value: Value, type_: Any, label: str, span: Span | None = None) -> Value:
    """`value`, which stands at `span`, if it belongs to `type_` or there is none to check."""
    if type_ is not None:
        try:
            env.world.namespace.check(type_)(value, label)
        except errors.RtfsError as error:
            place(error, env.world.source, span)
            raise
    return value
