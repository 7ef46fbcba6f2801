"""Writes tiny models for tests and benchmarks: real files, random weights, the same bytes every time.

    write_tiny(folder / "tiny.gguf", Tiny(template=CHATML))

A Llama of two layers over a vocabulary of bytes, some pieces of JSON and as many made-up words as asked for.
What such a model says means nothing, so what a test sees of sense in an answer is the work of the grammar.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

#: a template as models of the ChatML family have it
CHATML: Final = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] | trim }}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
#: one that knows no system messages
NO_SYSTEM: Final = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{{ bos_token }}{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}"
    "<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
)

_NORMAL, _UNKNOWN, _CONTROL, _BYTE = 1, 2, 3, 6
_SPECIALS: Final = (
    ("<unk>", _UNKNOWN),
    ("<s>", _CONTROL),
    ("</s>", _CONTROL),
    ("<|im_start|>", _CONTROL),
    ("<|im_end|>", _CONTROL),
)
_JSON: Final = (
    '":', '",', '{"', '"}', '["', '"]', '","', '":"', '"},{"', '":{"', "},", "],", '\\"', "\\n", "true",
    "false", "null", "▁true", "▁false",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiny:
    """What the model is like."""

    #: tokens, at least about 400
    n_vocab: int = 512
    n_embd: int = 32
    n_layer: int = 2
    n_head: int = 4
    n_ff: int = 64
    n_ctx: int = 512
    template: str | None = None
    architecture: str = "llama"
    #: without them text that no other token covers cannot be read
    has_byte_tokens: bool = True
    #: how much each logit depends on what was said
    scale: float = 0.6
    seed: int = 7
    #: matrices in blocks of 8-bit numbers; the width must be a multiple of 32
    is_quantized: bool = False


def vocabulary(tiny: Tiny) -> list[tuple[str, float, int]]:
    """Texts, scores and types of the tokens, as SentencePiece has them."""
    rows = [(text, 0.0, kind) for text, kind in _SPECIALS]
    if tiny.has_byte_tokens:
        rows += [(f"<0x{byte:02X}>", 0.0, _BYTE) for byte in range(256)]
    chars = ["▁", *(chr(code) for code in range(33, 127)), *"äéßλ→日本"]
    texts = dict.fromkeys([*chars, *_JSON, *(str(number) for number in range(10, 30))])
    words = _words(random.Random(tiny.seed))
    while len(rows) + len(texts) < tiny.n_vocab:
        texts[next(words)] = None
    rows += [(text, -float(at), _NORMAL) for at, text in enumerate(texts)]
    return rows


def write_tiny(path: Path, tiny: Tiny = Tiny()) -> Path:
    """Write the model to `path`."""
    import gguf

    writer = gguf.GGUFWriter(str(path), tiny.architecture)
    rows = vocabulary(tiny)
    writer.add_name("tiny")
    writer.add_context_length(tiny.n_ctx)
    writer.add_embedding_length(tiny.n_embd)
    writer.add_block_count(tiny.n_layer)
    writer.add_feed_forward_length(tiny.n_ff)
    writer.add_head_count(tiny.n_head)
    writer.add_head_count_kv(tiny.n_head)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(tiny.n_embd // tiny.n_head)
    writer.add_vocab_size(len(rows))
    writer.add_tokenizer_model("llama")
    writer.add_token_list([text.encode() for text, _, _ in rows])
    writer.add_token_scores([score for _, score, _ in rows])
    writer.add_token_types([kind for _, _, kind in rows])
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_eot_token_id(4)
    writer.add_add_bos_token(True)
    if tiny.template is not None:
        writer.add_chat_template(tiny.template)
    kind = gguf.GGMLQuantizationType.Q8_0
    for name, tensor in _tensors(tiny, len(rows)).items():
        if tiny.is_quantized and tensor.ndim > 1:
            writer.add_tensor(name, gguf.quants.quantize(tensor, kind), raw_dtype=kind)
        else:
            writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_truncated(path: Path, whole: Path, share: float = 0.7) -> Path:
    """The first part of a file."""
    data = whole.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def write_corrupt(path: Path, whole: Path, at: int, value: bytes) -> Path:
    """A file with other bytes at one place; a negative place counts from the end."""
    data = bytearray(whole.read_bytes())
    start = at % len(data)
    data[start : start + len(value)] = value
    path.write_bytes(data)
    return path


def _tensors(tiny: Tiny, n_vocab: int) -> dict[str, Any]:
    import numpy as np

    rng = np.random.default_rng(tiny.seed)

    def weights(rows: int, columns: int, scale: float) -> Any:
        return (rng.standard_normal((rows, columns)) * scale).astype(np.float32)

    width, wide = tiny.n_embd, tiny.n_ff
    inner = width**-0.5
    found = {"token_embd.weight": weights(n_vocab, width, 1.0)}
    for layer in range(tiny.n_layer):
        block = f"blk.{layer}."
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            found[f"{block}{name}.weight"] = weights(width, width, inner)
        found[f"{block}ffn_gate.weight"] = weights(wide, width, inner)
        found[f"{block}ffn_up.weight"] = weights(wide, width, inner)
        found[f"{block}ffn_down.weight"] = weights(width, wide, wide**-0.5)
        for name in ("attn_norm", "ffn_norm"):
            found[f"{block}{name}.weight"] = np.ones(width, np.float32)
    found["output_norm.weight"] = np.ones(width, np.float32)
    found["output.weight"] = weights(n_vocab, width, tiny.scale)
    return found


def _words(rng: random.Random) -> Iterator[str]:
    """Made-up words, each with all its beginnings, since a tokenizer reaches a word through them."""
    onsets = "b d f g h j k l m n p r s t v w st tr pl gr ch sh".split()
    rhymes = "a e i o u an er in on ar est ing ion al".split()
    while True:
        word = "".join(rng.choice(onsets) + rng.choice(rhymes) for _ in range(rng.choice((1, 2, 2, 3, 3, 4))))
        lead = rng.choice(("▁", "▁", ""))
        for end in range(2, len(word) + 1):
            yield lead + word[:end]
