"""Many processes read and publish at once, and are killed at any point: nothing is damaged, nothing lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from struct import Struct
from typing import NoReturn

import lmdb
import pytest

from actors.caches.disk import files, shared
from actors.caches.disk.file_check import CutShort, check_size
from actors.caches.disk.structure import structure_problems
from actors.caches.l4.manifest import ModuleManifest, content_hash
from actors.caches.l4.store import ModuleStore

ROOT = Path(__file__).resolve().parents[4]
SIGNATURE = b"s" * 64
NUMBER = Struct("=Q")


def blob_of(number: int) -> bytes:
    """Every fifth is the same."""
    chance = random.Random(number if number % 5 else 0)
    return chance.randbytes(chance.randrange(20_000))


@cache
def manifest_of(number: int) -> ModuleManifest:
    return ModuleManifest(
        symbol="f",
        interface_hash=f"{number % 7:064x}",
        body_hash="cd" * 32,
        parameter_types=(),
        return_type="int",
        language_version="2.0",
        kind="IrBinary",
        content_hash=content_hash(blob_of(number)),
        version=number + 1,
        created_at=1.0,
        key_id="ef" * 16,
    )


@cache
def id_of(number: int) -> str:
    return content_hash(manifest_of(number).encode(SIGNATURE))


def put(store: ModuleStore, number: int) -> None:
    assert store.put(manifest_of(number), SIGNATURE, blob_of(number)).id == id_of(number)


def is_right(store: ModuleStore, number: int) -> bool:
    found = store.get(id_of(number))
    return (
        found is not None
        and (found.manifest, found.signature) == (manifest_of(number), SIGNATURE)
        and store.blob(found.manifest.content_hash) == blob_of(number)
    )


def forked(work: Callable[[], object]) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(3)
    return pid


def ended(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


# ---------------------------------------------------------------- at once

#: publishes what another test process reads, and tells each
CODE = """
import sys
from pathlib import Path
from actors.caches.l4.manifest import ModuleManifest, content_hash
from actors.caches.l4.store import ModuleStore

store = ModuleStore(Path(sys.argv[1]), map_bytes=1 << 18)
for number in range(int(sys.argv[2]), int(sys.argv[3])):
    blob = bytes([number % 50]) * 9_000
    said = ModuleManifest(
        symbol="f", interface_hash="ab" * 32, body_hash="cd" * 32, parameter_types=(), return_type="int",
        language_version="2.0", kind="IrBinary", content_hash=content_hash(blob), version=number + 1,
        created_at=1.0, key_id="ef" * 16,
    )
    print(store.put(said, b"s", blob).id, flush=True)
