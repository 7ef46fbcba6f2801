"""Steps and context: `step`, `step-if`, `step-loop`, `step-parallel`, `get` of one name, `@name`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from rtfs import ir
from rtfs.analyze.core import Call, body, constant, frame_body, node, nodes, primitive, special
from rtfs.analyze.scope import Scope
from rtfs.analyze.syntax import Item, entries_of
from rtfs.errors import Span
from rtfs.values import Keyword, Map, Symbol, Value

_OPTIONS: Final = {
    "step": ("expose-context", "context-keys", "params"),
    "step-if": ("expose-context", "context-keys"),
    "step-loop": ("expose-context", "context-keys"),
    "step-parallel": ("expose-context", "context-keys", "merge-policy"),
}


def _split_options(items: Sequence[Item], head: str) -> tuple[dict[str, Item], list[Item]]:
    """Leading options and the forms after them. A keyword alone at the end is a form."""
    options: dict[str, Item] = {}
    index = 0
    while index + 1 < len(items):
        form = items[index].form
        if type(form) is not Keyword or form.name not in _OPTIONS[head]:
            break
        options[form.name] = items[index + 1]
        index += 2
    return options, list(items[index:])


def _option_nodes(options: dict[str, Item], scope: Scope) -> tuple[tuple[str, ir.Node], ...]:
    return tuple([(name, node(item, scope)) for name, item in options.items()])


def _bad_shape(expected: str, actual: str, span: Span) -> ir.Node:
    """Raises InvalidArguments where the step would run."""
    return primitive("bad-shape", constant(expected, span), constant(actual, span), span=span)


@special("step")
def step(call: Call, scope: Scope) -> ir.Node | None:
    """`(step "name" opts* body*)`. With any other first argument it is a call of the function `step`."""
    if not call.args or type(call.args[0].form) is not str:
        return None
    name = constant(call.args[0].form, call.args[0].span)
    options, forms = _split_options(call.args[1:], "step")
    params_item = options.pop("params", None)
    made_options = _option_nodes(options, scope)
    if params_item is None:
        inner = body(forms, scope, call.span)
        return ir.Step("step", name, made_options, None, None, inner, span=call.span)
    params = _params(params_item, scope)
    if params is None:
        return _bad_shape("a map literal after `:params`", "another form", params_item.span)
    child = scope.child()
    local = child.bind("%params")
    inner = frame_body(forms, child, call.span)
    return ir.Step("step", name, made_options, params, local, inner, span=call.span)


def _params(item: Item, scope: Scope) -> tuple[tuple[str, ir.Node], ...] | None:
    """Names and values of `:params {…}`; None if it is no map of strings or keywords."""
    if type(item.form) is not Map:
        return None
    made = []
    for key, value in entries_of(item.form, item.span):
        if type(key.form) not in (str, Keyword):
            return None
        name: Value = key.form if type(key.form) is str else key.form.name
        made.append((name, node(value, scope)))
    return tuple(made)


def _special_step(
    kind: Literal["step-if", "step-loop", "step-parallel"],
    options: dict[str, Item],
    inner: ir.Node,
    scope: Scope,
    span: Span,
) -> ir.Node:
    made = _option_nodes(options, scope)
    return ir.Step(kind, constant(kind, span), made, None, None, inner, span=span)


@special("step-if")
def step_if(call: Call, scope: Scope) -> ir.Node:
    """`(step-if opts* test then else?)`."""
    options, forms = _split_options(call.args, "step-if")
    if not 2 <= len(forms) <= 3:
        return _bad_shape("(step-if test then else?)", f"{len(forms)} forms", call.span)
    test, then, *otherwise = forms
    choice = ir.If(
        primitive("step-truthy", node(test, scope), span=test.span),
        node(then, scope),
        body(otherwise, scope, call.span),
        span=call.span,
    )
    return _special_step("step-if", options, choice, scope, call.span)


@special("step-loop")
def step_loop(call: Call, scope: Scope) -> ir.Node:
    """`(step-loop opts* test body)`: the last value of the body, nil if it never ran."""
    options, forms = _split_options(call.args, "step-loop")
    if len(forms) != 2:
        return _bad_shape("(step-loop test body)", f"{len(forms)} forms", call.span)
    span = call.span
    test, turn = forms
    label = scope.analysis.shared.next_id()
    turns, result = scope.new_local("turns"), scope.new_local("result")
    goes_on = primitive("step-truthy", node(test, scope), span=test.span)
    count = primitive("count-turn", ir.LocalRef(turns, span=span), span=span)
    again = ir.Recur(label, (count, node(turn, scope)), span=span)
    choice = ir.If(goes_on, again, ir.LocalRef(result, span=span), span=span)
    start = (ir.Binding(turns, constant(0, span)), ir.Binding(result, constant(None, span)))
    return _special_step("step-loop", options, ir.Loop(label, start, choice, span=span), scope, span)


@special("step-parallel")
def step_parallel(call: Call, scope: Scope) -> ir.Node:
    """`(step-parallel opts* e+)` → vector of values, in order."""
    options, forms = _split_options(call.args, "step-parallel")
    if not forms:
        return _bad_shape("(step-parallel form…)", "0 forms", call.span)
    return _special_step(
        "step-parallel", options, ir.VectorOf(nodes(forms, scope), span=call.span), scope, call.span
    )


# ---------------------------------------------------------------- context


@special("get")
def get(call: Call, scope: Scope) -> ir.Node | None:
    """`(get :key)`, `(get name)`: a local or global, else what the run knows, else nil."""
    if len(call.args) != 1 or type(call.args[0].form) not in (Keyword, Symbol):
        return None
    name = call.args[0].form.name
    local = scope.find(name)
    if local is not None:
        return ir.LocalRef(local, span=call.span)
    if name in scope.analysis.environment.globals:
        return ir.GlobalRef(name, span=call.span)
    return ir.DynamicRef(name, or_nil=True, span=call.span)


@special("resource:ref")
def resource_ref(call: Call, scope: Scope) -> ir.Node:
    """`@name`: the host's context value of that name, else the string `"@name"`."""
    if len(call.args) != 1 or type(call.args[0].form) is not str:
        return _bad_shape('(resource:ref "name")', "another shape", call.span)
    return primitive("resource-ref", constant(call.args[0].form, call.span), span=call.span)
