"""Control flow: `if`, `do`, `let`, `and`, `or`, `loop`, `recur`, `for`, `try`."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rtfs import ir
from rtfs.emit_python import facts as f
from rtfs.emit_python.checks import cast_value, check_rest
from rtfs.emit_python.conditions import condition, conjunction, learn
from rtfs.emit_python.emitter import Destination, Emitter, LoopState, Unsupported, checked_type
from rtfs.emit_python.facts import ANY, NOTHING, Fact
from rtfs.emit_python.forks import emit_bindings
from rtfs.emit_python.functions import emit_lambda, emit_lambdas, emit_part
from rtfs.interpret.scopes import scope_of
from rtfs.ir_walk import free_locals

type Typed = tuple[ast.expr, Fact]

#: attempts to find facts about loop variables that hold on every turn, before none are assumed
_ATTEMPTS: Final = 5
#: guesses nested deeper than this assume nothing, since every attempt emits what is inside anew
_DEEPEST_GUESS: Final = 2
#: Python's own limit of nested blocks in a function
_MOST_BLOCKS: Final = 20
#: `finally` inside `finally`; each level doubles the code
_DEEPEST_FINAL: Final = 5


def emit_if(e: Emitter, node: ir.If) -> Typed:
    """As a conditional expression if no branch needs statements."""
    test = condition(e, node.test)
    with e.nested() as then_block:
        learn(e, test.when_true)
        then, then_fact = e.expr(node.then)
    with e.nested() as else_block:
        learn(e, test.when_false)
        otherwise, else_fact = e.expr(node.otherwise)
    fact = then_fact.join(else_fact)
    if not then_block and not else_block:
        return e.conditional(test.test, then, otherwise), fact
    name = e.temporary()
    then_block.append(e.assignment(name, then))
    else_block.append(e.assignment(name, otherwise))
    e.if_(test.test, then_block, else_block)
    return e.name(name), fact


def tail_if(e: Emitter, node: ir.If, destination: Destination) -> None:
    test = condition(e, node.test)
    with e.nested() as then_block:
        learn(e, test.when_true)
        e.into(node.then, destination)
    with e.nested() as else_block:
        learn(e, test.when_false)
        e.into(node.otherwise, destination)
    if then_block and isinstance(then_block[-1], ast.Return | ast.Continue | ast.Break):
        e.if_(test.test, then_block, [])
        e.block.extend(else_block)
        learn(e, test.when_false)  # the rest of this block is reached only so
        return
    e.if_(test.test, then_block, else_block)


def emit_do(e: Emitter, node: ir.Do) -> Typed:
    for item in node.items[:-1]:
        e.effect(item)
    return e.expr(node.items[-1])


def tail_do(e: Emitter, node: ir.Do, destination: Destination) -> None:
    for item in node.items[:-1]:
        e.effect(item)
    e.into(node.items[-1], destination)


def bind(e: Emitter, binding: ir.Binding, label: str = "let ") -> None:
    """Evaluate one binding into its local."""
    local = binding.local
    if isinstance(binding.value, ir.Lambda) and binding.type is None:
        value = emit_lambda(e, binding.value, local)
        e.assign(e.own(local), value)
        return
    with e.placed(binding.value):
        if binding.type is None:
            name = e.local(local)
            target = Destination(lambda value, fact: [e.assignment(name, value)])
            e.into(binding.value, target)
            fact = target.fact
        else:
            value, fact = e.expr(binding.value)
            value, fact = cast_value(e, value, fact, binding.type, f"{label}{local.name}")
            e.assign(e.local(local), value)
    e.own(local)
    if e.local(local) not in e.mutable:
        e.facts[local.id] = fact


def bind_all(e: Emitter, bindings: tuple[ir.Binding, ...]) -> None:
    """Bind in order. Functions among the values may refer to later ones, which are pending until then."""
    for binding in bindings:
        if isinstance(binding.value, ir.Lambda):
            e.pending_lambdas.add(binding.local.id)
            # what an earlier attempt found out about it held under that attempt's assumptions
            e.returns.pop(id(binding.value), None)
    done = 0
    while done < len(bindings):
        fork = e.forks.bindings.get(id(bindings[done])) if e.forks.bindings else None
        if fork is not None:
            emit_bindings(e, bindings[done : done + fork.width], fork)
            done += fork.width
            continue
        group = _recursive_group(e, bindings[done:])
        if group:
            emit_lambdas(e, group)
        else:
            bind(e, bindings[done])
        count = len(group) or 1
        e.pending_lambdas -= {binding.local.id for binding in bindings[done : done + count]}
        done += count


def _recursive_group(e: Emitter, bindings: tuple[ir.Binding, ...]) -> list[tuple[ir.Local, ir.Lambda]]:
    """The functions at the start of `bindings`, if the first is made inside a loop and uses later ones."""
    first = bindings[0].value
    if not (e.function.loop_depth and isinstance(first, ir.Lambda)):
        return []
    if not free_locals(first) & (e.pending_lambdas - {bindings[0].local.id}):
        return []
    group: list[tuple[ir.Local, ir.Lambda]] = []
    for binding in bindings:
        if not isinstance(binding.value, ir.Lambda) or binding.type is not None:
            break
        group.append((binding.local, binding.value))
    return group


def emit_let(e: Emitter, node: ir.Let) -> Typed:
    bind_all(e, node.bindings)
    return e.expr(node.body)


def tail_let(e: Emitter, node: ir.Let, destination: Destination) -> None:
    bind_all(e, node.bindings)
    e.into(node.body, destination)


def emit_and(e: Emitter, node: ir.And) -> Typed:
    return _short_circuit(e, node, node.items, is_and=True)


def emit_or(e: Emitter, node: ir.Or) -> Typed:
    return _short_circuit(e, node, node.items, is_and=False)


def _short_circuit(e: Emitter, node: ir.And | ir.Or, items: tuple[ir.Node, ...], is_and: bool) -> Typed:
    """The deciding value: a Python BoolOp if all are booleans, else assigned to a temporary item by item."""
    if len(items) == 1:
        return e.expr(items[0])
    test = None if id(node) in e.valued else conjunction(e, node)
    if test is not None and test.is_bool:
        e.block.extend(test.block)
        return test.test, f.A_BOOL
    e.valued.add(id(node))  # emitting it twice at each level would take exponential time
    name = e.temporary()
    target = Destination(lambda value, fact: [e.assignment(name, value)])
    _chain(e, items, target, is_and)
    return e.name(name), target.fact


def tail_and(e: Emitter, node: ir.And, destination: Destination) -> None:
    _tail_chain(e, node, node.items, destination, is_and=True)


def tail_or(e: Emitter, node: ir.Or, destination: Destination) -> None:
    _tail_chain(e, node, node.items, destination, is_and=False)


def _tail_chain(
    e: Emitter, node: ir.And | ir.Or, items: tuple[ir.Node, ...], destination: Destination, is_and: bool
) -> None:
    if destination.tail and len(items) > 1:
        _chain(e, items, destination, is_and)
    elif len(items) == 1:
        e.into(items[0], destination)
    else:
        e.finish(destination, *_short_circuit(e, node, items, is_and))


def _chain(e: Emitter, items: tuple[ir.Node, ...], destination: Destination, is_and: bool) -> None:
    """`and`: if the first is truthy the rest decides, else the first; `or` the other way round."""
    if len(items) == 1:
        e.into(items[0], destination)
        return
    value, fact = e.expr(items[0])
    value = e.spilled(value)
    tests = []
    if fact.kinds & f.NIL:
        tests.append(e.compare(value, ast.IsNot(), e.python(None)))
    if fact.kinds & f.BOOL:
        tests.append(e.compare(value, ast.IsNot(), e.python(False)))
    test = e.all_of(*tests) if tests else e.python(True)
    with e.nested() as rest:
        _chain(e, items[1:], destination, is_and)
    with e.nested() as decided:
        e.finish(destination, value, fact)
    then, otherwise = (rest, decided) if is_and else (decided, rest)
    e.if_(test, then, otherwise)


# ---------------------------------------------------------------- loops


@contextmanager
def inside_loop(e: Emitter) -> Iterator[None]:
    """Locals bound inside are bound anew on each turn, so closures capture them by value."""
    e.function.loop_depth += 1
    if e.function.loop_depth > _MOST_BLOCKS:
        raise Unsupported("loops nested deeper than Python can")
    try:
        yield
    finally:
        e.function.loop_depth -= 1


def tail_loop(e: Emitter, node: ir.Loop, destination: Destination) -> None:
    for binding in node.bindings:
        bind(e, binding, "loop ")
    names = tuple(e.local(binding.local) for binding in node.bindings)
    inner, result = _loop_destination(e, destination)
    initial = [e.fact_of(binding.local) for binding in node.bindings]
    block = settle_loop(
        e,
        LoopState(
            node.label, names, initial, [NOTHING] * len(names), types=tuple(b.type for b in node.bindings)
        ),
        [binding.local for binding in node.bindings],
        lambda: e.into(node.body, inner),
        inner,
    )
    body = [e.safepoint(), *e.fresh_locals(scope_of(node)), *block]
    e.block.append(ast.While(e.python(True), body, [], **e.at))
    if result is not None:
        e.finish(destination, e.name(result), inner.fact)
    elif inner is not destination:
        destination.fact = destination.fact.join(inner.fact)


def _loop_destination(e: Emitter, destination: Destination) -> tuple[Destination, str | None]:
    """Where the loop's value goes from inside it: straight out of the function, or to a temporary."""
    if destination.returns:
        return Destination(destination.finish, returns=True, tail=True), None
    name = e.temporary()

    def finish(value: ast.expr, fact: Fact) -> list[ast.stmt]:
        return [e.assignment(name, value), ast.Break(**e.at)]

    return Destination(finish, tail=True), name


