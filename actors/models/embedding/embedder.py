"""Texts to vectors that are near each other where the texts mean alike.

`LlamaEmbedder` runs a GGUF file under llama.cpp. Texts are packed into batches by their tokens, many texts into
one step of the model, so that a batch costs little more than its tokens.

What is freed twice, or shaped wrongly, ends the process, so all that touches llama.cpp's memory is in
`_Context`.
"""

from __future__ import annotations

import ctypes
import threading
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from actors.models.errors import ModelError
from actors.models.generation.runtime import first_error, llama, model_params
from actors.models.gguf_file import content_hash, read_gguf_file
from policies.errors import TargetFailed

type Vectors = NDArray[np.float32]
type Tokens = NDArray[np.int32]

#: tokens that one step of the model takes, unless its context is longer
_STEP_TOKENS: Final = 512
#: tokens of texts that share a step on a CPU. There the work is that of the tokens, whoever they belong to, and
#: attention looks from each of a step's tokens at all the others. So only short texts gain by going together;
#: how 64 sentences fare beside llama.cpp's own long steps is the first row of benchmarks/models_on_ray.py.
_CPU_ROOM: Final = 32
#: texts in one step
_STEP_TEXTS: Final = 64
#: characters of a text that are looked at; the tokens of more would not fit into the context
_LONGEST: Final = 20_000
#: of a model whose file does not say what it was made for
_DEFAULT_CONTEXT: Final = 512
#: tokens around a text: its beginning and its end
_AROUND: Final = 8


class Embedder(ABC):
    """Turns texts into vectors. Safe to use from many threads."""

    #: a hash of all that the vectors depend on
    version: str
    #: numbers of a vector
    dimensions: int

    @abstractmethod
    def embed(self, texts: Sequence[str]) -> Vectors:
        """
        Return a vector for each text.

        Returns:
            float32, shape (n, dimensions), rows of length 1, so that their products are cosines.

        Raises:
            TargetFailed: there are none.
        """

    def close(self) -> None:  # noqa: B027 - not every embedder holds something
        """Let go of everything, once or twice."""


class LlamaEmbedder(Embedder):
    """A GGUF file under llama.cpp. Of a text longer than the model's context the rest is not looked at.

    Args:
        path: of the file.
        threads: that it computes on.
        gpu_layers: layers on a GPU; -1: all.
        may_use_amx: whether to use the processor's AMX units; None: if they work.

    Raises:
        ModelError: the file cannot be used, or llama.cpp is missing.
    """

    def __init__(
        self, path: Path, *, threads: int = 1, gpu_layers: int = 0, may_use_amx: bool | None = None
    ) -> None:
        lib = llama()
        file = read_gguf_file(path)
        self.version = content_hash(path)
        trained = file.metadata.get(f"{file.architecture}.context_length")
        #: tokens of a text that are looked at, those around it included
        self.context = trained if isinstance(trained, int) and trained > _AROUND else _DEFAULT_CONTEXT
        self._using = threading.Lock()
        self._context: _Context | None = _Context(lib, path, self.context, threads, gpu_layers, may_use_amx)
        self.dimensions = self._context.dimensions

    def embed(self, texts: Sequence[str]) -> Vectors:
        """A vector for each text."""
        found = np.empty((len(texts), self.dimensions), np.float32)
        with self._using:
            context = self._context
            if context is None:
                raise TargetFailed("connection-lost", "the model was closed")
            split = [context.tokens(text) for text in texts]
            for start, end in _steps([len(tokens) for tokens in split], context.room):
                context.run(split[start:end], found[start:end])
        lengths = np.linalg.norm(found, axis=1, keepdims=True)
        np.divide(found, lengths, out=found, where=lengths > 0)
        return found

    def tokens(self, text: str) -> Tokens:
        """The tokens that are looked at of a text, with those around it: int32, shape (n,)."""
        with self._using:
            if self._context is None:
                raise TargetFailed("connection-lost", "the model was closed")
            return self._context.tokens(text)

    def close(self) -> None:
        """Free the model; waits for what it is doing."""
        with self._using:
            context, self._context = self._context, None
        if context is not None:
            context.close()


def _steps(lengths: Sequence[int], room: int) -> Iterator[tuple[int, int]]:
    """Texts that go into one step together, as ranges, in their order."""
    start = used = 0
    for at, length in enumerate(lengths):
        if at > start and (used + length > room or at - start == _STEP_TEXTS):
            yield start, at
            start, used = at, 0
        used += length
    if lengths:
        yield start, len(lengths)


def without_accents(text: str) -> str:
    """Letters without what is written above or below them.

    BERT's tokenizer works on such text. llama.cpp's takes accents away only from letters that are one character
    with theirs, and makes of a Korean syllable its first letter, so it is given the letters.
    """
    if text.isascii():
        return text
    apart = unicodedata.normalize("NFD", text)
    return "".join(char for char in apart if unicodedata.category(char) != "Mn")


