"""Control: `do`, `if` and its kin, `and`, `or`, `cond`, `case`, and the threading macros."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rtfs import ir
from rtfs.analyze.core import (
    Call,
    body,
    builtin,
    constant,
    count_args,
    frame_body,
    node,
    primitive,
    special,
)
from rtfs.analyze.scope import Scope
from rtfs.analyze.syntax import Item, datum, describe, invalid, items_of, split_metadata
from rtfs.errors import Span
from rtfs.forms import SourceInfo
from rtfs.values import Keyword, List, Symbol, Value


@special("do")
def do(call: Call, scope: Scope) -> ir.Node:
    """`(do e*)`."""
    return body(call.args, scope, call.span, call.tail)


@special("if")
def if_(call: Call, scope: Scope) -> ir.Node:
    """`(if test then else?)`."""
    count_args(call, 2, 3, "(if test then else?)")
    test, then, *otherwise = call.args
    return ir.If(
        node(test, scope),
        node(then, scope, call.tail),
        body(otherwise, scope, call.span, call.tail),
        span=call.span,
    )


@special("if-not", shadowable=True)
def if_not(call: Call, scope: Scope) -> ir.Node:
    """`(if-not test then else?)`."""
    count_args(call, 2, 3, "(if-not test then else?)")
    test, then, *otherwise = call.args
    made = node(test, scope)
    positive = node(then, scope, call.tail)
    return ir.If(made, body(otherwise, scope, call.span, call.tail), positive, span=call.span)


@special("when", shadowable=True)
def when(call: Call, scope: Scope) -> ir.Node:
    """`(when test e*)`."""
    count_args(call, 1, None, "(when test form…)")
    test, *rest = call.args
    made = node(test, scope)
    return ir.If(made, body(rest, scope, call.span, call.tail), constant(None, call.span), span=call.span)


@special("when-not", shadowable=True)
def when_not(call: Call, scope: Scope) -> ir.Node:
    """`(when-not test e*)`."""
    count_args(call, 1, None, "(when-not test form…)")
    test, *rest = call.args
    made = node(test, scope)
    return ir.If(made, constant(None, call.span), body(rest, scope, call.span, call.tail), span=call.span)


@special("and")
def and_(call: Call, scope: Scope) -> ir.Node:
    """`(and e*)`, true if empty."""
    items = _short_circuit(call, scope)
    return ir.And(items, span=call.span) if items else constant(True, call.span)


@special("or")
def or_(call: Call, scope: Scope) -> ir.Node:
    """`(or e*)`, false if empty."""
    items = _short_circuit(call, scope)
    return ir.Or(items, span=call.span) if items else constant(False, call.span)


def _short_circuit(call: Call, scope: Scope) -> tuple[ir.Node, ...]:
    if not call.args:
        return ()
    last = len(call.args) - 1
    return tuple([node(item, scope, call.tail and index == last) for index, item in enumerate(call.args)])


@special("cond", shadowable=True)
def cond(call: Call, scope: Scope) -> ir.Node:
    """`(cond test value …)`, nil if no test holds."""
    items = call.args
    if len(items) % 2:
        raise invalid("`cond` takes pairs of test and value; the last has no value", items[-1].span)
    pairs = [
        (node(items[index], scope), node(items[index + 1], scope, call.tail))
        for index in range(0, len(items), 2)
    ]
    return _choose(pairs, constant(None, call.span), call.span)


def _choose(pairs: Sequence[tuple[ir.Node, ir.Node]], otherwise: ir.Node, span: Span) -> ir.Node:
    """The value beside the first test that holds."""
    made = otherwise
    for test, value in reversed(pairs):
        made = ir.If(test, value, made, span=value.span or span)
    return made


@special("case", shadowable=True)
def case(call: Call, scope: Scope) -> ir.Node:
    """`(case e constant value … default?)`; a list groups several constants."""
    count_args(call, 1, None, "(case value constant result … default?)")
    span = call.span
    subject, *clauses = call.args
    local = scope.new_local("value")
    binding = ir.Binding(local, node(subject, scope))
    value = ir.LocalRef(local, span=span)
    pairs = [
        (
            _is_one_of(clauses[index], value),
            frame_body(clauses[index + 1 : index + 2], scope.child(), span, call.tail),
        )
        for index in range(0, len(clauses) - 1, 2)
    ]
    if len(clauses) % 2:
        otherwise = frame_body(clauses[-1:], scope.child(), span, call.tail)
    else:
        otherwise = primitive("no-match", value, span=span)
    return ir.Let((binding,), _choose(pairs, otherwise, span), span=span)


def _is_one_of(item: Item, value: ir.Node) -> ir.Node:
    form = item.form
    constants = form.to_list() if type(form) is List else [form]
    tests = tuple(
        [primitive("equal", value, constant(datum(each), item.span), span=item.span) for each in constants]
    )
    if not tests:
        return constant(False, item.span)
    return tests[0] if len(tests) == 1 else ir.Or(tests, span=item.span)


# ---------------------------------------------------------------- threading


@special("->", shadowable=True)
def thread_first(call: Call, scope: Scope) -> ir.Node:
    """`(-> x (f a) g)` = `(g (f x a))`."""
    count_args(call, 1, None, "(-> value form…)")
    return node(thread(call.args, _insert_first), scope, call.tail)


@special("->>", shadowable=True)
def thread_last(call: Call, scope: Scope) -> ir.Node:
    """`(->> x (f a) g)` = `(g (f a x))`."""
    count_args(call, 1, None, "(->> value form…)")
    return node(thread(call.args, _insert_last), scope, call.tail)


@special("some->", shadowable=True)
def some_thread(call: Call, scope: Scope) -> ir.Node:
    """`->` that stops at the first nil."""
    count_args(call, 1, None, "(some-> value form…)")
    first, *rest = call.args
    inner = scope.child()
    steps: list[tuple[ir.Binding, Span]] = []
    made = node(first, inner, call.tail and not rest)
    for index, item in enumerate(rest):
        # a name with a space, which no text can contain
        name = f"some-> {scope.analysis.shared.next_id()}"
        steps.append((ir.Binding(inner.bind(name), made), item.span))
        last = index == len(rest) - 1
        made = node(_insert_first(Item(Symbol.of(name), item.span), item), inner, call.tail and last)
    for binding, span in reversed(steps):
        value = ir.LocalRef(binding.local, span=span)
        nil = constant(None, span)
        choice = ir.If(builtin("nil?", value, span=span), nil, made, span=span)
        made = ir.Let((binding,), choice, span=span)
    return made


def thread(items: Sequence[Item], insert: Callable[[Item, Item], Item]) -> Item:
    """The first item put into the second, the result into the third, …"""
    value, *rest = items
    for item in rest:
        value = insert(value, item)
    return value


def _insert_first(value: Item, into: Item) -> Item:
    return _insert(value, into, 1)


def _insert_last(value: Item, into: Item) -> Item:
    return _insert(value, into, None)


def _insert(value: Item, into: Item, position: int | None) -> Item:
    """The call `into` with `value` among its arguments; a bare name or keyword becomes a call."""
    _, bare = split_metadata(into)
    if type(bare.form) is Symbol or type(bare.form) is Keyword:
        parts = [bare]
    elif type(bare.form) is List and bare.form:
        parts = items_of(bare.form, bare.span)
    else:
        raise invalid(f"a value is threaded through calls, got {describe(into.form)}", into.span)
    parts.insert(len(parts) if position is None else position, value)
    made = List([part.form for part in parts])
    made.source_info = SourceInfo(bare.span, tuple([part.span for part in parts]))
    return Item(made, bare.span)


# ---------------------------------------------------------------- tickets


@special("async", shadowable=True)
def async_(call: Call, scope: Scope) -> ir.Node:
    """`(async e)`: a ticket for the value of e."""
    count_args(call, 1, 1, "(async form)")
    return ir.Async(frame_body(call.args, scope.child(), call.span), span=call.span)


@special("race", shadowable=True)
def race(call: Call, scope: Scope) -> ir.Node:
    """`(race e+)`: the first value to arrive."""
    count_args(call, 1, None, "(race form…)")
    items = [frame_body([item], scope.child(), item.span) for item in call.args]
    return ir.Race(tuple(items), span=call.span)


def threaded_form(head: str, items: Sequence[Item]) -> Value:
    """What `(-> …)` or `(->> …)` stands for, for `macroexpand`."""
    return thread(items, _insert_first if head == "->" else _insert_last).form
