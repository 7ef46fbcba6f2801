"""Processes that are killed at any point: nothing is damaged, nothing that was committed is lost."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from struct import Struct
from typing import NoReturn

import pytest

from actors.caches.disk import files
from actors.caches.l2.change import Put
from actors.caches.l2.payload import stored_form
from actors.caches.l2.reader import L2Reader
from actors.caches.l2.store import L2Store
from actors.caches.layer import CacheConfig, Origin
from rtfs.ir_codec import encode_value

ROUNDS = 25
READERS = 3  # and one writer: a hundred kills
CONFIG = CacheConfig(size_bytes=1 << 28)
ORIGIN = Origin(None, "f", "local-a", "1")
NUMBER = Struct("=Q")


def key_of(number: int) -> bytes:
    return random.Random(number).randbytes(32)


def value_of(number: int) -> str:
    return f"{number} " + "words " * (number % 7 * 30)


def put(number: int) -> Put:
    flags, stored = stored_form(encode_value(value_of(number)))
    return Put(key_of(number), number.to_bytes(16), ORIGIN, flags, stored, None, 0.0, None, 1e6)


def write(folder: Path, told: int, start: int, seed: int) -> NoReturn:
    """Commit answers for ever, and tell how far that is each time."""
    chance, number = random.Random(seed), start
    store = L2Store(folder, CONFIG, map_bytes=1 << 18)
    while True:
        count = chance.randrange(1, 20)
        store.write([put(number + i) for i in range(count)])
        number += count
        os.write(told, NUMBER.pack(number))


def read(folder: Path, seed: int, known: int) -> NoReturn:
    """Look answers up for ever; end if one is lost, or not what it should be.

    A file that a killed writer has left short cannot be read until there is another writer: these misses count
    as failures.
    """
    chance = random.Random(seed)
    reader = L2Reader(folder)
    while True:
        number = chance.randrange(known + 50)
        hit = reader.get(key_of(number))
        if hit is None and number < known and not reader.failures:
            os._exit(1)
        if reader.damaged or (hit is not None and hit.value != value_of(number)):
            os._exit(2)


def forked(work: Callable[[], NoReturn]) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(3)
    return pid


def committed(told: int, before: int) -> int:
    data = os.read(told, 1 << 20)
    return NUMBER.unpack(data[-NUMBER.size :])[0] if data else before


def test_a_hundred_kills_lose_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_READERS", 32)  # fewer than the readers that die
    chance = random.Random(11)
    L2Store(folder, CONFIG, map_bytes=1 << 18).close()
    known = killed = 0
    for round_ in range(ROUNDS):
        out, told = os.pipe()
        os.set_blocking(out, True)
        children = [forked(lambda: write(folder, told, known, round_))]  # noqa: B023
        children += [forked(lambda seed=seed: read(folder, seed, known)) for seed in range(READERS)]  # type: ignore[misc] # noqa: B023
        os.close(told)
        time.sleep(chance.uniform(0.005, 0.2))
        chance.shuffle(children)
        for pid in children:
            os.kill(pid, signal.SIGKILL)
            time.sleep(chance.uniform(0.0, 0.01))
        for pid in children:
            _, status = os.waitpid(pid, 0)
            assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
            killed += 1
        known = committed(out, known)
        os.close(out)
        with L2Store(folder, CONFIG) as store:
            assert not store.began_anew
            reader = L2Reader(folder)
            for number in range(max(0, known - 200), known):
                hit = reader.get(key_of(number))
                assert hit is not None, number
                assert hit.value == value_of(number)
            # what was committed and not told is whole too
            known = max(known, store.size()[0])
            reader.close()
    reader = L2Reader(folder)
    assert all(reader.get(key_of(number)) is not None for number in range(known))
    assert reader.failures == 0
    reader.close()
    assert killed == 100
    assert known > 100
