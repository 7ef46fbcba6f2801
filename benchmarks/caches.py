"""What an answer out of the L2 cache costs. `python benchmarks/caches.py [--large] [--json]`

Answers are texts of about 1 KB, of words by chance. The peer is LMDB itself: a get of the encoded value, as it
is or compressed, and its decoding. With `--large` a cache of 1 000 000 such answers is made as well (several
minutes); it must fit into 1.5 GB, and its hits must take no longer than those of a small one.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from array import array
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import lmdb

from actors.caches.keys import FunctionKey, InferenceCall, ModelKey, Scope
from actors.caches.l2.change import Put
from actors.caches.l2.cold import ColdLayer
from actors.caches.l2.payload import read_stored, stored_form
from actors.caches.l2.reader import L2Reader
from actors.caches.l2.rows import DATA_FILE
from actors.caches.l2.store import L2Store
from actors.caches.layer import CacheConfig
from actors.caches.manager import l2_manager
from benchmarks.measure import Row, bound, ratio, report
from rtfs.ir_codec import encode_value
from rtfs.values import Vector

ENTRIES = 20_000
LARGE = 1_000_000
READERS = 8
GETS = 20_000
BATCH = 1_000
COLD = CacheConfig(size_bytes=1 << 32, eviction="fifo")
HOT = CacheConfig(size_bytes=1 << 23)  # for some thousand answers

FUNCTION = FunctionKey(symbol="mail/summary", ir_hash="a" * 64, parameter_types=("string", "int"))
MODEL = ModelKey(target="local-writer", version="b" * 64, options={"temperature": 0.2, "seed": 7})
SCOPE = Scope("acme", frozenset({"personal"}))

_CHANCE = random.Random(1)
WORDS = [
    "".join(_CHANCE.choices("etaoinshrdlucmfwypvbgkjqxz", k=_CHANCE.randrange(2, 11))) for _ in range(20_000)
]


def call(number: int) -> InferenceCall:
    return InferenceCall(FUNCTION, MODEL, SCOPE, (f"the mail with number {number}", number))


def text(number: int) -> str:
    return " ".join(random.Random(number).choices(WORDS, k=200))[:1000]


def put(number: int) -> Put:
    one = call(number)
    flags, stored = stored_form(encode_value(text(number)))
    return Put(one.key, one.input, one.origin, flags, stored, 0.9, 0.001, 20.0, 1e6)


def filled(folder: Path, entries: int) -> L2Store:
    store = L2Store(folder, COLD)
    for start in range(0, entries, BATCH):
        store.write([put(number) for number in range(start, min(entries, start + BATCH))])
    return store


class Raw:
    """LMDB with nothing around it: the same values under the same keys."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.env = lmdb.open(str(folder), map_size=1 << 30, max_readers=64)

    def fill(self, entries: int) -> None:
        with self.env.begin(write=True) as txn:
            for number in range(entries):
                flags, stored = stored_form(encode_value(text(number)))
                txn.put(call(number).key, bytes((flags,)) + stored)

    def get(self, key: bytes) -> Any:
        with self.env.begin() as txn:
            row = txn.get(key)
        return read_stored(row[0], row[1:])


# ---------------------------------------------------------------- one process


def repeated(work: Callable[[Any], object], items: Sequence[Any]) -> Callable[[], object]:
    def run() -> None:
        for item in items:
            assert work(item) is not None

    return run


def single(folder: Path, raw: Raw) -> list[Row]:
    calls = [call(random.randrange(ENTRIES)) for _ in range(2_000)]
    keys = [one.key for one in calls]
    manager = l2_manager(folder, hot=CacheConfig(size_bytes=1 << 26), cold=COLD, writer=None)
    reader = L2Reader(folder)
    args = [one.args for one in calls]
    rows = [
        bound(
            "the key of a small call",
            repeated(lambda each: InferenceCall(FUNCTION, MODEL, SCOPE, each).key, args),
            repeated(lambda each: encode_value(Vector(list(each))), args),
            peer_name="encoding its arguments",
            at_most_s=15e-6,
            repeats=len(calls),
        ),
        ratio(
            "2 000 hits in memory",
            repeated(manager.get, calls),
            repeated(raw.get, keys),
            peer_name="LMDB's get and decoding",
            at_most=3.0,
        ),
        ratio(
            "2 000 hits in the file",
            repeated(reader.get, keys),
            repeated(raw.get, keys),
            peer_name="LMDB's get and decoding",
            at_most=3.0,
        ),
    ]
    reader.close()
    manager.close()
    return rows


# ---------------------------------------------------------------- eight that read and one that writes


def timed(get: Callable[[Any], object], items: Sequence[Any]) -> array[float]:
    """Seconds of each."""
    taken = array("d")
    clock = time.perf_counter
    for item in items:
        start = clock()
        found = get(item)
        taken.append(clock() - start)
        assert found is not None
    return taken


def forked(work: Callable[[], object]) -> int:
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return pid


class Gate:
    """Lets processes begin together: each says that it is ready, and waits."""

    def __init__(self) -> None:
        self._ready, self._say = os.pipe()
        self._wait, self._go = os.pipe()

    def ready(self) -> None:
        """In a process that is about to begin."""
        os.close(self._go)
        os.write(self._say, b"x")
        os.read(self._wait, 1)

    def open(self, processes: int) -> None:
        """When so many are ready."""
        said = 0
        while said < processes:
            said += len(os.read(self._ready, processes))
        for end in (self._go, self._wait, self._ready, self._say):
            os.close(end)


