"""From a unit to code: the table of emitters, and Python's compiler."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from types import CodeType
from typing import Any, Final

from rtfs import ir
from rtfs.emit_python import calls, control, data
from rtfs.emit_python.arguments import packed
from rtfs.emit_python.artifact import Artifact, ModuleCode
from rtfs.emit_python.checks import emit_cast, emit_is_type
from rtfs.emit_python.emitter import Emitter, Unsupported
from rtfs.emit_python.forks import emit_items
from rtfs.emit_python.frames import Frame
from rtfs.emit_python.functions import function_definition
from rtfs.emit_python.names import MAIN
from rtfs.passes.forks import NO_FORKS, Forks
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
    ir.Race: data.emit_race,
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
}


def _never(_: ir.Lambda) -> bool:
    return False


def emit_module(
    frame: Frame,
    source: str,
    *,
    session: bool = False,
    prefix: str = "0",
    bound: IsBound = _never,
    only: int | None = None,
    body: ir.Lambda | None = None,
    forks: Forks = NO_FORKS,
) -> tuple[ast.Module, Emitter]:
    """The Python module for the forms of `frame`: for each a function `main·` that runs it.

    Args:
        only: emit the form at this index alone.
        body: emit this function, of the form `only`, for its stub to fall back to, instead of the form.
        forks: parts of that form that may overlap.
    """
    e = Emitter(
        prefix,
        source,
        session,
        frame,
        only or 0,
        bound,
        body,
        forks,
        _compile_module,
        emit_items,
        _EXPRESSIONS,
        _STATEMENTS,
    )
    forms = frame.forms if only is None else (body or frame.forms[only],)
    mains: list[ast.stmt] = []
    for form in forms:
        block = e.form(form)
        mains.append(function_definition(e, MAIN, e.function, block))
    return ast.Module(mains, type_ignores=[]), e


def _compile_module(e: Emitter, node: ir.ModuleForm) -> ModuleCode:
    prefix = f"{e.prefix}.{e.serial()}"
    artifact = compile_frame(module_frame(node), e.source, prefix=prefix, bound=e.bound)
    return ModuleCode(node.name, node.docstring, node.exports, e.source, artifact, node)


def compile_frame(
    frame: Frame,
    source: str,
    *,
    session: bool = False,
    prefix: str = "0",
    bound: IsBound = _never,
    only: int | None = None,
    body: ir.Lambda | None = None,
    forks: Forks = NO_FORKS,
) -> Artifact | None:
    """Compile what `emit_module` emits; None if this backend cannot (the interpreter must run it)."""
    try:
        with deep_recursion(EMISSION_DEPTH):
            module, e = emit_module(
                frame, source, session=session, prefix=prefix, bound=bound, only=only, body=body, forks=forks
            )
            code = compile(module, source, "exec", dont_inherit=True, optimize=0)
    except (Unsupported, RecursionError, SyntaxError, ValueError, MemoryError, SystemError, OverflowError):
        # Python's compiler has limits of its own: nested blocks, recursion, names it reserves
        return None
    sites = tuple((site.span, site.callee, packed(site.arguments, site.operands)) for site in e.calls)
    mains = tuple(each for each in code.co_consts if isinstance(each, CodeType))
    return Artifact(mains, tuple(e.constants), prefix, sites)


def module_frame(node: ir.ModuleForm) -> Frame:
    """The frame of a `module` form."""
    return Frame(node.body, _stable(node.body))


def _stable(forms: Iterable[ir.Node]) -> frozenset[str]:
    """Names that `forms` define once, by a function."""
    seen: dict[str, bool] = {}
    for form in forms:
        if isinstance(form, ir.Def):
            seen[form.name] = form.name not in seen and isinstance(form.value, ir.Lambda)
    return frozenset(name for name, once in seen.items() if once)
