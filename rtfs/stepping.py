"""Run a program until it needs its host, hand the call out, and go on with the answer.

    step = Stepper(entry, context=RuntimeContext.controlled(["weather.now"]))
    outcome = step.start()
    while isinstance(outcome, RequiresHost):
        outcome = step.resume(answer(outcome.call))
    outcome.value

The program runs in a greenlet. A host call switches back to whoever drives it, with all its Python frames left
as they are, so it can be resumed from any depth: in a callback of a builtin, in a `try`, in a step. Suspending
is no error and no return: neither `catch` nor `finally` sees it.

A suspended stack must not refer to its Stepper, nor to its own greenlet: the garbage collector cannot look into
such a stack, and a cycle through it would never be freed. So the host inside reaches its driver only as the
parent of the current greenlet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import copy_context
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final, override

from rtfs import errors
from rtfs.border import translate
from rtfs.delegation import ByArguments, ExecTarget, FunctionInfo, L4CacheHit, LocalPure
from rtfs.host import (
    Complete,
    ForwardingHost,
    Host,
    HostCall,
    HostCallMetadata,
    MemoryHost,
    Outcome,
    PureHost,
    RequiresHost,
)
from rtfs.run import (
    Limits,
    Run,
    activate,
    charge_delegation,
    current_run,
    deep_recursion,
    make_current,
    poll,
    suspend,
)
from rtfs.runtime_facts import RuntimeFacts
from rtfs.security import RuntimeContext, adopt, ask
from rtfs.stdlib.registry import arity, arity_error
from rtfs.values import Value

if TYPE_CHECKING:
    from greenlet import greenlet

#: hints, such as `^{:runtime.timeout-ms 500}`, that are fields of the call too
_TIMEOUT_HINT: Final = "runtime.timeout-ms"
_IDEMPOTENCY_HINT: Final = "runtime.idempotency-key"
MODEL_CALL_PREFIX: Final = "model-call:"


class Stepper:
    """One run of a program, driven step by step. Everything happens on the thread that called `start`.

    The deadline counts only while the program runs, not while it waits for its host. A Stepper that is dropped
    frees its program where it stands: nothing of it runs any more, no `finally` either, and its host hears no
    more of it.

    Args:
        entry: what runs the program, inside a current run. Not `rtfs.evaluate`, which makes a run of its own.
        host: answers all but capability calls: context values, schemas, notifications. Its `execute_capability`
            is not used.
        limits: instead of those of the context.
    """

    def __init__(
        self,
        entry: Callable[[], Value],
        *,
        host: Host | None = None,
        context: RuntimeContext | None = None,
        limits: Limits | None = None,
        arguments: Mapping[str, Value] | None = None,
    ) -> None:
        self._greenlet: greenlet | None = None
        context = context or RuntimeContext.pure()
        self._entry: Callable[[], Value] | None = entry
        self._host = _SuspendingHost(host or MemoryHost())
        self._run = Run(self._host, context, limits or context.limits(), arguments or {})
        self._outcome: Outcome | None = None

    @property
    def run(self) -> Run:
        """The run, for `rtfs.run.cancel`."""
        return self._run

    @property
    def outcome(self) -> Outcome | None:
        """The latest outcome; None before the start, and after an error."""
        return self._outcome

    def start(self) -> Outcome:
        """Run the program to its end or its first host call.

        Raises:
            RtfsError: the program failed.
            RuntimeError: it was started before.
        """
        from greenlet import greenlet

        entry, self._entry = self._entry, None
        if entry is None:
            raise RuntimeError("a Stepper is started once; make another one to run the program again")
        context = copy_context()
        context.run(make_current, self._run)
        self._greenlet = greenlet(_guarded(entry, self._host))
        self._greenlet.gr_context = context
        ask("prepare_execution", self._host.prepare_execution)
        return self._switch()

    def resume(self, value: Any) -> Outcome:
        """Answer the call of the latest outcome, and run on to the next outcome.

        Raises:
            RtfsError: the program failed.
            RuntimeError: it does not wait for an answer, or belongs to another thread.
        """
        return self._answer((value, None))

    def fail(self, error: Exception) -> Outcome:
        """Let the call fail. An error of RTFS is raised as it is; any other exception as a HostException.

        Raises:
            RtfsError: the program failed, with this error or a later one.
            RuntimeError: it does not wait for an answer, or belongs to another thread.
        """
        return self._answer((None, error))

    def _answer(self, reply: tuple[Any, Exception | None]) -> Outcome:
        if not isinstance(self._outcome, RequiresHost):
            raise RuntimeError("the program does not wait for an answer")
        return self._switch(reply)

    def close(self) -> None:
        """Free the program where it stands. Dropping the Stepper does the same."""
        self._outcome = None
        if self._greenlet is not None:
            with deep_recursion(self._run.limits.depth):  # else a deep stack could not even be unwound
                self._greenlet = None

    def __del__(self) -> None:
        self.close()

    def _switch(self, *reply: tuple[Any, Exception | None]) -> Outcome:
        from greenlet import getcurrent

        program = self._greenlet
        assert program is not None
        _adopt_greenlet(program, getcurrent())
        self._outcome = None
        activate(self._run)
        try:
            self._outcome = program.switch(*reply)
        finally:
            suspend(self._run)
            if isinstance(self._outcome, RequiresHost):
                # Not the driver: it may be a greenlet itself, and own this Stepper.
                _adopt_greenlet(program, _root(getcurrent()))
            else:
                self._greenlet = None
                ask("cleanup_execution", self._host.cleanup_execution)
        assert self._outcome is not None
        return self._outcome


def _adopt_greenlet(program: greenlet, parent: greenlet) -> None:
    """Make `program` return to `parent`."""
    from greenlet import error as wrong_thread

    try:
        program.parent = parent
    except (wrong_thread, ValueError) as error:
        raise RuntimeError("a Stepper belongs to the thread that started it") from error


def _root(current: greenlet) -> greenlet:
    while current.parent is not None:
        current = current.parent
    return current


def _abandonment() -> errors.LimitError:
    """What unwinds an abandoned program: a LimitError, because those pass `catch` and `finally`."""
    return errors.BudgetExhausted("cancelled", "the program was abandoned")


def _guarded(entry: Callable[[], Value], host: _SuspendingHost) -> Callable[[], Outcome | None]:
    """The main function of a program's greenlet."""

    def main() -> Outcome | None:
        try:
            poll()  # it may have no time at all, or have been cancelled
            return Complete(entry())
        except Exception as error:
            if host.abandoned:
                return None  # to whoever dropped the last reference and expects nothing
            raise translate(error) from error.__cause__

    return main


