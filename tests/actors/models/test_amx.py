from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from tiny_gguf import Tiny, write_tiny

from actors.models import amx
from actors.models.amx import is_safe, write_trial
from actors.models.generation.gguf_model import GgufModel
from actors.models.inference import FunctionFacts, InferenceRequest
from policies.file.schema import LocalModelEntry

WITH, WITHOUT = b"AVX512 = 1 | AMX_INT8 = 1 | ", b"AVX512 = 1 | "


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[bool | None]:
    """What trials find, the next one last; the outcomes that are kept are this test's own."""
    found: list[bool | None] = []
    monkeypatch.setattr(amx, "_try", found.pop)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return found


def library(folder: Path, tells: bytes, content: str = "code") -> SimpleNamespace:
    path = folder / "libllama.so"
    code = folder / "libggml-cpu.so"
    if not code.exists() or code.read_text() != content:
        code.write_text(content)
    loaded = SimpleNamespace(_lib=SimpleNamespace(_name=str(path)))
    return SimpleNamespace(llama_print_system_info=lambda: tells, llama_cpp=loaded)


def test_without_code_for_it_nothing_is_tried(trials: list[bool | None], tmp_path: Path) -> None:
    assert is_safe(library(tmp_path, WITHOUT))


@pytest.mark.parametrize("works", [True, False])
def test_a_build_is_tried_once(
    works: bool, trials: list[bool | None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trials[:] = [not works, works]
    with caplog.at_level(logging.WARNING):
        assert is_safe(library(tmp_path, WITH)) is works
    assert ("quantized models run without" in caplog.text) is not works
    assert is_safe(library(tmp_path, WITH)) is works
    assert is_safe(library(tmp_path, WITH, "code of another build")) is not works


def test_a_trial_that_could_not_be_made_is_made_again(trials: list[bool | None], tmp_path: Path) -> None:
    trials[:] = [True, None]
    assert not is_safe(library(tmp_path, WITH))
    assert is_safe(library(tmp_path, WITH))


def test_an_outcome_that_cannot_be_kept(
    trials: list[bool | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "no" / "folder"))
    trials[:] = [True, True]
    with caplog.at_level(logging.INFO):
        assert is_safe(library(tmp_path, WITH))
    assert "is tried anew by each process" in caplog.text
    assert is_safe(library(tmp_path, WITH))


def test_what_others_could_have_put_there_is_not_believed(trials: list[bool | None], tmp_path: Path) -> None:
    trials[:] = [False, True]
    assert is_safe(library(tmp_path, WITH))
    (folder,) = tmp_path.glob("rtfs-llama-*")
    folder.chmod(0o777)
    assert not is_safe(library(tmp_path, WITH))


def test_the_trial_that_another_process_makes(caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("llama_cpp", reason="llama.cpp is not installed")
    assert amx._try() in (True, False)  # None: it ended for another reason than its products
    assert "could not be tried" not in caplog.text


def test_quantized_weights(tmp_path: Path) -> None:
    """These would end the process if AMX did not work and was used."""
    pytest.importorskip("llama_cpp", reason="llama.cpp is not installed")
    from actors.models.embedding.embedder import LlamaEmbedder

    embedder = LlamaEmbedder(write_trial(tmp_path / "trial.gguf"))
    one, other = embedder.embed(["a", "a a a a a a a a"])
    embedder.close()
    assert one @ one == pytest.approx(1)
    assert one @ other < 0.999


def test_a_quantized_model_that_writes(tmp_path: Path) -> None:
    pytest.importorskip("llama_cpp", reason="llama.cpp is not installed")
    path = write_tiny(tmp_path / "tiny.gguf", Tiny(n_embd=64, n_ctx=2048, is_quantized=True))
    function = FunctionFacts(symbol="f", parameters=("x",), parameter_types=("string",), return_type="bool")
    with GgufModel("tiny", LocalModelEntry(path=str(path), device="cpu:1", max_tokens=50)) as model:
        assert model.infer(InferenceRequest(function, ("is it so?",))).value in (True, False)
