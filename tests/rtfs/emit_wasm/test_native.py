"""Machine code is kept on disk, and believed only if it is what was written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import rtfs
from rtfs.emit_wasm import compile_unit
from rtfs.emit_wasm.artifact import WasmArtifact
from rtfs.emit_wasm.execute import Executor

wasmtime: Any = pytest.importorskip("wasmtime", reason="wasmtime is not installed")


class Counted:
    """Stands for `wasmtime.Module`; counts what is compiled."""

    def __init__(self, real: Any) -> None:
        self.real = real
        self.compiled = 0

    def __call__(self, *args: Any) -> Any:
        self.compiled += 1
        return self.real(*args)

    def deserialize(self, *args: Any) -> Any:
        return self.real.deserialize(*args)


@pytest.fixture
def compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Counted:
    monkeypatch.setenv("RTFS_CACHE_DIR", str(tmp_path / "cache"))
    counted = Counted(wasmtime.Module)
    monkeypatch.setattr(wasmtime, "Module", counted)
    return counted


def artifact(text: str = "(defn f [n : int] : int (* n n))") -> WasmArtifact:
    return compile_unit(rtfs.compile(text).unit)


def called(made: WasmArtifact | None = None) -> Any:
    """What `f` gives for 7, loaded as by a new process."""
    return Executor().load(made or artifact())["f"](7)


def entries(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache" / "native").iterdir())


def test_it_is_compiled_once(tmp_path: Path, compiled: Counted) -> None:
    assert [called() for _ in range(3)] == [49, 49, 49]
    assert compiled.compiled == 1
    (path,) = entries(tmp_path)
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


def test_another_module_and_another_engine_are_another_entry(tmp_path: Path, compiled: Counted) -> None:
    called()
    assert called(artifact("(defn f [n : int] : int (+ n n))")) == 14
    assert Executor(fuel=1_000_000).load(artifact())["f"](7) == 49
    assert (compiled.compiled, len(entries(tmp_path))) == (3, 3)


def test_whatever_is_changed_in_it_is_noticed(tmp_path: Path, compiled: Counted) -> None:
    called()
    (path,) = entries(tmp_path)
    good = path.read_bytes()
    spoilt = [good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :] for at in range(0, len(good), len(good) // 40)]
    for data in (*spoilt, b"", good[:-1], good + b"x", good[: len(good) // 2]):
        path.write_bytes(data)
        before = compiled.compiled
        assert called() == 49
        assert compiled.compiled == before + 1
        assert path.read_bytes() == good  # it took its place


def test_an_entry_under_another_name_is_none(tmp_path: Path, compiled: Counted) -> None:
    called()
    (path,) = entries(tmp_path)
    good = path.read_bytes()
    path.unlink()
    called(artifact("(defn f [n : int] : int (+ n n))"))
    (other,) = entries(tmp_path)
    other.write_bytes(good)
    assert called(artifact("(defn f [n : int] : int (+ n n))")) == 14


def test_what_others_may_write_is_not_read(tmp_path: Path, compiled: Counted) -> None:
    called()
    (path,) = entries(tmp_path)
    path.chmod(0o666)
    assert called() == 49
    assert compiled.compiled == 2


def test_without_a_folder_it_is_compiled_each_time(compiled: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTFS_CACHE_DIR", "/proc/none")
    assert [called() for _ in range(2)] == [49, 49]
    assert compiled.compiled == 2
