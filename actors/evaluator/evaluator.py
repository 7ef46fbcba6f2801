"""An evaluator: runs programs, many at once, each on the thread that asks for it.

    evaluator = Evaluator(delegation)
    reply = evaluator.run(RunRequest(source="(+ 1 2)"))

A run has its thread for its whole time; parts of it that wait overlap in a hub of that thread (`rtfs.overlap`).
So a run that only computes neither delays others by more than its share of the processor nor outlives its
deadline, which a watchdog keeps. Linked programs are kept by their text and used by all runs of it.

Whatever a program does, `run` answers; it raises nothing but `EvaluatorBusy`.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Final

import rtfs
from actors.control.spec import MOST_RUNS
from actors.delegation.active_run import ActiveRun
from actors.delegation.delegation import Delegation
from actors.delegation.ports import Announcer, Silence
from actors.evaluator.host import RunHost
from actors.requests import RunReply, RunRequest, Status
from rtfs import errors
from rtfs.analyze.environment import MappingModules
from rtfs.capabilities import Capability
from rtfs.errors import RtfsError
from rtfs.ir_codec import encode_value
from rtfs.overlap import overlapping
from rtfs.printer import pr_str
from rtfs.program import LinkedProgram, new_run
from rtfs.run import Limits, running
from rtfs.values import Value

_log = logging.getLogger("rtfs.evaluator")

#: programs that are kept linked, and the longest text of one, characters
MOST_PROGRAMS: Final = 256
LONGEST_KEPT: Final = 1 << 18
#: runs that were cancelled and are not here, of which that is remembered
_MOST_CANCELLED: Final = 1024

type Capabilities = Mapping[str, Capability | Callable[..., Value]]
#: a context around each run, such as a span of a trace
type Around = Callable[[RunRequest], AbstractContextManager[object]]


class EvaluatorBusy(Exception):
    """As many programs run as may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatorStats:
    """How busy an evaluator is, and what it has done."""

    running: int
    most_runs: int
    completed: int
    failed: int
    programs: int


