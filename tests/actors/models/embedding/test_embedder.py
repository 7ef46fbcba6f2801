from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from tiny_gguf import Tiny, write_corrupt, write_tiny, write_truncated

from actors.models.embedding.embedder import LlamaEmbedder, _steps, without_accents
from actors.models.errors import ModelError
from actors.models.gguf_file import content_hash
from policies.errors import TargetFailed

TEXTS = [f"{word} {number}" for number in range(30) for word in ("disk", "network", "the cat sat on the mat")]


def test_rows_are_of_length_one(minilm: LlamaEmbedder) -> None:
    found = minilm.embed(TEXTS)
    assert found.dtype == np.float32
    assert found.shape == (len(TEXTS), 384)
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


def test_what_else_is_in_a_batch_changes_nothing(minilm: LlamaEmbedder) -> None:
    together = minilm.embed(TEXTS)
    alone = np.concatenate([minilm.embed([text]) for text in TEXTS[:20]])
    assert ((together[:20] * alone).sum(axis=1) > 0.9999).all()


def test_no_texts(minilm: LlamaEmbedder) -> None:
    assert minilm.embed([]).shape == (0, 384)


def test_of_a_long_text_the_rest_is_not_looked_at(minilm: LlamaEmbedder) -> None:
    long = "the quick brown fox " * 300
    assert len(minilm.tokens(long)) == minilm.context == 512
    one, other, different = minilm.embed([long, long + "and an end", "another one"])
    assert one @ other > 0.99999
    assert one @ different < 0.9
    assert minilm.embed(["word " * 1_000_000]).shape == (1, 384)


def test_long_and_short_texts_together(minilm: LlamaEmbedder) -> None:
    texts = ["a", "the " * 600, "", "b " * 200, "c " * 400, *("d",) * 100]
    alone = np.concatenate([minilm.embed([text]) for text in texts[:6]])
    assert ((minilm.embed(texts)[:6] * alone).sum(axis=1) > 0.9999).all()


def test_many_threads(minilm: LlamaEmbedder) -> None:
    wanted = minilm.embed(TEXTS)

    def embed(number: int) -> bool:
        texts = TEXTS[number::4]
        return bool(((minilm.embed(texts) * wanted[number::4]).sum(axis=1) > 0.9999).all())

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(embed, [0, 1, 2, 3] * 5))


@pytest.mark.parametrize(
    ("lengths", "steps"),
    [
        ([], []),
        ([9], [(0, 1)]),
        ([99], [(0, 1)]),
        ([4, 4, 4], [(0, 2), (2, 3)]),
        ([5, 5, 5, 5], [(0, 2), (2, 4)]),
        ([1] * 70, [(0, 10), (10, 20), (20, 30), (30, 40), (40, 50), (50, 60), (60, 70)]),
    ],
)
def test_steps(lengths: list[int], steps: list[tuple[int, int]]) -> None:
    assert list(_steps(lengths, 10)) == steps


def test_a_step_has_at_most_64_texts() -> None:
    assert list(_steps([1] * 130, 1000)) == [(0, 64), (64, 128), (128, 130)]


def test_without_accents() -> None:
    assert without_accents("Ärger naïve e\u0301") == "Arger naive e"
    assert without_accents("plain") == "plain"


# ---------------------------------------------------------------- life


def test_the_version_is_the_files(minilm: LlamaEmbedder, minilm_path: Path) -> None:
    assert minilm.version == content_hash(minilm_path)


def test_after_it_was_closed(minilm_path: Path) -> None:
    embedder = LlamaEmbedder(minilm_path)
    embedder.embed(["a"])
    embedder.close()
    embedder.close()
    for ask in (lambda: embedder.embed(["a"]), lambda: embedder.tokens("a")):
        with pytest.raises(TargetFailed, match="connection-lost: the model was closed"):
            ask()


def test_closing_while_it_works(minilm_path: Path) -> None:
    embedder = LlamaEmbedder(minilm_path)

    def work() -> None:
        while True:
            embedder.embed(TEXTS[:5])

    with ThreadPoolExecutor(3) as pool:
        running = [pool.submit(work) for _ in range(3)]
        embedder.embed(TEXTS[:1])
        embedder.close()
        for each in running:
            with pytest.raises(TargetFailed):
                each.result(timeout=60)


# ---------------------------------------------------------------- files that cannot be used


def refusal(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        LlamaEmbedder(path)
    return str(caught.value)


def test_files_that_are_not_there_or_damaged(tmp_path: Path, minilm_path: Path) -> None:
    assert "cannot read the file" in refusal(tmp_path / "none.gguf")
    assert "cut off" in refusal(write_truncated(tmp_path / "cut.gguf", minilm_path))
    (tmp_path / "text.gguf").write_text("hello")
    assert "expected a GGUF file" in refusal(tmp_path / "text.gguf")


def test_a_file_that_lies_about_its_model(tmp_path: Path, minilm_path: Path) -> None:
    at = minilm_path.read_bytes().index(b"bert.block_count") + len(b"bert.block_count") + 4
    damaged = write_corrupt(tmp_path / "x.gguf", minilm_path, at, (60).to_bytes(4, "little"))
    assert "llama.cpp cannot load this file: " in refusal(damaged)


def test_a_model_that_generates(tmp_path: Path) -> None:
    told = refusal(write_tiny(tmp_path / "tiny.gguf", Tiny()))
    assert told.endswith("this one has no way to make one vector of a text (`pooling_type`)")
