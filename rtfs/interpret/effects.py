"""Errors, steps, hints and tickets: what looks at how evaluation ends, or at the host."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Final

from rtfs import errors, ir
from rtfs.border import catches, set_cause, translate
from rtfs.interpret.core import Env, evaluate, handles
from rtfs.values import ErrorValue, Map, Value

#: the error that RTFS code under way is handling
_handled: Final[ContextVar[errors.RtfsError | None]] = ContextVar("rtfs_handled", default=None)


@handles(ir.Try)
def _try(node: ir.Try, env: Env, tail: bool) -> Value:
    value, error = _attempt(node.body, env)
    if error is not None and not isinstance(error, errors.LimitError):
        value, error = _catch(node.catches, error, env)
    if node.final is not None and not isinstance(error, errors.LimitError):
        _, replacing = _attempt(node.final, env) if error is None else _handling(error, node.final, env)
        if replacing is not None:
            error = replacing
    if error is not None:
        raise error
    return value


def _attempt(node: ir.Node, env: Env) -> tuple[Value, errors.RtfsError | None]:
    try:
        return evaluate(node, env), None
    except Exception as exc:
        return None, _noted(exc)


def _noted(exc: Exception) -> errors.RtfsError:
    error = translate(exc).with_traceback(None)  # an error that is kept must not keep frames
    handled = _handled.get()
    if handled is not None:
        set_cause(error, handled)
    return error


def _understood(exc: Exception) -> errors.RtfsError:
    """The error of a ticket.

    Raises:
        LimitError: the run is over.
    """
    error = _noted(exc)
    if isinstance(error, errors.LimitError):
        raise error
    return error


def _handling(error: errors.RtfsError, node: ir.Node, env: Env) -> tuple[Value, errors.RtfsError | None]:
    """`_attempt` in a `catch` or `finally`: what is raised there, or in functions called there, has a cause."""
    token = _handled.set(error)
    try:
        return _attempt(node, env)
    finally:
        _handled.reset(token)


def _catch(
    clauses: tuple[ir.Catch, ...], error: errors.RtfsError, env: Env
) -> tuple[Value, errors.RtfsError | None]:
    """What the first clause for `error` gives; `error` itself if there is none."""
    for clause in clauses:
        if catches(clause.selector, error):
            caught = ErrorValue(error)
            for local in (clause.local, clause.also):
                if local is not None:
                    env.values[local.id] = caught
            return _handling(error, clause.body, env)
    return None, error


@handles(ir.Step)
def _step(node: ir.Step, env: Env, tail: bool) -> Value:
    from rtfs.steps import run_step

    name = evaluate(node.name, env)
    options = {option: evaluate(value, env) for option, value in node.options}
    params = None
    if node.params is not None:
        params = Map({param: evaluate(value, env) for param, value in node.params})
        if node.params_local is not None:
            env.values[node.params_local.id] = params

    def body() -> Value:
        return evaluate(node.body, env)

    return run_step(node.kind, name, options, params, body)


@handles(ir.Hinted)
def _hinted(node: ir.Hinted, env: Env, tail: bool) -> Value:
    from rtfs.steps import with_hints

    hints = {name: evaluate(value, env) for name, value in node.hints}

    def body() -> Value:
        return evaluate(node.body, env)

    return with_hints(hints, body)


@handles(ir.Async)
def _async(node: ir.Async, env: Env, tail: bool) -> Value:
    from rtfs.tickets import start

    return start(lambda: evaluate(node.body, env), _understood)


@handles(ir.Race)
def _race(node: ir.Race, env: Env, tail: bool) -> Value:
    from rtfs.overlap.race import first_of

    def piece(item: ir.Node) -> Callable[[], Value]:
        return lambda: evaluate(item, env)

    return first_of(*map(piece, node.items))
