"""Definitions: `def`, `defn`, `defstruct`, `deftype`, `defmacro`, and `meta` of what they define."""

from __future__ import annotations

from dataclasses import replace

from rtfs import ir
from rtfs.analyze.annotations import take_annotation, take_leading_annotation, take_type
from rtfs.analyze.core import Call, constant, count_args, node, special
from rtfs.analyze.environment import Macro
from rtfs.analyze.forms.functions import function, split_function
from rtfs.analyze.scope import Scope
from rtfs.analyze.syntax import Item, Metadata, describe, invalid, join_constants, split_metadata
from rtfs.errors import Span
from rtfs.types.model import MapEntry, MapType, OptionalType, Type
from rtfs.values import Keyword, List, Map, Symbol, Value


@special("def")
def def_(call: Call, scope: Scope) -> ir.Node:
    """`(def name (: T)? "doc"? expr)`."""
    count_args(call, 1, None, "(def name : Type? doc? value)")
    metadata, name_item = split_metadata(call.args[0])
    metadata = call.metadata | metadata
    name = _name(name_item, call)
    type_, index = take_leading_annotation(call.args, 1)
    doc = None
    if index == len(call.args) - 2 and type(call.args[index].form) is str:
        doc = call.args[index].form
        index += 1
    if index != len(call.args) - 1:
        problem = "no value" if index >= len(call.args) else "more than one value"
        raise invalid(f"`(def {name} …)` has {problem}", call.span)
    value = node(call.args[index], scope)
    if isinstance(value, ir.Lambda):
        value = _named_lambda(value, name, doc, metadata)
    return _define(name, value, scope, call.span, type_, doc, metadata)


def _named_lambda(value: ir.Lambda, name: str, doc: str | None, metadata: Metadata) -> ir.Lambda:
    return replace(
        value,
        name=value.name or name,
        doc=value.doc or doc,
        hint=value.hint or metadata.hint,
        metadata=join_constants((*value.metadata, *metadata.constants())),
    )


def _name(item: Item, call: Call) -> str:
    if type(item.form) is not Symbol:
        raise invalid(f"`{call.head}` takes a name first, got {describe(item.form)}", item.span)
    return str(item.form.name)


def _define(
    name: str,
    value: ir.Node,
    scope: Scope,
    span: Span,
    type_: Type | None = None,
    doc: str | None = None,
    metadata: Metadata | None = None,
) -> ir.Node:
    """Bind `name` in the frame of `scope`: a global at the top level, else a local."""
    if not scope.is_top:
        return ir.LocalDef(scope.define(name), value, type_, span=span)
    constants = metadata.constants() if metadata is not None else ()
    note_definition(name, scope)
    environment = scope.analysis.environment
    if isinstance(value, ir.Lambda):
        environment.metadata.pop(name, None)
    else:
        about = {} if doc is None else {"doc": doc}
        environment.metadata[name] = {**about, **dict(constants)}
    return ir.Def(name, value, type_, doc, constants, span=span)


def note_definition(name: str, scope: Scope) -> None:
    """A global is defined here."""
    analysis = scope.analysis
    analysis.defines[name] = analysis.defines.get(name, 0) + 1
    analysis.environment.globals.add(name)
    analysis.environment.macros.pop(name, None)


@special("defn")
def defn(call: Call, scope: Scope) -> ir.Node:
    """`(defn meta* name "doc"? meta* [params] (: R)? body+)`; recursive, local when nested."""
    form = split_function(call)
    if form.name is None:
        raise invalid("`defn` takes a name first", call.span)
    if scope.is_top:
        scope.analysis.environment.globals.add(form.name)
    else:
        scope.hoist([form.name])
    made = function(form, scope, named=False)
    return _define(form.name, made, scope, call.span, None, form.doc, form.metadata)


@special("defstruct")
def defstruct(call: Call, scope: Scope) -> ir.Node:
    """`(defstruct Name :field T …)`: a constructor and a type of that name."""
    count_args(call, 1, None, "(defstruct Name :field Type …)")
    name = _name(split_metadata(call.args[0])[1], call)
    fields: dict[str, MapEntry] = {}
    index = 1
    while index < len(call.args):
        key = call.args[index]
        if type(key.form) is not Keyword:
            raise invalid(f"a field of `{name}` is a keyword, got {describe(key.form)}", key.span)
        if index + 1 == len(call.args):
            raise invalid(f"field `:{key.form.name}` has no type", key.span)
        type_, index = _field_type(call.args, index + 1)
        fields[key.form.name] = MapEntry(key.form.name, type_, isinstance(type_, OptionalType))
    entries = tuple(fields.values())
    scope.analysis.environment.types.add(name)
    alias = ir.DefType(name, MapType(entries), span=call.span)
    constructor = ir.StructOf(name, entries, span=call.span)
    return ir.Do((alias, _define(name, constructor, scope, call.span)), span=call.span)


def _field_type(items: list[Item], index: int) -> tuple[Type, int]:
    type_, after = take_annotation(items, index)
    return take_type(items, index) if type_ is None else (type_, after)


@special("deftype")
def deftype(call: Call, scope: Scope) -> ir.Node:
    """`(deftype Name T)`: a name for a type."""
    count_args(call, 2, None, "(deftype Name Type)")
    name = _name(call.args[0], call)
    type_, index = _field_type(call.args, 1)
    if index != len(call.args):
        raise invalid(f"`(deftype {name} …)` has more than one type", call.args[index].span)
    scope.analysis.environment.types.add(name)
    return ir.DefType(name, type_, span=call.span)


# ---------------------------------------------------------------- macros


@special("defmacro")
def defmacro(call: Call, scope: Scope) -> ir.Node:
    """`(defmacro name [params] body+)` → nil."""
    macro = macro_of(call, scope)
    scope.analysis.environment.macros[macro.name] = macro
    return constant(None, call.span)


def macro_of(call: Call, scope: Scope) -> Macro:
    """The macro that a `defmacro` form defines; one and the same for one form."""
    known = scope.analysis.shared.macros.get(id(call.form))
    if known is not None:
        return known[1]
    form = split_function(call)
    if form.name is None:
        raise invalid("`defmacro` takes a name first", call.span)
    parts = [Symbol.of("fn"), *[clause_form(params, rest) for params, rest in form.clauses]]
    macro = Macro(form.name, Item(List(parts), call.span), scope.analysis.source, scope.analysis.environment)
    scope.analysis.shared.macros[id(call.form)] = (call.form, macro)
    return macro


def clause_form(params: Item, rest: list[Item]) -> List:
    """`([params] body…)` as a form."""
    return List([params.form, *[item.form for item in rest]])


# ---------------------------------------------------------------- meta


@special("meta", shadowable=True)
def meta(call: Call, scope: Scope) -> ir.Node | None:
    """`(meta name)` of a global that is no function: what stood before its definition."""
    if len(call.args) != 1 or type(call.args[0].form) is not Symbol:
        return None
    name = call.args[0].form.name
    known = scope.analysis.environment.metadata.get(name)
    if known is None or scope.find(name) is not None:
        return None
    value: Value = Map({Keyword.of(key): each for key, each in known.items()}) if known else None
    return constant(value, call.span)
