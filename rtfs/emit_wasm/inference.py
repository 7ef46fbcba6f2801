"""Inference: what kind the value of every node is, function by function, for given kinds of arguments.

A call of a function of the program is inferred as a call of an *instance* of it, a function for these kinds;
so a function may have several. What an instance gives is `NEVER` at first; all are inferred again until
nothing changes. Kinds only grow from `NEVER` to one other kind, and whatever would need two is refused, so
that ends soon.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from rtfs import ir
from rtfs.emit_wasm import operation_table  # noqa: F401 - fills the table
from rtfs.emit_wasm.instances import Instance, Key
from rtfs.emit_wasm.kinds import VECTORS, Kind, belongs
from rtfs.emit_wasm.names import Names
from rtfs.emit_wasm.operations import OPERATIONS
from rtfs.emit_wasm.refusal import Refused
from rtfs.emit_wasm.sequences import SEQUENCES
from rtfs.emit_wasm.vectors import vector_of
from rtfs.run import STOP_REQUESTS, poll
from rtfs.types.parser import type_text
from rtfs.values import Value, Vector, type_name

#: instances that one unit may have
MOST_INSTANCES: Final = 500

_KIND_OF: Final = {int: Kind.INT, float: Kind.FLOAT, bool: Kind.BOOL, type(None): Kind.NIL, str: Kind.STRING}
#: how the language calls what a node stands for
_CONSTRUCTS: Final[dict[type, str]] = {
    ir.For: "`for`",
    ir.Try: "`try`",
    ir.Step: "`step`",
    ir.Hinted: "an execution hint",
    ir.Async: "`async`",
    ir.Race: "`race`",
    ir.Lambda: "a function as a value",
    ir.ListOf: "a list",
    ir.SetOf: "a set",
    ir.MapOf: "a map",
    ir.GlobalRef: "a global",
    ir.BuiltinRef: "a builtin as a value",
    ir.QualifiedRef: "a name of another module",
    ir.DynamicRef: "a name that the host supplies",
    ir.Def: "`def`",
    ir.LocalDef: "`def` inside a function",
    ir.DefType: "`deftype`",
    ir.StructOf: "`defstruct`",
    ir.ModuleForm: "`module`",
    ir.Import: "`import`",
}


class World:
    """The instances of a unit."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.instances: dict[Key, Instance] = {}
        self._solved: set[Key] = set()

    def solve(self, node: ir.Lambda, kinds: Sequence[Kind]) -> Instance:
        """The instance of a function of the unit for arguments of these kinds, with all that it calls.

        Raises:
            Refused: it, or one that it calls, cannot be compiled.
        """
        root = self.instance(node, kinds, ())
        changed = True
        while changed:
            count = len(self.instances)
            changed = False
            for each in self._unsolved():
                changed = self._infer(each) or changed
            changed = changed or len(self.instances) > count
        self._solved.update(self.instances)
        if root.refused is not None:
            raise root.refused
        if root.result is Kind.NEVER:
            raise Refused("its result", "the function never gives a value", root.arity.body.span)
        return root

    def _unsolved(self) -> list[Instance]:
        return [each for key, each in self.instances.items() if key not in self._solved]

    def _infer(self, instance: Instance) -> bool:
        """Infer anew; whether what callers see of it has changed."""
        if instance.refused is not None:
            return False
        if STOP_REQUESTS:
            poll()
        before = instance.result
        try:
            Inference(self, instance).run()
        except Refused as refused:
            instance.refused = refused
            return True
        return instance.result is not before

    def called(self, node: ir.Lambda, kinds: Sequence[Kind], captured: Sequence[Kind]) -> Instance:
        """An instance that is called; a new one is inferred at once, so that its result is mostly known."""
        count = len(self.instances)
        found = self.instance(node, kinds, captured)
        if len(self.instances) > count:
            self._infer(found)
        return found

    def instance(self, node: ir.Lambda, kinds: Sequence[Kind], captured: Sequence[Kind]) -> Instance:
        """The instance for arguments of these kinds, made if it is new."""
        index = _arity(node, len(kinds))
        key = Key(id(node), index, tuple(kinds), tuple(captured))
        found = self.instances.get(key)
        if found is None:
            if len(self.instances) >= MOST_INSTANCES:
                raise Refused("a call", "the program needs too many variants of its functions")
            outside = self.names.captured(node)
            found = self.instances[key] = Instance(key, node, node.arities[index], outside)
        return found

    def reached(self, roots: Iterable[Instance]) -> list[Instance]:
        """The instances that these may enter, in the order in which they are met, each once."""
        found: dict[Key, Instance] = {}
        todo = list(roots)[::-1]
        while todo:
            instance = todo.pop()
            if instance.key not in found:
                found[instance.key] = instance
                todo.extend(self.instances[key] for key in reversed(instance.calls.values()))
        return list(found.values())


def _arity(node: ir.Lambda, count: int) -> int:
    for index, arity in enumerate(node.arities):
        if arity.rest is None and len(arity.params) == count:
            return index
    name = node.name or "fn"
    if any(arity.rest is not None for arity in node.arities):
        raise Refused(f"a call of `{name}`", "functions with a rest parameter have no wasm form")
    raise Refused(f"a call of `{name}`", f"it does not take {count} arguments")


