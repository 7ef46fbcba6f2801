"""What a module out of L4 costs, in each form. `python benchmarks/l4.py [--json]`

A hit is what happens once for each function, process and state of the store: it is looked up, its signature and
its bytes are checked, it is loaded, and answers for the first time. The store is warm, nothing is loaded yet.
The peer of a hit is what it stands for: to read, analyse, link and call the same function from its text.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import rtfs
from actors.caches.l4.lookup import ModuleIndex
from actors.caches.l4.publish import publish
from actors.caches.l4.runner import ModuleRunner
from actors.caches.l4.signing import SigningKey, is_signature, public_of
from actors.caches.l4.store import ModuleStore
from actors.caches.l4.trust import TrustStore
from benchmarks.measure import Row, bound, report
from policies.engines.l4 import interface_hash
from rtfs.backends import FORMS, ModuleKind
from rtfs.delegation import FunctionInfo, L4CacheHit
from rtfs.program import new_run
from rtfs.run import Limits, running

#: modules of each form; the first ones warm the process up
MODULES = 220
WARM = 20
CALLS = 10_000

#: some 60 nodes of IR: numbers, a loop, a call
TEXT = """
(defn weight{n} [k : int] : int (+ (* k {n}) 1))
(defn score{n} "A score, number {n}." [a : int b : int] : int
  (loop [i 0 total {n}]
    (if (< i (min b 50))
      (recur (inc i) (if (even? i) (+ total (weight{n} a)) (- total (* 2 i))))
      (max 0 total))))
"""


def quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def functions() -> list[tuple[str, FunctionInfo]]:
    """Texts of programs, and what a linker knows of `score` in each."""
    found = []
    for n in range(MODULES):
        text = TEXT.format(n=n)
        program = rtfs.compile(text)
        found.append((text, next(i for _, i in program.functions(program.unit) if i.symbol == f"score{n}")))
    return found


def timed(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def hits(kind: ModuleKind, store: ModuleStore, trust: Path, known: list[tuple[str, FunctionInfo]]) -> Row:
    """Look up, check, load and call each module once."""
    index = ModuleIndex(store, trust)
    runner = ModuleRunner(index)
    runner._note = lambda module, line: None  # type: ignore[method-assign]  # written once in a module's life

    def hit(info: FunctionInfo) -> None:
        entry = index.find(interface_hash(info), info.body_hash)
        assert entry is not None
        assert entry.kind == kind
        made = runner.load(L4CacheHit(entry.storage_pointer, entry.signature), info)
        assert made(3, 4) >= 0

    def fresh(text: str, info: FunctionInfo) -> None:
        assert rtfs.compile(text).link().call(info.symbol, 3, 4) >= 0  # type: ignore[operator]

    ours, peer = [], []
    with running(new_run(None, None, Limits(), None)):
        for text, info in known:
            ours.append(timed(lambda info=info: hit(info)))  # type: ignore[misc]
            peer.append(timed(lambda text=text, info=info: fresh(text, info)))  # type: ignore[misc]
    p99 = quantile(ours[WARM:], 0.99)
    return Row(
        f"a hit, {kind}: p50, judged p99", statistics.median(ours[WARM:]), statistics.median(peer[WARM:]),
        "from its text", p99, "s", "<= 5 ms", p99 <= 5e-3,
    )  # fmt: skip


def rows() -> list[Row]:
    found = []
    known = functions()
    with tempfile.TemporaryDirectory() as folder:
        trust = Path(folder) / "trust.json"
        key = SigningKey.new()
        TrustStore().trusting(key.public, "benchmark", now=1.0).write(trust)
        for kind in FORMS:
            with ModuleStore(Path(folder) / kind) as store:
                for text, info in known:
                    done = publish(rtfs.compile(text), key, store, now=1.0, names=[info.symbol], kind=kind)
                    assert len(done.modules) == 1, done.refused
                found.append(hits(kind, store, trust, known))
                if kind == "WasmBytecode":
                    found += checks(store, trust)
                    found.append(calls(store, trust, known[-1][1]))
    return found


def checks(store: ModuleStore, trust_path: Path) -> list[Row]:
    """What it costs to find out whether a module may be used, and that nothing has changed since."""
    trust = TrustStore.read(trust_path)
    module = store.all()[0]
    blob = store.blob(module.manifest.content_hash)
    assert blob is not None
    public = public_of(trust.keys[module.manifest.key_id].public)

    def ours() -> None:
        for _ in range(100):
            trust.check(module.manifest, module.signature, now=2.0, line="")
            trust.check_blob(module.manifest, blob)

    def peer() -> None:
        for _ in range(100):
            assert is_signature(public, module.manifest, module.signature)

    index = ModuleIndex(store, trust_path)

    def version() -> None:
        for _ in range(1000):
            assert index.version

    return [
        bound(
            "all checks of a module", ours, peer, peer_name="its signature alone", at_most_s=1e-3, repeats=100
        ),
        bound(
            "whether anything changed (each run)", version, lambda: None, peer_name="nothing", at_most_s=50e-6,
            repeats=1000,
        ),
    ]  # fmt: skip


def calls(store: ModuleStore, trust: Path, info: FunctionInfo) -> Row:
    """Calls of a function that is loaded, one by one; the work in it is some 20 additions."""
    index = ModuleIndex(store, trust)
    entry = index.find(interface_hash(info), info.body_hash)
    assert entry is not None
    made = ModuleRunner(index).load(L4CacheHit(entry.storage_pointer, entry.signature), info)

    def plain(a: int, b: int) -> int:
        return a + b

    def ours() -> None:
        for _ in range(CALLS):
            made(3, 4)

    def peer() -> None:
        for _ in range(CALLS):
            plain(3, 4)

    with running(new_run(None, None, Limits(), None)):
        return bound(
            "a call of a loaded module", ours, peer, peer_name="a Python function", at_most_s=25e-6,
            repeats=CALLS, over_peer=True,
        )  # fmt: skip


if __name__ == "__main__":
    sys.exit(report("Modules out of L4", rows))
