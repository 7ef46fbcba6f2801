"""llama.cpp's own engine for grammars, over a vocabulary of single bytes.

with LlamaGrammars(folder) as engine:
    engine.accepts('root ::= "a"+', "aaa")
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import llama_cpp

_UNKNOWN, _CONTROL, _BYTE = 2, 3, 6
_END = 2
_FIRST_BYTE = 3


def _quiet(level: int, text: bytes, data: object) -> None:
    pass


_QUIET = llama_cpp.llama_log_callback(_quiet)


def write_bytes_vocabulary(path: Path) -> Path:
    """A model file that holds nothing but a vocabulary: three special tokens, then all bytes in order."""
    import gguf

    texts = [b"<unk>", b"<s>", b"</s>", *(b"<0x%02X>" % byte for byte in range(256))]
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_context_length(32)
    writer.add_embedding_length(8)
    writer.add_block_count(1)
    writer.add_feed_forward_length(8)
    writer.add_head_count(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(texts))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(texts)
    writer.add_token_scores([0.0] * len(texts))
    writer.add_token_types([_UNKNOWN, _CONTROL, _CONTROL] + [_BYTE] * 256)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(_END)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return path


class LlamaGrammars:
    """Asks llama.cpp about grammars."""

    def __init__(self, folder: Path) -> None:
        llama_cpp.llama_log_set(_QUIET, ctypes.c_void_p(0))
        path = write_bytes_vocabulary(folder / "bytes.gguf")
        params = llama_cpp.llama_model_default_params()
        params.vocab_only = True
        self._model = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
        assert self._model is not None
        self._vocab = llama_cpp.llama_model_get_vocab(self._model)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        llama_cpp.llama_model_free(self._model)

    def parses(self, grammar: str) -> bool:
        """Whether llama.cpp takes the grammar."""
        sampler = self._sampler(grammar)
        if sampler is None:
            return False
        llama_cpp.llama_sampler_free(sampler)
        return True

    def accepts(self, grammar: str, text: str) -> bool:
        """Whether `text` is one whole text of the grammar."""
        sampler = self._sampler(grammar)
        assert sampler is not None, "llama.cpp refuses the grammar"
        try:
            for byte in text.encode():
                if not _allows(sampler, _FIRST_BYTE + byte):
                    return False
                llama_cpp.llama_sampler_accept(sampler, _FIRST_BYTE + byte)
            return _allows(sampler, _END)
        finally:
            llama_cpp.llama_sampler_free(sampler)

    def _sampler(self, grammar: str) -> Any:
        return llama_cpp.llama_sampler_init_grammar(self._vocab, grammar.encode(), b"root")


def _allows(sampler: Any, token: int) -> bool:
    data = (llama_cpp.llama_token_data * 1)(llama_cpp.llama_token_data(token, 0.0, 0.0))
    candidates = llama_cpp.llama_token_data_array(data, 1, -1, False)
    llama_cpp.llama_sampler_apply(sampler, ctypes.byref(candidates))
    return data[0].logit > -1e30
