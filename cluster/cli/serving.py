"""A runtime with its HTTP endpoint, held by one process.

    with served(wish, say) as address: …

starts, in this order, Ray (unless a cluster is named), the runtime (unless it is there) and the HTTP
application on Ray Serve, and waits until all of it is ready. Whatever was started ends with the block, in the
other order.
"""

from __future__ import annotations

import errno
import http.client
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cluster.cli import ray_side
from cluster.cli.connecting import usable
from rtfs.cli.console import Exit, UsageError

if TYPE_CHECKING:
    from actors.runtime import Runtime

#: seconds for the parts of the runtime to come up, and for the endpoint to say that they are
START_S: Final = 180.0
#: for all of it to end
END_S: Final = 30.0
#: times that Ray is started, until it starts
_ATTEMPTS: Final = 2
#: as long as the endpoint is not ready it is asked again after this, seconds
_PAUSE_S: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be served, and where."""

    host: str
    port: int
    #: of a Ray cluster; None: one of our own
    address: str | None
    name: str
    policy: str | None
    evaluators: int
    state_dir: str | None
    tokens: Path
    #: whether Ray, if it is started, comes with its dashboard and job server
    jobs: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What is served, and where."""

    url: str
    #: of Ray, `HOST:PORT`
    address: str
    #: of its job server; empty: not known
    jobs: str
    state_dir: str
    #: the policy in force: its file and its version
    policy: str
    version: str
    #: whether the runtime was there before, and stays
    joined: bool


@contextmanager
def served(wish: Wish, say: Callable[[str], None]) -> Iterator[Served]:
    """Serve `wish` while the block runs; `say` is told what is being done.

    Raises:
        UsageError: it cannot be had; the text says why.
        PolicyFileError: the policy cannot be used.
    """
    with ExitStack() as stack, usable():
        jobs = stack.enter_context(_ray(wish, say))
        runtime, joined = stack.enter_context(_runtime(wish, say))
        stack.enter_context(_http(wish, say))
        _wait_until_ready(wish, say)
        import ray

        policy = runtime.policy()
        yield Served(
            url=url_of(wish.host, wish.port),
            address=ray.get_runtime_context().gcs_address,
            jobs=jobs,
            state_dir=runtime.spec.state_dir,
            policy=policy.source,
            version=policy.version,
            joined=joined,
        )


def url_of(host: str, port: int) -> str:
    """The URL at which this machine reaches a service that listens on `host`."""
    near = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(host, host)
    if ":" in near and not near.startswith("["):
        near = f"[{near}]"
    return f"http://{near}:{port}"


def free_port(host: str, port: int) -> int:
    """The port, if a service can listen on it; for 0 one that is free.

    Raises:
        UsageError: it is taken, or there is no such address on this machine.
    """
    try:
        family, kind, proto, _, where = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, proto) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(where)
            listener.listen(1)  # several may have bound it, one listens
            found: int = listener.getsockname()[1]
            return found
    except (socket.gaierror, UnicodeError):
        raise UsageError(f"there is no address `{host}`", hint="--host 127.0.0.1") from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UsageError(
                f"port {port} of {host} is taken by another service",
                hint=f"--port {port + 1}, or --port 0 for a free one",
            ) from None
        raise UsageError(
            f"nothing can listen on port {port} of {host}: {(error.strerror or '').lower()}"
        ) from None


# ---------------------------------------------------------------- the parts


@contextmanager
def _ray(wish: Wish, say: Callable[[str], None]) -> Iterator[str]:
    """This process connected to a cluster, or to one of its own; the URL of the job server, if there is one."""
    import ray

    if wish.address is not None:
        say(f"connecting to Ray at {wish.address} …")
        options: dict[str, Any] = {"address": wish.address}
    else:
        say("starting Ray …")
        _lead_jobs_here()
        options = {"address": "local", "include_dashboard": wish.jobs, "dashboard_host": "127.0.0.1"}
    try:
        context = _init(options, say)
        end_when_told()  # Ray has put a handler of its own in place
        yield f"http://{context.dashboard_url}" if context.dashboard_url else ""
    finally:
        with ray_side.silent():
            ray.shutdown()


def _init(options: Mapping[str, Any], say: Callable[[str], None]) -> Any:
    """Start Ray, or connect to it; what Ray tells of it. Raises UsageError, ConnectionError."""
    import ray

    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return ray.init(**options, log_to_driver=False, configure_logging=False)
        except ConnectionError:
            raise
        except Exception as error:  # where a process of its own does not come up in time it raises a bare one
            ray.shutdown()
            if attempt == _ATTEMPTS:
                raise UsageError(f"Ray could not be started: {error}", hint="rtfs doctor --start") from error
            say("Ray did not start, as it happens on a busy machine; trying again …")
    raise AssertionError("unreachable")