class _SuspendingHost(ForwardingHost):
    """Turns each capability call into a switch to the driver."""

    #: nobody will ever answer again
    abandoned = False

    @override
    def execute_capability(self, capability_id: str, args: list[Value]) -> Value:
        from greenlet import GreenletExit, getcurrent

        if self.abandoned:
            raise _abandonment()
        driver = getcurrent().parent
        if driver is None:
            raise errors.InternalError("a host call outside the Stepper that its host belongs to")
        outcome = RequiresHost(self._call(capability_id, args))
        try:
            value, error = driver.switch(outcome)
        except GreenletExit:
            self.abandoned = True
            self.inner = PureHost()  # steps that end now must not notify a host that has gone on
            raise _abandonment() from None
        if error is not None:
            raise error
        return value

    def _call(self, capability_id: str, args: list[Value]) -> HostCall:
        context = current_run().context
        host = self.inner if isinstance(self.inner, MemoryHost) else None
        return HostCall(
            capability_id=capability_id,
            args=tuple(args),
            security_context=context,
            causal_context=host.causal_context() if host else None,
            metadata=_metadata(host, context, capability_id) if host else None,
        )


def _metadata(host: MemoryHost, context: RuntimeContext, capability_id: str) -> HostCallMetadata | None:
    hints = host.execution_hints()
    timeout_ms = hints.get(_TIMEOUT_HINT) if hints else None
    idempotency_key = hints.get(_IDEMPOTENCY_HINT) if hints else None
    found = HostCallMetadata(
        timeout_ms=timeout_ms if type(timeout_ms) is int else None,
        idempotency_key=idempotency_key if type(idempotency_key) is str else None,
        context=host.exposed_context(context, capability_id),
        execution_hints=hints,
    )
    return None if found == HostCallMetadata() else found


# ---------------------------------------------------------------- delegated calls


class HostDelegate:
    """Makes each call of a hinted function a host call `model-call:<id>` with the call's arguments.

    For use with a Stepper. A host that answers `UnknownCapability` for that id does not know the model; then
    the function's own body runs. Permission is not asked, since the program names no capability; the effect of
    these calls, `:ai`, can be denied.
    """

    @property
    def version(self) -> str:
        """Always the same: nothing is decided here."""
        return "host-1"

    @property
    def sources(self) -> None:
        """No privacy labels are looked at."""

    def target(self, function: FunctionInfo, facts: RuntimeFacts) -> ExecTarget:
        """Functions without a hint stay here."""
        return LocalPure()

    def bind(
        self,
        function: FunctionInfo,
        target: ExecTarget | ByArguments,
        facts: RuntimeFacts,
        body: Callable[..., Value],
    ) -> Callable[..., Value]:
        """The function itself if its target is local, else a stub that asks the host."""
        if isinstance(target, LocalPure | ByArguments):
            return body
        model = target.storage_pointer if isinstance(target, L4CacheHit) else target.id
        return _stub(MODEL_CALL_PREFIX + model, body)


def _stub(capability_id: str, body: Callable[..., Value]) -> Callable[..., Value]:
    assert isinstance(body, FunctionType)
    least, most = arity(body)

    def delegated(*args: Value) -> Value:
        if len(args) < least or (most is not None and len(args) > most):
            raise arity_error(body, len(args))
        run = current_run()
        run.context.authorize_effects(capability_id)
        charge_delegation()
        try:
            answer = ask(capability_id, run.host.execute_capability, capability_id, list(args))
        except errors.UnknownCapability as error:
            if error.id != capability_id:
                raise
            return body(*args)
        poll()
        return adopt(capability_id, answer)

    delegated.__name__ = body.__name__
    return delegated
