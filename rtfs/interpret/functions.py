"""Functions and calls. A function value is a plain Python function around a `Closure`.

Tail calls: the body of a function gives a `TailCall`, and the `invoke` that runs the body runs that call in its
place, so that a chain of tail calls has the depth of one. Checks of return types are kept aside meanwhile; each
needs to be made only once however often it was met, since it is always the same final value that they check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FunctionType
from typing import Any, Final

from rtfs import errors, ir
from rtfs.border import add_frame, place, refused, stack_overflow, translate
from rtfs.interpret.core import Again, Env, Site, TailCall, checked, evaluate, handles
from rtfs.interpret.scopes import scope_of
from rtfs.namespace import RETURN_LABEL, Check, rest_label
from rtfs.run import STOP_REQUESTS, Run, current_run, deep_recursion, poll
from rtfs.stdlib.registry import arity as python_arity
from rtfs.stdlib.registry import arity_error, expected_arity
from rtfs.values import List, Value, Vector, type_name

#: how much more of Python's stack an interpreted call may take than a compiled one, expressions included
STRETCH: Final = 15

#: by run; only runs that the interpreter is in
_depths: Final[dict[Run, _Depth]] = {}

#: return checks that a chain of tail calls has met, by arity and frame; latest last
type Pending = dict[tuple[int, int], tuple[Check, str]]


class Closure:
    """A lambda and the scope it was made in. `function` is the Python function, `bound` what stands for it."""

    __slots__ = ("bound", "env", "function", "node")
    function: Callable[..., Value]
    bound: Callable[..., Value]

    def __init__(self, node: ir.Lambda, env: Env) -> None:
        self.node = node
        self.env = env

    @property
    def name(self) -> str:
        """For error texts."""
        return self.node.name or "user-defined function"


@handles(ir.Lambda)
def _lambda(node: ir.Lambda, env: Env, tail: bool) -> Value:
    closure = Closure(node, env)

    def call(*args: Value) -> Value:
        return invoke(closure, args, None)

    call.__name__ = call.__qualname__ = closure.name
    closure.function = closure.bound = call
    vars(call).update(rtfs_lambda=node, rtfs_closure=closure)
    namespace = env.world.namespace
    if namespace.bind_function is not None:
        closure.bound = namespace.bind_function(node, call, namespace)
    return closure.bound


@handles(ir.Apply)
def _apply(node: ir.Apply, env: Env, tail: bool) -> Value:
    function = evaluate(node.fn, env)
    args = [evaluate(arg, env) for arg in node.args]
    closure = _closure_of(function)
    if closure is None:
        try:
            return _call_other(function, args)
        except errors.TypeMismatch as error:
            index = refused(error, function, [type_name(arg) for arg in args])
            if index is not None:
                place(error, env.world.source, node.args[index].span)
            raise
    site = Site(env.world.source, node.span)
    return TailCall(closure, args, site) if tail else invoke(closure, args, site)


def _closure_of(function: Value) -> Closure | None:
    """The closure of a function that this interpreter made; none for a stub that only looks like it."""
    if type(function) is not FunctionType:
        return None
    closure: Closure | None = vars(function).get("rtfs_closure")
    return closure if closure is not None and closure.function is function else None


def _call_other(function: Value, args: Sequence[Value]) -> Value:
    """Call a builtin, a stub, or a value that is no function: keyword, map, set, vector."""
    if type(function) is FunctionType:
        least, most = python_arity(function)
        if len(args) < least or (most is not None and len(args) > most):
            raise arity_error(function, len(args))
    elif not callable(function):
        raise errors.TypeMismatch("function", type_name(function), "function call")
    elif not 1 <= len(args) <= 2:
        raise errors.ArityMismatch(type_name(function), "1 or 2", len(args))
    if STOP_REQUESTS:
        poll()
    return function(*args)


class _Depth:
    """Nested calls under way in one run."""

    __slots__ = ("calls",)

    def __init__(self) -> None:
        self.calls = 0


@contextmanager
def interpreting(run: Run) -> Iterator[_Depth]:
    """The depth of `run`, and room for it on Python's stack while the outermost such block lasts."""
    known = _depths.get(run)
    if known is not None:
        yield known
        return
    depth = _depths[run] = _Depth()
    try:
        with deep_recursion(run.limits.depth * STRETCH):
            yield depth
    finally:
        del _depths[run]


