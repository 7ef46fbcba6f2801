"""What models can answer, and what it takes to ask and read them. `python benchmarks/answers.py [--json]`

Coverage is counted over the table of types of the tests. Times are beside what Python takes for less: a
reply is read beside `json.loads` of its text, a prompt made beside `json.dumps` of its arguments.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "rtfs" / "types"))

from answer_types import ALIASES, CASES

from actors.models.answers import answer_spec
from actors.models.inference import FunctionFacts, InferenceRequest
from actors.models.prompt import chat_prompt
from benchmarks.measure import Row, bound, report
from rtfs.types.answerable import unsupported
from rtfs.types.grammar import grammar
from rtfs.types.parser import parse_type_text, type_text
from rtfs.values import Value, Vector

CALLS = 1_000


def coverage() -> Iterator[Row]:
    """How many types of the table are what. The time is that of a type: schema, grammar and all."""
    partly: list[bool] = []
    began = time.perf_counter()
    for case in CASES:
        wanted = parse_type_text(case.text)
        if unsupported(wanted, ALIASES) is None:
            partly.append(bool(grammar(wanted, ALIASES).partly))
    each_s = (time.perf_counter() - began) / len(CASES)
    unsupported_there = sum(case.verdict == "none" for case in CASES)
    for what, count, wanted_count in (
        ("that models can answer", len(partly), len(CASES) - unsupported_there),
        ("whose grammar says all", partly.count(False), sum(case.verdict == "full" for case in CASES)),
        ("whose grammar leaves something to the reader", partly.count(True), None),
        ("named as not", len(CASES) - len(partly), unsupported_there),
    ):
        reach = "" if wanted_count is None else f">= {wanted_count}"
        reached = wanted_count is None or count >= wanted_count
        yield Row(f"{count} of {len(CASES)} types {what}", each_s, None, "", count, "types", reach, reached)


def facts(returns: str) -> FunctionFacts:
    names = {name: type_text(definition) for name, definition in ALIASES.items()}
    return FunctionFacts(
        symbol="shop/order", doc="Reads an order.", parameters=("text",), parameter_types=("string",),
        return_type=returns, aliases=names,
    )  # fmt: skip


ORDER = json.dumps(
    {
        "id": "o-1",
        "items": [{"sku": f"s-{n}", "count": n + 1, "price": 0.5} for n in range(20)],
        "at": "2025-01-31T10:20:30Z",
    },
    separators=(",", ":"),
)


def reading(returns: str, text: str, at_most_s: float) -> Row:
    spec = answer_spec(facts(returns))

    def ours() -> None:
        for _ in range(CALLS):
            spec.read(text)

    def peer() -> None:
        for _ in range(CALLS):
            json.loads(text)

    what = f"read {len(text)} characters of `{returns}`"
    return bound(what, ours, peer, peer_name="json.loads", at_most_s=at_most_s, rounds=5, repeats=CALLS)


def prompting() -> Row:
    arguments: Value = Vector([f"line {n} of an order" for n in range(50)])
    request = InferenceRequest(facts("Order"), (arguments,))
    plain = arguments.to_list()

    def ours() -> None:
        for _ in range(CALLS):
            chat_prompt(request, tell_schema=True)

    def peer() -> None:
        for _ in range(CALLS):
            json.dumps(plain, ensure_ascii=False)

    what = "a prompt with 50 strings and a schema"
    return bound(what, ours, peer, peer_name="json.dumps", at_most_s=1e-3, rounds=5, repeats=CALLS)


def rows() -> list[Row]:
    return [
        *coverage(),
        reading("int", "5", 50e-6),
        reading("[:map [:mood Mood] [:share Share ?]]", '{"mood":":glad","share":0.5}', 100e-6),
        reading("Order", ORDER, 2e-3),
        prompting(),
    ]


if __name__ == "__main__":
    raise SystemExit(report("Answers of models", rows))
