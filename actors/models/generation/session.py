"""A model and a context of llama.cpp: tokens in, logits out.

`tokens` may be called from any thread at any time; all else by one thread at a time. What is freed twice,
read after it was freed, or shaped wrongly ends the process, so all of that is in here.
"""

from __future__ import annotations

import ctypes
import threading
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from actors.models.errors import ModelError
from actors.models.generation.memory import available_bytes, text_of
from actors.models.generation.runtime import first_error, llama, model_params
from policies.errors import TargetFailed

#: tokens that one step takes at most: what a long prompt may delay everybody else
STEP_TOKENS: Final = 256
#: a text's tokens are at most as many as its bytes, and what is put around it
_AROUND: Final = 8
_LONGEST_PIECE: Final = 1 << 16

type Tokens = NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """How a model is run."""

    path: str
    #: tokens of a prompt with its answer
    n_ctx: int
    #: sequences at once
    parallel: int
    n_threads: int
    #: layers on a GPU; -1: all
    gpu_layers: int


class Session:
    """One model with one context.

    Raises:
        ModelError: llama.cpp does not take the file.
        TargetFailed: there is not enough memory for it, `out-of-memory`.
    """

    def __init__(self, settings: SessionSettings) -> None:
        self._lib = lib = llama()
        #: held while a text is split, so that the model is not freed meanwhile
        self._splitting = threading.Lock()
        self._context: Any = None
        params = model_params(settings.gpu_layers)
        first_error()
        self._model = lib.llama_model_load_from_file(settings.path.encode(), params)
        if not self._model:
            raise ModelError(f"{settings.path}: llama.cpp cannot load this file: {first_error()}")
        try:
            self._vocab = lib.llama_model_get_vocab(self._model)
            self.n_vocab: int = lib.llama_vocab_n_tokens(self._vocab)
            self._check(settings.path)
            self._open(settings)
        except BaseException:
            self.close()
            raise
        bos = lib.llama_vocab_bos(self._vocab)
        #: the token that a prompt begins with, if the model wants one
        self.bos: int | None = bos if bos >= 0 and lib.llama_vocab_get_add_bos(self._vocab) else None
        self.n_ctx: int = min(settings.n_ctx, lib.llama_n_ctx_seq(self._context))
        self.parallel = settings.parallel
        self._batch = _Batch(lib, STEP_TOKENS + settings.parallel)
        self._floats = ctypes.c_float * self.n_vocab

    def _check(self, path: str) -> None:
        lib = self._lib
        model = self._model
        if (
            not lib.llama_model_has_decoder(model)
            or lib.llama_model_has_encoder(model)
            or lib.llama_model_is_diffusion(model)
        ):
            raise ModelError(f"{path}: this model does not generate text token by token")
        kind = lib.llama_vocab_type(self._vocab)
        if kind == lib.LLAMA_VOCAB_TYPE_NONE:
            raise ModelError(f"{path}: the file has no vocabulary")
        # llama.cpp ends the process at the first text that such a vocabulary cannot spell
        if kind == lib.LLAMA_VOCAB_TYPE_SPM and not self._spells_bytes():
            raise ModelError(f"{path}: the vocabulary lacks some of the 256 tokens for single bytes")

    def _spells_bytes(self) -> bool:
        lib = self._lib
        named = {lib.llama_vocab_get_text(self._vocab, token) for token in range(self.n_vocab)}
        return all(f"<0x{byte:02X}>".encode() in named or bytes((byte,)) in named for byte in range(256))

    def _open(self, settings: SessionSettings) -> None:
        lib = self._lib
        self._check_memory(settings)
        params = lib.llama_context_default_params()
        params.n_ctx = settings.n_ctx * settings.parallel
        params.n_seq_max = settings.parallel
        params.n_batch = params.n_ubatch = STEP_TOKENS + settings.parallel
        params.n_threads = params.n_threads_batch = settings.n_threads
        params.kv_unified = False
        params.no_perf = True
        self._context = lib.llama_init_from_model(self._model, params)
        if not self._context:
            detail = f"{settings.path}: no memory for {settings.parallel} answers of {settings.n_ctx} tokens"
            raise TargetFailed("out-of-memory", detail)
        self._memory = lib.llama_get_memory(self._context)

    def _check_memory(self, settings: SessionSettings) -> None:
        """Raises TargetFailed if the context would not fit: Linux gives memory that it has not got."""
        lib, model = self._lib, self._model
        width = lib.llama_model_n_embd(model) // max(1, lib.llama_model_n_head(model))
        # a key and a value of 16-bit floats for each head
        per_token = lib.llama_model_n_layer(model) * lib.llama_model_n_head_kv(model) * width * 2 * 2
        needed = per_token * settings.n_ctx * settings.parallel
        free = available_bytes()
        if free is not None and needed > free and settings.gpu_layers == 0:
            fits = free // (per_token * settings.parallel)
            raise TargetFailed(
                "out-of-memory",
                f"{settings.path}: a context of {settings.n_ctx} tokens takes {text_of(needed)} for "
                f"{settings.parallel} answers at once, {text_of(free)} are free; "
                f"`context_length = {fits // 256 * 256}` would fit",
            )

    def close(self) -> None:
        """Free everything, once or twice."""
        lib = self._lib
        context, self._context = self._context, None
        if context:
            lib.llama_free(context)
        with self._splitting:
            model, self._model = self._model, None
            if model:
                lib.llama_model_free(model)

    # ------------------------------------------------------------ words

    @property
    def ends(self) -> frozenset[int]:
        """The tokens that end an answer."""
        is_end = self._lib.llama_vocab_is_eog
        return frozenset(token for token in range(self.n_vocab) if is_end(self._vocab, token))

    def special_text(self, name: str) -> str:
        """The text of the token `bos` or `eos`; empty if there is none."""
        token = getattr(self._lib, f"llama_vocab_{name}")(self._vocab)
        if token < 0:
            return ""
        found: bytes = self._lib.llama_vocab_get_text(self._vocab, token)
        return found.decode(errors="replace")

    @property
    def template(self) -> str | None:
        """The file's chat template."""
        found: bytes | None = self._lib.llama_model_chat_template(self._model, None)
        return None if found is None else found.decode(errors="replace")

    def tokens(self, text: str, *, special: bool = False, begin: bool = False) -> Tokens:
        """The tokens of a text.

        Args:
            special: tokens such as `<|im_end|>` are read where they are written; never for what others wrote.
            begin: the text is the beginning, and gets what the model wants there.
        """
        data = text.encode(errors="replace")
        room = np.empty(len(data) + _AROUND, np.int32)
        pointer = room.ctypes.data_as(self._lib.llama_token_p)
        with self._splitting:
            if not self._model:
                raise TargetFailed("connection-lost", "the model was closed")
            count = self._lib.llama_tokenize(self._vocab, data, len(data), pointer, len(room), begin, special)
        if count < 0:
            raise TargetFailed("server-error", f"a text of {len(data)} bytes has no tokens")
        return room[:count].copy()

    def texts(self) -> list[bytes]:
        """The texts of all tokens by number; of those that are no text, such as `<|im_end|>`, empty."""
        to_piece, vocab = self._lib.llama_token_to_piece, self._vocab
        buffer = ctypes.create_string_buffer(_LONGEST_PIECE)
        found = []
        for token in range(self.n_vocab):
            length = to_piece(vocab, token, buffer, _LONGEST_PIECE, 0, False)
            found.append(ctypes.string_at(buffer, length) if length > 0 else b"")
        return found

    # ------------------------------------------------------------ steps

    def begin(self) -> None:
        """Begin a batch."""
        self._batch.count = 0

    @property
    def room(self) -> int:
        """Tokens that the batch still takes."""
        return self._batch.size - self._batch.count

    def add(self, sequence: int, tokens: Tokens, position: int, *, answers: bool) -> int:
        """Add tokens of a sequence to the batch. Answers the place of the last one.

        Args:
            position: of the first of them in the sequence.
            answers: logits of the last one are wanted.
        """
        return self._batch.add(sequence, tokens, position, answers)

    def decode(self) -> int:
        """Let the model read the batch; 0, or the number of what went wrong."""
        if not self._batch.count:
            return 0
        found: int = self._lib.llama_decode(self._context, self._batch.struct())
        return found

    def logits(self, place: int) -> NDArray[np.float32]:
        """The logits after the token at a place of the batch, until `decode`; float32, shape (tokens,)."""
        pointer = self._lib.llama_get_logits_ith(self._context, place)
        if not pointer:
            raise TargetFailed("server-error", "llama.cpp gave no logits")
        address = ctypes.addressof(pointer.contents)
        return np.frombuffer(self._floats.from_address(address), np.float32)

    def forget(self, sequence: int, position: int = 0) -> bool:
        """Forget a sequence from a position on. False if only all of it can be forgotten."""
        return bool(self._lib.llama_memory_seq_rm(self._memory, sequence, position if position else -1, -1))

    def length(self, sequence: int) -> int:
        """Tokens of a sequence that are kept."""
        last: int = self._lib.llama_memory_seq_pos_max(self._memory, sequence)
        return last + 1