def together(
    out: Path,
    prepared: Callable[[int], tuple[Callable[[Any], object], Sequence[Any]]],
    writes: Callable[[], object],
) -> list[float]:
    """Seconds of all gets of all readers, sorted; the writer begins before they do, and writes until the end.

    Args:
        prepared: what a reader gets with, and what.
        writes: writes some.
    """
    gate = Gate()

    def reader(number: int) -> None:
        get, items = prepared(number)
        get(items[0])  # opens the file
        gate.ready()
        with (out / str(number)).open("wb") as file:
            timed(get, items).tofile(file)

    def writer() -> None:
        writes()
        gate.ready()
        while True:
            writes()
            time.sleep(0.02)

    writing = forked(writer)
    readers = [forked(lambda number=number: reader(number)) for number in range(READERS)]
    gate.open(READERS + 1)
    for pid in readers:
        _, status = os.waitpid(pid, 0)
        assert status == 0
    os.kill(writing, 9)
    os.waitpid(writing, 0)
    taken = array("d")
    for number in range(READERS):
        taken.frombytes((out / str(number)).read_bytes())
    return sorted(taken)


def fresh(numbers: count[int]) -> list[Put]:
    """Fifty answers that nobody has."""
    return [put(next(numbers)) for _ in range(50)]


def ours_together(folder: Path, out: Path, *, with_memory: bool) -> list[float]:
    stores: list[L2Store] = []  # opened in the process that writes
    numbers = count(ENTRIES)

    def writes() -> None:
        if not stores:
            stores.append(L2Store(folder, COLD))
        stores[0].write(fresh(numbers))

    def prepared(seed: int) -> tuple[Callable[[Any], object], Sequence[Any]]:
        chance = random.Random(seed)
        # some calls come often, as they do: 4 in 5 are of the same twentieth
        asked = [chance.randrange(ENTRIES // 20 if chance.random() < 0.8 else ENTRIES) for _ in range(GETS)]
        calls = [call(number) for number in asked]
        if with_memory:
            return l2_manager(folder, hot=HOT, cold=COLD, writer=None).get, calls
        return ColdLayer(L2Reader(folder), None, COLD).get, calls

    return together(out, prepared, writes)


def raw_together(folder: Path, out: Path) -> list[float]:
    opened: list[Raw] = []
    numbers = count(ENTRIES)

    def writes() -> None:
        if not opened:
            opened.append(Raw(folder))
        with opened[0].env.begin(write=True) as txn:
            for made in fresh(numbers):
                txn.put(made.key, bytes((made.flags,)) + made.stored)

    def prepared(seed: int) -> tuple[Callable[[Any], object], Sequence[Any]]:
        chance = random.Random(seed)
        return Raw(folder).get, [call(chance.randrange(ENTRIES)).key for _ in range(GETS)]

    return together(out, prepared, writes)


def crowd(folder: Path, raw_folder: Path, out: Path) -> list[Row]:
    raw = raw_together(raw_folder, out)
    rows = []
    for what, with_memory in (("memory over the file", True), ("the file", False)):
        ours = ours_together(folder, out, with_memory=with_memory)
        for name, share, most in (("p50", 0.5, 50e-6), ("p99", 0.99, 0.5e-3)):
            figure, peer = ours[int(len(ours) * share)], raw[int(len(raw) * share)]
            title = f"{name} of a hit in {what}, {READERS} reading, 1 writing"
            reach = f"<= {most * 1e6:.0f} us"
            rows.append(Row(title, figure, peer, "LMDB's get and decoding", figure, "s", reach, figure <= most))
    return rows


# ---------------------------------------------------------------- a million


def large(folder: Path, small: Path) -> list[Row]:
    start = time.perf_counter()
    filled(folder, LARGE).close()
    took_s = time.perf_counter() - start
    size_gb = (folder / DATA_FILE).stat().st_size / 1e9
    many, few = L2Reader(folder), L2Reader(small)
    chance = random.Random(3)
    of_many = [call(chance.randrange(LARGE)).key for _ in range(20_000)]
    of_few = [call(chance.randrange(ENTRIES)).key for _ in range(20_000)]
    rows = [
        Row(
            f"{LARGE} entries of 1 KB take {size_gb:.2f} GB; to write one",
            took_s / LARGE,
            None,
            "",
            size_gb,
            "GB",
            "<= 1.5 GB",
            size_gb <= 1.5,
        ),
        ratio(
            f"20 000 hits among {LARGE}",
            repeated(many.get, of_many),
            repeated(few.get, of_few),
            peer_name=f"hits among {ENTRIES}",
            at_most=1.5,
        ),
    ]
    many.close()
    few.close()
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--large", action="store_true")
    options, rest = parser.parse_known_args()
    with tempfile.TemporaryDirectory(prefix="rtfs-caches-") as name:
        base = Path(name)
        filled(base / "small", ENTRIES).close()
        raw = Raw(base / "raw")
        raw.fill(ENTRIES)
        rows = single(base / "small", raw)
        raw.env.close()
        rows += crowd(base / "small", base / "raw", base)
        if options.large:
            rows += large(base / "large", base / "small")
        return report("Answers out of the L2 cache", rows, rest)


if __name__ == "__main__":
    raise SystemExit(main())
