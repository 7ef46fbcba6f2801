"""Binding forms: `let`, `letrec`, `letfn`, `if-let`, `when-let`, `as->`, and what `loop` shares with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rtfs import errors, ir
from rtfs.analyze.annotations import take_type
from rtfs.analyze.core import Call, body, constant, count_args, frame_body, node, special
from rtfs.analyze.expand import expand
from rtfs.analyze.forms.definitions import clause_form
from rtfs.analyze.forms.functions import split_function
from rtfs.analyze.hoist import defined_names
from rtfs.analyze.patterns import bind_parts, bind_value, is_pattern, name_of, symbols_in
from rtfs.analyze.scope import Name, Scope
from rtfs.analyze.syntax import (
    NO_METADATA,
    Item,
    Metadata,
    describe,
    invalid,
    is_colon,
    is_symbol,
    items_of,
    split_metadata,
)
from rtfs.errors import Span
from rtfs.forms import MetaForm
from rtfs.types.model import Type
from rtfs.values import Keyword, List, Symbol, Value, Vector


@dataclass(frozen=True, slots=True)
class Pair:
    """One binding as written."""

    pattern: Item
    type: Type | None
    value: Item


def binding_vector(call: Call, index: int = 0) -> list[Item]:
    """The items of the binding vector, which stands at argument `index`."""
    item = call.args[index] if index < len(call.args) else Item(None, call.span)
    if type(item.form) is not Vector:
        raise invalid(f"`{call.head}` takes a vector of bindings, got {describe(item.form)}", item.span)
    return items_of(item.form, item.span)


def split_pairs(items: Sequence[Item], head: str) -> list[Pair]:
    """The bindings of a vector.

    `x :T value` is read first, and `x value` where the vector cannot be used up that way, so `[x :a y 2]`
    binds keywords (language.md §3.3).

    Raises:
        InvalidProgram: the vector is no row of bindings.
    """
    steps = _steps(items)
    pairs = []
    index = 0
    while index < len(items):
        if steps[index] == 0:
            raise _no_binding(items, index, head)
        pattern = items[index]
        after = index + steps[index]
        type_ = None
        if steps[index] > 2:
            start = index + 2 if is_colon(items[index + 1].form) else index + 1
            type_, _ = take_type(items[: after - 1], start)
        pairs.append(Pair(pattern, type_, items[after - 1]))
        index = after
    return pairs


def _steps(items: Sequence[Item]) -> list[int]:
    """For each index, how many items a binding there takes if all after it can be read too, else 0."""
    count = len(items)
    steps = [0] * count
    possible = [False] * count + [True]
    for index in range(count - 1, -1, -1):
        if is_pattern(split_metadata(items[index])[1].form):
            for step in _lengths(items, index):
                if index + step <= count and possible[index + step]:
                    steps[index] = step
                    possible[index] = True
                    break
    return steps


def _lengths(items: Sequence[Item], index: int) -> tuple[int, ...]:
    """Numbers of items that a binding at `index` may take, the preferred one first."""
    if index + 1 >= len(items):
        return ()
    form = items[index + 1].form
    if is_colon(form):
        optional = (
            index + 3 < len(items)
            and type(items[index + 2].form) is Vector
            and is_symbol(items[index + 3].form, "?")
        )
        return (5,) if optional else (4,)
    return (3, 2) if type(form) is Keyword else (2,)


def _no_binding(items: Sequence[Item], index: int, head: str) -> errors.InvalidProgram:
    item = items[index]
    if not is_pattern(split_metadata(item)[1].form):
        return invalid(f"`{head}` binds a name or a pattern, got {describe(item.form)}", item.span)
    rest = items[index:]
    annotated = any(is_colon(each.form) or type(each.form) is Keyword for each in rest)
    if len(rest) % 2 and not annotated:
        last = rest[-1]
        return invalid(f"{describe(last.form)} has no value in the bindings of `{head}`", last.span)
    return invalid(f"the bindings of `{head}` are no pairs of name and value", item.span)


# ---------------------------------------------------------------- let


@special("let")
def let(call: Call, scope: Scope) -> ir.Node:
    """`(let [pattern (: T)? expr …] body+)`."""
    pairs = split_pairs(binding_vector(call), "let")
    return _let(pairs, body_of(call), scope.child(), call)


def body_of(call: Call) -> list[Item]:
    """The forms after the binding vector.

    Raises:
        InvalidProgram: there are none.
    """
    if len(call.args) < 2:
        raise invalid(f"`{call.head}` has no body", call.span)
    return call.args[1:]


def _let(pairs: Sequence[Pair], body_items: Sequence[Item], scope: Scope, call: Call) -> ir.Node:
    hoist_definitions(pairs, body_items, scope)
    bindings = bind_pairs(pairs, scope)
    inner = body(body_items, scope, call.span, call.tail)
    return ir.Let(tuple(bindings), inner, span=call.span) if bindings else inner


def hoist_definitions(pairs: Sequence[Pair], body_items: Sequence[Item], scope: Scope) -> None:
    """Expect what `def`s in the bindings or the body bind, unless the bindings themselves bind it."""
    bound: set[str] = set()
    for pair in pairs:
        bound |= symbols_in(pair.pattern)
    names = defined_names([*[pair.value for pair in pairs], *body_items], scope, bound)
    plain = {name_of(pair.pattern) for pair in pairs}
    scope.hoist([name for name in names if name not in plain])


def bind_pairs(pairs: Sequence[Pair], scope: Scope) -> list[ir.Binding]:
    """The bindings of a `let`, in order; its functions see each other and themselves."""
    expected = _expect_functions(pairs, scope)
    made: list[ir.Binding] = []
    for index, pair in enumerate(pairs):
        entry = expected.get(index)
        if entry is None:
            value = node(pair.value, scope)
            made += bind_value(pair.pattern, value, scope, pair.type)
            continue
        name, known = entry
        scope.show(name, known)
        value = node(pair.value, scope)
        if isinstance(value, ir.Lambda) and value.name is None:
            value = replace(value, name=name)
        known.active = True
        made.append(ir.Binding(known.local, value, pair.type))
    return made


def _expect_functions(pairs: Sequence[Pair], scope: Scope) -> dict[int, tuple[str, Name]]:
    """Names bound to functions, by index, made known to the functions among the values."""
    found = {}
    for index in range(len(pairs) - 1, -1, -1):
        name = name_of(split_metadata(pairs[index].pattern)[1])
        if name is not None and _is_function(pairs[index].value, scope):
            found[index] = (name, scope.expect(name))
    return found


def _is_function(item: Item, scope: Scope) -> bool:
    _, item = split_metadata(item)
    form = item.form
    if type(form) is not List or not form or type(form[0]) is not Symbol or scope.find(form[0].name):
        return False
    macro = scope.analysis.environment.macros.get(form[0].name)
    if macro is not None:
        return _is_function(Item(expand(macro, item, scope), item.span), scope)
    return form[0].name in ("fn", "λ", "lambda")


@special("letrec", shadowable=True)
def letrec(call: Call, scope: Scope) -> ir.Node:
    """`(letrec [name expr …] body+)`: every name is known in every initialiser."""
    pairs = split_pairs(binding_vector(call), "letrec")
    body_items = body_of(call)
    inner = scope.child()
    hoist_definitions(pairs, body_items, inner)
    locals_ = []
    for pair in pairs:
        name = name_of(split_metadata(pair.pattern)[1])
        if name is None:
            raise invalid(f"`letrec` binds names, got {describe(pair.pattern.form)}", pair.pattern.span)
        locals_.append(inner.bind(name))
    bindings = [
        ir.Binding(local, node(pair.value, inner), pair.type)
        for local, pair in zip(locals_, pairs, strict=True)
    ]
    made = body(body_items, inner, call.span, call.tail)
    return ir.Let(tuple(bindings), made, span=call.span) if bindings else made


@special("letfn", shadowable=True)
def letfn(call: Call, scope: Scope) -> ir.Node:
    """`(letfn [(f [params] body+) …] body+)`."""
    pairs = [_function_pair(item, call) for item in binding_vector(call)]
    return _let(pairs, body_of(call), scope.child(), call)


def _function_pair(item: Item, call: Call) -> Pair:
    metadata, bare = split_metadata(item)
    if type(bare.form) is not List or not bare.form:
        raise invalid("`letfn` takes functions `(name [params] body…)`", item.span)
    inner = Call("letfn", items_of(bare.form, bare.span), bare.span, bare.form, False, metadata)
    form = split_function(inner)
    if form.name is None:
        raise invalid("a function of `letfn` begins with its name", item.span)
    clauses = [clause_form(params, rest) for params, rest in form.clauses]
    doc = [] if form.doc is None else [form.doc]
    made = List([Symbol.of("fn"), *doc, *clauses])
    return Pair(inner.args[0], None, Item(_with_metadata(made, form.metadata, bare.span), bare.span))


def _with_metadata(form: List, metadata: Metadata, span: Span) -> Value:
    """`form` behind what `split_metadata` took from it."""
    if metadata is NO_METADATA:
        return form
    entries = tuple([(Keyword.of(name), item.form) for name, item in metadata.entries])
    return MetaForm(entries, metadata.hint, form, span, span)


# ---------------------------------------------------------------- if-let, when-let, as->


@special("if-let", shadowable=True)
def if_let(call: Call, scope: Scope) -> ir.Node:
    """`(if-let [pattern e] then else?)`: the pattern is bound in `then` only."""
    count_args(call, 2, 3, "(if-let [pattern value] then else?)")
    otherwise = node(call.args[2], scope.child(), call.tail) if len(call.args) == 3 else None
    return _test_and_bind(call, call.args[1:2], otherwise, scope)


@special("when-let", shadowable=True)
def when_let(call: Call, scope: Scope) -> ir.Node:
    """`(when-let [pattern e] body*)`."""
    return _test_and_bind(call, call.args[1:], None, scope)


def _test_and_bind(call: Call, then: Sequence[Item], otherwise: ir.Node | None, scope: Scope) -> ir.Node:
    pairs = split_pairs(binding_vector(call), call.head)
    if len(pairs) != 1:
        raise invalid(f"`{call.head}` takes one binding, got {len(pairs)}", call.args[0].span)
    pair, span = pairs[0], call.span
    value = scope.new_local("value")
    test = ir.Binding(value, node(pair.value, scope), pair.type)
    inner = scope.child()
    bindings = bind_parts(pair.pattern, value, inner)
    made = frame_body(then, inner, span, call.tail)
    if bindings:
        made = ir.Let(tuple(bindings), made, span=span)
    choice = ir.If(ir.LocalRef(value, span=span), made, otherwise or constant(None, span), span=span)
    return ir.Let((test,), choice, span=span)


@special("as->", shadowable=True)
def as_(call: Call, scope: Scope) -> ir.Node:
    """`(as-> expr name form*)`: each form's value is `name` in the next."""
    count_args(call, 2, None, "(as-> value name form…)")
    first, name, *rest = call.args
    bindings: list[ir.Binding] = []
    inner = scope.child()
    for item in [first, *rest[:-1]] if rest else []:
        bindings += bind_value(name, node(item, inner), inner)
    if not rest:
        return node(first, scope)
    return ir.Let(tuple(bindings), node(rest[-1], inner, call.tail), span=call.span)
