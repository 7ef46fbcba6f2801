"""Batches by sockets between real threads, in a folder of the test's own."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from actors import local_socket as module
from actors.local_socket import LocalCalls, LocalServer
from policies.errors import TargetFailed
from rtfs import errors
from rtfs.program import new_run
from rtfs.run import cancel, running

ROOT = Path(__file__).resolve().parents[3]
LONG_S = 20.0
#: listens in a folder and is killed
KILLED = """
import os, sys
from pathlib import Path
from actors.local_socket import LocalServer
print(LocalServer(lambda batch: batch, Path(sys.argv[1])).path, flush=True)
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory() as short:  # paths of sockets are at most 107 bytes
        yield Path(short) / "s"


@pytest.fixture
def serve(folder: Path) -> Iterator[Callable[[Callable[[bytes], bytes]], LocalServer]]:
    made: list[LocalServer] = []

    def start(answer: Callable[[bytes], bytes]) -> LocalServer:
        made.append(LocalServer(answer, folder))
        return made[-1]

    yield start
    for server in made:
        server.close()


type Serve = Callable[[Callable[[bytes], bytes]], LocalServer]


class Paths:
    """Says where replicas are, and counts how often it is asked."""

    def __init__(self, **paths: Path | None) -> None:
        self.paths = paths
        self.asked: list[str] = []

    def __call__(self, replica: str, tell: Callable[[str | None], None]) -> None:
        self.asked.append(replica)
        path = self.paths.get(replica)
        tell(None if path is None else str(path))


@pytest.mark.parametrize("size", [1, 3000, 300_000])
def test_a_batch_goes_there_and_back(serve: Serve, size: int) -> None:
    server = serve(lambda batch: batch[::-1])
    paths = Paths(r=server.path)
    calls = LocalCalls(paths)
    batch = b"ab" * size
    for _ in range(3):
        assert calls.exchange("r", batch, LONG_S) == batch[::-1]
    assert paths.asked == ["r"]


def test_many_at_once_each_get_their_own(serve: Serve) -> None:
    together = threading.Barrier(8)

    def answer(batch: bytes) -> bytes:
        if batch != b"first":
            together.wait(LONG_S)  # all calls are there at the same time
        return batch

    calls = LocalCalls(Paths(r=serve(answer).path))
    assert calls.exchange("r", b"first", LONG_S) == b"first"  # where it is, is known from now on
    batches = [bytes([number]) for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda batch: calls.exchange("r", batch, LONG_S), batches))
    assert found == batches


@pytest.mark.parametrize("path", [None, Path("/no/such.sock")])
def test_who_is_elsewhere_is_asked_once_and_called_otherwise(path: Path | None) -> None:
    paths = Paths(r=path)
    calls = LocalCalls(paths)
    assert [calls.exchange("r", b"x", LONG_S) for _ in range(2)] == [None, None]
    assert paths.asked == ["r"]
    calls.forget("r")
    assert calls.exchange("r", b"x", LONG_S) is None
    assert paths.asked == ["r", "r"]


def test_an_answer_that_does_not_come_in_time(serve: Serve) -> None:
    go = threading.Event()

    def answer(batch: bytes) -> bytes:
        if batch == b"slow":
            go.wait(LONG_S)
        return batch

    calls = LocalCalls(Paths(r=serve(answer).path))
    late = calls.exchange("r", b"slow", 0.05)
    assert isinstance(late, TargetFailed)
    assert (late.cause, late.detail) == ("timeout", "no answer within 0.05 s")
    assert calls.exchange("r", b"x", LONG_S) == b"x"  # not the late answer
    go.set()
    assert calls.exchange("r", b"y", LONG_S) == b"y"


def test_a_run_that_must_stop_waits_no_longer(serve: Serve) -> None:
    go = threading.Event()
    run = new_run(None, None, None, None)

    def answer(batch: bytes) -> bytes:
        cancel(run, "enough")
        go.wait(LONG_S)
        return batch

    calls = LocalCalls(Paths(r=serve(answer).path))
    with running(run), pytest.raises(errors.LimitError):
        calls.exchange("r", b"x", LONG_S)
    go.set()


def test_a_server_that_goes_in_the_middle(serve: Serve) -> None:
    def answer(batch: bytes) -> bytes:
        raise errors.StorageError("damaged")

    paths = Paths(r=serve(answer).path)
    calls = LocalCalls(paths)
    found = calls.exchange("r", b"x", LONG_S)
    assert isinstance(found, TargetFailed)
    assert (found.cause, found.detail) == ("connection-lost", "the actor `r` cannot be reached")
    paths.paths["r"] = serve(lambda batch: batch).path  # it is asked anew, and is back elsewhere
    assert calls.exchange("r", b"x", LONG_S) == b"x"
    assert paths.asked == ["r", "r"]


def test_a_server_that_has_gone_is_no_failure(serve: Serve) -> None:
    server = serve(lambda batch: batch)
    paths = Paths(r=server.path)
    calls = LocalCalls(paths)
    assert calls.exchange("r", b"x", LONG_S) == b"x"
    calls.forget("r")
    calls._found("r", str(server.path))  # an answer that is out of date a moment later
    server.close()
    assert calls.exchange("r", b"x", LONG_S) is None


def test_one_caller_more_than_are_taken_goes_another_way(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CONNECTIONS", 1)
    server = serve(lambda batch: batch)
    first, second = (LocalCalls(Paths(r=server.path)) for _ in range(2))
    assert first.exchange("r", b"x", LONG_S) == b"x"
    assert second.exchange("r", b"x", LONG_S) is None
    assert first.exchange("r", b"y", LONG_S) == b"y"


def test_what_is_no_message_ends_the_connection(folder: Path) -> None:
    folder.mkdir()
    path = folder / "x.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def lie() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(100)
                connection.sendall(struct.pack(">I", 2**32 - 1))

        thread = threading.Thread(target=lie)
        thread.start()
        found = LocalCalls(Paths(r=path)).exchange("r", b"x", LONG_S)
        thread.join()
    assert isinstance(found, TargetFailed)
    assert found.cause == "connection-lost"


def test_sockets_of_killed_servers_are_removed_and_no_others(folder: Path, serve: Serve) -> None:
    first = serve(lambda batch: batch)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(folder)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    left = Path(killed.stdout.strip())
    assert left.exists()
    second = serve(lambda batch: batch)
    assert set(folder.iterdir()) == {first.path, second.path}
    first.close()
    assert set(folder.iterdir()) == {second.path}


def test_a_folder_that_others_may_write_to(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(PermissionError, match="no others may write to"):
        LocalServer(lambda batch: batch, folder)
