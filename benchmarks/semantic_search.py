"""What a search for earlier calls by meaning costs. `python benchmarks/semantic_search.py [--small] [--json]`

100 000 vectors of 384 numbers in one partition; with `--small` 10 000. They resemble those of sentences: topics
with themes in them, so that two by chance have a cosine of about 0, two of a theme one of about 0.5, and what
is nearest to a new one lies at 0.65 to 0.8. Half of the questions are new ones, half say what was said before
in other words. The peer is hnswlib alone, with the same parameters and one thread; its recall, and ours, is
the share of questions whose best answer is the one that comparing with all vectors finds. What a search costs
beside that of the index is the same however many vectors there are, so that its share is larger with few.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import hnswlib
import numpy as np

from actors.caches.l3.graph import BREADTH, EFFORT, LINKS
from actors.caches.l3.index_files import INDEX_FOLDER
from actors.caches.l3.store import SemanticStore
from actors.caches.layer import CacheConfig, Origin
from benchmarks.measure import Row, bound, ratio, report, seconds

LARGE = 100_000
SMALL = 10_000
DIMENSIONS = 384
QUESTIONS = 1_000
TOPICS, THEMES, LATENT = 60, 4_000, 96
FEW = 400

PARTITION = bytes(32)
FEW_PARTITION = bytes(31) + b"\x01"
ORIGIN = Origin("acme", "mail/subject", "local-writer", "b" * 64)
CONFIG = CacheConfig(size_bytes=1 << 30, ttl_s=1e6)

Vectors = Any


def normalised(vectors: Vectors) -> Vectors:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def sentences(count: int, chance: np.random.Generator) -> Vectors:
    """Vectors like those of sentences, and after them questions that are new."""
    topics = chance.normal(size=(TOPICS, LATENT))
    themes = topics[chance.integers(TOPICS, size=THEMES)] + 0.7 * chance.normal(size=(THEMES, LATENT))
    latent = themes[chance.integers(THEMES, size=count)] + 0.8 * chance.normal(size=(count, LATENT))
    mixed = latent @ (chance.normal(size=(LATENT, DIMENSIONS)) / np.sqrt(LATENT))
    return normalised(mixed + 0.35 * chance.normal(size=(count, DIMENSIONS)))


def in_other_words(vectors: Vectors, count: int, chance: np.random.Generator) -> Vectors:
    """Questions at a cosine of about 0.9 from some of the vectors."""
    chosen = vectors[chance.integers(len(vectors), size=count)]
    return normalised(chosen + 0.025 * chance.normal(size=chosen.shape))


def opened(folder: Path) -> SemanticStore:
    return SemanticStore(
        folder, dimensions=DIMENSIONS, embedder_version="c" * 64, config=CONFIG, most_index_bytes=1 << 31
    )


def fill(store: SemanticStore, vectors: Vectors, partition: bytes = PARTITION, first: int = 0) -> None:
    for number, vector in enumerate(vectors, first):
        added = None
        while added is None:  # else too many wait to be written
            added = store.add(
                partition=partition,
                vector=vector,
                texts=(f"the text of about the length of a sentence that has the number {number}",),
                key=number.to_bytes(32),
                origin=ORIGIN,
            )
            if added is None:
                store.flush()
    store.flush()


def raw_index(vectors: Vectors) -> Any:
    index = hnswlib.Index(space="ip", dim=DIMENSIONS)
    index.init_index(len(vectors), M=LINKS, ef_construction=BREADTH, random_seed=1)
    index.set_ef(EFFORT)
    index.add_items(vectors, np.arange(len(vectors)), num_threads=1)
    return index


def each(work: Callable[[Any], object], questions: Sequence[Any]) -> Callable[[], None]:
    def run() -> None:
        for question in questions:
            work(question)

    return run


def share(found: Sequence[int], right: Sequence[int]) -> float:
    return float(np.mean(np.asarray(found) == np.asarray(right)))


def figure(what: str, got: float, unit: str, reach: str, reached: bool, peer: float | None = None) -> Row:
    return Row(what, got, peer, "hnswlib" if peer is not None else "", got, unit, reach, reached)


# ---------------------------------------------------------------- the parts


def searches(store: SemanticStore, raw: Any, questions: Vectors, at_most: float) -> list[Row]:
    some = list(questions[::4])

    def against(k: int, at_least: float, at_most: float) -> Row:
        what = f"{len(some)} searches for {k}" + (
            f", those above {at_least:g} read" if at_least else ", all read"
        )
        return ratio(
            what,
            each(lambda q: store.search(PARTITION, q, k, at_least), some),
            each(lambda q: raw.knn_query(q, k=k, num_threads=1), some),
            peer_name="hnswlib, no rows",
            at_most=at_most,
        )

    return [against(1, 0.0, at_most), against(8, 0.7, 1.25 * at_most)]


def recall(store: SemanticStore, raw: Any, vectors: Vectors, questions: Vectors) -> Row:
    right = (questions @ vectors.T).argmax(1)
    theirs = share([int(raw.knn_query(q, k=1, num_threads=1)[0][0, 0]) for q in questions], right)
    start = time.perf_counter()
    found = [store.search(PARTITION, q, 1)[0].entry.key for q in questions]
    took_s = (time.perf_counter() - start) / len(questions)
    ours = share([int.from_bytes(key) for key in found], right)
    what = f"the best one is found in {ours:.1%} of searches, by hnswlib in {theirs:.1%}"
    return Row(what, took_s, None, "", ours, "share", ">= 99 %", ours >= 0.99)


def small_partition(store: SemanticStore, vectors: Vectors, questions: Vectors) -> Row:
    few = vectors[:FEW]
    fill(store, few, FEW_PARTITION, len(vectors))
    some = list(questions[::4])
    return bound(
        f"a search for 1 in {FEW}",
        each(lambda q: store.search(FEW_PARTITION, q, 1), some),
        each(lambda q: int((few @ q).argmax()), some),
        peer_name="a product of matrices",
        at_most_s=1e-4,
        repeats=len(some),
    )


def adding(store: SemanticStore, vectors: Vectors) -> Row:
    """Adds while the graph of a large partition is open; what is new is in no graph yet."""
    start = 2 * len(vectors)
    times = []
    for number, vector in enumerate(in_other_words(vectors, 200, np.random.default_rng(5)), start):
        times.append(seconds(lambda: fill_one(store, vector, number)))  # noqa: B023
    store.settle()
    middle = float(np.median(times))
    return figure("one added to many", middle, "s", "<= 2 ms", middle <= 2e-3)


def fill_one(store: SemanticStore, vector: Vectors, number: int) -> None:
    store.add(partition=PARTITION, vector=vector, texts=("a text",), key=number.to_bytes(32), origin=ORIGIN)


def restarts(folder: Path, vectors: Vectors, question: Vectors) -> list[Row]:
    def reopened() -> tuple[float, float]:
        start = time.perf_counter()
        store = opened(folder)
        middle = time.perf_counter()
        store.search(PARTITION, question, 1)
        end = time.perf_counter()
        assert store.settle(600)
        graph_s = time.perf_counter() - middle
        store.close()
        return end - start, graph_s

    saved, _ = reopened()
    for path in (folder / INDEX_FOLDER).iterdir():
        path.unlink()
    first, graph = reopened()
    return [
        figure("opened, first answer, index saved", saved, "s", "<= 5 s", saved <= 5),
        figure("opened, first answer, no index", first, "s", "<= 5 s", first <= 5),
        figure("until there is an index again", graph, "s", "shown", True),
    ]


def rows(count: int, folder: Path) -> list[Row]:
    chance = np.random.default_rng(1)
    everything = sentences(count + QUESTIONS // 2, chance)
    vectors, fresh = everything[:count], everything[count:]
    questions = np.concatenate((fresh, in_other_words(vectors, QUESTIONS // 2, chance)))
    start = time.perf_counter()
    raw = raw_index(vectors)
    raw_s = time.perf_counter() - start
    store = opened(folder)
    start = time.perf_counter()
    fill(store, vectors)
    filled_s = time.perf_counter() - start
    assert store.settle(3600)
    built_s = time.perf_counter() - start
    found = [
        figure("all added and committed", filled_s, "s", "shown", True),
        figure("and in the index", built_s, "s", "<= 3 x", built_s <= 3 * raw_s, raw_s),
        *searches(store, raw, questions, 1.2 if count == LARGE else 2.0),
        recall(store, raw, vectors, questions),
        small_partition(store, vectors, questions),
        adding(store, vectors),
    ]
    took_s = seconds(store.close)
    each_bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / count
    what = f"closed, index saved; {each_bytes:.0f} bytes on the disk for each"
    found.append(figure(what, took_s, "s", "<= 5 s", took_s <= 5))
    return found + restarts(folder, vectors, questions[0])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help=f"{SMALL} vectors")
    options, rest = parser.parse_known_args()
    count = SMALL if options.small else LARGE
    with tempfile.TemporaryDirectory() as name:
        found = rows(count, Path(name))
    return report(f"search by meaning, {count} vectors of {DIMENSIONS}", found, rest)


if __name__ == "__main__":
    sys.exit(main())
