"""Calls, as the static checker sees them: the callee, the number of arguments, their types, the result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rtfs import ir
from rtfs.check.signatures import Signature, signature
from rtfs.check.types import describe
from rtfs.stdlib.registry import expected_arity
from rtfs.types import model as types
from rtfs.types.explain import brief
from rtfs.types.kinds import ANY, NEVER, kinds
from rtfs.types.model import Type
from rtfs.types.overlap import overlaps
from rtfs.types.subtyping import is_subtype
from rtfs.values import Keyword, Map, Set, Vector

if TYPE_CHECKING:
    from rtfs.check.walk import Checker

_CALLABLE: Final = types.UnionType(tuple(map(types.Primitive, ("fn", "keyword", "map", "set", "vector"))))
#: what keywords, maps, sets and vectors take
_LOOKUP_ARGS: Final = (1, 2)


def apply(checker: Checker, node: ir.Apply) -> Type:
    """The type of a call's value, with the problems of the call reported."""
    callee = checker.infer(node.fn)
    args = [checker.infer(arg) for arg in node.args]
    match node.fn:
        case ir.BuiltinRef(name):
            return _builtin(checker, node, name, args)
        case _:
            target = _target(checker, node.fn)
    if isinstance(target, ir.Lambda):
        return _function(checker, node, target, args)
    if isinstance(target, ir.StructOf):
        return _constructor(checker, node, target, args)
    if callee != NEVER and not overlaps(callee, _CALLABLE, checker.aliases):
        checker.report("not-callable", f"expected a function to call, got {describe(callee)}", node.span)
        return ANY
    return _lookup(checker, node, callee)


def _target(checker: Checker, fn: ir.Node) -> ir.Lambda | ir.StructOf | None:
    """The function that a callee certainly is."""
    match fn:
        case ir.Lambda():
            return fn
        case ir.GlobalRef(name):
            return checker.functions.get(name)
        case ir.LocalRef(local):
            return checker.local_functions.get(local.id)
        case _:
            return None


def _arity(checker: Checker, node: ir.Apply, name: str, expected: str) -> Type:
    checker.report("arity", f"{name} takes {expected}, got {len(node.args)}", node.span)
    return ANY


def _arguments(expected: str) -> str:
    return f"{expected} argument{'' if expected.endswith(' 1') or expected == '1' else 's'}"


def _builtin(checker: Checker, node: ir.Apply, name: str, args: list[Type]) -> Type:
    from rtfs.stdlib.table import BUILTINS

    entry = BUILTINS.get(name)
    if entry is not None and (len(args) < entry.least or (entry.most is not None and len(args) > entry.most)):
        return _arity(checker, node, f"`{name}`", _arguments(expected_arity(entry.least, entry.most)))
    if name == "hash-map":
        _duplicate_keys(checker, node)
    known = signature(name)
    if known is None:
        return ANY
    _check_args(checker, node, name, known, args)
    return known.result_of(args)


def _check_args(checker: Checker, node: ir.Apply, name: str, known: Signature, args: list[Type]) -> None:
    many = len(args) > 1
    for i, arg in enumerate(args):
        what = f"argument {i + 1} of `{name}`" if many else f"the argument of `{name}`"
        checker.expect(arg, known.param(i), what, node.args[i].span or node.span, certain=known.certain(i))


def _duplicate_keys(checker: Checker, node: ir.Apply) -> None:
    seen: set[tuple[type, object]] = set()
    for key in node.args[::2]:
        if isinstance(key, ir.Constant) and isinstance(key.value, str | int | Keyword):
            if (type(key.value), key.value) in seen:
                message = f"the key {brief(key.value)} is given twice"
                checker.report("duplicate-key", message, key.span or node.span)
            seen.add((type(key.value), key.value))


def _function(checker: Checker, node: ir.Apply, target: ir.Lambda, args: list[Type]) -> Type:
    arity = _clause(target, len(args))
    name = f"`{target.name}`" if target.name else "this function"
    if arity is None:
        return _arity(checker, node, name, _arguments(expected_count(target)))
    for i, arg in enumerate(args):
        param = arity.params[i] if i < len(arity.params) else arity.rest
        assert param is not None
        what = f"argument `{param.local.name}` of {name}"
        checker.expect(arg, param.type, what, node.args[i].span or node.span)
    return checker.results.get(id(target)) or arity.returns or ANY


def _clause(target: ir.Lambda, count: int) -> ir.Arity | None:
    """The clause that takes `count` arguments: an exact one wins."""
    variadic = None
    for arity in target.arities:
        if arity.rest is None and len(arity.params) == count:
            return arity
        if arity.rest is not None and len(arity.params) <= count:
            variadic = arity
    return variadic


def expected_count(target: ir.Lambda) -> str:
    """`2`, `1 or 3`, `0 or at least 2`: how many arguments a function takes."""
    counts = [expected_arity(len(a.params), None if a.rest else len(a.params)) for a in target.arities]
    return counts[0] if len(counts) == 1 else f"{', '.join(counts[:-1])} or {counts[-1]}"


def _constructor(checker: Checker, node: ir.Apply, target: ir.StructOf, args: list[Type]) -> Type:
    if len(args) != 1:
        return _arity(checker, node, f"`{target.name}`", _arguments("1"))
    wanted = types.MapType(target.fields)
    checker.expect(args[0], wanted, f"the argument of `{target.name}`", node.args[0].span or node.span)
    return args[0] if is_subtype(args[0], wanted, checker.aliases) else wanted


def check_fields(checker: Checker, node: ir.StructOf) -> None:
    """Look at the types of a struct's fields."""
    for field in node.fields:
        checker.declared(field.type, node.span)


def _lookup(checker: Checker, node: ir.Apply, callee: Type) -> Type:
    """A call of a keyword, a map, a set or a vector, if it certainly is one."""
    known = kinds(callee, checker.aliases)
    if not known or not known <= {Keyword, Map, Set, Vector}:
        return ANY
    if len(node.args) not in _LOOKUP_ARGS:
        what = "a keyword" if known == {Keyword} else "a collection"
        return _arity(checker, node, f"{what} as a function", _arguments("1 or 2"))
    return ANY
