from __future__ import annotations

import contextlib
import hashlib
import random
import struct
from pathlib import Path

import pytest
from tiny_gguf import Tiny, write_corrupt, write_tiny, write_truncated

from actors.models.errors import ModelError
from actors.models.gguf_file import content_hash, read_gguf_file

pytest.importorskip("gguf", reason="the package that writes GGUF files is not installed")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("gguf") / "tiny.gguf", Tiny())


def text(words: str) -> bytes:
    return struct.pack("<Q", len(words)) + words.encode()


def header(*, magic: bytes = b"GGUF", version: int = 3, tensors: int = 0, entries: int = 0) -> bytes:
    return magic + struct.pack("<IQQ", version, tensors, entries)


def entry(key: str, words: str) -> bytes:
    return text(key) + struct.pack("<I", 8) + text(words)


ARCHITECTURE = entry("general.architecture", "llama")


def tensor(name: str = "t", shape: tuple[int, ...] = (32,), kind: int = 0, offset: int = 0) -> bytes:
    numbers = b"".join(struct.pack("<Q", length) for length in shape)
    return text(name) + struct.pack("<I", len(shape)) + numbers + struct.pack("<IQ", kind, offset)


def refused(tmp_path: Path, data: bytes) -> str:
    path = tmp_path / "x.gguf"
    path.write_bytes(data)
    with pytest.raises(ModelError) as caught:
        read_gguf_file(path)
    told = str(caught.value)
    assert told.startswith(f"{path}: ")
    return told.removeprefix(f"{path}: ")


def test_a_whole_file(tiny: Path) -> None:
    found = read_gguf_file(tiny)
    assert found.architecture == "llama"
    assert found.metadata["llama.context_length"] == 512
    assert found.metadata["general.name"] == "tiny"
    assert found.metadata["tokenizer.ggml.add_bos_token"] is True
    assert found.lengths["tokenizer.ggml.tokens"] == 512
    assert found.tensors["token_embd.weight"] == (32, 512)


def test_any_file_cut_off_is_refused(tiny: Path, tmp_path: Path) -> None:
    for share in [at / 40 for at in range(40)] + [0.9999]:
        with pytest.raises(ModelError):
            read_gguf_file(write_truncated(tmp_path / "cut.gguf", tiny, share))


def test_whatever_is_damaged_there_is_an_answer_or_a_model_error(tiny: Path, tmp_path: Path) -> None:
    rng = random.Random(5)
    header_bytes = 20_000
    for _ in range(300):
        value = bytes(rng.randrange(256) for _ in range(rng.choice((1, 4, 8))))
        damaged = write_corrupt(tmp_path / "bad.gguf", tiny, rng.randrange(header_bytes), value)
        with contextlib.suppress(ModelError):
            read_gguf_file(damaged)


WRONG = [
    (b"", "expected a GGUF file, it is empty"),
    (b"GG", "expected a GGUF file, it is `GG`"),
    (b"PK\x03\x04more", "expected a GGUF file, it begins with b'PK\\x03\\x04'"),
    (b"{\"a\": 1}", 'expected a GGUF file, it begins with `{"a"`'),
    (header(version=1), "expected a GGUF file of version 2 or 3, little-endian, this one is of version 1"),
    (
        header(version=3 << 24),
        "expected a GGUF file of version 2 or 3, little-endian, this one has its bytes in big-endian order",
    ),
    (header(entries=1 << 40), f"the file is damaged: it tells of {1 << 40} entries"),
    (header(tensors=1 << 40), f"the file is damaged: it tells of {1 << 40} tensors"),
    (header(entries=2) + ARCHITECTURE * 2, "the file is damaged: it tells `general.architecture` twice"),
    (
        header(entries=1) + text("k") + struct.pack("<I", 99),
        "the file is damaged or too new: `k` is of a type 99",
    ),
    (
        header(entries=1) + text("k") + struct.pack("<IIQ", 9, 8, 1 << 60),
        f"the file is cut off or damaged: `k` has {1 << 60} texts",
    ),
    (header(), "the file does not say what its model is: `general.architecture` is missing"),
    (
        header(entries=1, tensors=2) + ARCHITECTURE + tensor() * 2 + b"\0" * 400,
        "the file is damaged: it has a tensor `t` twice",
    ),
    (
        header(entries=1, tensors=1) + ARCHITECTURE + tensor(kind=77),
        "the file is damaged or too new: the tensor `t` is of a type 77",
    ),
    (
        header(entries=1, tensors=1) + ARCHITECTURE + tensor(shape=(1,) * 9),
        "the file is damaged: the tensor `t` has 9 dimensions",
    ),
    (
        header(entries=1, tensors=1) + ARCHITECTURE + tensor(offset=5) + b"\0" * 400,
        "the file is damaged: the tensor `t` does not lie as it should",
    ),
    (
        header(entries=1, tensors=1) + ARCHITECTURE + tensor(),
        "the file is cut off: 154 bytes are missing, `t` lies beyond its end",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("data", "told"), WRONG)
def test_what_is_wrong_is_told(tmp_path: Path, data: bytes, told: str) -> None:
    assert refused(tmp_path, data) == told


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "none.gguf", tmp_path, Path("nul\0.gguf")):
        for read in (read_gguf_file, content_hash):
            with pytest.raises(ModelError, match="cannot read the file"):
                read(path)


def test_the_hash_follows_the_content(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"one")
    assert content_hash(path) == hashlib.sha256(b"one").hexdigest()
    path.write_bytes(b"other")
    assert content_hash(path) == hashlib.sha256(b"other").hexdigest()
