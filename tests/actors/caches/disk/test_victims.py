from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import lmdb
import pytest

from actors.caches.disk.victims import EXPIRY, NUMBER, SAMPLE, USE, Victims
from policies.file.schema import Eviction


@pytest.fixture
def tables(tmp_path: Path) -> Iterator[tuple[Any, Any, Any]]:
    env = lmdb.open(str(tmp_path / "env"), max_dbs=2)
    order, expiry = env.open_db(b"order"), env.open_db(b"expiry")
    with env.begin(write=True) as txn:
        yield txn, order, expiry
    env.close()


def victims(tables: tuple[Any, Any, Any]) -> Victims:
    txn, order, expiry = tables
    for number, (used_s, uses, end) in enumerate([(5, 1, 90), (3, 9, 80), (9, 0, 70), (8, 2, 60)], 1):
        txn.put(NUMBER.pack(number), USE.pack(used_s, uses), db=order)
        txn.put(EXPIRY.pack(end, number), b"", db=expiry)
    return Victims(txn, order, expiry, Random(1), USE.size)


@pytest.mark.parametrize(("eviction", "first"), [("lru", 2), ("lfu", 3), ("fifo", 1), ("ttl", 4)])
def test_who_goes_first(tables: Any, eviction: Eviction, first: int) -> None:
    assert victims(tables).next(eviction, 5) == NUMBER.pack(first)


def test_by_chance_it_is_any(tables: Any) -> None:
    found = victims(tables)
    gone = {found.next("random", 5) for _ in range(50)}
    assert gone == {NUMBER.pack(number) for number in range(1, 5)}


def test_what_has_expired_goes_in_order_and_once(tables: Any) -> None:
    found = victims(tables)
    assert [found.expired(80) for _ in range(3)] == [NUMBER.pack(4), NUMBER.pack(3), None]
    assert found.expired(81) == NUMBER.pack(2)


def test_damaged_ones_go_first(tables: Any) -> None:
    found = victims(tables)
    tables[0].put(NUMBER.pack(4), b"damaged", db=tables[1])
    assert found.next("lru", 5) == NUMBER.pack(4)


def test_of_none_there_is_none(tables: Any) -> None:
    txn, order, expiry = tables
    found = Victims(txn, order, expiry, Random(1), USE.size)
    for eviction in ("lru", "lfu", "fifo", "random", "ttl"):
        assert found.next(eviction, 1) is None  # type: ignore[arg-type]


def test_of_many_one_of_the_worst_goes(tables: Any) -> None:
    txn, order, expiry = tables
    for number in range(1, 1_001):
        txn.put(NUMBER.pack(number), USE.pack(number, 0), db=order)
    found = Victims(txn, order, expiry, Random(1), USE.size)
    gone = [NUMBER.unpack(found.next("lru", 1_001) or b"")[0] for _ in range(100)]
    assert sorted(gone)[50] < 2 * 1_000 / SAMPLE