def _lead_jobs_here() -> None:
    """Have `python` in the command lines of jobs mean this one, which has RTFS."""
    folder = str(Path(sys.executable).parent)
    path = os.environ.get("PATH", "")
    if path.split(os.pathsep)[0] != folder:
        os.environ["PATH"] = f"{folder}{os.pathsep}{path}"


@contextmanager
def _runtime(wish: Wish, say: Callable[[str], None]) -> Iterator[tuple[Runtime, bool]]:
    """The runtime, and whether it was there before."""
    from actors.ray_service import RuntimeGone
    from actors.runtime import Runtime

    try:
        runtime = Runtime.connect(wish.address, name=wish.name)
        say(f"the runtime `{wish.name}` runs already: it keeps its policy, and stays")
        joined = True
    except RuntimeGone:
        say(f"starting the runtime `{wish.name}` …")
        runtime = Runtime.start(
            wish.policy,
            name=wish.name,
            evaluators=wish.evaluators,
            state_dir=wish.state_dir,
            state_resource=os.environ.get("RTFS_STATE_RESOURCE") or None,
            timeout_s=START_S,
        )
        joined = False
    with runtime:
        yield runtime, joined


@contextmanager
def _http(wish: Wish, say: Callable[[str], None]) -> Iterator[None]:
    """The HTTP application."""
    from ray import serve

    from cluster.http.app import application

    logging.getLogger("ray.serve").setLevel(logging.ERROR)
    if wish.address is not None:
        _refuse_second_serve()
    say("starting HTTP …")
    try:
        serve.start(
            http_options={"host": wish.host, "port": wish.port},
            logging_config={"log_level": "WARNING", "enable_access_log": False},
        )
        app = application({"namespace": wish.name, "tokens_file": str(wish.tokens)})
        try:
            serve.run(app, name="rtfs", route_prefix="/")
        except RuntimeError as error:
            raise UsageError(f"the HTTP application could not be started: {error}{_why_not()}") from error
        yield
    finally:
        with ray_side.silent():
            serve.shutdown()  # type: ignore[no-untyped-call]


def _refuse_second_serve() -> None:
    """Ray Serve is there once on a cluster, with one port, and would be ended with us."""
    from ray import serve

    status = serve.status()
    if status.applications or status.proxies:
        raise UsageError(
            "Ray Serve runs on this cluster already, for " + (", ".join(status.applications) or "nothing"),
            hint="`serve deploy cluster/serve.yaml` adds RTFS to it; `serve shutdown` ends it",
        )


def _why_not() -> str:
    """What the replicas of the application say."""
    from ray import serve

    said = [
        replica.message.strip()
        for app in serve.status().applications.values()
        for replica in app.deployments.values()
        if replica.message
    ]
    return "".join(f"\n{text}" for text in said)


def _wait_until_ready(wish: Wish, say: Callable[[str], None]) -> None:
    """Wait until the endpoint says that all parts are up. Raises UsageError: it does not."""
    until = time.monotonic() + START_S
    answer = "no answer"
    while time.monotonic() < until:
        ready, answer = ask_ready(url_of(wish.host, wish.port))
        if ready:
            return
        time.sleep(_PAUSE_S)
    raise UsageError(f"the endpoint is not ready after {START_S:g} s: {answer}")


def ask_ready(url: str, timeout_s: float = 5.0) -> tuple[bool, str]:
    """Whether an endpoint says that it is ready, and what it says."""
    host = url.partition("://")[2]
    connection = http.client.HTTPConnection(host, timeout=timeout_s)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        text = answer.read(10_000).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        return False, str(error) or type(error).__name__
    finally:
        connection.close()
    return answer.status == 200, text


@contextmanager
def bounded_end(say: Callable[[str], None]) -> Iterator[None]:
    """Ending what was started, which must not take for ever: Ray waits long for processes that were killed."""

    def give_up() -> None:
        say(f"Ray has not ended within {END_S:g} s and is left to its reaper")
        os._exit(Exit.PROGRAM_ERROR)

    timer = threading.Timer(END_S, give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def end_when_told() -> None:
    """SIGTERM ends us as Ctrl-C does."""

    def told(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, told)
