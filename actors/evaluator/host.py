"""The host of programs that run in an evaluator: what they print is kept for the reply; little else is there.

A program's keys and values live as long as its run. There is no environment, no file and no network here: the
process is shared, and its environment holds secrets. Other capabilities are given by whoever builds the
evaluator. Sleeping lets other parts of the run go on.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Mapping
from typing import Final, override

from actors.delegation.active_run import ActiveRun
from actors.delegation.ports import Announcer
from actors.tickets.ids import NOBODY
from rtfs import errors
from rtfs.capabilities import Capability
from rtfs.host import ConsoleHost
from rtfs.overlap import wait_for
from rtfs.run import current_run
from rtfs.values import Value, type_name

#: capabilities that do nothing others could see: a run that used only these may be run again
UNSEEN: Final = frozenset(
    {
        *("ccos.io.println", "ccos.io.print", "ccos.io.log", "ccos.echo"),
        *("ccos.state.kv.get", "ccos.state.kv.put", "ccos.state.counter.inc"),
        *("ccos.system.current-timestamp-ms", "ccos.system.sleep-ms"),
    }
)
#: what the console of a shell has and a shared process must not
_ABSENT: Final = ("ccos.system.get-env",)
#: clocks of the machine cannot wait for ever in one go, seconds
_LONGEST_WAIT_S: Final = 3600.0


class RunHost(ConsoleHost):
    """The host of one run."""

    def __init__(
        self,
        active: ActiveRun,
        announcer: Announcer,
        capabilities: Mapping[str, Capability | Callable[..., Value]],
    ) -> None:
        self._written = io.StringIO()
        super().__init__(self._written)
        self._active = active
        self._announcer = announcer
        for absent in _ABSENT:
            del self.capabilities[absent]
        self.capabilities["ccos.system.sleep-ms"] = Capability(function=_sleep)
        self._unseen = UNSEEN - capabilities.keys()
        for capability_id, each in capabilities.items():
            known = isinstance(each, Capability)
            self.capabilities[capability_id] = each if known else Capability(function=each)  # type: ignore[assignment, arg-type]

    @property
    def output(self) -> str:
        """What the program printed."""
        return self._written.getvalue()

    @override
    def prepare_execution(self) -> None:
        self._active.began(current_run())

    @override
    def execute_capability(self, capability_id: str, args: list[Value]) -> Value:
        if capability_id not in self._unseen and capability_id in self.capabilities:
            self._active.before_effect()
        return super().execute_capability(capability_id, args)

    @override
    def notify_step_started(self, name: str) -> str:
        self._tell(name, "started")
        return super().notify_step_started(name)

    @override
    def notify_step_completed(self, step_id: str, value: Value) -> None:
        self._tell(step_id.rpartition("#")[0], "completed")
        super().notify_step_completed(step_id, value)

    @override
    def notify_step_failed(self, step_id: str, message: str) -> None:
        self._tell(step_id.rpartition("#")[0], "failed")
        super().notify_step_failed(step_id, message)

    def _tell(self, step: str, state: str) -> None:
        request = self._active.request
        if request.ticket_id is not None:
            data = {"step": step, "step_state": state, "run_id": request.run_id}
            self._announcer.publish("tickets", request.ticket_id, data, request.facts.tenant or NOBODY)


def _sleep(ms: Value) -> None:
    if type(ms) not in (int, float):
        raise errors.TypeMismatch("number", type_name(ms), "ccos.system.sleep-ms")
    end = time.monotonic() + ms / 1000
    while (left_s := end - time.monotonic()) > 0:
        wait_for(lambda wake: None, min(left_s, _LONGEST_WAIT_S))
