from __future__ import annotations

from pathlib import Path

import pytest
from tiny_gguf import CHATML, Tiny, write_tiny

pytest.importorskip("llama_cpp", reason="llama.cpp is not installed")


@pytest.fixture(scope="session")
def tiny_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with a chat template."""
    return write_tiny(tmp_path_factory.mktemp("tiny") / "tiny.gguf", Tiny(template=CHATML))


@pytest.fixture(scope="session")
def plain_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One without."""
    return write_tiny(tmp_path_factory.mktemp("plain") / "plain.gguf", Tiny())
