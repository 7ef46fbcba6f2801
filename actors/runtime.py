"""A runtime, for drivers.

    with Runtime.start("delegation.toml") as rt:          # or Runtime.connect()
        rt.evaluate("(+ 1 2)")                            # 3
        ticket = rt.submit("(summary text)", args={"text": "…"})
        ticket.result(timeout=60)                         # or ray.get(ticket.ref)

`rt.aio` is the same as coroutines. What a driver starts on a cluster of its own ends with it; on a cluster that
others use it ends with the `with` block, unless `detached`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, Unpack

import ray
import ray.util

from actors import names
from actors.caches.actor import caches_actor
from actors.caches.l3.question import Neighbour
from actors.caches.l3.remote import RemoteSemantic
from actors.caches.layer import CacheStats, Which
from actors.control.actor import control_actor
from actors.control.spec import MOST_RUNS, RuntimeSpec
from actors.evaluator.actor import evaluator_actor
from actors.events.event import TOPICS
from actors.folders import state_folder
from actors.policy.actor import PolicyStart, policy_actor
from actors.policy.keeper import policy_variables
from actors.ray_calls import Actors
from actors.ray_service import RayService, RuntimeGone
from actors.request_options import RequestOptions, request_for
from actors.requests import RunReply
from actors.service import PolicyChange, PolicyView, RuntimeStatus, ServiceEvent, SubmitOptions, TicketPage
from actors.ticket_handle import AsyncTicket, Ticket, each_of
from actors.tickets.actor import tickets_actor
from policies.file.load import load_policy, read_policy_text
from policies.file.policy import Policy
from rtfs.values import Value

#: seconds that a runtime may take to start
START_S: Final = 120.0
#: how long a cluster may take to answer at all, seconds
_REACH_S: Final = 5.0
#: how long a runtime may take to end, and the pause before what is left of it is ended again; seconds
_END_S: Final = 30.0
_END_AGAIN_S: Final = 0.1
#: times that Ray is started on this machine before it is given up
_RAY_ATTEMPTS: Final = 2

_log = logging.getLogger("rtfs.runtime")


class AsyncRuntime:
    """A runtime as coroutines, for any event loop of the driver."""

    def __init__(self, service: RayService) -> None:
        self.service = service

    async def evaluate(self, source: str, **options: Unpack[RequestOptions]) -> Value:
        """The value of a program. Raises RtfsError, BusyError."""
        return (await self.run(source, **options)).outcome()

    async def run(self, source: str, **options: Unpack[RequestOptions]) -> RunReply:
        """What becomes of a program: its end, what it printed, where its calls went. Raises BusyError."""
        return await self.service.evaluate(request_for(source, options))

    async def submit(
        self, source: str, queue: SubmitOptions | None = None, **options: Unpack[RequestOptions]
    ) -> AsyncTicket:
        """Queue a program. Raises BusyError."""
        request = request_for(source, {"on_target_down": "wait", **options})
        view = await self.service.submit(request, queue or SubmitOptions())
        return AsyncTicket(self.service, view.id, view.tenant)

    def ticket(self, ticket_id: str, tenant: str | None = None) -> AsyncTicket:
        """A ticket that was made before, by any driver."""
        return AsyncTicket(self.service, ticket_id, tenant)


class Runtime:
    """A runtime. Made by `start` or `connect`; safe to use from many threads."""

    def __init__(self, namespace: str, spec: RuntimeSpec, *, ends: bool, ends_ray: bool) -> None:
        self.spec = spec
        self._ends = ends
        self._ends_ray = ends_ray
        self._loop = _Loop()
        self.aio = AsyncRuntime(RayService(namespace, spec.evaluators))

    # ------------------------------------------------------------ its life

    @classmethod
    def start(
        cls,
        policy: str | os.PathLike[str] | None = None,
        *,
        name: str = names.DEFAULT_RUNTIME,
        address: str | None = None,
        evaluators: int = 2,
        most_runs: int = MOST_RUNS,
        memory_bytes: int | None = None,
        state_dir: str | os.PathLike[str] | None = None,
        state_resource: str | None = None,
        detached: bool = False,
        environ: Mapping[str, str] | None = None,
        timeout_s: float = START_S,
    ) -> Self:
        """Start a runtime, or connect to it if one of that name is there.

        Args:
            policy: file; None: `delegation.toml` if there is one, else everything runs in the evaluators.
            name: several runtimes with different names share a cluster.
            address: of a Ray cluster; None: the one that `RAY_ADDRESS` names, else one of our own.
            evaluators: processes that run programs.
            most_runs: programs at once in each.
            memory_bytes: ceiling of each evaluator's memory; None: none.
            state_dir: where tickets and the history of the policy are kept, on the node that keeps them.
            state_resource: a Ray resource of that node; None: the one that `RTFS_STATE_RESOURCE` names, if any.
            detached: it goes on when this driver ends.
            environ: overrides keys of the policy and holds secrets; None: this process's environment.
            timeout_s: how long it may take until all parts are up.

        Raises:
            PolicyFileError: the policy cannot be used.
            TimeoutError: it is not up in time; the text says which parts are not.
            ConnectionError: there is no cluster at `address`.
        """
        environ = os.environ if environ is None else environ
        space = names.namespace(name)
        text, source = _policy_text(policy)
        loaded = load_policy(text, source=source, environ=environ)  # it is refused before anything is started
        folder = Path(state_dir) / name if state_dir is not None else state_folder(name, environ)
        spec = RuntimeSpec(
            namespace=space,
            state_dir=str(folder.absolute()),
            evaluators=evaluators,
            most_runs=most_runs,
            memory_bytes=memory_bytes,
            state_resource=state_resource or environ.get("RTFS_STATE_RESOURCE") or None,
        )
        own = _connect_ray(address)
        start = PolicyStart(
            text=text,
            source=source,
            environ=_for_policy(loaded, environ),
            state_dir=spec.state_dir,
            epoch=secrets.token_hex(8),
        )
        try:
            return cls._started(spec, start, ends=not detached, ends_ray=own, timeout_s=timeout_s)
        except BaseException:
            if own:
                ray.shutdown()
            raise

    @classmethod
    def _started(
        cls, spec: RuntimeSpec, start: PolicyStart, *, ends: bool, ends_ray: bool, timeout_s: float
    ) -> Self:
        policy_actor(spec.namespace, start, resources=spec.pinned)
        control: Any = control_actor(spec)
        tickets_actor(spec)
        caches_actor(spec)
        for number in range(spec.evaluators):
            evaluator_actor(number, spec.namespace, most_runs=spec.most_runs, memory_bytes=spec.memory_bytes)
        status: RuntimeStatus = ray.get(control.ready.remote(timeout_s), timeout=timeout_s + 30)
        if not status.ready:
            late = ", ".join(f"{part} is {state}" for part, state in status.parts.items() if state != "up")
            raise TimeoutError(f"the runtime is not up after {timeout_s:g} s: {late}")
        known: Any = ray.get(control.spec.remote())
        return cls(spec.namespace, known, ends=ends, ends_ray=ends_ray)

    @classmethod
    def connect(cls, address: str | None = None, *, name: str = names.DEFAULT_RUNTIME) -> Self:
        """Connect to a runtime that is started.

        Raises:
            ConnectionError: there is no cluster at `address`, or no such runtime on it.
        """
        space = names.namespace(name)
        own = _connect_ray(address or os.environ.get("RAY_ADDRESS") or "auto")
        try:
            control = ray.get_actor(names.CONTROL, namespace=space)
        except ValueError:
            if own:
                ray.shutdown()
            raise RuntimeGone(
                f"no runtime `{name}` runs on this cluster; start one with `rtfs serve` or Runtime.start"
            ) from None
        spec: Any = ray.get(control.spec.remote())
        return cls(space, spec, ends=False, ends_ray=own)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the runtime; end it if this driver started it and it is not detached. Twice is once."""
        if not self._loop.is_closed:
            if self._ends:
                self._end()
            self._loop.close()
            if self._ends_ray:
                ray.shutdown()

    def stop(self) -> None:
        """End the runtime, whoever started it. Tickets stay in its folder."""
        self._ends = True
        self.close()

    def _end(self) -> None:
        """End all actors, the one that starts others first; none has to answer for that."""
        gone_by = time.monotonic() + _END_S
        while (left := self._actors()) and time.monotonic() < gone_by:
            for name in sorted(left, key=lambda name: name != names.CONTROL):
                try:
                    ray.kill(ray.get_actor(name, namespace=self.spec.namespace))
                except ValueError:  # it has ended meanwhile
                    pass
            time.sleep(_END_AGAIN_S)

    def _actors(self) -> list[str]:
        """The names of the actors that there are."""
        found: Any = ray.util.list_named_actors(all_namespaces=True)
        return [each["name"] for each in found if each["namespace"] == self.spec.namespace]

    # ------------------------------------------------------------ programs

    def evaluate(self, source: str, **options: Unpack[RequestOptions]) -> Value:
        """The value of a program.

        Args:
            source: its text.
            options: see `actors.request_options.RequestOptions`.

        Raises:
            RtfsError: what the program raised, or the limit it exceeded.
            BusyError: as many programs run as may.
        """
        return self._wait(self.aio.evaluate(source, **options))

    def run(self, source: str, **options: Unpack[RequestOptions]) -> RunReply:
        """What becomes of a program: its end, what it printed, where its calls went. Raises BusyError."""
        return self._wait(self.aio.run(source, **options))

    def submit(
        self, source: str, queue: SubmitOptions | None = None, **options: Unpack[RequestOptions]
    ) -> Ticket:
        """Queue a program. By default its run waits for targets that are down.

        Args:
            source: its text.
            queue: priority, delay, deadline, attempts.
            options: as for `evaluate`.

        Raises:
            BusyError: the queue is full.
        """
        return Ticket(self._wait(self.aio.submit(source, queue, **options)), self._wait)

    def ticket(self, ticket_id: str, tenant: str | None = None) -> Ticket:
        """A ticket that was made before, by any driver."""
        return Ticket(self.aio.ticket(ticket_id, tenant), self._wait)

    def tickets(self, tenant: str | None = None, **which: Any) -> TicketPage:
        """Tickets, newest first; `which` as for `Service.tickets`."""
        return self._wait(self.aio.service.tickets(tenant, **which))

    def explain(self, source: str, **options: Unpack[RequestOptions]) -> Mapping[str, Any]:
        """Where each function of a program would run, and why. Raises RtfsError."""
        return self._wait(self.aio.service.explain(request_for(source, options)))

    # ------------------------------------------------------------ the runtime itself

    def policy(self) -> PolicyView:
        """The policy in force."""
        return self._wait(self.aio.service.policy())

    def replace_policy(
        self, text: str, *, source: str = "delegation.toml", expected: int | None = None
    ) -> PolicyChange:
        """Put a policy in force, or say what is wrong with it."""
        return self._wait(self.aio.service.replace_policy(text, source=source, expected=expected))

    def rollback_policy(self) -> PolicyChange:
        """Go back to the policy before."""
        return self._wait(self.aio.service.rollback_policy())

    def similar(self, symbol: str, text: str, *, at_least: float = 0.5, limit: int = 10) -> Sequence[Neighbour]:
        """Earlier calls of a function that is cached by meaning, with texts near `text`, the nearest first."""
        return RemoteSemantic(Actors(self.spec.namespace), self.spec).similar(symbol, text, at_least, limit)

    def status(self) -> RuntimeStatus:
        """Whether all parts are up."""
        return self._wait(self.aio.service.status())

    def cache_stats(self) -> Mapping[str, Mapping[str, CacheStats]]:
        """What the caches did, by part and by tier: `caches` writes answers, evaluators look for them.

        A part that does not answer is left out, and so is whatever other processes keep in memory.
        """
        return self._wait(self.aio.service.cache_stats())

    def invalidate_cache(self, which: Which) -> int:
        """Remove answers, from the memory of all processes, too; how many there were on the disk.

        Raises:
            CacheError: it names none in particular, or nothing can be removed now.
        """
        return self._wait(self.aio.service.invalidate_cache(which))

    def clear_cache(self) -> int:
        """Remove all answers; how many there were on the disk. Raises CacheError: they cannot be removed."""
        return self._wait(self.aio.service.clear_cache())

    def events(self, *topics: str, tenant: str | None = None) -> Iterator[ServiceEvent]:
        """Events, how things stand first: `policy`, `health`, `tickets`, `caches`; all if none is named.

        Tickets are those of `tenant`, or of everybody.
        """
        events = self.aio.service.events(topics or TOPICS, tenant=tenant, everybody=tenant is None)
        return each_of(events, self._wait)

    def _wait[T](self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run(work)


class _Loop:
    """An event loop on a thread of its own, for drivers that have none."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="rtfs-driver", daemon=True)
        self._thread.start()

    @property
    def is_closed(self) -> bool:
        return self._loop.is_closed()

    def run[T](self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`; an interrupt cancels it."""
        if self._loop.is_closed():
            work.close()
            raise RuntimeGone("this runtime was closed")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()


def _policy_text(policy: str | os.PathLike[str] | None) -> tuple[str, str]:
    """The text of a policy file, and its whole path."""
    if policy is None:
        default = Path("delegation.toml")
        if not default.exists():
            return "", str(Path("built-in policy").absolute())
        policy = default
    path = Path(policy).absolute()
    return read_policy_text(path), str(path)


def _for_policy(policy: Policy, environ: Mapping[str, str]) -> dict[str, str]:
    """What the policy actor is given of the environment: overrides, and the secrets that the policy names."""
    named = {provider.api_key_env for provider in policy.settings.remote_providers.values()}
    return {**policy_variables(environ), **{name: value for name, value in environ.items() if name in named}}


def _check_reachable(address: str) -> None:
    """Ray waits for many minutes for a cluster that is gone; whether one answers shows at once.

    Raises:
        ConnectionError: nothing answers there.
    """
    if address == "auto":
        from ray._private.utils import read_ray_address

        address = read_ray_address() or ""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        return  # `local`, or of a form that Ray itself refuses at once
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_REACH_S).close()
    except OSError as error:
        raise ConnectionError(f"no Ray cluster answers at `{address}`: {error}") from error


def _connect_ray(address: str | None) -> bool:
    """Connect this process to a cluster, or start one; whether it was not connected before.

    Raises:
        ConnectionError: there is none at `address`.
    """
    if ray.is_initialized():
        return False
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    options: dict[str, Any] = {"include_dashboard": False} if address == "local" else {}
    _check_reachable(address)
    logging.getLogger("ray").setLevel(logging.ERROR)  # it tells of its own set-up at length
    for attempt in range(1, _RAY_ATTEMPTS + 1):
        try:
            ray.init(address=address, log_to_driver=False, configure_logging=False, **options)
            break
        except ConnectionError as error:
            raise ConnectionError(f"no Ray cluster at `{address}`: {error}") from error
        except Exception as error:  # where a process of its own does not come up in time it raises a bare one
            ray.shutdown()
            if attempt == _RAY_ATTEMPTS:
                raise ConnectionError(f"Ray could not be started: {error}") from error
            _log.warning("Ray did not start, which a busy machine may be to blame for; trying again: %s", error)
    return True
