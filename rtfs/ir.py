"""The intermediate representation: what a program means, with nothing left to look up in its text.

Names are resolved, macros expanded, destructuring and `match` turned into `let`, `if` and primitives.
Both backends, the checker, the optimiser, the codec and (later) linking work on these nodes. They are frozen;
a pass builds new ones.

Names. A *local* is a `Local`, unique within its unit. A *global* is a name in the frame of the unit's module.
A *builtin* is a name of the standard library. A *primitive* is an operation no program can name or shadow;
the analyzer uses them for what it takes apart. Their meaning is in `rtfs.primitives`.

Evaluation order is left to right, callee before arguments, each node exactly once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from rtfs.delegation import DelegationHint
from rtfs.errors import Span
from rtfs.types.model import MapEntry, Type
from rtfs.values import Value

#: version of the meaning of these nodes; part of every content hash and cache key
IR_VERSION: Final = 2


@dataclass(frozen=True, slots=True)
class Local:
    """A lexical variable. `id` is unique in its unit; `name` is for people."""

    id: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Base of all nodes. `span` is where it stands in the unit's source; None if made by a pass."""

    span: Span | None = None


# ---------------------------------------------------------------- values and names


@dataclass(frozen=True, slots=True)
class Constant(Node):
    """A constant: any immutable value, quoted collections included."""

    value: Value


@dataclass(frozen=True, slots=True)
class LocalRef(Node):
    """UndefinedSymbol if read before a `LocalDef` or later `Let` binding gave it a value."""

    local: Local


@dataclass(frozen=True, slots=True)
class GlobalRef(Node):
    """A name defined at the top level of this unit, or earlier in the same session.

    Also an imported name as the unit sees it (`x`, `alias/x`, `module/x`); `Import` defines it.
    UndefinedSymbol if its definition has not run yet; a builtin of that name is then used if there is one.
    """

    name: str


@dataclass(frozen=True, slots=True)
class BuiltinRef(Node):
    """A function of the standard library, as a value or as a callee."""

    name: str


@dataclass(frozen=True, slots=True)
class QualifiedRef(Node):
    """`module/name` without an import: loads the module on demand.

    Raises ModuleNotFound, SymbolNotFound, ModuleError (not exported).
    """

    module: str
    name: str


@dataclass(frozen=True, slots=True)
class DynamicRef(Node):
    """A name bound nowhere in the program: arguments of the run, host context, cross-plan parameters, in
    this order, else UndefinedSymbol (through `rtfs.primitives.lookup`).

    `or_nil`: `(get :key)`, nil if absent.
    """

    name: str
    or_nil: bool = False


# ---------------------------------------------------------------- composition


@dataclass(frozen=True, slots=True)
class If(Node):
    """`otherwise` is a nil literal where the program has none."""

    test: Node
    then: Node
    otherwise: Node


