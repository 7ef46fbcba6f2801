"""What names of a unit stand for, as far as functions go, and which variables a function takes from outside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rtfs import ir
from rtfs.delegation import LocalPure
from rtfs.emit_wasm.refusal import Refused
from rtfs.errors import Span
from rtfs.ir_walk import children


class Names:
    """The functions of a unit by the names that certainly mean them.

    Args:
        kept_out: ids of functions that run elsewhere, or may: calls of them are no wasm.
    """

    def __init__(self, unit: ir.Unit, kept_out: frozenset[int] = frozenset()) -> None:
        self.globals: dict[str, ir.Lambda] = {}
        self.locals: dict[int, ir.Lambda] = {}
        self._kept_out = kept_out
        self._captured: dict[int, tuple[ir.Local, ...]] = {}
        #: a function that is no binding of its own, by the name it is bound to
        for name, node in defined(unit):
            self.globals[name] = node
            self._collect(node)

    def _collect(self, node: ir.Lambda) -> None:
        for each in below(node):
            if isinstance(each, ir.Lambda) and each.self_local is not None:
                self.locals[each.self_local.id] = each
            if isinstance(each, ir.Let):
                for binding in each.bindings:
                    if isinstance(binding.value, ir.Lambda) and binding.type is None:
                        self.locals[binding.local.id] = binding.value

    def called(self, fn: ir.Node) -> ir.Lambda:
        """The function that a callee certainly is.

        Raises:
            Refused: that is not known, or it is not to be compiled.
        """
        match fn:
            case ir.Lambda():
                found: ir.Lambda | None = fn
            case ir.GlobalRef(name=name):
                found = self.globals.get(name)
                if found is None:
                    reason = "it is no function that this program defines once, at its top level"
                    raise Refused(f"a call of `{name}`", reason, fn.span)
            case ir.LocalRef(local=local):
                found = self.locals.get(local.id)
                if found is None:
                    raise Refused(f"a call of `{local.name}`", "which function it is, is not known", fn.span)
            case _:
                raise Refused("a call", "what is called is no function with a name", fn.span)
        assert found is not None
        self._allowed(found, fn.span)
        return found

    def _allowed(self, node: ir.Lambda, span: Span | None) -> None:
        title = f"a call of `{node.name or 'fn'}`"
        if id(node) in self._kept_out:
            raise Refused(title, "it may run elsewhere", span)
        if node.hint is not None and not isinstance(node.hint.to_exec_target(), LocalPure):
            raise Refused(title, "it is delegated", span)

    def captured(self, node: ir.Lambda) -> tuple[ir.Local, ...]:
        """The variables outside of `node` that it reads, itself or in functions that it uses; by id."""
        known = self._captured.get(id(node))
        if known is None:
            found: dict[int, ir.Local] = {}
            seen = {id(node)}
            todo = [node]
            while todo:
                for local in _free(todo.pop()):
                    function = self.locals.get(local.id)
                    if function is None:
                        found[local.id] = local
                    elif id(function) not in seen:
                        seen.add(id(function))
                        todo.append(function)
            own = _bound(node)
            known = tuple(found[key] for key in sorted(found) if key not in own)
            self._captured[id(node)] = known
        return known


def defined(unit: ir.Unit) -> Iterator[tuple[str, ir.Lambda]]:
    """The functions that the unit defines for good: each name with its function."""
    for form in unit.forms:
        match form:
            case ir.Def(name=name, value=ir.Lambda() as node, type=None) if name in unit.stable:
                yield name, node
            case _:
                pass


def below(node: ir.Node) -> Iterator[ir.Node]:
    """`node` and every node in it."""
    todo = [node]
    while todo:
        node = todo.pop()
        yield node
        todo.extend(children(node))


def _free(node: ir.Lambda) -> Iterable[ir.Local]:
    bound = _bound(node)
    return [each.local for each in below(node) if isinstance(each, ir.LocalRef) and each.local.id not in bound]


def _bound(node: ir.Node) -> set[int]:
    found: set[int] = set()
    for each in below(node):
        found.update(local.id for local in _binds(each))
    return found


def _binds(node: ir.Node) -> Iterator[ir.Local]:
    """The locals that a node gives values, what is in it apart."""
    match node:
        case ir.Let(bindings=bindings) | ir.Loop(bindings=bindings):
            yield from (binding.local for binding in bindings)
        case ir.Lambda(self_local=own, arities=arities):
            if own is not None:
                yield own
            for arity in arities:
                yield from (param.local for param in arity.params)
                if arity.rest is not None:
                    yield arity.rest.local
        case ir.For(clauses=clauses):
            for clause in clauses:
                if isinstance(clause, ir.Iterate):
                    yield clause.local
                elif isinstance(clause, ir.LetClause):
                    yield from (binding.local for binding in clause.bindings)
        case ir.Try(catches=catches):
            for catch in catches:
                yield catch.local
                if catch.also is not None:
                    yield catch.also
        case ir.LocalDef(local=local):
            yield local
        case ir.Step(params_local=params) if params is not None:
            yield params
        case _:
            pass