def invoke(closure: Closure, args: Sequence[Value], site: Site | None) -> Value:
    """The value of a call. `site` is None when Python code calls: a builtin, or the host."""
    run = current_run()
    depth = _depths.get(run)
    if depth is None:
        with interpreting(run):
            return invoke(closure, args, site)
    if depth.calls >= run.limits.depth:
        raise stack_overflow()
    depth.calls += 1
    try:
        return _run(TailCall(closure, list(args), site or Site(closure.env.world.source, None)))
    finally:
        depth.calls -= 1


def _run(call: TailCall) -> Value:
    """Run a call and the tail calls that it ends in."""
    pending: Pending = {}
    try:
        while True:
            if STOP_REQUESTS:
                poll()
            result = _enter(call.closure, call.args, pending)
            if type(result) is not TailCall:
                break
            call = result
        for check, label in reversed(list(pending.values())):
            check(result, label)
        return result
    except Exception as exc:
        error = translate(exc)
    place(error, *call.site)
    add_frame(error, call.closure.name, *call.site)
    # Python notes every frame that an exception passes; through deep recursion that would be a lot of memory.
    raise error.with_traceback(None)


def _enter(closure: Closure, args: Sequence[Value], pending: Pending) -> Value:
    """Run the body that fits the number of arguments, again for each `recur` to it."""
    arity = _choose(closure, len(args))
    fixed = len(arity.params)
    values = list(args) if arity.rest is None else [*args[:fixed], List(args[fixed:])]
    while True:
        env = Env(closure.env.world, closure.env, scope_of(arity))
        _bind(closure, arity, values, env)
        result = evaluate(arity.body, env, True)
        if type(result) is not Again or result.label != arity.label:
            break
        values = result.args
        if STOP_REQUESTS:
            poll()
    if arity.returns is not None:
        namespace = env.world.namespace
        key = (id(arity), id(namespace))
        pending.pop(key, None)
        pending[key] = (namespace.check(arity.returns), RETURN_LABEL)
    return result


def _choose(closure: Closure, count: int) -> ir.Arity:
    arities = closure.node.arities
    for arity in arities:
        if arity.rest is None and len(arity.params) == count:
            return arity
    for arity in arities:
        if arity.rest is not None and len(arity.params) <= count:
            return arity
    raise wrong_count(closure.node, count)


def wrong_count(node: ir.Lambda, given: int) -> errors.ArityMismatch:
    """The error for calling the function `node` with `given` arguments."""
    least = min((len(arity.params) for arity in node.arities), default=0)
    most = max((len(arity.params) for arity in node.arities), default=0)
    variadic = any(arity.rest is not None for arity in node.arities)
    expected = expected_arity(least, None if variadic else most)
    return errors.ArityMismatch(node.name or "user-defined function", expected, given)


def _bind(closure: Closure, arity: ir.Arity, values: Sequence[Value], env: Env) -> None:
    """Give the parameters their values, and check them. The value of a rest parameter is its list."""
    if closure.node.self_local is not None:
        env.values[closure.node.self_local.id] = closure.bound
    params = arity.params if arity.rest is None else (*arity.params, arity.rest)
    for param, value in zip(params, values, strict=True):
        env.values[param.local.id] = value
    for param, value in zip(arity.params, values, strict=False):
        checked(env, value, param.type, param.local.name)
    if arity.rest is not None and arity.rest.type is not None:
        _check_rest(env, arity.rest, values[-1])


def _check_rest(env: Env, rest: ir.Param, items: Any) -> None:
    if items is None:
        return
    if type(items) not in (List, Vector):  # only `recur` can give such a thing
        raise errors.TypeMismatch("list", type_name(items), "recur")
    for index, item in enumerate(items.to_list()):
        checked(env, item, rest.type, rest_label(rest.local.name, index))
