"""Where parts of a program may overlap, if some of its functions run elsewhere.

A fork is made of the parts of an argument list, a collection, a `let` or a `for` of which at least two may
wait: call a function that runs elsewhere, or one that is not known, or `await`. Where they stand is found once
for the forms of a frame (`ForkPoints`); which of them count is asked anew for each set of functions that run
elsewhere (`ForkPoints.forks`), and that takes no look at the program.

Forks are known only when a program is linked, and change code, not meaning. So they are no nodes of the IR: the
Python backend is told of them beside it, by the ids of nodes.

Nothing is a part of a fork that defines something for what comes after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, NamedTuple

from rtfs import ir
from rtfs.ir_walk import children, free_locals
from rtfs.passes.call_graph import UNKNOWN, CallGraph

#: builtins that wait by themselves
_WAITING: Final = frozenset({"await"})
_DEFINING: Final = ir.Def | ir.LocalDef | ir.DefType | ir.Import | ir.ModuleForm


class Items(NamedTuple):
    """A fork among values that are evaluated one after another: those from `first` to `last`."""

    first: int
    last: int


class Bindings(NamedTuple):
    """A fork among bindings of a `let`."""

    #: how many bindings there are in it
    width: int
    #: for each part how many bindings it makes, one after another
    sizes: tuple[int, ...]
    #: for each part the earlier parts whose values it takes
    needs: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Forks:
    """The forks of a form."""

    #: by the ids of the nodes that are evaluated one after another
    items: Mapping[tuple[int, ...], Items] = field(default_factory=dict)
    #: by the id of the first binding
    bindings: Mapping[int, Bindings] = field(default_factory=dict)
    #: ids of the collections of `for` whose items may be gone over at the same time
    loops: frozenset[int] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.items or self.bindings or self.loops)

    def key(self) -> object:
        """Equal for equal forks."""
        return frozenset(self.items.items()), frozenset(self.bindings.items()), self.loops


NO_FORKS: Final = Forks()


class _Part(NamedTuple):
    """What is known of a node: the functions it may call itself, and whether it defines anything."""

    calls: frozenset[int]
    defines: bool


_NOTHING: Final = _Part(frozenset(), False)


class _Values(NamedTuple):
    """Values evaluated one after another of which several make calls."""

    nodes: tuple[ir.Node, ...]
    calls: tuple[frozenset[int], ...]


class _Let(NamedTuple):
    """Bindings one after another, and for each the earlier ones among them that it uses."""

    bindings: tuple[ir.Binding, ...]
    calls: tuple[frozenset[int], ...]
    uses: tuple[frozenset[int], ...]


class _Loop(NamedTuple):
    coll: ir.Node
    calls: frozenset[int]


class ForkPoints:
    """The places in the forms of a frame where parts may overlap."""

    def __init__(self, forms: Sequence[ir.Node], graph: CallGraph) -> None:
        self._graph = graph
        self._places: dict[int, list[_Values | _Let | _Loop]] = {}
        for index, form in enumerate(forms):
            self._found: list[_Values | _Let | _Loop] = []
            self._look(form)
            if self._found:
                self._places[index] = self._found

    def forks(self, elsewhere: Iterable[int]) -> dict[int, Forks]:
        """The forks of the forms that have any, by the form's index.

        Args:
            elsewhere: ids of the functions of the unit that run elsewhere.
        """
        waiting = self._graph.reaching(elsewhere)
        found = {index: _forks(places, waiting) for index, places in self._places.items()}
        return {index: forks for index, forks in found.items() if forks}

    def _look(self, node: ir.Node) -> _Part:
        """Note the places in `node`; what it is as a part."""
        match node:
            case ir.Constant() | ir.LocalRef() | ir.GlobalRef() | ir.BuiltinRef():
                return _NOTHING
            case ir.Lambda(arities=arities):
                for arity in arities:
                    self._look(arity.body)
                return _NOTHING
            case ir.Async(body=body):
                self._look(body)
                return _NOTHING
            case ir.ModuleForm():
                return _Part(frozenset(), True)
            case ir.Let(bindings=bindings, body=body):
                return _both(self._bindings(bindings), self._look(body))
            case ir.For(clauses=clauses, body=body):
                return self._clauses(clauses, body)
            case ir.Apply(fn=fn, args=args):
                whole = _both(self._look(fn), self._values(args))
                return _Part(whole.calls.union(self._callees(node)), whole.defines)
            case ir.Primitive(args=args) | ir.Recur(args=args):
                return self._values(args)
            case ir.VectorOf(items=items) | ir.ListOf(items=items) | ir.SetOf(items=items):
                return self._values(items)
            case ir.MapOf(entries=entries):
                return self._values(tuple([part for entry in entries for part in entry]))
            case _:
                parts = [self._look(child) for child in children(node)]
                return _Part(_union(parts), isinstance(node, _DEFINING) or any(part.defines for part in parts))

    def _callees(self, call: ir.Apply) -> Iterable[int]:
        if isinstance(call.fn, ir.BuiltinRef) and call.fn.name in _WAITING:
            return (UNKNOWN,)
        return self._graph.callees(call)

    def _values(self, nodes: tuple[ir.Node, ...]) -> _Part:
        parts = [self._look(node) for node in nodes]
        defines = any(part.defines for part in parts)
        if sum(bool(part.calls) for part in parts) > 1 and not defines:
            self._found.append(_Values(nodes, tuple(part.calls for part in parts)))
        return _Part(_union(parts), defines)

    def _bindings(self, bindings: tuple[ir.Binding, ...]) -> _Part:
        parts = [self._look(binding.value) for binding in bindings]
        start = 0
        for index, (binding, part) in enumerate(zip(bindings, parts, strict=True)):
            if part.defines or isinstance(binding.value, ir.Lambda):
                self._add_let(bindings[start:index], parts[start:index])
                start = index + 1
        self._add_let(bindings[start:], parts[start:])
        return _Part(_union(parts), any(part.defines for part in parts))

    def _add_let(self, bindings: tuple[ir.Binding, ...], parts: list[_Part]) -> None:
        if sum(bool(part.calls) for part in parts) < 2:
            return
        places = {binding.local.id: index for index, binding in enumerate(bindings)}
        uses = [
            frozenset(places[each] for each in free_locals(binding.value) if places.get(each, index) < index)
            for index, binding in enumerate(bindings)
        ]
        self._found.append(_Let(bindings, tuple(part.calls for part in parts), tuple(uses)))

    def _clauses(self, clauses: tuple[ir.Clause, ...], body: ir.Node) -> _Part:
        """The parts of a `for`, from the inside out: what a turn of an iteration makes is a part."""
        turn, may_end = self._look(body), False
        for clause in reversed(clauses):
            match clause:
                case ir.Iterate(coll=coll):
                    if turn.calls and not turn.defines and not may_end:
                        self._found.append(_Loop(coll, turn.calls))
                    turn, may_end = _both(self._look(coll), turn), False
                case ir.LetClause(bindings=bindings):
                    turn = _both(self._bindings(bindings), turn)
                case ir.When(test=test):
                    turn = _both(self._look(test), turn)
                case ir.While(test=test):
                    turn, may_end = _both(self._look(test), turn), True
        return turn


def _union(parts: Iterable[_Part]) -> frozenset[int]:
    return frozenset[int]().union(*[part.calls for part in parts if part.calls])


def _both(a: _Part, b: _Part) -> _Part:
    return _Part(a.calls | b.calls, a.defines or b.defines)


# ---------------------------------------------------------------- which of them are forks


def _forks(places: Iterable[_Values | _Let | _Loop], waiting: set[int]) -> Forks:
    items: dict[tuple[int, ...], Items] = {}
    bindings: dict[int, Bindings] = {}
    loops: set[int] = set()
    for place in places:
        match place:
            case _Values(nodes, calls):
                some = _waiting_ones(calls, waiting)
                if len(some) > 1:
                    items[tuple(map(id, nodes))] = Items(some[0], some[-1])
            case _Let():
                for first, fork in _let_forks(place, waiting):
                    bindings[id(place.bindings[first])] = fork
            case _Loop(coll, callees):
                if not waiting.isdisjoint(callees):
                    loops.add(id(coll))
    return Forks(items, bindings, frozenset(loops))


def _waiting_ones(calls: Sequence[frozenset[int]], waiting: set[int]) -> list[int]:
    return [index for index, each in enumerate(calls) if not waiting.isdisjoint(each)]


def _let_forks(let: _Let, waiting: set[int]) -> Iterator[tuple[int, Bindings]]:
    """The fork among the bindings from the first to the last that waits, if some do not need each other."""
    some = _waiting_ones(let.calls, waiting)
    if len(some) < 2:
        return
    first, end = some[0], some[-1] + 1
    needed: dict[int, frozenset[int]] = {}  # by each binding all that it needs, its own needs' needs too
    for index in range(first, end):
        own = frozenset(each for each in let.uses[index] if each >= first)
        needed[index] = own.union(*[needed[each] for each in own])
    if all(before in needed[after] for before, after in pairwise(some)):
        return  # one after another anyway
    yield first, _parts(let, first, end, frozenset(some))


def _parts(let: _Let, first: int, end: int, waiting: frozenset[int]) -> Bindings:
    """Each binding is a part; what takes a value apart belongs to the part before it."""
    sizes: list[int] = []
    part_of: dict[int, int] = {}
    needs: list[set[int]] = []
    for index in range(first, end):
        uses = {part_of[each] for each in let.uses[index] if each >= first}
        takes_apart = isinstance(let.bindings[index].value, ir.Primitive) and index not in waiting
        if sizes and takes_apart and uses == {len(sizes) - 1}:
            sizes[-1] += 1
        else:
            sizes.append(1)
            needs.append(uses)
        part_of[index] = len(sizes) - 1
    return Bindings(end - first, tuple(sizes), tuple(tuple(sorted(each)) for each in needs))
