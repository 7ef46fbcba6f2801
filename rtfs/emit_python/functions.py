"""Functions: their definition, checks on entry and return, what they return, closures."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rtfs import ir
from rtfs.emit_python import facts as f
from rtfs.emit_python.calls import is_self_call
from rtfs.emit_python.checks import cast_value, check_rest, check_statement
from rtfs.emit_python.emitter import (
    Destination,
    Emitter,
    FunctionState,
    LoopState,
    Unsupported,
    checked_type,
)
from rtfs.emit_python.facts import ANY, NOTHING, Fact
from rtfs.emit_python.names import WRAPPER, plain
from rtfs.emit_python.tailcalls import tail_nodes
from rtfs.interpret.scopes import scope_of
from rtfs.ir_walk import children, free_locals
from rtfs.namespace import RETURN_LABEL
from rtfs.values import Map

type Typed = tuple[ast.expr, Fact]

#: what errors call a function without a name
ANONYMOUS: Final = "user-defined function"
#: attempts to find what a function returns, before nothing is assumed
_GUESSES: Final = 3


def emit_lambda(e: Emitter, node: ir.Lambda, local: ir.Local | None = None) -> ast.expr:
    """The function as a value. `local`: the name it is about to be bound to, which its body may use."""
    captured = _captured_loop_locals(
        e, [node], {each.id for each in (local, node.self_local) if each is not None}
    )
    if captured is None:
        return _function(e, node)
    with e.nested() as inner, _function_state(e, FunctionState(e.function)):
        value = _function(e, node)
        if local is not None:
            e.assign(e.local(local), value)
            value = e.name(e.local(local))
        e.block.append(ast.Return(value, **e.at))
    return _made(e, captured, inner)


def emit_lambdas(e: Emitter, nodes: list[tuple[ir.Local, ir.Lambda]]) -> None:
    """Bind functions that use each other, inside a loop: a factory makes them all, each turn has its own."""
    captured = _captured_loop_locals(e, [node for _, node in nodes], {local.id for local, _ in nodes})
    with e.nested() as inner, _function_state(e, FunctionState(e.function)):
        for local, node in nodes:
            e.assign(e.local(local), _function(e, node))
        made = e.tuple_of(e.name(e.local(local)) for local, _ in nodes)
        e.block.append(ast.Return(made, **e.at))
    value = _made(e, captured or [], inner)
    targets: list[ast.expr] = [ast.Name(e.own(local), ast.Store(), **e.at) for local, _ in nodes]
    e.block.append(ast.Assign([ast.Tuple(targets, ast.Store(), **e.at)], value, **e.at))


def _made(e: Emitter, captured: list[str], body: list[ast.stmt]) -> ast.expr:
    """What a factory gives whose parameters keep the values that the captured locals have now."""
    factory = e.part()
    e.block.append(_def(e, factory, captured, None, body))
    return e.call(factory, *(e.name(each) for each in captured))


def _bound(e: Emitter, node: ir.Lambda, made: ast.expr) -> ast.expr:
    if e.bound(node) and node is not e.body:
        return e.helper("bind", e.name("rt·namespace"), e.constant(node), made)
    if node.metadata or node.doc:
        return e.helper("annotated", made, e.python(node.doc), e.constant(Map(dict(node.metadata))))
    return made


def _captured_loop_locals(e: Emitter, nodes: list[ir.Lambda], names_of_own: set[int]) -> list[str] | None:
    """Names of locals that closures must capture by value, since a loop will bind them anew; None: they may
    refer to all of them as Python closures do. `names_of_own`: ids of the locals that they are bound to."""
    state = e.function
    if not (state.loop_depth or state.loop_locals):
        return None
    ids = set[int]().union(*map(free_locals, nodes))
    own = names_of_own & ids
    names = [e.local_names[each] for each in sorted((ids & state.loop_locals) - own)]
    if any(name in e.mutable for name in names):
        raise Unsupported("a closure in a loop over a local that `def` assigns")
    if state.loop_depth and ids & e.pending_lambdas - own:
        raise Unsupported("functions inside a loop that use later ones, with other bindings between them")
    return names if names or (own and state.loop_depth) else None


def _function(e: Emitter, node: ir.Lambda) -> ast.expr:
    """Emit the definition; the function, or what stands for it."""
    base = f"{plain(node.name or ANONYMOUS)}·{e.serial()}"
    name = _multi_arity(e, base, node) if len(node.arities) > 1 else _single(e, base, node, node.arities[0])
    value = _bound(e, node, e.name(name))
    if node.self_local is None:
        return value
    own = e.local(node.self_local)  # the function sees it through a cell
    e.assign(own, value)
    return e.name(own)


def _single(e: Emitter, base: str, node: ir.Lambda, arity: ir.Arity) -> str:
    bouncing = base + WRAPPER if e.tail_calls.is_bouncing(node) else None
    params = [e.local(param.local) for param in arity.params]
    rest = e.local(arity.rest.local) if arity.rest else None
    unchecked = e.unchecked.get(id(node))
    body = _body(e, node, arity, bouncing, checks=unchecked is None)
    if unchecked is not None:
        e.function.globals.add(unchecked)
        e.block.append(_def(e, unchecked, params, rest, body))
        e.block.append(_def(e, base + WRAPPER, params, rest, _checked_entry(e, unchecked, arity)))
        return base + WRAPPER
    e.block.append(_def(e, base, params, rest, body))
    if bouncing is None:
        return base
    arguments: list[ast.expr] = [e.name(param) for param in params]
    if rest:
        arguments.append(ast.Starred(e.name(rest), ast.Load(), **e.at))
    run = e.helper("bounce", e.call(base, *arguments))
    e.block.append(_def(e, bouncing, params, rest, [ast.Return(run, **e.at)]))
    e.statement(e.helper("pair", e.name(bouncing), e.name(base)))
    return bouncing


def _checked_entry(e: Emitter, unchecked: str, arity: ir.Arity) -> list[ast.stmt]:
    with e.nested() as block, e.nowhere(), _function_state(e, FunctionState(e.function)):
        for param in arity.params:
            if param.type is not None:
                check_statement(e, e.local(param.local), ANY, param.type, param.local.name)
        arguments = [e.name(e.local(param.local)) for param in arity.params]
        e.block.append(ast.Return(e.call(unchecked, *arguments), **e.at))
    return block


def _multi_arity(e: Emitter, name: str, node: ir.Lambda) -> str:
    bouncing = name if e.tail_calls.is_bouncing(node) else None
    cases: list[ast.expr] = []
    variadic: ast.expr = e.python(None)
    for arity in node.arities:
        entry = f"{name.rpartition('·')[0]}·{e.serial()}"
        params = [e.local(param.local) for param in arity.params]
        rest = e.local(arity.rest.local) if arity.rest else None
        e.block.append(_def(e, entry, params, rest, _body(e, node, arity, bouncing, checks=True)))
        case = e.tuple_of((e.python(len(params)), e.name(entry)))
        if rest:
            variadic = case
        else:
            cases.append(case)
    made = e.helper("dispatch", e.python(node.name or ""), e.tuple_of(cases), variadic)
    e.assign(name, e.helper("bouncing", made) if bouncing else made)
    return name


def _body(e: Emitter, node: ir.Lambda, arity: ir.Arity, bouncing: str | None, checks: bool) -> list[ast.stmt]:
    """The statements of one arity, under the best assumption about what it returns that holds.

    `bouncing`: the Python name that the function has as a value, if it returns tail calls.
    """
    known = e.tail_calls.is_known(node) and len(node.arities) == 1 and not e.bound(node)
    declared = arity.returns
    if not known or e.guesses or not e.tail_calls.is_recursive(node):
        e.returns.pop(id(node), None)
        block, fact = _attempt(e, node, arity, bouncing, checks)
    else:
        assumed = f.of_type(declared) if checked_type(declared) else NOTHING
        for attempt in range(_GUESSES):
            e.returns[id(node)] = ANY if attempt == _GUESSES - 1 else assumed
            e.guesses += 1
            calls = len(e.calls)
            block, fact = _attempt(e, node, arity, bouncing, checks)
            e.guesses -= 1
            if fact.within(e.returns[id(node)]):
                break
            del e.calls[calls:]
            assumed = assumed.widened(fact)
    if known:
        e.returns[id(node)] = fact
    return block


def _attempt(
    e: Emitter, node: ir.Lambda, arity: ir.Arity, bouncing: str | None, checks: bool
) -> tuple[list[ast.stmt], Fact]:
    state = FunctionState(
        e.function, node=node, arity=arity, bouncing=bouncing is not None, value_name=bouncing or ""
    )
    with e.nested(), _function_state(e, state):
        names = [param.local for param in arity.params] + ([arity.rest.local] if arity.rest else [])
        types = [param.type for param in arity.params]
        loop = LoopState(
            arity.label,
            tuple(e.local(each) for each in names),
            [ANY] * len(names),
            [NOTHING] * len(names),
            tuple(types),
            rest=arity.rest,
        )
        _enter(e, arity, checks)
        entry, e.block = e.block, []
        if _loops_to(e, arity):
            state.loop_depth = 1
            state.loop_locals.update(local.id for local in names)
        state.loops.append(loop)
        destination = _return_destination(e, arity)
        e.into(arity.body, destination)
        body, e.block = e.block, entry
        if loop.used:
            body = [e.safepoint(), *e.fresh_locals(scope_of(arity)), *body]
            body = [ast.While(e.python(True), body, [], **e.at)]
        elif _calls_functions(arity.body):
            entry.insert(0, e.safepoint())
        entry.extend(body)
        declarations = _declarations(e, state)
    fact = destination.fact
    if checked_type(arity.returns):
        known = f.of_type(arity.returns)
        fact = fact.restrict(known.kinds, known.low, known.high)
    return [*declarations, *entry], fact


def _loops_to(e: Emitter, arity: ir.Arity) -> bool:
    """Whether the body may jump back to its start, so that its locals are bound again and again."""
    for tail, inside_loop in tail_nodes(arity.body):
        if inside_loop:
            continue
        if isinstance(tail, ir.Recur) and tail.label == arity.label:
            return True
        if isinstance(tail, ir.Apply) and is_self_call(e, tail):
            return True
    return False


def _recurs(arity: ir.Arity) -> bool:
    """Whether a `recur` of the body leads to its start."""
    return any(isinstance(tail, ir.Recur) and tail.label == arity.label for tail, _ in tail_nodes(arity.body))


def _calls_functions(node: ir.Node) -> bool:
    todo = [node]
    while todo:
        node = todo.pop()
        if isinstance(node, ir.Apply) and not isinstance(node.fn, ir.BuiltinRef):
            return True
        if not isinstance(node, ir.Lambda):
            todo.extend(children(node))
    return False


def _enter(e: Emitter, arity: ir.Arity, checks: bool) -> None:
    """Parameter checks and the rest list. They stand nowhere: `blame` then points at the call."""
    with e.nowhere():
        _check_parameters(e, arity, checks)


def _check_parameters(e: Emitter, arity: ir.Arity, checks: bool) -> None:
    for param in arity.params:
        fact = ANY
        if checked_type(param.type):
            assert param.type is not None
            known = f.of_type(param.type)
            fact = known
            if checks:
                fact = check_statement(e, e.local(param.local), ANY, param.type, param.local.name)
        e.facts[param.local.id] = fact
    if arity.rest is not None:
        name = e.local(arity.rest.local)
        e.assign(name, e.helper("List", e.name(name)))
        # `recur` may give it anything
        e.facts[arity.rest.local.id] = ANY if _recurs(arity) else Fact(f.LIST)
        if checked_type(arity.rest.type):
            check_rest(e, e.name(name), arity.rest)


def _return_destination(e: Emitter, arity: ir.Arity) -> Destination:
    declared = arity.returns

    def finish(value: ast.expr, fact: Fact) -> list[ast.stmt]:
        if declared is None or not checked_type(declared):
            return [ast.Return(value, **e.at)]
        with e.nested() as block:
            value, _ = cast_value(e, value, fact, declared, RETURN_LABEL)
            block.append(ast.Return(value, **e.at))
        return block

    return Destination(finish, returns=True, tail=True)


@contextmanager
def _function_state(e: Emitter, state: FunctionState) -> Iterator[None]:
    outer, e.function = e.function, state
    try:
        yield
    finally:
        e.function = outer


def _declarations(e: Emitter, state: FunctionState) -> list[ast.stmt]:
    """`global` for assigned globals, and a binding for names that only thunks of this function assign."""
    found: list[ast.stmt] = []
    if state.globals:
        found.append(ast.Global(sorted(state.globals), **e.at))
    if state.thunk:
        if state.assigned_in_thunks:
            found.append(ast.Nonlocal(sorted(state.assigned_in_thunks), **e.at))
    elif state.assigned_in_thunks:
        never = [e.assignment(name, e.python(None)) for name in sorted(state.assigned_in_thunks)]
        found.append(ast.If(e.python(False), never, [], **e.at))
    return found


def _def(e: Emitter, name: str, params: list[str], rest: str | None, body: list[ast.stmt]) -> ast.stmt:
    arguments = ast.arguments(
        posonlyargs=[ast.arg(param, **e.at) for param in params],
        args=[],
        vararg=ast.arg(rest, **e.at) if rest else None,
        kwonlyargs=[],
        kw_defaults=[],
        defaults=[],
    )
    return ast.FunctionDef(
        name=name,
        args=arguments,
        body=body or [ast.Pass(**e.at)],
        decorator_list=[],
        returns=None,
        type_comment=None,
        type_params=[],
        **e.at,
    )


def function_definition(e: Emitter, name: str, state: FunctionState, body: list[ast.stmt]) -> ast.stmt:
    """The definition of a parameterless function that was emitted into `body` under `state`."""
    return _def(e, name, [], None, [*_declarations(e, state), *body])


def emit_thunk(e: Emitter, node: ir.Node) -> ast.expr:
    """A function without parameters whose body is `node`; locals that it defines are its parent's."""
    return emit_part(e, [], lambda: e.into(node, part_value(e)))


def part_value(e: Emitter) -> Destination:
    """Where the value of a function of `emit_part` goes."""
    return Destination(lambda value, fact: [ast.Return(value, **e.at)])


def emit_part(e: Emitter, params: list[str], body: Callable[[], None]) -> ast.expr:
    """A function that is a part of the one being emitted. `body` emits its statements, which end it."""
    outer = e.function
    state = FunctionState(outer, thunk=True, loop_depth=outer.loop_depth, loop_locals=set(outer.loop_locals))
    with e.nested() as inner, _function_state(e, state):
        body()
        declarations = _declarations(e, state)
    e.function.assigned_in_thunks |= state.assigned_in_thunks
    name = e.part()
    e.block.append(_def(e, name, params, None, [*declarations, *inner]))
    return e.name(name)
