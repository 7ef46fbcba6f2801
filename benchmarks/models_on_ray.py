"""What models cost in an actor. `python benchmarks/models_on_ray.py [--soak SECONDS] [--json]`

Embeddings by MiniLM: the same texts given to the model's actor, codec and queue included, and to llama.cpp by
its Python binding in this process, in turns; and what the processor's AMX units do for one text. Single texts
go as an evaluator sends them, by the socket of an actor on the same machine; what they take by a call of Ray's
is a row of its own, without a reach. Then many callers at once for a while: nothing crashes, the memory of the
actor stays, and nobody waits longer than a full queue takes.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ray

from actors.models.actor import model_actor
from actors.models.batches import decode_replies, encode_requests
from actors.models.embedding.embedder import LlamaEmbedder
from actors.models.embedding.minilm import minilm_file
from actors.models.inference import FunctionFacts, InferenceRequest, InferenceResponse
from actors.ray_calls import Actors, ModelTransport
from benchmarks.measure import Row, alternate, report, text_of
from policies.errors import TargetFailed
from policies.file.schema import LocalModelEntry

#: tokens of a text are many enough to be a sentence: some 20
TEXT = "The invoice of March {} was paid twice, please send the second amount back to my account"
BATCH = 64
CALLERS = 64
ROUNDS = 9
MODEL, NAMESPACE = "minilm", "benchmark"
PATIENCE_S = 60.0
#: single texts
SINGLES = 300
#: share of the soak after which its memory is measured first
SETTLED = 0.3
FUNCTION = FunctionFacts(symbol="meaning", parameters=("text",), return_type="[:vector float]")
ENTRY = LocalModelEntry(kind="embedder", path="minilm", device="cpu:1", queue_bound=CALLERS)


class Direct:
    """The peer: llama.cpp called by its Python binding, in this process."""

    def __init__(self) -> None:
        import llama_cpp

        self._llama = llama_cpp.Llama(
            str(minilm_file()), embedding=True, n_ctx=512, n_batch=512, n_threads=1, n_threads_batch=1,
            verbose=False,
        )  # fmt: skip

    def embed(self, texts: list[str]) -> Any:
        return self._llama.embed(texts, normalize=True)


class Actor:
    """Ours: the actor of a model, asked as an evaluator asks it."""

    def __init__(self) -> None:
        self._handle = model_actor(MODEL, ENTRY, actor_name=MODEL, namespace=NAMESPACE)
        self._transport = ModelTransport(Actors(NAMESPACE))
        self.pid: int = ray.get(self._handle.process.remote())

    def embed(self, texts: list[str], *, by_ray: bool = False) -> list[InferenceResponse]:
        batch = encode_requests([InferenceRequest(FUNCTION, (text,)) for text in texts])
        answer: bytes | TargetFailed
        if len(texts) == 1 and not by_ray:
            answer = self._transport.exchange(MODEL, batch, PATIENCE_S)
        else:
            answer = ray.get(self._handle.infer.remote(batch))
        if isinstance(answer, TargetFailed):
            raise answer
        replies = decode_replies(answer)
        failed = [each for each in replies if not isinstance(each, InferenceResponse)]
        if failed:
            raise failed[0]
        return replies  # type: ignore[return-value]  # what else they can be was raised

    def resident_mb(self) -> float:
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * 4096 / 2**20


def embedding(actor: Actor, direct: Direct) -> list[Row]:
    many, one = [TEXT.format(number) for number in range(BATCH)], [TEXT.format(0)]
    peer = "llama.cpp in this process"
    ours_s, peer_s = alternate(lambda: actor.embed(many), lambda: direct.embed(many), ROUNDS)
    share = peer_s / ours_s
    rows = [
        Row(
            f"embedding, {BATCH} texts", ours_s, peer_s, peer, share, "x",
            f">= 80 % of its throughput: {share:.0%}", share >= 0.8,
        )
    ]  # fmt: skip
    # call by call: what the machine does meanwhile to one, it does to the other
    ours_s, peer_s = alternate(lambda: actor.embed(one), lambda: direct.embed(one), SINGLES)
    over_s = ours_s - peer_s
    rows.append(
        Row(
            "embedding, one text", ours_s, peer_s, peer, over_s, "s",
            f"<= 1.5 ms over peer: {text_of(over_s)}", over_s <= 1.5e-3,
        )
    )  # fmt: skip
    ours_s, peer_s = alternate(lambda: actor.embed(one, by_ray=True), lambda: direct.embed(one), SINGLES)
    over_s = ours_s - peer_s
    what = f"over peer: {text_of(over_s)}"
    rows.append(Row("the same by a call of Ray's", ours_s, peer_s, peer, over_s, "s", what, True))
    with_s, without_s = alternate(
        partial(LlamaEmbedder(minilm_file()).embed, one),
        partial(LlamaEmbedder(minilm_file(), may_use_amx=False).embed, one),
        SINGLES,
    )
    peer = "the same without AMX"
    rows.append(Row("one text, in this process", with_s, without_s, peer, with_s / without_s, "x", "", True))
    return rows


def soak(actor: Actor, length_s: float) -> list[Row]:
    """`CALLERS` threads, each with one call at a time."""
    end = time.perf_counter() + length_s
    waits: list[float] = []
    failures: list[BaseException] = []
    sizes: list[float] = []

    def work(number: int) -> None:
        while time.perf_counter() < end:
            start = time.perf_counter()
            try:
                actor.embed([TEXT.format(number)])
            except Exception as error:
                failures.append(error)
            waits.append(time.perf_counter() - start)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(CALLERS)]
    for thread in threads:
        thread.start()
    time.sleep(length_s * SETTLED)
    while time.perf_counter() < end:
        sizes.append(actor.resident_mb())
        time.sleep(0.5)
    for thread in threads:
        thread.join()
    waits.sort()
    full_queue_s = CALLERS / (len(waits) / length_s)
    p99_s, drift = waits[int(len(waits) * 0.99)], sizes[-1] / sizes[0] - 1
    return [
        Row(
            f"{CALLERS} callers for {length_s:g} s, p99 of {len(waits)} calls", p99_s, full_queue_s,
            "a full queue's time", p99_s / full_queue_s, "x", "<= 2 x, the queue and the batch before it",
            p99_s <= 2 * full_queue_s,
        ),
        Row(
            "the same: failures", float(len(failures)), None, "", len(failures), "", "none", not failures
        ),
        Row(
            f"the same: memory {sizes[0]:.0f} to {sizes[-1]:.0f} MB", 0.0, None, "", drift, "",
            f"within 5 %: {drift:+.1%}", abs(drift) <= 0.05,
        ),
    ]  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--soak", type=float, default=60.0, help="seconds with 64 callers (default: 60)")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    options = parser.parse_args()
    ray.init(address="local", num_cpus=4, include_dashboard=False, logging_level="ERROR")
    actor, direct = Actor(), Direct()
    found = [*embedding(actor, direct), *soak(actor, options.soak)]
    return report("Models in actors", found, ["--json"] if options.json else [])


if __name__ == "__main__":
    sys.exit(main())