def settle_loop(
    e: Emitter, state: LoopState, locals_: list[ir.Local], body: Callable[[], None], target: Destination
) -> list[ast.stmt]:
    """Emit a loop's body under facts about its variables that `recur` keeps true.

    The first guess is what they start with; what a turn breaks is widened, at last to nothing known.
    """
    attempts = _ATTEMPTS if e.guesses < _DEEPEST_GUESS else 1
    e.guesses += 1
    start = target.fact
    for attempt in range(attempts):
        if attempt == attempts - 1:
            state.assumed = [ANY] * len(locals_)
        state.given = [NOTHING] * len(locals_)
        target.fact = start
        calls = len(e.calls)
        with e.nested() as block, inside_loop(e):
            for local, fact in zip(locals_, state.assumed, strict=True):
                e.function.loop_locals.add(local.id)
                if e.local(local) not in e.mutable:
                    e.facts[local.id] = fact
            e.function.loops.append(state)
            body()
            e.function.loops.pop()
        if all(given.within(known) for given, known in zip(state.given, state.assumed, strict=True)):
            break
        del e.calls[calls:]
        state.assumed = [known.widened(given) for known, given in zip(state.assumed, state.given, strict=True)]
    e.guesses -= 1
    return block


def tail_recur(e: Emitter, node: ir.Recur, destination: Destination) -> None:
    continue_loop(e, node.label, e.exprs(node.args))


