"""The type of each kind of node. See `rtfs.check.walk`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from rtfs import ir
from rtfs.check.calls import apply, check_fields
from rtfs.check.types import prune, when_false, when_true
from rtfs.errors import Span
from rtfs.types import model as types
from rtfs.types.explain import brief
from rtfs.types.kinds import ANY, NEVER, NIL
from rtfs.types.model import Type
from rtfs.types.subtyping import is_subtype, join
from rtfs.types.walk import is_circular
from rtfs.values import Keyword, Value

if TYPE_CHECKING:
    from rtfs.check.walk import Checker

_BOOL: Final = types.Primitive("bool")
_VECTOR: Final = types.Primitive("vector")
_ITERABLE: Final = types.UnionType(tuple(map(types.Primitive, ("vector", "list", "set", "map", "string"))))
#: literals with more items are known by their kind only
_MOST_ITEMS: Final = 64


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
        from rtfs.idioms import suggestion
        from rtfs.stdlib.table import BUILTINS

        near = [*checker.unit.defines, *sorted(checker.facts.local_names), *BUILTINS]
        hint = suggestion(node.name, near)
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


def _short_circuit(passed_on: Callable[[Type], Type]) -> Callable[[Checker, ir.And | ir.Or], Type]:
    """For `and` or `or`: `passed_on` is the part of an item's type that ends the evaluation there."""

    def infer(checker: Checker, node: ir.And | ir.Or) -> Type:
        found: Type = NEVER
        *tests, last = node.items
        with ExitStack() as before:
            for item in tests:
                found = join(found, passed_on(checker.infer(item)), checker.aliases)
                before.enter_context(checker.tested(item))
            return join(found, checker.infer(last), checker.aliases)

    return infer


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


#: kind of node → what infers its type
INFER: Final[Mapping[type, Callable[..., Type]]] = {
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
    ir.And: _short_circuit(when_false),
    ir.Or: _short_circuit(when_true),
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
