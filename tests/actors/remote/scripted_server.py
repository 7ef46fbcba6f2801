"""A real HTTP server on loopback that does to its clients whatever a test says, and counts what they sent."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import rtfs
from actors.remote.data_text import read_value
from rtfs import errors
from rtfs.analyze.environment import MappingModules
from rtfs.error_json import describe
from rtfs.host import ConsoleHost
from rtfs.security import RuntimeContext

JSON = {"content-type": "application/json"}
PROBLEM = {"content-type": "application/problem+json"}


@dataclass(frozen=True)
class Received:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


#: what to do with one request
type Behaviour = Callable[[Received, asyncio.StreamWriter], Awaitable[None]]


class ScriptedServer:
    """Serves in a thread of its own. `behaviour` may be changed at any time."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.received: list[Received] = []
        self.connections = 0
        #: connections that clients closed while they waited for an answer
        self.given_up = threading.Semaphore(0)
        with socket.socket() as probe:  # a port of its own, which nobody listens on until `start`
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._writers: list[asyncio.StreamWriter] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def count(self) -> int:
        return len(self.received)

    def start(self) -> None:
        ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, args=(self._loop, ready), daemon=True)
        self._thread.start()
        assert ready.wait(10)

    def stop(self) -> None:
        loop, thread, self._loop = self._loop, self._thread, None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(10)

    def _serve(self, loop: asyncio.AbstractEventLoop, ready: threading.Event) -> None:
        asyncio.set_event_loop(loop)
        server = loop.run_until_complete(asyncio.start_server(self._connected, "127.0.0.1", self.port))
        loop.call_soon(ready.set)
        loop.run_forever()
        for listening in server.sockets:
            loop.remove_reader(listening.fileno())  # a server that is closed breaks what it has just accepted
        loop.run_until_complete(self._end())
        server.close()
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()

    async def _end(self) -> None:
        """End all connections; a few turns of the loop close their sockets."""
        await _turns()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()  # also where something was left to be sent
        self._writers.clear()
        await _turns()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        try:
            while (received := await _request(reader)) is not None:
                self.received.append(received)
                await self._answered(received, reader, writer)
        except _NotHttp:
            writer.write(head(400, {"content-length": "0"}))
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):  # or by `stop`
            writer.transport.abort()  # nobody reads what is left
        finally:
            writer.close()

    async def _answered(
        self, received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer, unless the client goes away before."""
        answer = asyncio.ensure_future(self.behaviour(received, writer))
        gone = asyncio.ensure_future(reader.read(1))  # nobody sends a second request before the first answer
        try:
            await asyncio.wait((answer, gone), return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                self.given_up.release()
                raise ConnectionError
            await answer
        finally:
            answer.cancel()
            if gone.cancel():
                await asyncio.wait((gone,))


async def _turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


class _NotHttp(Exception):
    pass


async def _request(reader: asyncio.StreamReader) -> Received | None:
    begin = await reader.read(1)
    if not begin:
        return None
    if begin == b"\x16":  # a handshake of TLS
        raise _NotHttp
    head = begin + await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").strip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(method, path, headers, body)


def head(status: int, headers: dict[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} Whatever\r\n{lines}\r\n".encode()


# ---------------------------------------------------------------- behaviours


def answers(status: int, body: bytes | str = b"", headers: dict[str, str] | None = None) -> Behaviour:
    async def behave(received: Received, writer: asyncio.StreamWriter) -> None:
        data = body.encode() if isinstance(body, str) else body
        writer.write(head(status, {**(headers or JSON), "content-length": str(len(data))}) + data)
        await writer.drain()

    return behave


def answers_value(text: str, **more: Any) -> Behaviour:
    """As a runtime answers whose program has the value that `text` denotes."""
    return answers(200, json.dumps({"run_id": "r", "status": "completed", "rtfs": text, "output": "", **more}))


def answers_error(error: errors.RtfsError, status: int = 422, **more: Any) -> Behaviour:
    """As a runtime answers whose program failed."""
    found = {**describe(error), **more}
    return answers(status, json.dumps({"status": status, "code": "program-error", "error": found}), PROBLEM)


async def cuts(received: Received, writer: asyncio.StreamWriter) -> None:
    """Half an answer, then nothing more."""
    writer.write(head(200, {**JSON, "content-length": "1000"}) + b'{"status": "comp')
    await writer.drain()
    writer.close()


async def hangs_up(received: Received, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def is_silent(received: Received, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def drips(received: Received, writer: asyncio.StreamWriter) -> None:
    """A byte at a time, without end."""
    writer.write(head(200, {**JSON, "content-length": "90000"}))
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.01)


async def floods(received: Received, writer: asyncio.StreamWriter) -> None:
    """More than anybody wants to read, without saying how much."""
    writer.write(head(200, JSON))
    while True:
        writer.write(b" " * 65536)
        await writer.drain()


async def evaluates(received: Received, writer: asyncio.StreamWriter) -> None:
    """As a runtime does, in as far as the tests need one."""
    status, headers, body = await asyncio.to_thread(evaluated, received.json)
    data = json.dumps(body).encode()
    writer.write(head(status, {**headers, "content-length": str(len(data))}) + data)
    await writer.drain()


def evaluated(body: dict[str, Any]) -> tuple[int, dict[str, str], dict[str, Any]]:
    import io

    out = io.StringIO()
    context = {
        "pure": RuntimeContext.pure,
        "controlled": lambda: RuntimeContext.controlled(body["allow"]),
        "full": RuntimeContext.full,
    }[body["level"]]()
    try:
        modules = MappingModules(body["modules"])
        linked = rtfs.compile(body["source"], source_name=body["source_name"], modules=modules).link()
        call, host = body.get("call"), ConsoleHost(out)
        if call is None:
            args = {name: read_value(text) for name, text in body["rtfs_args"].items()}
            value = linked.run(args=args, host=host, context=context)
        else:
            given = [read_value(text) for text in call["rtfs_args"]]
            value = linked.call(call["function"], *given, host=host, context=context)
    except errors.RtfsError as error:
        return 422, PROBLEM, {"status": 422, "code": "program-error", "error": describe(error)}
    text = rtfs.pr_str(value)
    return 200, JSON, {"run_id": "r", "status": "completed", "rtfs": text, "output": out.getvalue()}
