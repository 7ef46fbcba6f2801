"""An entry of the policy becomes an embedder."""

from __future__ import annotations

from pathlib import Path

from actors.models.embedding.embedder import LlamaEmbedder
from actors.models.embedding.minilm import NAME, minilm_file
from actors.models.errors import ModelError
from policies.file.device import share_of
from policies.file.schema import LocalModelEntry


def load_embedder(entry: LocalModelEntry) -> LlamaEmbedder:
    """The embedder in the file of `entry`; `minilm` in place of a path is the one that comes along.

    Raises:
        ModelError: the file cannot be used, or llama.cpp is missing.
    """
    if entry.path is None:
        raise ModelError(f"expected the `path` of a GGUF file, or `{NAME}`, it is missing")
    path = minilm_file() if entry.path == NAME else Path(entry.path)
    share = share_of(entry.device)
    # One thread unless the policy names more: a sentence is so little work that several threads mostly wait for
    # each other, and where the machine is busy for the one that is not running.
    return LlamaEmbedder(path, threads=share.threads or 1, gpu_layers=entry.gpu_layers if share.gpus else 0)
