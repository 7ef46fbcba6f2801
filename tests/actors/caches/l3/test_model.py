"""The store beside a dict and a comparison with all vectors: whatever is done, both say the same."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.caches.clock import SteadyClock
from actors.caches.l3.store import SemanticStore
from actors.caches.layer import CacheConfig, Origin, Which

KINDS = ["add"] * 3 + "remove learn pass invalidate clear restart flush settle search".split()


class Known(NamedTuple):
    id: bytes
    partition: bytes
    number: int
    evidence: bytes
    expires: float


class Model:
    """What ought to be in the store, by key."""

    def __init__(self, folder: Path, stores: Any, clocks: Any) -> None:
        self.folder = folder
        self.stores = stores
        self.clocks = clocks
        self.known: dict[bytes, Known] = {}
        self.store: SemanticStore = self.opened()

    def opened(self) -> SemanticStore:
        clock = SteadyClock(self.clocks.wall, self.clocks.monotonic)
        config = CacheConfig(size_entries=1_000)
        store: SemanticStore = self.stores.open(self.folder, clock=clock, graph_from=8, config=config)
        return store

    def do(self, kind: str, number: int) -> None:
        key, partition = number.to_bytes(32), bytes([number % 2]) * 32
        known = self.known.get(key)
        if kind == "add":
            ttl_s = 20.0 if number % 5 == 0 else 1_000.0
            origin = Origin(None, "f", f"m{number % 3}", "1")
            id = self.stores.add(
                self.store, number, key=key, partition=partition, ttl_s=ttl_s, origin=origin, evidence=b"new"
            )
            self.known[key] = Known(id, partition, number, b"new", self.clocks.day + ttl_s)
        elif kind == "remove" and known:
            assert self.store.remove(known.id) == (known.expires > self.clocks.day) or self.is_old(known)
            del self.known[key]
        elif kind == "learn" and known:
            self.store.set_evidence(known.id, str(number).encode())
            self.known[key] = known._replace(evidence=str(number).encode())
        elif kind == "pass":
            self.clocks.pass_by(7.0)
        elif kind == "invalidate":
            self.store.invalidate(Which(model=f"m{number % 3}"))
            self.known = {k: v for k, v in self.known.items() if v.number % 3 != number % 3}
        elif kind == "clear" and number % 3 == 0:
            self.store.clear()
            self.known.clear()
        elif kind == "restart":
            self.store.close()
            self.store = self.opened()
        elif kind in ("flush", "settle"):
            getattr(self.store, kind)()
        self.compare(number)

    def is_old(self, known: Known) -> bool:
        return known.expires <= self.clocks.day

    def compare(self, number: int) -> None:
        for partition in (bytes(32), b"\x01" * 32):
            query = self.stores.vector(number)
            expected = sorted(
                (
                    (float(self.stores.vector(each.number) @ query), each)
                    for each in self.known.values()
                    if each.partition == partition and not self.is_old(each)
                ),
                key=lambda pair: -pair[0],
            )
            for k in (1, 50):
                found = self.store.search(partition, query, k, -1.0)
                assert [near.entry.id for near in found] == [each.id for _, each in expected[:k]]
                assert [near.entry.evidence for near in found] == [each.evidence for _, each in expected[:k]]
                cosines = [cosine for cosine, _ in expected[:k]]
                assert np.allclose([near.similarity for near in found], cosines, atol=1e-5)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(work=st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 40)), min_size=5, max_size=50))
def test_it_is_as_the_model(stores: Any, clocks: Any, work: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        model = Model(Path(name), stores, clocks)
        try:
            for kind, number in work:
                model.do(kind, number)
            verdict = model.store.verify()
            assert (verdict.problems, verdict.left_over) == ((), {})
        finally:
            model.store.close()