def continue_loop(e: Emitter, label: int, values: list[Typed]) -> None:
    """Assign the loop variables at once and start the next turn."""
    state = next(loop for loop in reversed(e.function.loops) if loop.label == label)
    state.used = True
    assigned: list[tuple[str, ast.expr]] = []
    for i, (value, fact) in enumerate(values):
        name = state.names[i]
        declared = state.types[i] if i < len(state.types) else None
        if declared is not None:
            value, fact = cast_value(e, value, fact, declared, name.rpartition("·")[0])
        if state.rest is not None and i == len(values) - 1 and checked_type(state.rest.type):
            value = e.spilled(value)
            check_rest(e, value, state.rest)
        state.given[i] = state.given[i].join(fact)
        if not (isinstance(value, ast.Name) and value.id == name):
            assigned.append((name, value))
    if len(assigned) == 1:
        e.assign(*assigned[0])
    elif assigned:
        targets: list[ast.expr] = [ast.Name(name, ast.Store(), **e.at) for name, _ in assigned]
        target = ast.Tuple(targets, ast.Store(), **e.at)
        e.block.append(ast.Assign([target], e.tuple_of(value for _, value in assigned), **e.at))
    e.block.append(ast.Continue(**e.at))


def emit_for(e: Emitter, node: ir.For) -> Typed:
    """Python `for` statements around an append."""
    result = e.temporary()
    if node.collect:
        e.assign(result, e.list_of(()))
    with inside_loop(e):
        e.block.extend(_clauses(e, node, 0, result))
    if not node.collect:
        return e.python(None), Fact(f.NIL)
    return e.helper("Vector", e.name(result)), Fact(f.VECTOR)


def _clauses(e: Emitter, node: ir.For, index: int, result: str) -> list[ast.stmt]:
    with e.nested() as block:
        if index == len(node.clauses):
            block.extend(e.fresh_locals(scope_of(node)))
            _for_body(e, node, result)
            return block
        match node.clauses[index]:
            case ir.Iterate(local, coll):
                value, _ = e.expr(coll)
                items = e.helper("items", value, e.python("for" if node.collect else "doseq"))
                if id(coll) in e.forks.loops:
                    _forked_turns(e, node, index, local, items, result)
                    return block
                e.own(local)
                e.facts.pop(local.id, None)
                target = ast.Name(e.local(local), ast.Store(), **e.at)
                body = [e.safepoint(), *_clauses(e, node, index + 1, result)]
                e.block.append(ast.For(target, items, body, [], **e.at))
            case ir.LetClause(bindings):
                bind_all(e, bindings)
                e.block.extend(_clauses(e, node, index + 1, result))
            case ir.When(test):
                tested = condition(e, test)
                learn(e, tested.when_true)
                e.if_(tested.test, _clauses(e, node, index + 1, result), [])
            case ir.While(test):
                tested = condition(e, test)
                learn(e, tested.when_true)
                e.if_(tested.test, _clauses(e, node, index + 1, result), [ast.Break(**e.at)])
    return block


