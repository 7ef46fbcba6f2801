"""Iteration: `for`, `doseq`, `dotimes`."""

from __future__ import annotations

from rtfs import ir
from rtfs.analyze.core import Call, builtin, constant, frame_body, node, primitive, special
from rtfs.analyze.forms.bindings import Pair, bind_pairs, binding_vector, split_pairs
from rtfs.analyze.patterns import bind_parts, is_pattern, name_of
from rtfs.analyze.scope import Scope
from rtfs.analyze.syntax import Item, describe, invalid, is_symbol, items_of, nearest_hint, split_metadata
from rtfs.values import Keyword, Vector


@special("for")
def for_(call: Call, scope: Scope) -> ir.Node:
    """`(for [pattern coll :let […] :when e :while e …] body+)` → vector."""
    if len(call.args) < 2:
        raise invalid("`for` has no body", call.span)
    return _iterate(call, scope, collect=True)


@special("doseq", shadowable=True)
def doseq(call: Call, scope: Scope) -> ir.Node:
    """`(doseq [pattern coll …] body*)` → nil."""
    return _iterate(call, scope, collect=False)


def _iterate(call: Call, scope: Scope, collect: bool) -> ir.Node:
    items = binding_vector(call)
    inner = scope.child()
    clauses: list[ir.Clause] = []
    if not items or type(items[0].form) is Keyword:
        raise invalid(f"`{call.head}` goes over a collection first: `[name coll …]`", call.args[0].span)
    if len(items) % 2:
        raise invalid(f"`{call.head}` takes pairs of name and collection", items[-1].span)
    for index in range(0, len(items), 2):
        clauses += _clause(items[index], items[index + 1], inner, call)
    return ir.For(tuple(clauses), frame_body(call.args[1:], inner, call.span), collect, span=call.span)


def _clause(left: Item, right: Item, scope: Scope, call: Call) -> list[ir.Clause]:
    if type(left.form) is Keyword:
        return _modifier(left, right, scope, call)
    _, pattern = split_metadata(left)
    if not is_pattern(pattern.form):
        raise invalid(f"`{call.head}` binds a name or a pattern, got {describe(left.form)}", left.span)
    coll = node(right, scope)
    name = name_of(pattern)
    if name is not None:
        return [ir.Iterate(scope.bind(name), coll)]
    local = scope.new_local("item")
    parts = bind_parts(pattern, local, scope)
    return [ir.Iterate(local, coll), ir.LetClause(tuple(parts))] if parts else [ir.Iterate(local, coll)]


def _modifier(left: Item, right: Item, scope: Scope, call: Call) -> list[ir.Clause]:
    name = left.form.name
    if name == "when":
        return [ir.When(node(right, scope))]
    if name == "while":
        return [ir.While(node(right, scope))]
    if name == "let" and type(right.form) is Vector:
        pairs = split_pairs(items_of(right.form, right.span), ":let")
        return [ir.LetClause(tuple(bind_pairs(pairs, scope)))]
    if name == "let":
        raise invalid(f"`:let` takes a vector of bindings, got {describe(right.form)}", right.span)
    hint = nearest_hint(f":{name}", (":let", ":when", ":while"))
    raise invalid(f"`{call.head}` knows `:let`, `:when` and `:while`, not `:{name}`", left.span, hint)


@special("dotimes")
def dotimes(call: Call, scope: Scope) -> ir.Node:
    """`(dotimes [i n] body+)`: the last body's value, nil if n ≤ 0."""
    pairs = split_pairs(binding_vector(call), "dotimes")
    if len(pairs) != 1 or len(call.args) < 2:
        raise invalid("`dotimes` has the shape `(dotimes [name count] form…)`", call.span)
    pair = pairs[0]
    if name_of(pair.pattern) is None and not is_symbol(pair.pattern.form, "_"):
        raise invalid(f"`dotimes` counts a name, got {describe(pair.pattern.form)}", pair.pattern.span)
    return _count_up(pair, call, scope)


def _count_up(pair: Pair, call: Call, scope: Scope) -> ir.Node:
    span = call.span
    limit = scope.new_local("limit")
    count = primitive("check-integer", node(pair.value, scope), span=pair.value.span)
    inner = scope.child()
    label = scope.analysis.shared.next_id()
    counter = inner.bind(name_of(pair.pattern) or "_")
    result = inner.new_local("result")
    turn = frame_body(call.args[1:], inner, span)
    index = ir.LocalRef(counter, span=span)
    again = ir.Recur(label, (builtin("inc", index, span=span), turn), span=span)
    more = builtin("<", index, ir.LocalRef(limit, span=span), span=span)
    body = ir.If(more, again, ir.LocalRef(result, span=span), span=span)
    start = (ir.Binding(counter, constant(0, span)), ir.Binding(result, constant(None, span)))
    return ir.Let((ir.Binding(limit, count),), ir.Loop(label, start, body, span=span), span=span)
