"""Answers by meaning: how many are served, and how many of these are wrong, on a stream of known answers.

    python benchmarks/semantic.py [--small] [--json] [--plot docs/caching.png]

Ours is L3 whole, as a runtime has it (store, guards, learnt acceptance), at four error bounds. The peers see
the same questions and the same vectors: a static threshold of similarity, the best one in hindsight that is
wrong as rarely; and GPTCache's own evaluation at its defaults, if it is installed (`pip install gptcache`). The
very same text asked again is known exactly, by L2, and counts for nobody.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

import numpy as np
from semantic_stream import Question, stream

from actors.caches.keys import answer_digest
from actors.caches.l3.entry import Vectors
from actors.caches.l3.learnt import LearntAcceptance
from actors.caches.l3.opened import refused
from actors.caches.l3.question import SemanticQuestion, Served
from actors.caches.l3.semantic import SemanticCache
from actors.caches.l3.store import SemanticStore
from actors.caches.layer import CacheConfig, Hit, Origin
from actors.models.embedding.loading import load_embedder
from policies.file.schema import LocalModelEntry
from rtfs.values import Value

BOUNDS = (0.005, 0.01, 0.02, 0.03)
THRESHOLDS = (*(0.6, 0.7, 0.8, 0.85, 0.9, 0.92, 0.94, 0.96), *(0.97, 0.98, 0.985, 0.99, 0.995, 0.998))
ORIGIN = Origin(None, "help", "local-m", "1")


@dataclass(frozen=True, slots=True)
class Result:
    what: str
    hits: int
    wrong: int
    #: questions that were not asked before to the letter
    asked: int

    @property
    def error(self) -> float:
        """Share of the served answers that is wrong."""
        return self.wrong / self.hits if self.hits else 0.0


class Embedded:
    """The vectors of a stream's texts, each made once."""

    def __init__(self) -> None:
        self._embedder = load_embedder(LocalModelEntry(kind="embedder", path="minilm"))
        self._known: dict[str, Vectors] = {}
        self.version = self._embedder.version
        self.dimensions = self._embedder.dimensions

    def add(self, texts: Sequence[str]) -> None:
        new = sorted({*texts} - self._known.keys())
        for start in range(0, len(new), 64):
            batch = new[start : start + 64]
            self._known.update(zip(batch, self._embedder.embed(batch), strict=True))

    def of(self, text: str) -> Vectors:
        return self._known[text]


def ours(questions: Sequence[Question], embedded: Embedded, bound: float, seed: int, guards: bool) -> Result:
    """L3 at an error bound."""
    answers: dict[bytes, Hit[Value]] = {}
    asked = hits = wrong = 0
    seen: set[str] = set()
    with (
        tempfile.TemporaryDirectory() as folder,
        SemanticStore(
            Path(folder),
            dimensions=embedded.dimensions,
            embedder_version=embedded.version,
            config=CacheConfig(size_entries=100_000),
        ) as store,
    ):
        cache = SemanticCache(
            store,
            embedded.of,
            refused if guards else lambda one, other: None,
            LearntAcceptance(),
            answers.get,
            random=Random(seed),
        )
        for each in questions:
            if each.text in seen:
                continue
            asked += 1
            key = answer_digest(each.text)
            verdict = cache.look(
                SemanticQuestion(
                    partition=b"p" * 32, texts=(each.text,), key=key, origin=ORIGIN, max_error=bound, ttl_s=1e6
                )
            )
            if isinstance(verdict, Served):  # and not known exactly after that
                hits += 1
                wrong += verdict.hit.value != each.answer
            else:
                seen.add(each.text)
                answers[key] = Hit(each.answer, "l2-cold", 0.0, 1e6, ORIGIN)
                cache.answered(verdict.ticket, answer_digest(each.answer))
    name = f"ours, at most {bound:.1%}" + ("" if guards else ", without guards")
    return Result(name, hits, wrong, asked)


def by_score(
    what: str, questions: Sequence[Question], embedded: Embedded, serves: Sequence[float] | object
) -> Result:
    """A cache that serves the nearest known question if `serves(similarity)`."""
    texts: list[str] = []
    rows = np.empty((len(questions), embedded.dimensions), np.float32)
    truth: dict[str, str] = {}
    asked = hits = wrong = 0
    for each in questions:
        if each.text in truth:
            continue
        asked += 1
        vector = embedded.of(each.text)
        if texts:
            similarities = rows[: len(texts)] @ vector
            best = int(similarities.argmax())
            if serves(float(similarities[best])):  # type: ignore[operator]
                hits += 1
                wrong += truth[texts[best]] != each.answer
                continue
        rows[len(texts)] = vector
        texts.append(each.text)
        truth[each.text] = each.answer
    return Result(what, hits, wrong, asked)


