"""Whether llama.cpp may use the AMX units of a processor: `python -m actors.models.amx` ends by itself if so.

Quantized weights are multiplied faster there; `benchmarks/models_on_ray.py` says how much. But older GCCs, such
as 12.2, leave out most of what the units are to be told when they compile llama.cpp with its usual options,
since `_tile_loadconfig` of their `amxtileintrin.h` says only of the first 8 bytes that they are read. Then the
first product ends the process by SIGILL. So where llama.cpp has code for these units, another process tries
them with a model of one layer, once for each build of llama.cpp. `scripts/setup` compiles it with options that
keep what GCC would leave out.

Source: pull request 26954 of ggml-org/llama.cpp, which tells of the same.
"""

from __future__ import annotations

import hashlib
import logging
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from actors.folders import made_own, replace_file, user_folder

_log = logging.getLogger(__name__)

#: seconds; beside other work, importing llama.cpp alone may take several
_TRIAL_S: Final = 120.0
_WORKS: Final = "works"
_FAILS: Final = "fails"
#: numbers of a vector, which the units take by 64, and tokens of a text
_WIDTH: Final = 64
_TOKENS: Final = 32


def is_safe(lib: Any) -> bool:
    """Whether `lib`, the module `llama_cpp`, computes with quantized weights without ending the process."""
    if b"AMX_INT8 = 1" not in lib.llama_print_system_info():
        return True
    kept = _kept_at(Path(lib.llama_cpp._lib._name).parent)
    try:
        made_own(kept.parent)  # else somebody else might have put an outcome there
        return kept.read_text(encoding="utf-8") == _WORKS
    except OSError:
        pass  # not tried yet, or nothing can be kept
    works = _try()
    if works is None:
        return False
    if not works:
        _log.warning("llama.cpp as it is compiled here cannot use AMX: quantized models run without, slower")
    try:
        made_own(kept.parent)
        replace_file(kept, _WORKS if works else _FAILS)
    except OSError as error:
        _log.info("whether AMX works is tried anew by each process: %s", error)
    return works


def _kept_at(libraries: Path) -> Path:
    """Where the outcome is kept for this build."""
    facts = [platform.release()]
    for library in sorted(libraries.glob("*ggml-cpu*")):
        found = library.stat()
        facts.append(f"{library} {found.st_size} {found.st_mtime_ns}")
    return user_folder("llama") / hashlib.sha256("\n".join(facts).encode()).hexdigest()[:32]


def _try() -> bool | None:
    """None: that it did not work had other reasons."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "actors.models.amx"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TRIAL_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        _log.warning("whether AMX works could not be tried: %s", error)
        return None
    if done.returncode > 0:
        _log.warning("whether AMX works could not be tried: %s", done.stderr.decode(errors="replace")[-2000:])
        return None
    return done.returncode == 0


def write_trial(path: Path) -> Path:
    """Write a model of one layer with quantized weights, an embedder."""
    import gguf
    import numpy as np

    writer = gguf.GGUFWriter(str(path), "bert")
    writer.add_context_length(_TOKENS)
    writer.add_embedding_length(_WIDTH)
    writer.add_feed_forward_length(_WIDTH)
    writer.add_block_count(1)
    writer.add_head_count(1)
    writer.add_layer_norm_eps(1e-12)
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "\u2581a"]
    writer.add_tokenizer_model("bert")
    writer.add_token_list([word.encode() for word in words])
    writer.add_token_type_count(1)
    writer.add_token_types([3, 3, 3, 3, 3, 1])
    for number, role in enumerate(("pad", "unk", "bos", "sep", "mask")):
        getattr(writer, f"add_{role}_token_id")(number)
    ones, rows = np.ones(_WIDTH, np.float32), np.eye(_WIDTH, dtype=np.float32)
    writer.add_tensor("token_embd.weight", rows[: len(words)])
    writer.add_tensor("position_embd.weight", rows[:_TOKENS])
    writer.add_tensor("token_types.weight", rows[:1])
    for norm in ("token_embd_norm", "blk.0.attn_output_norm", "blk.0.layer_output_norm"):
        writer.add_tensor(f"{norm}.weight", ones)
        writer.add_tensor(f"{norm}.bias", 0 * ones)
    kind = gguf.GGMLQuantizationType.Q8_0
    for part in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_up", "ffn_down"):
        writer.add_tensor(f"blk.0.{part}.weight", gguf.quants.quantize(rows, kind), raw_dtype=kind)
        writer.add_tensor(f"blk.0.{part}.bias", 0 * ones)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def main() -> None:
    """Compute with quantized weights on whatever llama.cpp wants to use for it."""
    from actors.models.embedding.embedder import LlamaEmbedder

    with tempfile.TemporaryDirectory(prefix="rtfs-amx.") as folder:
        # the second text is of several tokens: products with a single one take another way
        embedder = LlamaEmbedder(write_trial(Path(folder) / "trial.gguf"), may_use_amx=True)
        embedder.embed(["a", "a " * (_TOKENS // 2)])


if __name__ == "__main__":
    main()
