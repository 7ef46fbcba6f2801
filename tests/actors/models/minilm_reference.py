"""MiniLM once more, written after its paper and not for speed: what llama.cpp is compared with.

Source: BertTokenizer and BertModel of transformers; pooling as in sentence-transformers.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from actors.models.embedding.minilm import weights_folder
from actors.models.embedding.safetensors import read_safetensors

type Floats = NDArray[np.float32]

_LAYERS, _HEADS, _EPSILON, _CONTEXT = 6, 12, 1e-12, 512
_LONGEST_WORD = 100
_CHINESE = [
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
]  # fmt: skip


class Reference:
    """Tokens and vectors of texts."""

    @cached_property
    def _words(self) -> Mapping[str, int]:
        lines = (weights_folder() / "vocab.txt").read_text(encoding="utf-8").rstrip("\n").split("\n")
        return {word: number for number, word in enumerate(lines)}

    @cached_property
    def _weights(self) -> Mapping[str, Floats]:
        return read_safetensors(weights_folder() / "model.safetensors")

    def tokens(self, text: str) -> list[int]:
        """With those at the beginning and end; no more than the context has."""
        pieces = [piece for word in _words_of(text) for piece in self._pieces(word)]
        return [self._words["[CLS]"], *pieces[: _CONTEXT - 2], self._words["[SEP]"]]

    def _pieces(self, word: str) -> list[int]:
        if len(word) > _LONGEST_WORD:
            return [self._words["[UNK]"]]
        found, start = [], 0
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = word[start:end] if start == 0 else "##" + word[start:end]
                if piece in self._words:
                    found.append(self._words[piece])
                    start = end
                    break
            else:
                return [self._words["[UNK]"]]
        return found

    def embed(self, texts: Sequence[str]) -> Floats:
        """Vectors of length 1."""
        return np.stack([self._vector(self.tokens(text)) for text in texts])

    def _vector(self, tokens: Sequence[int]) -> Floats:
        w = self._weights
        x = w["embeddings.word_embeddings.weight"][list(tokens)]
        x = x + w["embeddings.position_embeddings.weight"][: len(tokens)]
        x = x + w["embeddings.token_type_embeddings.weight"][0]
        x = self._norm(x, "embeddings.LayerNorm")
        for number in range(_LAYERS):
            x = self._layer(x, f"encoder.layer.{number}.")
        mean = x.mean(axis=0)
        return np.asarray(mean / np.linalg.norm(mean), np.float32)

    def _layer(self, x: Floats, layer: str) -> Floats:
        q, k, v = (
            self._linear(x, f"{layer}attention.self.{name}").reshape(len(x), _HEADS, -1).transpose(1, 0, 2)
            for name in ("query", "key", "value")
        )
        scores = q @ k.transpose(0, 2, 1) / math.sqrt(q.shape[-1])
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        seen = (weights @ v).transpose(1, 0, 2).reshape(len(x), -1)
        x = self._norm(
            x + self._linear(seen, f"{layer}attention.output.dense"), f"{layer}attention.output.LayerNorm"
        )
        wide = self._linear(x, f"{layer}intermediate.dense")
        wide = wide * 0.5 * (1 + np.vectorize(math.erf)(wide / math.sqrt(2)))
        return self._norm(
            x + self._linear(wide.astype(np.float32), f"{layer}output.dense"), f"{layer}output.LayerNorm"
        )

    def _linear(self, x: Floats, name: str) -> Floats:
        return x @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]

    def _norm(self, x: Floats, name: str) -> Floats:
        centred = x - x.mean(axis=-1, keepdims=True)
        scale = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + _EPSILON)
        return np.asarray(
            centred / scale * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"], np.float32
        )


def _words_of(text: str) -> list[str]:
    """Words, and punctuation and Chinese characters each alone, in lower case and without accents."""
    cleaned = "".join(_cleaned(char) for char in text)
    found = []
    for word in cleaned.split():
        bare = "".join(c for c in unicodedata.normalize("NFD", word.lower()) if unicodedata.category(c) != "Mn")
        found += "".join(f" {c} " if _is_punctuation(c) else c for c in bare).split()
    return found


def _cleaned(char: str) -> str:
    code, category = ord(char), unicodedata.category(char)
    if char in "\t\n\r" or category == "Zs":
        return " "
    if code in (0, 0xFFFD) or category.startswith("C"):
        return ""
    return f" {char} " if any(first <= code <= last for first, last in _CHINESE) else char


def _is_punctuation(char: str) -> bool:
    is_ascii = char.isascii() and char.isprintable() and not char.isalnum() and char != " "
    return is_ascii or unicodedata.category(char).startswith("P")
