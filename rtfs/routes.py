"""Where the functions of a linked program run: the delegate's answers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from rtfs import ir
from rtfs.delegation import Delegate, ExecTarget, FunctionInfo, LocalPure
from rtfs.function_info import functions_of
from rtfs.values import Value

if TYPE_CHECKING:
    from rtfs.security import RuntimeContext


class Routes:
    """Where the functions of one linked program run: the delegate's answers, asked once per function."""

    def __init__(self, delegate: Delegate, context: RuntimeContext | None) -> None:
        self._delegate = delegate
        self._context = context
        #: id of lambda → the lambda, kept so that its id stays its own, and where it runs
        self._targets: dict[int, tuple[ir.Lambda, FunctionInfo, ExecTarget]] = {}
        self._units: set[int] = set()
        self._lock = threading.RLock()  # runs on several threads may add the same module at once

    def add(self, unit: ir.Unit) -> None:
        """Ask for every function of `unit`."""
        with self._lock:
            if id(unit) in self._units:
                return
            for node, info in functions_of(unit):
                self._targets[id(node)] = (node, info, self._target(info))
            self._units.add(id(unit))

    def _target(self, info: FunctionInfo) -> ExecTarget:
        if info.hint is not None:
            return info.hint.to_exec_target()
        return self._delegate.target(info, self._context)

    def is_delegated(self, node: ir.Lambda) -> bool:
        """Whether a stub stands for the function."""
        known = self._targets.get(id(node))
        return known is not None and not isinstance(known[2], LocalPure)

    def bind(self, node: ir.Lambda, body: Callable[..., Value]) -> Callable[..., Value]:
        """The stub of a delegated function; any other function itself."""
        known = self._targets.get(id(node))
        if known is None or isinstance(known[2], LocalPure):
            return body
        return self._delegate.bind(known[1], known[2], body)
