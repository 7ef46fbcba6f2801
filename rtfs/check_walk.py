"""Inference of types over the IR, node by node. See `rtfs.check` for what is reported.

`Checker.infer` visits each node once, in program order, and gives a type that certainly holds its value. One
function per kind of node stands in `_INFER`; calls are in `rtfs.check_calls`. A literal is inferred as the type
of itself (`[:val 5]`), so that it is compared exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Final

from rtfs import ir, types
from rtfs.check import CODES, Problem
from rtfs.check_calls import apply, check_fields
from rtfs.check_facts import collect, locals_read, tells_no_kind
from rtfs.check_types import alternatives, describe, prune
from rtfs.errors import Span
from rtfs.ir_walk import children
from rtfs.subtyping import ANY, NEVER, NIL, is_subtype, join, kinds
from rtfs.type_explain import brief
from rtfs.type_overlap import strangers
from rtfs.type_parser import nearest_type
from rtfs.type_walk import alias_names, is_circular
from rtfs.types import Type
from rtfs.values import Keyword, Value

_BOOL: Final = types.Primitive("bool")
_VECTOR: Final = types.Primitive("vector")
_ITERABLE: Final = types.UnionType(tuple(map(types.Primitive, ("vector", "list", "set", "map", "string"))))
#: literals with more items are known by their kind only
_MOST_ITEMS: Final = 64


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
        handler = _INFER.get(type(node))
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


# ---------------------------------------------------------------- values and names


def _constant(checker: Checker, node: ir.Constant) -> Type:
    return types.EnumType((node.value,), "val")


def _local_ref(checker: Checker, node: ir.LocalRef) -> Type:
    return checker.locals.get(node.local.id, ANY)


def _global_ref(checker: Checker, node: ir.GlobalRef) -> Type:
    return types.Primitive("fn") if node.name in checker.functions else ANY


def _builtin_ref(checker: Checker, node: ir.BuiltinRef) -> Type:
    return types.Primitive("fn")


def _dynamic_ref(checker: Checker, node: ir.DynamicRef) -> Type:
    if not node.or_nil and node.name not in checker.known:
        from rtfs.spell import nearest
        from rtfs.stdlib.table import BUILTINS

        found = nearest(node.name, [*checker.unit.defines, *sorted(checker.facts.local_names), *BUILTINS])
        hint = None if found is None else f"did you mean `{found}`?"
        checker.report("undefined-symbol", f"undefined symbol `{node.name}`", node.span, hint)
    return ANY


# ---------------------------------------------------------------- bindings


def _bindings(checker: Checker, bindings: tuple[ir.Binding, ...], span: Span | None) -> None:
    for binding in bindings:
        if isinstance(binding.value, ir.Lambda) and binding.local.id not in checker.facts.assigned:
            checker.local_functions[binding.local.id] = binding.value
    for binding in bindings:
        place = binding.value.span or span
        given = checker.infer(binding.value)
        checker.declared(binding.type, place)
        checker.expect(given, binding.type, f"`{binding.local.name}`", place)
        checker.local_type(binding.local, _narrower(checker, given, binding.type))
        if isinstance(binding.value, ir.LocalRef):
            checker.copies[binding.local.id] = binding.value.local.id
        _check_used(checker, binding, place)


def _narrower(checker: Checker, given: Type, declared: Type | None) -> Type:
    if declared is None or is_subtype(given, declared, checker.aliases):
        return given
    return declared


def _check_used(checker: Checker, binding: ir.Binding, span: Span | None) -> None:
    """Report a name that nothing reads. Parts of a destructured value are taken as documentation."""
    local = binding.local
    if local.id in checker.facts.used or isinstance(binding.value, ir.Primitive) or not _is_written(local.name):
        return
    checker.report("unused-binding", f"`{local.name}` is never used", span)


def _is_written(name: str) -> bool:
    """Whether a name stands in the program as such: macros and the analyzer mark theirs."""
    return not (name.startswith(("_", "%", "&")) or "__" in name or "#" in name)


def _let(checker: Checker, node: ir.Let) -> Type:
    _bindings(checker, node.bindings, node.span)
    return checker.infer(node.body)


def _local_def(checker: Checker, node: ir.LocalDef) -> Type:
    given = checker.infer(node.value)
    checker.declared(node.type, node.span)
    checker.expect(given, node.type, f"`{node.local.name}`", node.value.span or node.span)
    return _narrower(checker, given, node.type)


def _def(checker: Checker, node: ir.Def) -> Type:
    from rtfs.stdlib.table import BUILTINS

    if node.name in BUILTINS:
        checker.report("shadowed-builtin", f"`{node.name}` hides the builtin of that name", node.span)
    given = checker.infer(node.value)
    checker.declared(node.type, node.span)
    checker.expect(given, node.type, f"`{node.name}`", node.value.span or node.span)
    return _narrower(checker, given, node.type)


def _def_type(checker: Checker, node: ir.DefType) -> Type:
    checker.declared(node.type, node.span)
    if is_circular(node.name, checker.aliases):
        message = f"type `{node.name}` is defined in terms of itself without a collection in between"
        checker.report("circular-type", message, node.span)
    return NIL


def _module(checker: Checker, node: ir.ModuleForm) -> Type:
    outside = checker.functions
    checker.functions = {}  # the names of the module's own frame hide them
    for form in node.body:
        checker.infer(form)
    checker.functions = outside
    return types.Primitive("map")


# ---------------------------------------------------------------- control


def _if(checker: Checker, node: ir.If) -> Type:
    checker.infer(node.test)
    if isinstance(node.test, ir.Constant):
        never = node.otherwise if node.test.value not in (None, False) else node.then
        if _is_code(never):
            checker.report("unreachable-code", "this branch never runs: its condition is constant", never.span)
    with checker.tested(node.test):
        then = checker.infer(node.then)
    with checker.tested(node.test):
        otherwise = checker.infer(node.otherwise)
    return join(then, otherwise, checker.aliases)


def _is_code(node: ir.Node) -> bool:
    """Whether the program wrote `node`: an `else` that is not there is nil, a `match` ends in a primitive."""
    return not isinstance(node, ir.Primitive) and not (isinstance(node, ir.Constant) and node.value is None)


def _do(checker: Checker, node: ir.Do) -> Type:
    last: Type = NIL
    for item in node.items:
        last = checker.infer(item)
    return last


def _and_or(checker: Checker, node: ir.And | ir.Or) -> Type:
    found: Type = NEVER
    with ExitStack() as before:
        for item in node.items:
            found = join(found, checker.infer(item), checker.aliases)
            before.enter_context(checker.tested(item))
    return found


def _loop(checker: Checker, node: ir.Loop) -> Type:
    for binding in node.bindings:
        place = binding.value.span or node.span
        checker.declared(binding.type, place)
        checker.expect(checker.infer(binding.value), binding.type, f"`{binding.local.name}`", place)
        checker.local_type(binding.local, ANY)
    return checker.infer(node.body)


def _recur(checker: Checker, node: ir.Recur) -> Type:
    for arg in node.args:
        checker.infer(arg)
    return NEVER


def _for(checker: Checker, node: ir.For) -> Type:
    for clause in node.clauses:
        match clause:
            case ir.Iterate(local, coll):
                checker.expect(
                    checker.infer(coll), _ITERABLE, "the collection of `for`", coll.span or node.span
                )
                checker.local_type(local, ANY)
            case ir.LetClause(bindings):
                _bindings(checker, bindings, node.span)
            case ir.When(test) | ir.While(test):
                checker.infer(test)
    with ExitStack() as before:
        for clause in node.clauses:
            if isinstance(clause, ir.When | ir.While):
                before.enter_context(checker.tested(clause.test))
        checker.infer(node.body)
    return _VECTOR if node.collect else NIL


def _try(checker: Checker, node: ir.Try) -> Type:
    with checker.catching(bool(node.catches)):
        found = checker.infer(node.body)
    for catch in node.catches:
        checker.local_type(catch.local, types.Primitive("error"))
        if catch.also is not None:
            checker.local_type(catch.also, types.Primitive("error"))
        found = join(found, checker.infer(catch.body), checker.aliases)
    if node.final is not None:
        checker.infer(node.final)
    return found


def _hinted(checker: Checker, node: ir.Hinted) -> Type:
    for _, value in node.hints:
        checker.infer(value)
    return checker.infer(node.body)


# ---------------------------------------------------------------- functions and types


def _lambda(checker: Checker, node: ir.Lambda) -> Type:
    result: Type = NEVER
    for arity in node.arities:
        for param in arity.params:
            checker.declared(param.type, node.span)
            checker.local_type(param.local, param.type or ANY)
        if arity.rest is not None:
            checker.declared(arity.rest.type, node.span)
            checker.local_type(arity.rest.local, types.ListType(arity.rest.type or ANY))
        checker.declared(arity.returns, node.span)
        if node.self_local is not None:
            checker.local_functions[node.self_local.id] = node
        given = checker.infer(arity.body)
        what = f"the value of `{node.name}`" if node.name else "the value of the function"
        checker.expect(given, arity.returns, what, arity.body.span or node.span)
        result = join(result, _narrower(checker, given, arity.returns), checker.aliases)
    # A function that only ever loops or fails gives no value; callers need not know.
    delegated = node.hint is not None and node.hint.kind != "local"
    checker.results[id(node)] = ANY if delegated or result == NEVER else result
    return types.Primitive("fn")


def _cast(checker: Checker, node: ir.Cast) -> Type:
    given = checker.infer(node.value)
    checker.declared(node.type, node.span)
    checker.expect(given, node.type, f"`{node.label}`", node.span)
    return _narrower(checker, given, node.type)


def _is_type(checker: Checker, node: ir.IsType) -> Type:
    checker.infer(node.value)
    checker.declared(node.type, node.span)
    return _BOOL


def _struct(checker: Checker, node: ir.StructOf) -> Type:
    check_fields(checker, node)
    return types.Primitive("fn")


# ---------------------------------------------------------------- collections


def _vector_of(checker: Checker, node: ir.VectorOf) -> Type:
    items = [checker.infer(item) for item in node.items]
    if not items:
        return types.ArrayType(ANY, (0,))
    return _VECTOR if len(items) > _MOST_ITEMS else prune(types.TupleType(tuple(items)))


def _collection(kind: str) -> Callable[[Checker, ir.ListOf | ir.SetOf], Type]:
    def infer(checker: Checker, node: ir.ListOf | ir.SetOf) -> Type:
        for item in node.items:
            checker.infer(item)
        return types.Primitive(kind)

    return infer


def _map_of(checker: Checker, node: ir.MapOf) -> Type:
    entries: dict[str, types.MapEntry] = {}
    seen: set[tuple[type, Value]] = set()
    exact = len(node.entries) <= _MOST_ITEMS
    for key, value in node.entries:
        checker.infer(key)
        held = checker.infer(value)
        if not isinstance(key, ir.Constant) or not isinstance(key.value, str | int | Keyword):
            exact = False
            continue
        if (type(key.value), key.value) in seen:
            checker.report("duplicate-key", f"the key {brief(key.value)} is given twice", key.span or node.span)
        seen.add((type(key.value), key.value))
        name = key.value.name if isinstance(key.value, Keyword) else key.value
        if isinstance(name, int) or name in entries:
            exact = False
        else:
            entries[name] = types.MapEntry(name, held, False)
    return prune(types.MapType(tuple(entries.values()), NEVER)) if exact else types.Primitive("map")


_INFER: Final[Mapping[type, Callable[..., Type]]] = {
    ir.Constant: _constant,
    ir.LocalRef: _local_ref,
    ir.GlobalRef: _global_ref,
    ir.BuiltinRef: _builtin_ref,
    ir.DynamicRef: _dynamic_ref,
    ir.Let: _let,
    ir.LocalDef: _local_def,
    ir.Def: _def,
    ir.DefType: _def_type,
    ir.ModuleForm: _module,
    ir.If: _if,
    ir.Do: _do,
    ir.And: _and_or,
    ir.Or: _and_or,
    ir.Loop: _loop,
    ir.Recur: _recur,
    ir.For: _for,
    ir.Try: _try,
    ir.Hinted: _hinted,
    ir.Lambda: _lambda,
    ir.Apply: apply,
    ir.Cast: _cast,
    ir.IsType: _is_type,
    ir.StructOf: _struct,
    ir.VectorOf: _vector_of,
    ir.ListOf: _collection("list"),
    ir.SetOf: _collection("set"),
    ir.MapOf: _map_of,
}
