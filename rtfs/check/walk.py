"""Inference of types over the IR, node by node. See `rtfs.check.unit` for what is reported.

`Checker.infer` visits each node once, in program order, and gives a type that certainly holds its value. One
function per kind of node stands in `rtfs.check.nodes`; calls are in `rtfs.check.calls`. A literal is inferred
as the type of itself (`[:val 5]`), so that it is compared exactly.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from contextlib import contextmanager

from rtfs import ir
from rtfs.check.facts import collect, locals_read, tells_no_kind
from rtfs.check.nodes import INFER
from rtfs.check.types import alternatives, describe
from rtfs.check.unit import CODES, Problem
from rtfs.errors import Span
from rtfs.ir_walk import children
from rtfs.types import model as types
from rtfs.types.kinds import ANY, kinds
from rtfs.types.model import Type
from rtfs.types.overlap import strangers
from rtfs.types.parser import nearest_type
from rtfs.types.subtyping import is_subtype
from rtfs.types.walk import alias_names


class Checker:
    """One check of one unit."""

    def __init__(self, unit: ir.Unit, known: Container[str], type_names: frozenset[str]) -> None:
        self.unit = unit
        self.known = known
        self.facts = collect(unit)
        self.aliases: dict[str, Type] = dict.fromkeys(type_names, ANY) | self.facts.aliases
        self.functions = dict(self.facts.functions)
        #: functions bound by `let`, by the id of the local
        self.local_functions: dict[int, ir.Lambda] = {}
        #: what calls of a function give, by its id, once its body has been visited
        self.results: dict[int, Type] = {}
        self.locals: dict[int, Type] = {}
        #: local → the local whose value it was bound to
        self.copies: dict[int, int] = {}
        self.problems: list[Problem] = []
        self._seen_types: dict[int, Type] = {}
        self._catching = 0

    def check(self) -> list[Problem]:
        """All problems of the unit."""
        for form in self.unit.forms:
            self.infer(form)
        return self.problems

    def report(self, code: str, message: str, span: Span | None, hint: str | None = None) -> None:
        """Note a problem."""
        severity = CODES[code][0]
        if severity == "error" and self._catching:
            severity = "warning"
        self.problems.append(Problem(severity=severity, code=code, message=message, span=span, hint=hint))

    def infer(self, node: ir.Node) -> Type:
        """The type of the value of `node`, with all problems below it reported."""
        handler = INFER.get(type(node))
        if handler is not None:
            return handler(self, node)
        for child in children(node):
            self.infer(child)
        return ANY

    def expect(
        self, given: Type, wanted: Type | None, what: str, span: Span | None, *, certain: bool = True
    ) -> None:
        """Report if `given`, which `what` has, is not `wanted`. `certain`: then the program fails."""
        if wanted is None or is_subtype(given, wanted, self.aliases):
            return
        found, all_of_them = strangers(given, wanted, self.aliases)
        if all_of_them:
            code = "type-mismatch" if certain else "possible-type-mismatch"
            self.report(code, f"{what} must be {alternatives(wanted)}, got {describe(given)}", span)
        elif found:
            culprits = " or ".join(describe(member) for member in found)
            message = f"{what} must be {alternatives(wanted)}, may be {culprits}"
            self.report("possible-type-mismatch", message, span)

    def declared(self, t: Type | None, span: Span | None) -> None:
        """Look at a type that the program wrote: every alias in it must mean something."""
        if t is None or id(t) in self._seen_types:
            return
        self._seen_types[id(t)] = t
        for name in alias_names(t):
            if name not in self.aliases and "/" not in name and not self._imports_types():
                message = f"unknown type `{name}`"
                self.report("unknown-type", message, span, nearest_type(name, self.aliases))

    def _imports_types(self) -> bool:
        """Whether modules may have brought type names that are not known here."""
        return any(isinstance(form, ir.Import) for form in self.unit.forms)

    def local_type(self, local: ir.Local, t: Type) -> None:
        """Note what a local holds; nothing is known of one that a `def` assigns."""
        self.locals[local.id] = ANY if local.id in self.facts.assigned else t

    @contextmanager
    def tested(self, test: ir.Node) -> Iterator[None]:
        """Code that runs only after `test`, which may have told what its locals hold."""
        read = locals_read(test)
        if read is None:
            before, self.locals = self.locals, {}
            try:
                yield
            finally:
                self.locals = before
            return
        harmless = tells_no_kind(test)
        forgotten: dict[int, Type] = {}
        for id_ in self._with_copies(read):
            known = self.locals.get(id_, ANY)
            if not harmless or isinstance(known, types.EnumType) or not self._single_kind(known):
                forgotten[id_] = known
                self.locals[id_] = ANY
        try:
            yield
        finally:
            self.locals.update(forgotten)

    def _with_copies(self, ids: set[int]) -> set[int]:
        """The locals and those that they are copies of."""
        found = set(ids)
        for id_ in ids:
            origin = self.copies.get(id_)
            while origin is not None and origin not in found:
                found.add(origin)
                origin = self.copies.get(origin)
        return found

    def _single_kind(self, t: Type) -> bool:
        found = kinds(t, self.aliases)
        return found is not None and len(found) == 1

    @contextmanager
    def catching(self, catches: bool) -> Iterator[None]:
        """Code whose errors are caught, if `catches`."""
        self._catching += catches
        try:
            yield
        finally:
            self._catching -= catches