"""


@pytest.fixture
def child() -> Iterator[Callable[[Path, int, int], subprocess.Popen[str]]]:
    """Starts processes that run `CODE`; they end with the test."""
    started: list[subprocess.Popen[str]] = []

    def start(folder: Path, first: int, end: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", CODE, str(folder), str(first), str(end)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def test_what_others_publish_is_seen_at_once(
    folder: Path, child: Callable[..., subprocess.Popen[str]], caplog: pytest.LogCaptureFixture
) -> None:
    with ModuleStore(folder) as store:
        assert store.all() == []
        process = child(folder, 0, 80)
        assert process.stdout is not None
        seen, generations = 0, set()
        for line in process.stdout:
            seen += 1
            found = store.get(line.strip())
            assert found is not None
            assert content_hash(store.blob(found.manifest.content_hash) or b"") == found.manifest.content_hash
            assert store.of_interface("ab" * 32)[0].manifest.version >= seen
            generations.add(store.generation)
        assert process.wait() == 0
        assert seen == len(store.all()) == 80
        assert len(generations) > 1
    assert caplog.records == []


def test_many_publish_at_once(folder: Path, child: Callable[..., subprocess.Popen[str]]) -> None:
    """Two processes, which have half of it in common, and this one."""
    processes = [child(folder, 0, 100), child(folder, 50, 150)]
    with ModuleStore(folder) as store:
        for number in range(60):
            put(store, number)
        told = [process.communicate()[0].split() for process in processes]
        assert [process.returncode for process in processes] == [0, 0]
        assert told[0][50:] == told[1][:50]
        assert {each.id for each in store.all()} == {*told[0], *told[1], *map(id_of, range(60))}
        assert all(is_right(store, number) for number in range(60))
    assert structure_problems(folder, ()) == []


def test_readers_that_start_while_somebody_publishes_find_no_damage(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with ModuleStore(folder) as store:
        put(store, 0)

    def publish() -> None:
        with ModuleStore(folder, map_bytes=1 << 18) as store:
            for number in range(1, 120):
                put(store, number)

    pid = forked(publish)
    starts = 0
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        with ModuleStore(folder) as store:
            assert is_right(store, 0)
        starts += 1
    assert starts > 10
    assert caplog.records == []


def test_a_store_that_is_open_can_be_used_after_a_fork(folder: Path) -> None:
    with ModuleStore(folder) as store:
        put(store, 0)

        def both() -> None:
            assert is_right(store, 0)
            put(store, 1)

        assert ended(forked(both)) == 0
        assert is_right(store, 1)
        put(store, 2)


# ---------------------------------------------------------------- killed


def publish_for_ever(folder: Path, told: int, start: int, step: int, seed: int) -> NoReturn:
    """Publish, and tell each; note uses, collect, remove what comes and goes."""
    chance, number = random.Random(seed), start
    store = ModuleStore(folder, map_bytes=1 << 18)
    while True:
        put(store, number)
        os.write(told, NUMBER.pack(number))
        number += step
        if chance.random() < 0.3:
            store.used([id_of(chance.randrange(number))], float(number))
        if chance.random() < 0.1:
            store.collect(1 << 40, 1.0)
        if chance.random() < 0.2:
            blob = chance.randbytes(30_000)
            said = replace(manifest_of(0), symbol="passing", content_hash=content_hash(blob))
            store.remove([store.put(said, SIGNATURE, blob).id])


def read_for_ever(folder: Path, known: list[int], seed: int) -> NoReturn:
    """Look modules up for ever; end if one is lost, or not what it should be."""
    chance = random.Random(seed)
    store = ModuleStore(folder)
    while True:
        if known and not is_right(store, chance.choice(known)) and not store._warned:
            os._exit(1)
        if chance.random() < 0.05:
            for each in store.all():
                blob = store.blob(each.manifest.content_hash)
                if blob is not None and content_hash(blob) != each.manifest.content_hash:
                    os._exit(2)


def kill_in_rounds(folder: Path, rounds: int, caplog: pytest.LogCaptureFixture) -> set[int]:
    """Two writers and a reader are killed in each round: numbers of what was published."""
    chance, known = random.Random(rounds), set[int]()
    with ModuleStore(folder) as store:
        for round_ in range(rounds):
            pipes = [os.pipe() for _ in range(2)]
            start = max(known, default=-1) + 1
            works = [
                lambda w=w: publish_for_ever(folder, pipes[w][1], start + w, 2, 2 * round_ + w)  # type: ignore[misc] # noqa: B023
                for w in range(2)
            ]
            works.append(lambda: read_for_ever(folder, sorted(known), round_))  # noqa: B023
            children = [forked(work) for work in works]
            time.sleep(chance.uniform(0.01, 0.15))
            chance.shuffle(children)
            for pid in children:
                os.kill(pid, signal.SIGKILL)
                time.sleep(chance.uniform(0.0, 0.005))
            assert [ended(pid) for pid in children] == 3 * [-signal.SIGKILL]
            for out, told in pipes:
                os.close(told)
                data = os.read(out, 1 << 20)
                known |= {number for (number,) in NUMBER.iter_unpack(data)}
                os.close(out)
            with ModuleStore(folder) as other:
                assert all(is_right(other, number) for number in known)
                assert all(is_right(store, number) for number in known)
                whole = [each.manifest for each in other.all()]  # what was committed and not told is, too
                known |= {each.version - 1 for each in whole if each.symbol != "passing"}
    assert structure_problems(folder, ()) == []
    assert caplog.records == []
    return known


@pytest.fixture(autouse=True)
def few_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_READERS", 32)  # fewer than the readers that die


def test_kills_lose_nothing(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert len(kill_in_rounds(folder, 10, caplog)) > 10  # 30 kills


@pytest.mark.slow
def test_a_hundred_kills_lose_nothing(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert len(kill_in_rounds(folder, 34, caplog)) > 100


def test_who_is_killed_after_a_commit_leaves_a_short_file_that_the_next_reader_mends(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with ModuleStore(folder) as reader:
        put(reader, 1)

        def die(*_: object) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        def write() -> None:
            monkeypatch.setattr(shared, "extend", die)
            blob = random.Random(1).randbytes(500_000)

            def come_and_go(txn: object, databases: object) -> None:
                txn.put(b"b" * 32, blob, db=databases.blobs)  # type: ignore[attr-defined]
                txn.delete(b"b" * 32, db=databases.blobs)  # type: ignore[attr-defined]
                txn.put(b"b" * 32, b"", db=databases.uses)  # type: ignore[attr-defined]

            ModuleStore(folder)._shared.write(come_and_go)

        assert ended(forked(write)) == -signal.SIGKILL
        with pytest.raises(CutShort):
            check(folder)
        monkeypatch.setattr(shared, "FOLLOW_S", 0.0)
        reader._shared._follow_at = 0.0
        assert is_right(reader, 1)
    check(folder)
    assert caplog.records == []


def check(folder: Path) -> None:
    with lmdb.open(str(folder), readonly=True, lock=False) as env:
        check_size(env, folder)