class _Batch:
    """What llama.cpp calls a batch, in arrays of ours."""

    def __init__(self, lib: Any, size: int) -> None:
        self.size = size
        self.count = 0
        self._tokens = np.zeros(size, np.int32)
        self._positions = np.zeros(size, np.int32)
        self._counts = np.ones(size, np.int32)
        self._sequences = np.zeros(size, np.int32)
        self._wants = np.zeros(size, np.int8)
        base = self._sequences.ctypes.data
        self._pointers = base + np.arange(size, dtype=np.uintp) * self._sequences.itemsize
        self._struct = lib.llama_batch()
        for name, array in (
            ("token", self._tokens),
            ("pos", self._positions),
            ("n_seq_id", self._counts),
            ("seq_id", self._pointers),
            ("logits", self._wants),
        ):
            kind = dict(lib.llama_batch._fields_)[name]
            setattr(self._struct, name, ctypes.cast(array.ctypes.data, kind))

    def add(self, sequence: int, tokens: Tokens, position: int, answers: bool) -> int:
        start, end = self.count, self.count + len(tokens)
        self._tokens[start:end] = tokens
        self._positions[start:end] = np.arange(position, position + len(tokens))
        self._sequences[start:end] = sequence
        self._wants[start:end] = 0
        self._wants[end - 1] = answers
        self.count = end
        return end - 1

    def struct(self) -> Any:
        self._struct.n_tokens = self.count
        return self._struct
