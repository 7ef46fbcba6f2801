"""Texts as vectors: in batches, in order, of length 1, or a typed failure."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scripted_openai import embeds, in_turn
from scripted_server import Behaviour, ScriptedServer, answers, cuts

from actors.remote.openai.embeddings import MOST_CHARACTERS, MOST_TEXTS, OpenAiEmbedder, batches
from policies.errors import NotSent, TargetFailed

type Start = Callable[[Behaviour], ScriptedServer]


def embedder(asking: Any, there: ScriptedServer, more: str = "", **fields: Any) -> OpenAiEmbedder:
    return OpenAiEmbedder(asking(there, more).service, **fields)


def test_texts_become_rows_of_length_1_in_their_order(server: Start, asking: Any):
    there = server(embeds())
    ours = embedder(asking, there, "input_usd_per_mtok = 1000.0")
    vectors = ours.embed(["a", "bcd"])
    assert (vectors.dtype, vectors.shape, ours.dimensions) == (np.float32, (2, 3), 3)
    np.testing.assert_allclose(vectors, [[2**-0.5, 2**-0.5, 0], [3 * 10**-0.5, 10**-0.5, 0]], rtol=1e-6)
    assert there.received[0].path == "/v1/embeddings"
    assert there.received[0].json == {"model": "gpt-x", "input": ["a", "bcd"]}
    assert ours.spent_usd == pytest.approx(0.004)


def test_many_texts_go_in_batches(server: Start, asking: Any):
    there = server(embeds())
    texts = ["x" * (n % 7) for n in range(2 * MOST_TEXTS + 1)]
    vectors = embedder(asking, there).embed(texts)
    assert (len(vectors), there.count, there.connections) == (len(texts), 3, 1)
    np.testing.assert_allclose(vectors[:, 0] / vectors[:, 1], [len(text) for text in texts], rtol=1e-5)


def test_batches_hold_so_many_characters():
    long = "x" * MOST_CHARACTERS
    assert [len(batch) for batch in batches(["a", long, long, "b", "c"])] == [1, 1, 1, 2]
    assert list(batches([])) == []


def test_no_texts_are_no_rows(server: Start, asking: Any):
    there = server(embeds())
    assert embedder(asking, there, dimensions=5).embed([]).shape == (0, 5)
    assert there.count == 0
    assert embedder(asking, there).embed([]).shape == (0, 3)


def test_a_failure_that_passes_is_tried_again(server: Start, asking: Any):
    there = server(in_turn(cuts, answers(503), embeds()))
    ours = embedder(asking, there, "cost_usd = 0.25")
    assert len(ours.embed(["a"])) == 1
    assert (there.count, ours.spent_usd) == (3, 0.5)


def of(*vectors: Any, **first: Any) -> str:
    data = [{"index": n, "embedding": vector} for n, vector in enumerate(vectors)]
    data[0].update(first)
    return json.dumps({"data": data})


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ("[]", "expected 2 embeddings"),
        ('{"data": 3}', "expected 2 embeddings"),
        (of([1.0, 2.0]), "expected 2 embeddings"),
        (of([1.0], [1.0], [1.0]), "expected 2 embeddings"),
        (of([1.0], [1.0], index=1), "indices"),
        (of([1.0], [1.0], index=-1), "indices"),
        (of([1.0], [1.0], index=True), "indices"),
        ('{"data": [3, 4]}', "indices"),
        (of([1.0], [1.0, 2.0]), "of 1 numbers"),
        (of([], []), "list of numbers"),
        (of(["1"], [1.0]), "list of numbers"),
        (of([True], [1.0]), "list of numbers"),
        (of("AAAA", [1.0]), "list of numbers"),
        (of([math.nan], [1.0]), "no direction"),
        (of([math.inf], [1.0]), "no direction"),
        (of([0.0], [1.0]), "no direction"),
        (of([10**400], [1.0]), "no direction"),
        (of([1e300], [1.0]), "no direction"),
    ],
)
def test_what_is_no_answer(server: Start, asking: Any, body: str, detail: str):
    ours = embedder(asking, server(answers(200, body)), "cost_usd = 0.5")
    with pytest.raises(TargetFailed, match=detail) as failed:
        ours.embed(["a", "b"])
    assert (failed.value.cause, failed.value.cost_usd, ours.spent_usd) == ("bad-reply", 0.5, 0.5)


def test_the_dimension_stays(server: Start, asking: Any):
    there = server(embeds())
    ours = embedder(asking, there)
    ours.embed(["a"])
    there.behaviour = answers(200, of([1.0, 2.0]))
    with pytest.raises(TargetFailed, match="of 3 numbers"):
        ours.embed(["a"])
    with pytest.raises(TargetFailed, match="of 4 numbers"):
        embedder(asking, there, dimensions=4).embed(["a"])


def test_the_version_names_the_service_and_its_model(server: Start, asking: Any):
    one, other = server(embeds()), server(embeds())
    versions = {embedder(asking, there).version for there in (one, other)}
    assert len(versions) == 2
    assert embedder(asking, one, "timeout = 5").version in versions


def test_money_bounds_it(server: Start, asking: Any):
    there = server(embeds())
    with pytest.raises(NotSent):
        embedder(asking, there, "cost_usd = 0.5", max_cost_usd=0.1).embed(["a"])
    assert there.count == 0
