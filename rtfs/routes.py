"""Where the functions of a linked program run: a delegate's answers, and the stubs it makes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from types import FunctionType
from typing import Final, NamedTuple

from rtfs import ir
from rtfs.delegation import BY_ARGUMENTS, ByArguments, Delegate, ExecTarget, FunctionInfo, L4CacheHit, LocalPure
from rtfs.labels import Labelled
from rtfs.namespace import RETURN_LABEL, Namespace
from rtfs.runtime_facts import RuntimeFacts
from rtfs.stdlib.registry import arity
from rtfs.types import model as types
from rtfs.values import Value

#: the functions of a unit, with what is known about each by itself
type Functions = Iterable[tuple[ir.Lambda, FunctionInfo]]
#: a return type that needs no check
_ANY: Final = types.Primitive("any")
#: what backends keep on a function of their own, and must not find on a stub that copied it
_OWN: Final = ("rtfs_raw", "rtfs_closure")


class _Route(NamedTuple):
    #: kept so that its id stays its own
    node: ir.Lambda
    info: FunctionInfo
    target: ExecTarget | ByArguments


class Routes:
    """Where the functions of one link run, by the delegate's answers. Each function is asked about once."""

    def __init__(self, delegate: Delegate, facts: RuntimeFacts, labelled: Labelled | None = None) -> None:
        self._delegate = delegate
        self._facts = facts
        self._labelled = labelled
        #: id of lambda → where it runs, for those for which a stub stands
        self._bound: dict[int, _Route] = {}
        #: ids of its bound functions, by id of the unit, which is kept so that its id stays its own
        self._units: dict[int, tuple[ir.Unit, frozenset[int]]] = {}
        self._lock = threading.RLock()  # runs on several threads may add the same module at once

    def add(self, unit: ir.Unit, functions: Functions) -> None:
        """Ask for every function of `unit`."""
        with self._lock:
            if id(unit) in self._units:
                return
            bound = {id(node): route for node, route in self._asked(functions)}
            self._bound.update(bound)
            self._units[id(unit)] = unit, frozenset(bound)

    def _asked(self, functions: Functions) -> Iterable[tuple[ir.Lambda, _Route]]:
        for node, known in functions:
            info = known if self._labelled is None else self._labelled(node, known)
            target = self._target(info)
            if not isinstance(target, LocalPure):
                yield node, _Route(node, info, target)

    def _target(self, info: FunctionInfo) -> ExecTarget | ByArguments:
        if info.hint is not None:
            return info.hint.to_exec_target()
        return self._delegate.target(info, self._facts)

    def bound(self, unit: ir.Unit) -> frozenset[int]:
        """Ids of the functions of `unit` for which stubs stand."""
        return self._units[id(unit)][1]

    def may_wait(self) -> bool:
        """Whether any function asked about so far may wait for another process: modules run in this one."""
        return any(not isinstance(route.target, L4CacheHit) for route in self._bound.values())

    def bind(self, node: ir.Lambda, body: Callable[..., Value], frame: Namespace) -> Callable[..., Value]:
        """The stub of a delegated function, made in `frame`; any other function itself."""
        route = self._bound.get(id(node))
        if route is None:
            return body
        made = self._delegate.bind(route.info, route.target, self._facts, body)
        if made is body:
            return body
        return _stub(made, node, None if route.target is BY_ARGUMENTS else frame)


def _stub(made: Callable[..., Value], node: ir.Lambda, checking: Namespace | None) -> Callable[..., Value]:
    """What stands for the function `node`: `made`, with answers checked against the declared types."""
    declared = {} if checking is None else _declared(node)
    if declared or type(made) is not FunctionType or not _takes_the_same(made, node):
        made = _checked(made, node, declared, checking)
    assert isinstance(made, FunctionType)
    for name in _OWN:
        made.__dict__.pop(name, None)
    made.rtfs_lambda = node  # type: ignore[attr-defined]  # for `(meta f)`
    return made


def _declared(node: ir.Lambda) -> dict[int | None, types.Type]:
    """Declared return types by number of arguments, None for the arity that takes more."""
    return {
        None if arity.rest else len(arity.params): arity.returns
        for arity in node.arities
        if arity.returns is not None and arity.returns != _ANY
    }


def _takes_the_same(made: FunctionType, node: ir.Lambda) -> bool:
    """Whether Python itself refuses the numbers of arguments that the function `node` does."""
    if len(node.arities) != 1:
        return False
    least = len(node.arities[0].params)
    return arity(made) == (least, None if node.arities[0].rest else least)


def _checked(
    made: Callable[..., Value],
    node: ir.Lambda,
    declared: dict[int | None, types.Type],
    frame: Namespace | None,
) -> FunctionType:
    counts = frozenset(len(arity.params) for arity in node.arities if arity.rest is None)
    variadic = min((len(arity.params) for arity in node.arities if arity.rest is not None), default=None)

    def stub(*args: Value) -> Value:
        if len(args) not in counts and (variadic is None or len(args) < variadic):
            from rtfs.interpret.functions import wrong_count

            raise wrong_count(node, len(args))
        answer = made(*args)
        type_ = declared.get(len(args)) or declared.get(None)
        if type_ is not None and frame is not None:
            frame.check(type_)(answer, RETURN_LABEL)
        return answer

    stub.__name__ = getattr(made, "__name__", stub.__name__)
    return stub  # type: ignore[return-value]  # every function that `def` makes is a FunctionType