class Inference:
    """One pass over one instance."""

    def __init__(self, world: World, instance: Instance) -> None:
        self.world = world
        self.instance = instance
        self.locals = instance.locals
        self.span = instance.node.span

    def run(self) -> None:
        """Infer the body, and what it gives."""
        instance = self.instance
        instance.calls.clear()
        self.locals.clear()
        self.locals.update((local.id, kind) for local, kind in instance.parameters)
        for param, kind in zip(instance.arity.params, instance.key.arguments, strict=True):
            self.check(kind, param.type, f"parameter `{param.local.name}`")
        instance.loops[instance.arity.label] = list(instance.key.arguments)
        result = self.infer(instance.arity.body)
        self.check(result, instance.arity.returns, "the result")
        if instance.result is not Kind.NEVER and result is not instance.result:
            raise Refused("the result", f"it is {instance.result.value} or {result.value}")
        instance.result = result

    def infer(self, node: ir.Node) -> Kind:
        """The kind of the node's value.

        Raises:
            Refused: it has no wasm form.
        """
        return self._note(node, _HANDLERS.get(type(node)))

    def infer_test(self, node: ir.Node) -> Kind:
        """The same for a node of which only counts whether its value is true."""
        return self._note(node, _TESTS.get(type(node)) or _HANDLERS.get(type(node)))

    def _note(self, node: ir.Node, handler: Callable[[Inference, Any], Kind] | None) -> Kind:
        outer, self.span = self.span, node.span or self.span
        try:
            if handler is None:
                raise Refused(_CONSTRUCTS.get(type(node), type(node).__name__), "it has no wasm form")
            kind = self.instance.kinds[id(node)] = handler(self, node)
        except Refused as refused:
            refused.span = refused.span or self.span
            raise
        finally:
            self.span = outer
        return kind

    def join(self, a: Kind, b: Kind, construct: str) -> Kind:
        """The kind of a value that is one of two."""
        if a is Kind.NEVER or a is b:
            return b
        if b is Kind.NEVER:
            return a
        hint = "; `(float …)` makes it one" if {a, b} <= {Kind.INT, Kind.FLOAT, Kind.QUOTIENT} else ""
        raise Refused(construct, f"it gives {a.value} or {b.value}{hint}")

    def check(self, kind: Kind, declared: Any, what: str) -> None:
        """Refuse a declared type to which not every value of `kind` belongs."""
        if declared is None:
            return
        found = belongs(kind, declared)
        if found is None:
            reason = "whether a value belongs to it is looked at when the program runs"
            raise Refused(f"the type `{type_text(declared)}` of {what}", reason)
        if not found:
            raise Refused(f"the type `{type_text(declared)}` of {what}", f"the value is {kind.value}")

    def call(self, site: ir.Node, fn: ir.Node, kinds: Sequence[Kind]) -> Kind:
        """The kind that a call gives; notes at `site` which instance it enters."""
        node = self.world.names.called(fn)
        captured = []
        for local in self.world.names.captured(node):
            if local.id not in self.locals:
                raise Refused(
                    f"a call of `{node.name or 'fn'}`", f"it uses `{local.name}`, which has no value yet"
                )
            captured.append(self.locals[local.id])
        instance = self.world.called(node, kinds, captured)
        if instance.refused is not None:
            raise instance.refused
        self.instance.calls[id(site)] = instance.key
        return Kind.NEVER if Kind.NEVER in kinds else instance.result


# ---------------------------------------------------------------- values and names


def _constant(i: Inference, node: ir.Constant) -> Kind:
    return kind_of(node.value)


def kind_of(value: Value) -> Kind:
    """The kind of a constant.

    Raises:
        Refused: it has none.
    """
    found = _KIND_OF.get(type(value))
    if found is None and type(value) is Vector:
        return vector_of([kind_of(item) for item in value])
    if found is None:
        raise Refused(
            f"a {type_name(value)}",
            "wasm functions work on ints, floats, booleans, strings and vectors of numbers",
        )
    return found


def _local_ref(i: Inference, node: ir.LocalRef) -> Kind:
    local = node.local
    if local.id in i.world.names.locals:
        raise Refused(f"`{local.name}`", "a function cannot be a value here")
    if local.id not in i.locals:
        raise Refused(f"`{local.name}`", "it has no value yet")
    return i.locals[local.id]


def _vector_of(i: Inference, node: ir.VectorOf) -> Kind:
    return vector_of([i.infer(item) for item in node.items])


# ---------------------------------------------------------------- control


def _if(i: Inference, node: ir.If) -> Kind:
    i.infer_test(node.test)
    then = i.infer(node.then)
    return i.join(then, i.infer(node.otherwise), "`if`")


def _if_test(i: Inference, node: ir.If) -> Kind:
    for part in (node.test, node.then, node.otherwise):
        i.infer_test(part)
    return Kind.BOOL


def _do(i: Inference, node: ir.Do) -> Kind:
    kinds = [i.infer(item) for item in node.items]
    return Kind.NEVER if Kind.NEVER in kinds[:-1] else kinds[-1]