def gptcache(questions: Sequence[Question], embedded: Embedded) -> Result | None:
    """GPTCache's decision at its defaults: `adapter.adapt` compares the rank with a share of its range."""
    try:
        from gptcache.config import Config
        from gptcache.similarity_evaluation.distance import SearchDistanceEvaluation
    except ImportError:
        return None
    evaluation, threshold = SearchDistanceEvaluation(), Config().similarity_threshold
    low, high = evaluation.range()

    def serves(similarity: float) -> bool:
        distance = 2.0 - 2.0 * similarity  # squared, as its default index has it
        return bool(evaluation.evaluation({}, {"search_result": (distance, 0)}) >= (high - low) * threshold)

    return by_score("GPTCache, its defaults", questions, embedded, serves)


def best_static(results: Sequence[Result], error: float) -> Result:
    """The threshold that serves most of those that are wrong at most so often."""
    good = [each for each in results if each.error <= error]
    return max(good, key=lambda each: each.hits, default=Result("no threshold", 0, 0, results[0].asked))


def measured(count: int, seeds: Sequence[int], embedded: Embedded) -> dict[str, list[Result]]:
    found: dict[str, list[Result]] = {}
    for seed in seeds:
        questions = stream(count, seed)
        embedded.add([each.text for each in questions])
        statics = [
            by_score(f"threshold {least:g}", questions, embedded, lambda s, least=least: s >= least)
            for least in THRESHOLDS
        ]
        for each in statics:
            found.setdefault(each.what, []).append(each)
        for bound in BOUNDS:
            mine = ours(questions, embedded, bound, seed, guards=True)
            found.setdefault(mine.what, []).append(mine)
            equal, allowed = best_static(statics, mine.error), best_static(statics, bound)
            found.setdefault(f"  best threshold as rarely wrong as ours at {bound:.1%}", []).append(equal)
            found.setdefault(f"  best threshold, at most {bound:.1%}", []).append(allowed)
        bare = ours(questions, embedded, 0.01, seed, guards=False)
        found.setdefault(bare.what, []).append(bare)
        other = gptcache(questions, embedded)
        if other is not None:
            found.setdefault(other.what, []).append(other)
    return found


def table(found: dict[str, list[Result]]) -> str:
    lines = [f"{'what':52} {'served':>8} {'of asked':>9} {'wrong, median':>14} {'wrong, worst':>13}"]
    for what, results in found.items():
        served = statistics.median(each.hits for each in results)
        share = statistics.median(each.hits / each.asked for each in results)
        errors = [each.error for each in results]
        lines.append(
            f"{what:52} {served:8.0f} {share:9.1%} {statistics.median(errors):14.2%} {max(errors):13.2%}"
        )
    return "\n".join(lines)


def plot(found: dict[str, list[Result]], path: Path) -> None:
    """Share served against share wrong."""
    try:
        import matplotlib
    except ImportError:
        print("no plot: it needs matplotlib (pip install matplotlib)")
        return
    matplotlib.use("Agg")
    from matplotlib import pyplot

    def points(names: Sequence[str]) -> tuple[list[float], list[float]]:
        errors = [100 * statistics.median(each.error for each in found[name]) for name in names]
        shares = [100 * statistics.median(each.hits / each.asked for each in found[name]) for name in names]
        return errors, shares

    figure, axes = pyplot.subplots(figsize=(7, 4.2), dpi=110)
    statics = [name for name in found if name.startswith("threshold")]
    mine = [name for name in found if name.startswith("ours") and "guards" not in name]
    axes.plot(
        *points(statics), "o-", color="0.6", label="one threshold of similarity, 0.6 to 0.998", markersize=3
    )
    axes.plot(*points(mine), "s", color="tab:blue", label="L3, error bound 0.5, 1, 2 and 3 %")
    if "GPTCache, its defaults" in found:
        axes.plot(*points(["GPTCache, its defaults"]), "^", color="tab:red", label="GPTCache, its defaults")
    axes.set_xlabel("wrong, % of the answers served")
    axes.set_ylabel("served, % of questions in other words")
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xlim(left=-0.05)
    axes.set_ylim(0, 100)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", fontsize=8)
    figure.tight_layout()
    figure.savefig(path)
    print(f"plot: {path}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="one stream of 2 000 questions")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    count, seeds = (2_000, (1,)) if options.small else (8_000, (1, 2, 3, 4, 5))
    found = measured(count, seeds, Embedded())
    if options.json:
        rows = {
            what: [{**asdict(each), "error": each.error} for each in results] for what, results in found.items()
        }
        print(json.dumps(rows, indent=1))
    else:
        print(f"{len(seeds)} streams of {count} questions; medians, and the worst of them\n")
        print(table(found))
        if "GPTCache, its defaults" not in found:
            print("\nGPTCache is not installed: pip install gptcache")
    if options.plot is not None:
        plot(found, options.plot)


if __name__ == "__main__":
    main()
