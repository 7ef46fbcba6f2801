"""`rtfs models bench`: how fast a model answers in this process."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from cluster.cli.model_choice import (
    Choice,
    Refused,
    add_function,
    add_policy,
    function_of,
    positive,
    with_model,
)
from cluster.cli.ticket_text import aligned
from rtfs.cli import options as common
from rtfs.cli.console import Console, Exit

if TYPE_CHECKING:
    from actors.models.inference import InferenceRequest
    from actors.models.provider import ModelProvider

#: how long single calls are measured, and batches of each size
_BENCH_S: Final = 3.0
#: each size is measured as far as the model takes it
_BATCHES: Final = (1, 4, 16, 64, 256)
#: what a model is asked, each time with another number: equal texts might be answered once
_SAMPLE: Final = "Order {} arrived late and the box was damaged, but support replied within the hour."


def parse(argv: Sequence[str]) -> Namespace:
    """The options of `rtfs models bench`."""
    summary = "Measure a model of this machine: single calls, and batches of several sizes."
    examples = (
        ("rtfs models bench mood", ""),
        ('rtfs models bench small --seconds 10 --type "[:enum :glad :cross]"', ""),
    )
    parser = common.Parser("models bench", summary, examples)
    parser.add_argument("id", metavar="ID", help="of the model")
    parser.add_argument(
        "--seconds",
        type=positive,
        default=_BENCH_S,
        metavar="SECONDS",
        help="for each size of batch (default: %(default)g)",
    )
    parser.add_argument(
        "--text", default=_SAMPLE, metavar="TEXT", help="what it is given; `{}` is where a number goes"
    )
    add_function(parser)
    add_policy(parser)
    return parser.options(argv)


class Measured(NamedTuple):
    """Batches of one size."""

    size: int
    batches: int
    failed: int
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def per_second(self) -> float:
        """Answers in a second."""
        return (self.size * self.batches - self.failed) / self.seconds


def execute(options: Namespace, console: Console) -> Exit:
    """Measure a model."""

    def bench(model: ModelProvider, choice: Choice, load_s: float) -> Exit:
        requests = _requests(options.text, choice, options)
        rows = []
        most = min(model.max_batch, _BATCHES[-1])
        for size in sorted({most, *(size for size in _BATCHES if size < most)}):
            if not console.json:
                console.note(f"batches of {size} for {options.seconds:g} s …")
            _measured(model, requests, size, 0.0)  # what the first one takes longer is of another kind
            rows.append(_measured(model, requests, size, options.seconds))
        if not console.json:
            for line in _table(rows):
                console.show_text(line)
            console.note(f"`{choice.name}`, {choice.kind}, loaded in {load_s:.2f} s")
        found = [{**row._asdict(), "per_second": round(row.per_second, 3)} for row in rows]
        fields = {"model": choice.name, "kind": choice.kind, "load_ms": round(load_s * 1000, 3), "sizes": found}
        return console.finish(Exit.VALUE, fields)

    return with_model(options, console, bench, only_local=True)


def _requests(text: str, choice: Choice, options: Namespace) -> Iterator[InferenceRequest]:
    from actors.models.inference import InferenceRequest

    function = function_of(choice, options)
    number = 0
    while True:
        number += 1
        yield InferenceRequest(function=function, args=(text.replace("{}", str(number)),))


def _measured(model: ModelProvider, requests: Iterator[InferenceRequest], size: int, for_s: float) -> Measured:
    """Batches of `size`, one after the other. Raises Refused if a whole one fails."""
    from policies.errors import TargetFailed

    took: list[float] = []
    failed = 0
    began = time.perf_counter()
    while not took or time.perf_counter() - began < for_s:
        batch = [next(requests) for _ in range(size)]
        start = time.perf_counter()
        replies = model.infer_batch(batch)
        took.append(time.perf_counter() - start)
        failures = [each for each in replies if isinstance(each, TargetFailed)]
        failed += len(failures)
        if len(failures) == size:
            raise Refused.by(failures[0])
    seconds = sum(took)
    took.sort()
    p50, p99 = (took[min(len(took) - 1, int(len(took) * share))] * 1000 for share in (0.5, 0.99))
    return Measured(size, len(took), failed, seconds, round(p50, 3), round(p99, 3))


def _table(rows: Sequence[Measured]) -> list[str]:
    shown = [
        (
            str(row.size), str(row.batches), f"{row.p50_ms:.2f} ms", f"{row.p99_ms:.2f} ms",
            f"{row.per_second:.1f}", str(row.failed) if row.failed else "-",
        )
        for row in rows
    ]  # fmt: skip
    return aligned([("BATCH", "TIMES", "P50", "P99", "ANSWERS PER SECOND", "FAILED"), *shown])