def _forked_turns(e: Emitter, node: ir.For, index: int, local: ir.Local, items: ast.expr, result: str) -> None:
    """The turns of an iteration as parts that may overlap: each gives a list of what it would append."""
    items = e.spilled(items)
    collected = e.temporary()

    def turn() -> None:
        e.facts.pop(local.id, None)
        e.assign(collected, e.list_of(()))
        e.block.extend(_clauses(e, node, index + 1, collected))
        e.block.append(ast.Return(e.name(collected), **e.at))

    part = emit_part(e, [e.local(local)], turn)
    e.statement(e.helper("turns", part, items, e.name(result) if node.collect else e.python(None)))


def _for_body(e: Emitter, node: ir.For, result: str) -> None:
    if not node.collect:
        e.effect(node.body)
        return
    value, _ = e.expr(node.body)
    append = ast.Attribute(e.name(result), "append", ast.Load(), **e.at)
    e.statement(ast.Call(append, [value], [], **e.at))


# ---------------------------------------------------------------- errors


def tail_try(e: Emitter, node: ir.Try, destination: Destination) -> None:
    name = e.temporary()
    target = Destination(lambda value, fact: [e.assignment(name, value)])
    statement = _with_catches(e, node, target) if node.catches else None
    if node.final is not None:
        if statement is None:
            with e.nested() as inner:
                e.into(node.body, target)
        else:
            inner = [statement]
        statement = _with_final(e, node.final, inner)
    assert statement is not None
    e.block.append(statement)
    e.finish(destination, e.name(name), target.fact)


def _with_catches(e: Emitter, node: ir.Try, target: Destination) -> ast.stmt:
    with e.nested() as body:
        e.into(node.body, target)
    caught, raw = e.temporary(), e.temporary()
    with e.nested() as handler:
        e.assign(caught, e.helper("caught", e.name(raw)))
        chain: list[ast.stmt] = [ast.Raise(None, None, **e.at)]
        for catch in reversed(node.catches):
            chain = [_catch(e, catch, caught, target, chain)]
        e.block.extend(chain)
    handlers = [ast.ExceptHandler(e.name("rt·Exception"), raw, handler, **e.at)]
    return ast.Try(body or [ast.Pass(**e.at)], handlers, [], [], **e.at)


def _catch(
    e: Emitter, catch: ir.Catch, caught: str, target: Destination, otherwise: list[ast.stmt]
) -> ast.stmt:
    test = _selects(e, catch.selector, e.name(caught))
    with e.nested() as block:
        for local in (catch.local, catch.also):
            if local is not None:
                e.assign(e.own(local), e.helper("ErrorValue", e.name(caught)))
                e.facts.pop(local.id, None)
        e.into(catch.body, target)
    return ast.If(test, block or [ast.Pass(**e.at)], otherwise, **e.at)


def _selects(e: Emitter, selector: ir.Selector, error: ast.expr) -> ast.expr:
    match selector:
        case ir.CatchAll():
            return e.helper("catchable", error)
        case ir.CatchCategory(categories=categories):
            return e.helper("in_categories", e.tuple_of(map(e.python, categories)), error)
        case ir.CatchThrown(type=wanted, value=value):
            thrown, _ = e.expr(ir.Constant(value=value))
            return e.helper("was_thrown", e.python(wanted), thrown, error)


def _with_final(e: Emitter, final: ir.Node, body: list[ast.stmt]) -> ast.stmt:
    """`finally` by hand: it must not run when a limit ended the run."""
    raw = e.temporary()
    e.finals += 1
    if e.finals > _DEEPEST_FINAL:
        raise Unsupported("`finally` nested too deeply")
    with e.nested() as handler:
        e.statement(e.helper("caught", e.name(raw)))
        e.effect(final)
        e.block.append(ast.Raise(None, None, **e.at))
    with e.nested() as after:
        e.effect(final)
    e.finals -= 1
    handlers = [ast.ExceptHandler(e.name("rt·Exception"), raw, handler, **e.at)]
    return ast.Try(body or [ast.Pass(**e.at)], handlers, after, [], **e.at)
