"""Functions: `fn` and its synonyms, and the parts that `defn`, `defmacro` and `letfn` share with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rtfs import ir
from rtfs.analyze.annotations import take_annotation, take_leading_annotation
from rtfs.analyze.core import Call, frame_body, special
from rtfs.analyze.patterns import bind_parts, is_pattern, name_of
from rtfs.analyze.scope import RecurTarget, Scope
from rtfs.analyze.syntax import (
    AMPERSAND,
    NO_METADATA,
    Item,
    Metadata,
    describe,
    invalid,
    items_of,
    metadata_in,
    split_metadata,
)
from rtfs.errors import Span
from rtfs.types.model import Type
from rtfs.values import List, Symbol, Vector


@dataclass(slots=True)
class FunctionForm:
    """The parts of a function form."""

    name: str | None
    doc: str | None
    metadata: Metadata
    #: parameter vector and body of each arity
    clauses: list[tuple[Item, list[Item]]]
    span: Span


@dataclass(frozen=True, slots=True)
class ParamForm:
    """One parameter: a pattern and its type."""

    pattern: Item
    type: Type | None


@special("fn", "λ", "lambda")
def fn(call: Call, scope: Scope) -> ir.Node:
    """`(fn meta* name? [params] (: R)? body+)`, `(fn ([a] …) ([a & r] …))`."""
    return function(split_function(call), scope)


def split_function(call: Call) -> FunctionForm:
    """Take a function form apart. Whether it must have a name is up to the caller.

    Raises:
        InvalidProgram: a part is missing or out of place.
    """
    items = call.args
    found = FunctionForm(None, None, call.metadata, [], call.span)
    index = 0
    while index < len(items):
        metadata, item = split_metadata(items[index])
        if metadata is not NO_METADATA:
            found.metadata |= metadata
        form = item.form
        if type(form) is Symbol and found.name is None and index == 0:
            found.name = form.name
        elif type(form) is str and found.doc is None:
            found.doc = form
        elif type(form) is Vector:
            found.clauses.append(_clause(item, items[index + 1 :], call))
            return found
        elif type(form) is List:
            for each in [item, *items[index + 1 :]]:
                metadata, clause = _split_clause(each, call)
                found.metadata |= metadata
                found.clauses.append(clause)
            return found
        else:
            raise invalid(f"`{call.head}` takes a parameter vector here, got {describe(form)}", item.span)
        index += 1
    raise invalid(f"`{call.head}` has no parameter vector", call.span)


def _split_clause(item: Item, call: Call) -> tuple[Metadata, tuple[Item, list[Item]]]:
    if type(item.form) is not List or not item.form:
        raise invalid(f"an arity of `{call.head}` is a list `([params] body…)`", item.span)
    first, *rest = items_of(item.form, item.span)
    metadata, first = split_metadata(first)
    if type(first.form) is not Vector:
        raise invalid(f"an arity begins with its parameter vector, got {describe(first.form)}", first.span)
    return metadata, _clause(first, rest, call)


def _clause(params: Item, rest: list[Item], call: Call) -> tuple[Item, list[Item]]:
    if not rest:
        raise invalid(f"`{call.head}` has no body after its parameters", params.span)
    return params, rest


def function(form: FunctionForm, scope: Scope, *, named: bool = True) -> ir.Lambda:
    """The lambda of a function form.

    Args:
        named: bind the name to the function inside itself.
    """
    inner = scope.function_scope()
    self_local = inner.bind(form.name) if named and form.name is not None else None
    arities = [_arity(params, rest, inner, form.name) for params, rest in form.clauses]
    return ir.Lambda(
        form.name,
        self_local,
        _in_order(arities, form.span),
        form.doc,
        form.metadata.hint,
        form.metadata.constants(),
        span=form.span,
    )


def _in_order(arities: list[ir.Arity], span: Span) -> tuple[ir.Arity, ...]:
    """Exact arities by number of parameters, then the variadic one.

    Raises:
        InvalidProgram: two of them take the same calls.
    """
    exact: dict[int, ir.Arity] = {}
    variadic = [arity for arity in arities if arity.rest is not None]
    for arity in arities:
        if arity.rest is None:
            count = len(arity.params)
            if count in exact:
                raise invalid(f"two arities take {count} argument{'' if count == 1 else 's'}", span)
            exact[count] = arity
    if len(variadic) > 1:
        raise invalid("two arities have a rest parameter", span)
    return (*[exact[count] for count in sorted(exact)], *variadic)


def _arity(params: Item, rest: Sequence[Item], scope: Scope, name: str | None) -> ir.Arity:
    inner = scope.child()
    fixed, variadic = split_params(items_of(params.form, params.span))
    returns, start = take_leading_annotation(rest, 0)
    body_items = rest[start:]
    if not body_items:
        raise invalid("a function has no body after its return type", params.span)
    bindings: list[ir.Binding] = []
    made = [_param(each, f"arg{index + 1}", inner, bindings) for index, each in enumerate(fixed)]
    made_rest = None if variadic is None else _param(variadic, "rest", inner, bindings)
    label = inner.analysis.shared.next_id()
    count = len(made) + (made_rest is not None)
    inner.recur = RecurTarget(label, count, name or "user-defined function")
    body = frame_body(body_items, inner, params.span, tail=True)
    if bindings:
        body = ir.Let(tuple(bindings), body, span=params.span)
    return ir.Arity(label, tuple(made), made_rest, returns, body)


def _param(form: ParamForm, hidden: str, scope: Scope, bindings: list[ir.Binding]) -> ir.Param:
    """The parameter; what a pattern binds is added to `bindings`."""
    metadata, pattern = split_metadata(form.pattern)
    name = name_of(pattern)
    if name is not None:
        return ir.Param(scope.bind(name), form.type, metadata.constants())
    local = scope.new_local(hidden)
    bindings += bind_parts(pattern, local, scope)
    metadata |= metadata_in(pattern, "privacy")
    return ir.Param(local, form.type, metadata.constants())


def split_params(items: Sequence[Item]) -> tuple[list[ParamForm], ParamForm | None]:
    """Parameters and the rest parameter of a parameter vector.

    Raises:
        InvalidProgram: what stands there is no parameter list.
    """
    fixed: list[ParamForm] = []
    index = 0
    while index < len(items):
        if items[index].form is AMPERSAND:
            rest, index = _take_param(items, index + 1)
            if index < len(items):
                raise invalid("the rest parameter is the last one", items[index].span)
            return fixed, rest
        param, index = _take_param(items, index)
        fixed.append(param)
    return fixed, None


def _take_param(items: Sequence[Item], index: int) -> tuple[ParamForm, int]:
    if index >= len(items):
        raise invalid("a parameter belongs after `&`", items[-1].span)
    item = items[index]
    if not is_pattern(split_metadata(item)[1].form):
        raise invalid(f"a parameter is a name or a pattern, got {describe(item.form)}", item.span)
    type_, index = take_annotation(items, index + 1)
    return ParamForm(item, type_), index
