"""A way to an actor on the same machine that is shorter than a call of Ray's.

    evaluator ─▶ LocalCalls ─▶ Unix socket ─▶ LocalServer ─▶ an actor's method

A call of an actor takes a millisecond or more, through several threads and an event loop on both sides; one by
a socket takes a tenth of that. So a single call of a model or of the cache of meanings, for which a thread
waits, goes this way where it can: the actor names a file, and whoever finds that file is on the same machine.
All else goes by Ray, and so do these calls whenever something is the matter with the socket.

    request, reply = length of 4 bytes, big-endian, and as many bytes as the two sides agree on

A reply of no bytes says that no more callers are taken. One connection carries one call at a time. The socket
lies in a folder that only this user can reach. Nothing here knows of Ray.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from struct import Struct
from typing import Final

from actors.folders import made_own, user_folder
from policies.errors import TargetFailed
from rtfs.errors import RtfsError
from rtfs.run import poll

_log = logging.getLogger(__name__)

#: connections that a server has at once; each has a thread
MOST_CONNECTIONS: Final = 256
#: connections that wait to be accepted
_BACKLOG: Final = 128
_LENGTH: Final = Struct(">I")
_NO_MORE: Final = _LENGTH.pack(0)
#: bytes of a request or a reply
_LARGEST: Final = 256 << 20
#: how long a caller goes without a look at its run's limits, seconds
_LOOK_UP_S: Final = 0.02
#: a server takes a request at once, seconds
_LONGEST_SEND_S: Final = 10.0
_ENDING: Final = ".sock"


class LocalServer:
    """Answers requests that come by a socket, each in its connection's thread.

    Args:
        answer: the reply to a request, which is not empty.
        folder: for the socket; None: that of this user on this machine.

    Raises:
        OSError: there can be no socket.
    """

    def __init__(self, answer: Callable[[bytes], bytes], folder: Path | None = None) -> None:
        self._answer = answer
        place = made_own(folder or user_folder("sockets"))
        _sweep(place)
        self.path = place / f"{secrets.token_hex(8)}{_ENDING}"
        self._free = threading.Semaphore(MOST_CONNECTIONS)
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            begun = self.path.with_suffix(".new")
            self._socket.bind(str(begun))
            self._socket.listen(_BACKLOG)
            begun.rename(self.path)  # one that has its name is listened to: `_sweep` counts on that
        except BaseException:
            self._socket.close()
            raise
        threading.Thread(target=self._accept, name="local-socket", daemon=True).start()

    def close(self) -> None:
        """Take no more callers; those that are there stay until they go."""
        self.path.unlink(missing_ok=True)
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:  # it was closed
                return
            if self._free.acquire(blocking=False):
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()
            else:
                with suppress(OSError), connection:
                    connection.sendall(_NO_MORE)

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                while True:
                    reply = self._answer(_received(connection, None))
                    connection.sendall(_LENGTH.pack(len(reply)) + reply)
        except OSError:  # the caller went
            pass
        except RtfsError as error:
            _log.warning("a caller by the local socket is cut off: %s", error.text())
        finally:
            self._free.release()


def local_server(answer: Callable[[bytes], bytes]) -> LocalServer | None:
    """A server; None where there can be none, and callers go by Ray."""
    try:
        return LocalServer(answer)
    except OSError as error:
        _log.warning("no local socket: %s: %s", error.filename or "it cannot be made", error.strerror)
        return None


class LocalCalls:
    """Calls of servers by sockets. Safe to use from many threads.

    Args:
        ask: told the name of an actor and a function, which it calls once, from any thread, with the path of
            the actor's socket, with None if it has none, or not at all.
    """

    def __init__(self, ask: Callable[[str, Callable[[str | None], None]], None]) -> None:
        self._ask = ask
        #: actor → path of its socket; None: there is none, or it is not known yet
        self._paths: dict[str, str | None] = {}
        #: actor → connections that carry no call
        self._idle: dict[str, list[socket.socket]] = {}
        weakref.finalize(self, _let_go, self._idle)

    def exchange(self, name: str, request: bytes, timeout_s: float) -> bytes | TargetFailed | None:
        """Send a request and wait for the answer, holding the thread; None: it has to go another way.

        Raises:
            LimitError: the run must stop.
        """
        end = time.monotonic() + timeout_s
        connection = self._sent(name, request, timeout_s)
        if connection is None:
            return None
        try:
            answer = _received(connection, end)
        except TimeoutError:
            connection.close()
            return TargetFailed("timeout", f"no answer within {timeout_s:g} s")
        except OSError:
            connection.close()
            self.forget(name)
            return TargetFailed("connection-lost", f"the actor `{name}` cannot be reached")
        except BaseException:  # the run must stop
            connection.close()
            raise
        if not answer:
            connection.close()
            return None
        self._idle.setdefault(name, []).append(connection)
        return answer

    def forget(self, name: str) -> None:
        """Ask anew where the actor is when it is called next."""
        self._paths.pop(name, None)
        for connection in self._idle.pop(name, []):
            connection.close()

    def _sent(self, name: str, request: bytes, timeout_s: float) -> socket.socket | None:
        """A connection by which it was sent; None: there is none."""
        if name not in self._paths:
            self._paths[name] = None
            self._ask(name, lambda path: self._found(name, path))
        path = self._paths.get(name)
        if path is None or len(request) > _LARGEST:
            return None
        connection: socket.socket | None = None
        try:
            connection = self._taken(name) or _connected(path)
            connection.settimeout(max(0.0, min(timeout_s, _LONGEST_SEND_S)))
            connection.sendall(_LENGTH.pack(len(request)) + request)
            connection.settimeout(_LOOK_UP_S)
        except OSError:
            if connection is not None:
                connection.close()
            self.forget(name)
            return None
        return connection

    def _taken(self, name: str) -> socket.socket | None:
        """A connection that carries no call now."""
        try:
            return self._idle[name].pop()
        except LookupError:
            return None

    def _found(self, name: str, path: str | None) -> None:
        if path is not None and os.path.exists(path):
            self._paths[name] = path


def _let_go(connections: dict[str, list[socket.socket]]) -> None:
    """Close what nobody can use any more."""
    for name in list(connections):
        for connection in connections.pop(name):
            connection.close()


def _connected(path: str) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    try:
        made.connect(path)
    except BaseException:
        made.close()
        raise
    return made


def _received(connection: socket.socket, end: float | None) -> bytes:
    """What comes next; waits until `end`, for ever if it is None.

    Raises:
        TimeoutError: it is not here by `end`.
        OSError: the connection has ended, or carries something else.
        LimitError: the run must stop.
    """
    size = _LENGTH.unpack(_bytes(connection, _LENGTH.size, end))[0]
    if size > _LARGEST:
        raise ConnectionError(f"a message of {size} bytes")
    return _bytes(connection, size, end)


def _bytes(connection: socket.socket, size: int, end: float | None) -> bytes:
    found = bytearray()
    while len(found) < size:
        try:
            part = connection.recv(size - len(found))
        except TimeoutError:
            poll()
            if end is not None and time.monotonic() >= end:
                raise
            continue
        if not part:
            raise ConnectionResetError("the other side has gone")
        found += part
    return bytes(found)


def _sweep(folder: Path) -> None:
    """Remove sockets of processes that were killed: nobody listens to them."""
    for path in folder.glob(f"*{_ENDING}"):
        try:
            _connected(str(path)).close()
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
        except OSError:
            continue
