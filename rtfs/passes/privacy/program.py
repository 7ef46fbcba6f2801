"""What is known of the program while its graph of information flow is made.

`walk` goes over the nodes, each with the variable that its value flows to and the place where it stands. The
handlers of the kinds of nodes are in `nodes`, `calls`, `functions` and `names`. Order does not matter to them,
so there is no recursion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rtfs import ir
from rtfs.delegation import PrivacySources
from rtfs.passes.privacy.flow import ANYTHING, LABELS, NOTHING, TOKENS, Flow, Function, Site
from rtfs.run import STOP_REQUESTS, poll

#: levels of functions that a captured local is followed through one by one
_FOLLOWED: Final = 64


@dataclass(slots=True, eq=False)
class Place:
    """Where a node stands."""

    function: Function
    #: labels of what decides that the node runs
    condition: int
    #: labels of what the code here touches: it may end with an error because of them
    touched: int
    #: the name of the module, None for the program itself
    module: str | None
    #: of the unit: variables of locals, and targets of `recur`, by id and label
    locals: dict[int, int]
    targets: dict[int, tuple[list[int], int]]

    def under(self, condition: int, touched: int | None = None) -> Place:
        """The same place under another condition, or in a `try` of its own."""
        if touched is None:
            touched = self.touched
        return Place(self.function, condition, touched, self.module, self.locals, self.targets)


type Handler = Callable[[Program, Any, int, Place], None]

HANDLERS: Final[dict[type, Handler]] = {}


def handles(*kinds: type[ir.Node]) -> Callable[[Handler], Handler]:
    """Register the decorated handler for these kinds of nodes."""

    def register(handler: Handler) -> Handler:
        for kind in kinds:
            assert kind not in HANDLERS, kind
            HANDLERS[kind] = handler
        return handler

    return register


@dataclass(slots=True, eq=False)
class GlobalCall:
    """A call of a global. Whether that means one function for good is known when all is walked."""

    site: Site
    #: what else to do if it does not
    unknown: Callable[[], None] | None = None


@dataclass(slots=True, eq=False)
class Program:
    """The flow of a whole program, and what its names mean."""

    sources: PrivacySources
    flow: Flow = field(default_factory=Flow)
    #: id of lambda → the lambda and its variables
    functions: dict[int, tuple[ir.Lambda, Function]] = field(default_factory=dict)
    #: module → global → its variable
    globals: dict[str | None, dict[str, int]] = field(default_factory=dict)
    #: modules that the program has
    modules: set[str] = field(default_factory=set)
    #: variable of a global → all that defines it: functions, other globals, None for anything else
    definitions: dict[int, list[Function | int | None]] = field(default_factory=dict)
    #: … → the labels under which that is done, if anything decides it
    _decisive: dict[int, list[int]] = field(default_factory=dict)
    #: globals that are used as values
    read: set[int] = field(default_factory=set)
    global_calls: list[GlobalCall] = field(default_factory=list)
    #: variable of a local → the function that it belongs to
    owners: dict[int, Function] = field(default_factory=dict)
    #: locals and the functions that read them, which may not be their owners
    captures: list[tuple[int, Function]] = field(default_factory=list)
    #: builtins that are used as values
    builtins: dict[str, Function] = field(default_factory=dict)
    #: names of the run → variable
    context: dict[str | None, int] = field(default_factory=dict)
    #: names of the functions that types ask whether a value belongs to them
    predicates: set[str] = field(default_factory=set)
    _needed: dict[str, int] = field(default_factory=dict)
    #: conditions of the top level, under which everything runs
    _starts: set[int] = field(default_factory=set)
    _todo: list[tuple[ir.Node, int, Place]] = field(default_factory=list)

    #: all that the host keeps
    host: int = NOTHING
    #: how often `gensym` was called
    serial: int = NOTHING
    #: functions in errors
    thrown: int = NOTHING
    #: values that types with predicates are asked about; the conditions of that; the answers
    checked: int = NOTHING
    checking: int = NOTHING
    verdict: int = NOTHING

    def __post_init__(self) -> None:
        new = self.flow.variable
        self.host, self.checked = new(), new()
        self.serial, self.checking, self.verdict = new(LABELS), new(LABELS), new(LABELS)
        self.thrown = new(TOKENS)
        # the host may call the functions it was given, with what it was given
        self.flow.add_site(Site(self.host, [self.host], self.host, self.host, self.host, mixed=True))

    # ------------------------------------------------------------ walking

    def add(self, unit: ir.Unit, is_file: bool = False) -> None:
        """Walk over all nodes of `unit`. Globals of units with one name are one.

        Args:
            is_file: it runs when something first needs a module that is in it.
        """
        top = self.new_function(None)
        if is_file:
            for form in unit.forms:
                if isinstance(form, ir.ModuleForm):
                    self.flow.edges[self.needed(form.name)].append(top.condition)
        else:
            self._starts.add(top.condition)
        place = Place(top, top.condition, top.touched, None, {}, {})
        for form in unit.forms:
            self.visit(form, place.touched, place)
        self._walk()

    def _walk(self) -> None:
        todo = self._todo
        handlers = HANDLERS
        while todo:
            if STOP_REQUESTS:
                poll()
            node, into, place = todo.pop()
            handlers[type(node)](self, node, into, place)

    def visit(self, node: ir.Node, into: int, place: Place) -> None:
        """Have the value of `node` flow into a variable. Names of locals and constants need no handler."""
        kind = type(node)
        if kind is ir.LocalRef:
            self.flow.edges[self.local_read(node.local, place)].append(into)  # type: ignore[attr-defined]
        elif kind is not ir.Constant:
            self._todo.append((node, into, place))

    def visit_all(self, nodes: Iterable[ir.Node], into: int, place: Place) -> None:
        """Have the values of `nodes` flow into a variable."""
        for node in nodes:
            self.visit(node, into, place)

    def value_of(self, node: ir.Node, place: Place) -> int:
        """A variable with the value of `node`."""
        kind = type(node)
        if kind is ir.Constant:
            return NOTHING
        if kind is ir.LocalRef:
            return self.local_read(node.local, place)  # type: ignore[attr-defined]
        made = self.new_value(place)
        self._todo.append((node, made, place))
        return made

    # ------------------------------------------------------------ variables

    def new_value(self, place: Place) -> int:
        """A variable for a value that code at `place` has."""
        made = self.flow.variable()
        self.flow.edges[made].append(place.touched)
        return made

    def new_labels(self, *sources: int) -> int:
        """A variable for labels, those of `sources` to begin with."""
        made = self.flow.variable(LABELS)
        for source in sources:
            self.flow.edges[source].append(made)
        return made

    def new_function(self, outer: Function | None, result_takes: int = ANYTHING) -> Function:
        """The variables of a function of the program."""
        new, edges = self.flow.variable, self.flow.edges
        result, condition, touched, inside = new(result_takes), new(LABELS), new(LABELS), new(LABELS)
        captured, free = new(LABELS), new(LABELS)
        edges[result].append(touched)
        # whoever runs it may answer with what it was given
        edges[inside] += (result, touched)
        edges[free].append(captured)
        if outer is not None:
            edges[free].append(outer.free)
        return Function([], result, condition, touched, inside, captured, free, outer)

    def local(self, local: ir.Local, place: Place) -> int:
        """The variable of a local that is bound, or assigned, at `place`."""
        found = place.locals.get(local.id)
        if found is None:
            found = place.locals[local.id] = self.flow.variable()
        if found not in self.owners:
            self.owners[found] = place.function
            self.flow.edges[found].append(place.touched)
        return found

    def local_read(self, local: ir.Local, place: Place) -> int:
        """The variable of a local that is read at `place`."""
        found = place.locals.get(local.id)
        if found is None:  # its `def` comes later
            found = place.locals[local.id] = self.flow.variable()
        if self.owners.get(found) is not place.function:
            self.captures.append((found, place.function))
        return found

    def global_(self, module: str | None, name: str) -> int:
        """The variable of a global."""
        names = self.globals.get(module)
        if names is None:
            names = self.globals[module] = {}
        found = names.get(name)
        if found is None:
            found = names[name] = self.flow.variable()
        return found

    def needed(self, module: str) -> int:
        """The variable for the labels of what decides that a module is loaded."""
        found = self._needed.get(module)
        if found is None:
            found = self._needed[module] = self.flow.variable(LABELS)
        return found

    # ------------------------------------------------------------ when all is walked

    def define(self, variable: int, meaning: Function | int | None, place: Place) -> None:
        """A global is defined at `place`."""
        self.flow.edges[place.condition].append(variable)
        self.definitions.setdefault(variable, []).append(meaning)
        if place.condition not in self._starts:
            self._decisive.setdefault(variable, []).append(place.condition)

    def meaning(self, variable: int) -> tuple[Function, list[int]] | None:
        """The one function that a global stands for, and what decides whether it is defined.

        None if it may stand for more, or for something else.
        """
        decisive: list[int] = []
        for _ in range(len(self.definitions) + 1):  # imports may go in a circle
            known = self.definitions.get(variable, ())
            if len(known) != 1 or known[0] is None:
                return None
            decisive += self._decisive.get(variable, ())
            if isinstance(known[0], Function):
                return known[0], decisive
            variable = known[0]
        return None

    def settle_captures(self) -> None:
        """Captured locals go to the functions around their readers, up to the one they belong to."""
        edges = self.flow.edges
        done: set[tuple[int, Function]] = set()
        for variable, reader in self.captures:
            owner = self.owners.get(variable)
            function: Function | None = reader
            for _ in range(_FOLLOWED):
                if function is None or function is owner or (variable, function) in done:
                    break
                done.add((variable, function))
                edges[variable].append(function.captured)
                function = function.outer
            else:
                if function is not None:
                    edges[variable].append(function.free)

    def labels_known(self) -> Mapping[int, Function]:
        """Lambdas by id, with their variables."""
        return {key: function for key, (_, function) in self.functions.items()}
