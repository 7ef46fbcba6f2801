"""From a unit to code: the table of emitters, and Python's compiler."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import Any, Final

from rtfs import ir
from rtfs.emit_python import calls, control, data
from rtfs.emit_python.artifact import Artifact, ModuleCode
from rtfs.emit_python.checks import emit_cast, emit_is_type
from rtfs.emit_python.emitter import Destination, Emitter, Unsupported
from rtfs.emit_python.functions import function_definition
from rtfs.emit_python.names import MAIN
from rtfs.run import deep_recursion

#: called with each function of a unit: whether a stub may stand for it
type IsBound = Callable[[ir.Lambda], bool]

#: nesting of nodes that emission can follow
EMISSION_DEPTH: Final = 100_000

_EXPRESSIONS: Final[dict[type, Any]] = {
    ir.Constant: data.emit_constant,
    ir.LocalRef: data.emit_local_ref,
    ir.GlobalRef: data.emit_global_ref,
    ir.BuiltinRef: data.emit_builtin_ref,
    ir.QualifiedRef: data.emit_qualified_ref,
    ir.DynamicRef: data.emit_dynamic_ref,
    ir.If: control.emit_if,
    ir.Do: control.emit_do,
    ir.Let: control.emit_let,
    ir.And: control.emit_and,
    ir.Or: control.emit_or,
    ir.For: control.emit_for,
    ir.Lambda: data.emit_lambda_value,
    ir.Apply: calls.emit_apply,
    ir.Primitive: data.emit_primitive,
    ir.Cast: emit_cast,
    ir.IsType: emit_is_type,
    ir.VectorOf: data.emit_vector_of,
    ir.ListOf: data.emit_list_of,
    ir.SetOf: data.emit_set_of,
    ir.MapOf: data.emit_map_of,
    ir.Def: data.emit_def,
    ir.LocalDef: data.emit_local_def,
    ir.DefType: data.emit_def_type,
    ir.StructOf: data.emit_struct_of,
    ir.ModuleForm: data.emit_module_form,
    ir.Import: data.emit_import,
    ir.Step: data.emit_step,
    ir.Hinted: data.emit_hinted,
    ir.Async: data.emit_async,
}
_STATEMENTS: Final[dict[type, Any]] = {
    ir.If: control.tail_if,
    ir.Do: control.tail_do,
    ir.Let: control.tail_let,
    ir.And: control.tail_and,
    ir.Or: control.tail_or,
    ir.Loop: control.tail_loop,
    ir.Recur: control.tail_recur,
    ir.Try: control.tail_try,
    ir.Apply: calls.tail_apply,
    ir.Race: data.tail_race,
}


def _never(_: ir.Lambda) -> bool:
    return False


def emit_module(
    forms: tuple[ir.Node, ...], source: str, stable: frozenset[str], session: bool, prefix: str, bound: IsBound
) -> tuple[ast.Module, Emitter]:
    """The Python module for `forms`: one function, `main·`, that runs them."""
    e = Emitter(prefix, source, session, forms, stable, bound, _compile_module, _EXPRESSIONS, _STATEMENTS)
    for form in forms[:-1]:
        e.effect(form)
    result = Destination(lambda value, fact: [ast.Return(value, **e.at)])
    if forms:
        e.into(forms[-1], result)
    main = function_definition(e, MAIN, e.function, e.block)
    return ast.Module([main], type_ignores=[]), e


def _compile_module(e: Emitter, node: ir.ModuleForm) -> ModuleCode:
    prefix = f"{e.prefix}.{e.serial()}"
    stable = _stable(node.body)
    artifact = compile_forms(node.body, e.source, stable=stable, prefix=prefix, bound=e.bound)
    return ModuleCode(node.name, node.docstring, node.exports, e.source, artifact, node)


def compile_forms(
    forms: tuple[ir.Node, ...],
    source: str,
    *,
    stable: frozenset[str] = frozenset(),
    session: bool = False,
    prefix: str = "0",
    bound: IsBound = _never,
) -> Artifact | None:
    """Compile forms of one unit; None if this backend cannot (the interpreter must run them)."""
    try:
        with deep_recursion(EMISSION_DEPTH):
            module, e = emit_module(forms, source, stable, session, prefix, bound)
            code = compile(module, source, "exec", dont_inherit=True, optimize=0)
    except (Unsupported, RecursionError, SyntaxError, ValueError, MemoryError, SystemError, OverflowError):
        # Python's compiler has limits of its own: nested blocks, recursion, names it reserves
        return None
    sites = tuple((site.span, site.callee, site.count) for site in e.calls)
    return Artifact(code, tuple(e.constants), prefix, sites)


def _stable(forms: Iterable[ir.Node]) -> frozenset[str]:
    """Names that `forms` define once, by a function."""
    seen: dict[str, bool] = {}
    for form in forms:
        if isinstance(form, ir.Def):
            seen[form.name] = form.name not in seen and isinstance(form.value, ir.Lambda)
    return frozenset(name for name, once in seen.items() if once)