class Evaluator:
    """Runs programs. Safe to use from many threads.

    Args:
        delegation: who decides where functions run; None: all of them run here.
        capabilities: what programs may ask for beyond printing and their own state, if their context permits.
        around: entered around each run.
        ended: told of each run that has ended.
    """

    def __init__(
        self,
        delegation: Delegation | None = None,
        *,
        capabilities: Capabilities | None = None,
        announcer: Announcer | None = None,
        most_runs: int = MOST_RUNS,
        around: Around | None = None,
        ended: Callable[[RunRequest, RunReply], None] = lambda request, reply: None,
    ) -> None:
        self.delegation = delegation
        self.most_runs = most_runs
        self._capabilities = capabilities or {}
        self._announcer = announcer or Silence()
        self._around = around or (lambda request: nullcontext())
        self._told = ended
        self._programs: OrderedDict[tuple[object, ...], LinkedProgram] = OrderedDict()
        self._active: dict[str, ActiveRun] = {}
        #: runs that were cancelled before they came here, and why
        self._cancelled: OrderedDict[str, str] = OrderedDict()
        self._ended: dict[Status, int] = {}
        self._lock = threading.Lock()

    def run(self, request: RunRequest) -> RunReply:
        """Run a program to its end.

        Raises:
            EvaluatorBusy: as many run as may; nothing was done.
        """
        active = ActiveRun(request)
        began = time.perf_counter()
        with self._lock:
            if len(self._active) >= self.most_runs:
                raise EvaluatorBusy(f"{self.most_runs} programs run already; ask again when one has ended")
            if request.run_id in self._active:
                return _failed(request, errors.InvalidArgument(f"a run `{request.run_id}` is under way"), 0.0)
            self._active[request.run_id] = active
            cancelled = self._cancelled.pop(request.run_id, None)
        if cancelled is not None:
            active.cancel(cancelled)
        try:
            with active, self._around(request):
                reply = self._run(active, began)
        finally:
            with self._lock:
                del self._active[request.run_id]
        with self._lock:
            self._ended[reply.status] = self._ended.get(reply.status, 0) + 1
        self._told(request, reply)
        return reply

    def cancel(self, run_id: str, reason: str = "cancelled") -> bool:
        """Stop a run; whether it was under way. One that is still on its way here is stopped when it begins."""
        with self._lock:
            active = self._active.get(run_id)
            if active is None:
                self._cancelled[run_id] = reason
                if len(self._cancelled) > _MOST_CANCELLED:
                    self._cancelled.popitem(last=False)
                return False
        active.cancel(reason)
        return True

    def cancel_all(self, reason: str) -> int:
        """Stop all runs; how many there were."""
        with self._lock:
            under_way = tuple(self._active.values())
        for active in under_way:
            active.cancel(reason)
        return len(under_way)

    def stats(self) -> EvaluatorStats:
        """How busy it is, and what it has done."""
        with self._lock:
            return EvaluatorStats(
                running=len(self._active),
                most_runs=self.most_runs,
                completed=self._ended.get("completed", 0),
                failed=self._ended.get("failed", 0),
                programs=len(self._programs),
            )

    def _run(self, active: ActiveRun, began: float) -> RunReply:
        request = active.request
        host = RunHost(active, self._announcer, self._capabilities)
        value: Value = None
        text, portable = "nil", True
        status: Status = "completed"
        error: RtfsError | None = None
        try:
            linked = self._linked(request)
            value = overlapping(lambda: _evaluated(linked, request, host))
            portable, text = _portable(value, request)
        except RtfsError as failure:
            error, status = failure.with_traceback(None), _status(active)
        except Exception as bug:  # ours, or that of a capability that was given; whoever asked gets an answer
            _log.exception("the run %s met a bug", request.run_id)
            error, status = errors.InternalError(f"{type(bug).__name__}: {bug}"), _status(active)
        is_there = portable and error is None
        return RunReply(
            run_id=request.run_id,
            status=status,
            value=value if is_there else None,
            text=text,
            portable=portable,
            error=error,
            output=host.output,
            calls=active.summaries(),
            took_ms=(time.perf_counter() - began) * 1000,
            had_effects=active.had_effects,
            deferral=active.deferral if status == "deferred" else None,
        )

    def _linked(self, request: RunRequest) -> LinkedProgram:
        """The program, linked; kept by its text."""
        key = (request.source, request.source_name, _digest(request.modules))
        with self._lock:
            found = self._programs.get(key)
            if found is not None:
                self._programs.move_to_end(key)
                return found
        made = self._made(request)
        if len(request.source) <= LONGEST_KEPT:
            with self._lock:
                made = self._programs.setdefault(key, made)
                if len(self._programs) > MOST_PROGRAMS:
                    self._programs.popitem(last=False)
        return made

    def _made(self, request: RunRequest) -> LinkedProgram:
        # the text is not trusted: what reads and analyses it stops when the time is up, too
        context = request.context()
        with running(new_run(None, context, Limits(deadline_s=request.limits.deadline_s), None)):
            modules = MappingModules(dict(request.modules)) if request.modules else None
            program = rtfs.compile(request.source, source_name=request.source_name, modules=modules)
            delegate = None if self.delegation is None else self.delegation.delegate
            return program.link(delegate, context)


def _evaluated(linked: LinkedProgram, request: RunRequest, host: RunHost) -> Value:
    context = request.context()
    if request.call is None:
        return linked.run(host=host, context=context, args=request.args)
    return linked.call(request.call.function, *request.call.args, host=host, context=context)


def _status(active: ActiveRun) -> Status:
    if active.cancelled is not None:
        return "cancelled"
    return "failed" if active.deferral is None else "deferred"


def _portable(value: Value, request: RunRequest) -> tuple[bool, str]:
    """Whether a value can leave its process, and its text.

    Raises:
        BudgetExhausted: a small value can have a text of any size; it is made within the limits of a run.
    """
    if value is None or type(value) in (bool, int, float):
        return True, pr_str(value)
    with running(new_run(None, request.context(), request.limits, None)):
        text = pr_str(value)
        if type(value) is str:
            return True, text
        try:
            encode_value(value)
        except errors.StorageError:
            return False, text
        return True, text


def _failed(request: RunRequest, error: RtfsError, took_ms: float) -> RunReply:
    return RunReply(run_id=request.run_id, status="failed", error=error, took_ms=took_ms)


def _digest(modules: Mapping[str, str]) -> str:
    if not modules:
        return ""
    hashed = hashlib.sha256()
    for name, text in sorted(modules.items()):
        for part in (name, text):
            data = part.encode("utf-8", "surrogatepass")
            hashed.update(len(data).to_bytes(8, "big") + data)
    return hashed.hexdigest()