@dataclass(frozen=True, slots=True)
class Do(Node):
    """At least one item; the value of the last."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Binding:
    """One binding of a `Let`. A `type` is checked on the value (TypeValidationError `let x: …`)."""

    local: Local
    value: Node
    type: Type | None = None


@dataclass(frozen=True, slots=True)
class Let(Node):
    """Sequential. A lambda among the values may refer to locals of later bindings (mutual recursion)."""

    bindings: tuple[Binding, ...]
    body: Node


@dataclass(frozen=True, slots=True)
class And(Node):
    """Short-circuit; the deciding value. At least one item."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or(Node):
    """Short-circuit; the deciding value. At least one item."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Loop(Node):
    """`bindings` once, then `body`; a `Recur` to `label` assigns the locals anew and runs the body again."""

    label: int
    bindings: tuple[Binding, ...]
    body: Node


@dataclass(frozen=True, slots=True)
class Recur(Node):
    """In tail position of the `Loop` or function arity with that label. All arguments are evaluated first.

    For an arity with a rest parameter the last argument is the rest list itself.
    """

    label: int
    args: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Iterate:
    """Clause `x coll`: each item in turn (sets, maps as `[k v]`, strings as characters too)."""

    local: Local
    coll: Node


@dataclass(frozen=True, slots=True)
class LetClause:
    """`:let` in a `for`."""

    bindings: tuple[Binding, ...]


@dataclass(frozen=True, slots=True)
class When:
    """`:when` in a `for`."""

    test: Node


@dataclass(frozen=True, slots=True)
class While:
    """Ends the innermost iteration before it when its test is falsy."""

    test: Node


type Clause = Iterate | LetClause | When | While


@dataclass(frozen=True, slots=True)
class For(Node):
    """`for` (`collect`: a vector of the bodies' values) and `doseq` (nil). The first clause is an Iterate."""

    clauses: tuple[Clause, ...]
    body: Node
    collect: bool


# ---------------------------------------------------------------- functions


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter of a clause."""

    local: Local
    #: checked at each call; of a rest parameter, on each item
    type: Type | None = None
    #: what stood in `^{…}` before it, name → constant value, in source order
    metadata: tuple[tuple[str, Value], ...] = ()


@dataclass(frozen=True, slots=True)
class Arity:
    """One parameter list and its body. `label` is the target of `recur` and is unique in the unit."""

    label: int
    params: tuple[Param, ...]
    rest: Param | None
    returns: Type | None
    body: Node


@dataclass(frozen=True, slots=True)
class Lambda(Node):
    """A function. `arities`: exact ones by number of parameters, then at most one with a rest parameter."""

    #: for error texts and `(meta f)`; None: `user-defined function`
    name: str | None
    #: bound to the function itself inside its body, for a named `fn`
    self_local: Local | None
    arities: tuple[Arity, ...]
    doc: str | None = None
    hint: DelegationHint | None = None
    #: other metadata, name → constant value, in source order
    metadata: tuple[tuple[str, Value], ...] = ()
    #: a call of it may reach a delegated function (set by `rtfs.passes.delegation`)
    may_delegate: bool = False


@dataclass(frozen=True, slots=True)
class Apply(Node):
    """A call of whatever `fn` gives; arguments from left to right."""

    fn: Node
    args: tuple[Node, ...]
    #: set by `rtfs.passes.delegation`
    may_delegate: bool = False


@dataclass(frozen=True, slots=True)
class Primitive(Node):
    """An operation of `rtfs.primitives.TABLE` by name, with the right number of arguments."""

    name: str
    args: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Cast(Node):
    """The value of `value` if it belongs to `type`, else TypeValidationError; `label` opens its path."""

    value: Node
    type: Type
    label: str


@dataclass(frozen=True, slots=True)
class IsType(Node):
    """Whether the value belongs to `type` (`match`)."""

    value: Node
    type: Type


# ---------------------------------------------------------------- collections


@dataclass(frozen=True, slots=True)
class VectorOf(Node):
    """`[item…]`."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class ListOf(Node):
    """Only from quasiquote."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class SetOf(Node):
    """`#{item…}`; equal members are one."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class MapOf(Node):
    """Entries in order; a later equal key wins. Keys that are no constant are checked (TypeError `map key`)."""

    entries: tuple[tuple[Node, Node], ...]


# ---------------------------------------------------------------- definitions and modules


@dataclass(frozen=True, slots=True)
class Def(Node):
    """Bind a global of the unit's module; its value is the value."""

    name: str
    value: Node
    type: Type | None = None
    doc: str | None = None
    metadata: tuple[tuple[str, Value], ...] = ()


@dataclass(frozen=True, slots=True)
class LocalDef(Node):
    """`def` inside a frame: gives `local` its value; the only assignment there is. Its value is the value."""

    local: Local
    value: Node
    type: Type | None = None


@dataclass(frozen=True, slots=True)
class DefType(Node):
    """`deftype`, and the alias `defstruct` makes: registers a type name in the frame's module. Value nil."""

    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class StructOf(Node):
    """The constructor function of a `defstruct`: takes one map, checks its fields, returns it unchanged."""

    name: str
    fields: tuple[MapEntry, ...]


@dataclass(frozen=True, slots=True)
class ModuleForm(Node):
    """`(module …)`: runs `body` in a frame of its own. Value: map of name, docstring, exports."""

    name: str
    docstring: str | None
    exports: tuple[str, ...]
    #: names that the body defines at its top level
    defines: tuple[str, ...]
    body: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Import(Node):
    """Loads a module once and defines names in this frame. Value nil.

    `names`: (exported name, global it becomes here), resolved by the analyzer, which loads modules to know
    their exports.
    """

    module: str
    names: tuple[tuple[str, str], ...]


# ---------------------------------------------------------------- errors and steps


@dataclass(frozen=True, slots=True)
class CatchAll:
    """Every error that may be caught."""


@dataclass(frozen=True, slots=True)
class CatchCategory:
    """Errors of these categories (a category name, or the members of a group)."""

    #: the name as written, for printing
    name: str
    #: category names of language.md §7; `HostException` stands for wrapped host exceptions
    categories: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CatchThrown:
    """`throw`n errors whose type is `type` (kebab, without `error/`) or whose thrown value equals `value`."""

    type: str
    value: Value


type Selector = CatchAll | CatchCategory | CatchThrown


@dataclass(frozen=True, slots=True)
class Catch:
    """`local` is bound to the ErrorValue; `also`: a second name bound to it too (language.md §3.5)."""

    selector: Selector
    local: Local
    also: Local | None
    body: Node


@dataclass(frozen=True, slots=True)
class Try(Node):
    """`catches` are tried in order; `final` runs once, whatever happened."""

    body: Node
    catches: tuple[Catch, ...]
    final: Node | None


@dataclass(frozen=True, slots=True)
class Step(Node):
    """`step`, `step-if`, `step-loop`, `step-parallel`: `body` between the host's notifications.

    `kind` `parallel` needs isolation `isolated`; the analyzer has made its body a VectorOf.
    """

    kind: Literal["step", "step-if", "step-loop", "step-parallel"]
    name: Node
    #: (`expose-context` | `context-keys` | `merge-policy`, expression)
    options: tuple[tuple[str, Node], ...]
    #: `:params` as (name, expression); None: the body shares the frame
    params: tuple[tuple[str, Node], ...] | None
    #: bound to the map `%params` if `params` is given
    params_local: Local | None
    body: Node


@dataclass(frozen=True, slots=True)
class Hinted(Node):
    """`^{:runtime.x v} form`: `host.set_execution_hint(name, v)` for each, the body, then all hints cleared,
    also on error."""

    hints: tuple[tuple[str, Node], ...]
    body: Node


# ---------------------------------------------------------------- tickets


@dataclass(frozen=True, slots=True)
class Async(Node):
    """Starts `body` and gives a ticket at once. Without anything to overlap it runs at once."""

    body: Node


@dataclass(frozen=True, slots=True)
class Race(Node):
    """The first to give a value. Without anything to overlap: its first item."""

    items: tuple[Node, ...]


# ---------------------------------------------------------------- units


@dataclass(frozen=True, slots=True)
class Unit:
    """One source text, analysed. Its value is that of the last form, nil if there is none.

    A *session* unit (one REPL input) may have its globals redefined by later units, so nothing may be assumed
    about a global beyond its name. In any other unit a name in `stable` is defined exactly once, at the top
    level, by a function definition, and calls of it may be compiled as calls of that function.
    """

    source: str
    forms: tuple[Node, ...]
    #: names defined at the top level, in order, each once
    defines: tuple[str, ...]
    #: subset of `defines`; empty in sessions
    stable: frozenset[str]
    #: (module name, SHA-256 hex of its text) of every module file that was read to analyse this unit
    dependencies: tuple[tuple[str, str], ...] = ()
