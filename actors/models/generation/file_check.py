"""What a whole GGUF file may have wrong: it generates nothing, or llama.cpp ends its process over it.

The numbers were found by loading files with one byte changed, some tens of thousands of them. What else is
wrong with such a file llama.cpp refuses by itself.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

from actors.models.errors import ModelError
from actors.models.gguf_file import GgufFile

#: architectures that turn texts into vectors and generate nothing
EMBEDDERS: Final = frozenset(
    {"bert", "nomic-bert", "nomic-bert-moe", "neo-bert", "jina-bert-v2", "jina-bert-v3", "modern-bert",
     "eurobert", "gemma-embedding", "t5encoder"}
)  # fmt: skip
#: `LLAMA_POOLING_TYPE_NONE` and `LLAMA_POOLING_TYPE_RANK` of llama.cpp
_NO_VECTOR: Final = (0, 4)
#: `LLAMA_MAX_LAYERS` of llama.cpp
_MOST_LAYERS: Final = 512
#: many more than any model has: llama.cpp ends its process over some such numbers, and takes hours over others
_MOST_HEADS: Final = 8192


def check_generates(path: Path, file: GgufFile) -> None:
    """Raises ModelError if the model is one that only turns texts into vectors."""
    if file.architecture in EMBEDDERS:
        what = f"this model turns texts into vectors (`{file.architecture}`) and generates nothing"
        raise ModelError(f'{path}: {what}; use it with `kind = "classifier"`')


def check_embeds(path: Path, file: GgufFile) -> None:
    """Raises ModelError if the model makes no vectors of texts."""
    if file.metadata.get(f"{file.architecture}.pooling_type", 0) in _NO_VECTOR:
        what = "has no way to make one vector of a text (`pooling_type`)"
        raise ModelError(f"{path}: expected a model that turns texts into vectors; this one {what}")


def check_numbers(path: Path, file: GgufFile) -> None:
    """Raises ModelError if llama.cpp would not bear the file, or if it is a part of one."""
    parts = file.metadata.get("split.count", 0)
    if parts not in (0, 1):
        raise ModelError(
            f"{path}: this is one of {parts} parts of a model; join them by `llama-gguf-split --merge`"
        )
    key = f"{file.architecture}.block_count"
    layers = file.metadata.get(key)
    if not isinstance(layers, int) or not 1 <= layers <= _MOST_LAYERS:
        said = "missing" if layers is None else layers
        raise ModelError(f"{path}: the file is damaged: `{key}` is {said}, expected 1 to {_MOST_LAYERS}")
    for kind in ("head_count", "head_count_kv"):
        key = f"{file.architecture}.attention.{kind}"
        heads = file.metadata.get(key, 0)
        if not isinstance(heads, int) or not 0 <= heads <= _MOST_HEADS:
            raise ModelError(f"{path}: the file is damaged: `{key}` is {heads}, expected 0 to {_MOST_HEADS}")
    for name, value in file.metadata.items():
        if name.endswith("_epsilon") and not (isinstance(value, float) and 0 < value < math.inf):
            raise ModelError(f"{path}: the file is damaged: `{name}` is {value}")