def _let(i: Inference, node: ir.Let) -> Kind:
    return Kind.NEVER if _bind(i, node.bindings) else i.infer(node.body)


def _let_test(i: Inference, node: ir.Let) -> Kind:
    return Kind.NEVER if _bind(i, node.bindings) else i.infer_test(node.body)


def _bind(i: Inference, bindings: tuple[ir.Binding, ...]) -> bool:
    """Whether one of the values never comes: nothing can be said about what is behind it yet."""
    for binding in bindings:
        if binding.local.id in i.world.names.locals:
            continue
        kind = i.infer(binding.value)
        i.check(kind, binding.type, f"`{binding.local.name}`")
        i.locals[binding.local.id] = kind
        if kind is Kind.NEVER:
            return True
    return False


def _junction(i: Inference, node: ir.And | ir.Or) -> Kind:
    found = Kind.NEVER
    for item in node.items:
        found = i.join(found, i.infer(item), "`and`" if isinstance(node, ir.And) else "`or`")
    return found


def _junction_test(i: Inference, node: ir.And | ir.Or) -> Kind:
    for item in node.items:
        i.infer_test(item)
    return Kind.BOOL


def _loop(i: Inference, node: ir.Loop) -> Kind:
    if _bind(i, node.bindings):
        return Kind.NEVER
    kinds = i.instance.loops[node.label] = [i.locals[each.local.id] for each in node.bindings]
    for binding, kind in zip(node.bindings, kinds, strict=True):
        i.check(kind, binding.type, f"`{binding.local.name}`")
    return i.infer(node.body)


def _recur(i: Inference, node: ir.Recur) -> Kind:
    wanted = i.instance.loops.get(node.label)
    if wanted is None:
        raise Refused("`recur`", "it leaves the function it stands in")
    for arg, kind in zip(node.args, wanted, strict=True):
        i.join(kind, i.infer(arg), "a loop variable")
    return Kind.NEVER


# ---------------------------------------------------------------- calls


def _apply(i: Inference, node: ir.Apply) -> Kind:
    if not isinstance(node.fn, ir.BuiltinRef):
        return i.call(node, node.fn, [i.infer(arg) for arg in node.args])
    name = node.fn.name
    sequence = SEQUENCES.get(name)
    if sequence is not None:
        return sequence.infer(i, node)
    found = OPERATIONS.get(name)
    if found is None:
        raise Refused(f"`{name}`", "this builtin has no wasm form")
    if len(node.args) < found.least or (found.most is not None and len(node.args) > found.most):
        raise Refused(f"`{name}`", f"it does not take {len(node.args)} arguments")
    kinds = [i.infer_test(arg) if name == "not" else i.infer(arg) for arg in node.args]
    return Kind.NEVER if Kind.NEVER in kinds else found.kind(kinds)


def _primitive(i: Inference, node: ir.Primitive) -> Kind:
    kinds = [i.infer(arg) for arg in node.args]
    match node.name:
        case "equal" if set(kinds) <= set(VECTORS.values()):
            raise Refused("equality", "vectors are not compared in wasm")
        case "equal":
            return Kind.BOOL
        case "no-match":
            return Kind.NEVER
        case "check-integer" if kinds == [Kind.INT]:
            return Kind.INT
        case _:
            raise Refused(_PRIMITIVES.get(node.name, f"`{node.name}`"), "it has no wasm form")


_PRIMITIVES: Final = {
    **dict.fromkeys(("destructure-vector", "destructure-vector-rest", "destructure-map"), "destructuring"),
    **dict.fromkeys(("is-sequence-of", "is-sequence-from"), "a vector pattern"),
    **dict.fromkeys(("is-map-with", "is-map-having"), "a map pattern"),
    **dict.fromkeys(("step-truthy", "count-turn"), "`step`"),
    "check-integer": "`dotimes`",
    "resource-ref": "a resource",
}


def _cast(i: Inference, node: ir.Cast) -> Kind:
    kind = i.infer(node.value)
    i.check(kind, node.type, node.label)
    return kind


def _is_type(i: Inference, node: ir.IsType) -> Kind:
    kind = i.infer(node.value)
    if belongs(kind, node.type) is None:
        raise Refused(
            f"the type `{type_text(node.type)}`", "whether a value belongs to it takes a look at the value"
        )
    return Kind.BOOL


_HANDLERS: Final[dict[type, Callable[[Inference, Any], Kind]]] = {
    ir.Constant: _constant,
    ir.LocalRef: _local_ref,
    ir.If: _if,
    ir.Do: _do,
    ir.Let: _let,
    ir.And: _junction,
    ir.Or: _junction,
    ir.Loop: _loop,
    ir.Recur: _recur,
    ir.Apply: _apply,
    ir.Primitive: _primitive,
    ir.Cast: _cast,
    ir.IsType: _is_type,
    ir.VectorOf: _vector_of,
}
_TESTS: Final[dict[type, Callable[[Inference, Any], Kind]]] = {
    ir.If: _if_test,
    ir.Let: _let_test,
    ir.And: _junction_test,
    ir.Or: _junction_test,
}