class _Context:
    """A model with a context of llama.cpp, and the arrays that it is given. One thread at a time."""

    def __init__(
        self, lib: Any, path: Path, n_tokens: int, threads: int, gpu_layers: int, may_use_amx: bool | None
    ) -> None:
        self._lib = lib
        self._n_tokens = n_tokens
        self._handle: Any = None
        self.step_tokens = max(n_tokens, _STEP_TOKENS)
        #: tokens of texts that share a step
        self.room = self.step_tokens if gpu_layers else _CPU_ROOM
        params = model_params(gpu_layers, may_use_amx=may_use_amx)
        first_error()
        self._model = lib.llama_model_load_from_file(str(path).encode(), params)
        if not self._model:
            raise ModelError(f"{path}: llama.cpp cannot load this file: {first_error()}")
        try:
            self._vocab = lib.llama_model_get_vocab(self._model)
            kind = lib.llama_vocab_type(self._vocab)
            if kind == lib.LLAMA_VOCAB_TYPE_NONE:
                raise ModelError(f"{path}: the file has no vocabulary")
            self._is_bert = kind == lib.LLAMA_VOCAB_TYPE_WPM
            self.dimensions: int = lib.llama_model_n_embd_out(self._model)
            self._open(path, threads)
        except BaseException:
            self.close()
            raise
        self._row = ctypes.c_float * self.dimensions
        self._arrays()

    def _open(self, path: Path, threads: int) -> None:
        lib = self._lib
        params = lib.llama_context_default_params()
        params.embeddings = True
        params.n_ctx = params.n_batch = params.n_ubatch = self.step_tokens
        params.n_seq_max = _STEP_TEXTS
        params.n_threads = params.n_threads_batch = threads
        params.kv_unified = True
        params.no_perf = True
        if self.room < self.step_tokens:  # for so few tokens the plain way is the faster one
            params.flash_attn_type = lib.LLAMA_FLASH_ATTN_TYPE_DISABLED
        self._handle = lib.llama_init_from_model(self._model, params)
        if not self._handle:
            raise ModelError(f"{path}: llama.cpp cannot run this model: {first_error()}")
        pooling = lib.llama_pooling_type(self._handle)
        if pooling in (lib.LLAMA_POOLING_TYPE_NONE, lib.LLAMA_POOLING_TYPE_RANK):
            what = "has no way to make one vector of a text (`pooling_type`)"
            raise ModelError(f"{path}: expected a model that turns texts into vectors; this one {what}")
        self._has_memory = bool(lib.llama_get_memory(self._handle))
        self._run = (
            lib.llama_encode
            if lib.llama_model_has_encoder(self._model) and not lib.llama_model_has_decoder(self._model)
            else lib.llama_decode
        )

    def _arrays(self) -> None:
        size = self.step_tokens
        self._tokens = np.zeros(size, np.int32)
        self._positions = np.zeros(size, np.int32)
        self._sequences = np.zeros(size, np.int32)
        self._counts = np.ones(size, np.int32)
        self._wants = np.ones(size, np.int8)
        # of each token, where the number of its text stands
        self._pointers = self._sequences.ctypes.data + np.arange(size, dtype=np.uintp) * 4
        self._upwards = np.arange(size, dtype=np.int32)
        self._struct = batch = self._lib.llama_batch()
        kinds = dict(batch._fields_)
        for name, array in (
            ("token", self._tokens),
            ("pos", self._positions),
            ("n_seq_id", self._counts),
            ("seq_id", self._pointers),
            ("logits", self._wants),
        ):
            setattr(batch, name, ctypes.cast(array.ctypes.data, kinds[name]))

    def tokens(self, text: str) -> Tokens:
        text = text[:_LONGEST]
        data = (without_accents(text) if self._is_bert else text).encode(errors="replace")
        room = np.empty(len(data) + _AROUND, np.int32)
        pointer = ctypes.cast(room.ctypes.data, self._lib.llama_token_p)
        count = self._lib.llama_tokenize(self._vocab, data, len(data), pointer, len(room), True, False)
        if count < 0:
            raise TargetFailed("server-error", f"a text of {len(data)} bytes has no tokens")
        found: Tokens = room[:count]
        if count > self._n_tokens:
            end = found[-1]
            found = found[: self._n_tokens].copy()
            if self._lib.llama_vocab_get_add_sep(self._vocab) or self._lib.llama_vocab_get_add_eos(self._vocab):
                found[-1] = end
        return found

    def run(self, texts: Sequence[Tokens], rows: Vectors) -> None:
        """Fill `rows` with the vectors of texts that fit into one step."""
        lib = self._lib
        at = 0
        for number, tokens in enumerate(texts):
            end = at + len(tokens)
            self._tokens[at:end] = tokens
            self._positions[at:end] = self._upwards[: len(tokens)]
            self._sequences[at:end] = number
            at = end
        self._struct.n_tokens = at
        if self._has_memory:
            lib.llama_memory_clear(lib.llama_get_memory(self._handle), True)
        failed = self._run(self._handle, self._struct)
        if failed:
            raise TargetFailed("server-error", f"llama.cpp failed with {failed}: {first_error()}")
        for number in range(len(texts)):
            pointer = lib.llama_get_embeddings_seq(self._handle, number)
            if not pointer:
                raise TargetFailed("server-error", "llama.cpp gave no vector")
            address = ctypes.addressof(pointer.contents)
            rows[number] = np.frombuffer(self._row.from_address(address), np.float32)

    def close(self) -> None:
        lib = self._lib
        handle, self._handle = self._handle, None
        if handle:
            lib.llama_free(handle)
        model, self._model = self._model, None
        if model:
            lib.llama_model_free(model)
