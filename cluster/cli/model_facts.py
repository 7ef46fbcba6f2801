"""What can be told of the models in a policy without loading them."""

from __future__ import annotations

import importlib.util
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from policies.file.policy import Policy
    from policies.file.schema import LocalModelEntry, RemoteProvider

#: a model can be used; its file is not there; it cannot be used; a service whose secret is not set
type State = Literal["ok", "missing", "unusable", "no secret"]

#: the kinds of models that llama.cpp runs
OF_LLAMA: Final = ("gguf", "embedder", "classifier")
LLAMA_MISSING: Final = 'llama.cpp is not installed; `pip install "rtfs[models]"` compiles it'


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a model."""

    #: of the target, `local-small`
    name: str
    kind: str | None
    state: State
    #: its file, or the address of the service; None: it needs none
    where: str | None = None
    #: of its file; None: there is none
    nbytes: int | None = None
    device: str | None = None
    #: the least and the most; of a service None
    replicas: tuple[int, int] | None = None
    #: of a service: what it calls its model
    model: str | None = None
    #: of a service: the variable with its secret
    api_key_env: str | None = None
    #: what else there is to say
    about: str = ""
    problem: str | None = None


def known_models(policy: Policy, environ: Mapping[str, str]) -> list[Known]:
    """All models of a policy, those of this machine first, in the order of the file."""
    from actors.models.registry import local_models

    entries = local_models(policy.settings, folder_of(policy))
    return [
        *(known_local(name, entry, environ) for name, entry in entries.items()),
        *(known_remote(key, each, environ) for key, each in policy.settings.remote_providers.items()),
    ]


def folder_of(policy: Policy) -> Path:
    """The folder that paths in the policy are relative to."""
    return Path(policy.source).absolute().parent


def known_local(name: str, entry: LocalModelEntry, environ: Mapping[str, str]) -> Known:
    """What is known of a model of this machine; its file is looked over."""
    from actors.models.errors import ModelError
    from policies.file.validate_models import kind_of

    about, problem = "", None
    state: State = "ok"
    kind, file = kind_of(entry), _file(entry, environ)
    try:
        about = looked_over(name, entry, environ)
        if kind in OF_LLAMA and not has_llama():
            state, problem = "unusable", LLAMA_MISSING
    except ModelError as error:
        is_missing = file is not None and not os.path.exists(file)
        state, problem = "missing" if is_missing else "unusable", str(error)
    return Known(
        name=f"local-{name}",
        kind=kind,
        state=state,
        where=entry.path if file is None else str(file),
        nbytes=_nbytes(file),
        device=entry.device,
        replicas=(entry.fewest, entry.most),
        about=about,
        problem=problem,
    )


def known_remote(key: str, provider: RemoteProvider, environ: Mapping[str, str]) -> Known:
    """What is known of a service; it is not asked."""
    variable = provider.api_key_env
    lacks = variable is not None and not environ.get(variable)
    return Known(
        name=f"remote-{key.removeprefix('remote-')}",
        kind=provider.kind,
        state="no secret" if lacks else "ok",
        where=provider.endpoint,
        model=provider.model,
        api_key_env=variable,
        about=provider.model or "",
        problem=f"the variable `{variable}` is not set" if lacks else None,
    )


def looked_over(name: str, entry: LocalModelEntry, environ: Mapping[str, str]) -> str:
    """What is in the model's file, in a few words; empty: it has none.

    Raises:
        ModelError: the model cannot be used.
    """
    from actors.models.registry import ModelRegistry
    from policies.file.validate_models import kind_of

    ModelRegistry().make(name, entry)
    kind = kind_of(entry)
    if entry.path is None or kind == "echo":
        return ""
    if kind == "rules":
        return _rules(entry.path)
    return _gguf(entry.path, kind, environ)


def has_llama() -> bool:
    """Whether llama.cpp is installed; it is not tried."""
    return importlib.util.find_spec("llama_cpp") is not None


def _rules(path: str) -> str:
    from actors.models.rules_file import read_rules_file

    found = read_rules_file(path)
    return f"{len(found.labels)} labels, {len(found.rules)} rules"


def _gguf(path: str, kind: str | None, environ: Mapping[str, str]) -> str:
    from actors.models.embedding import minilm
    from actors.models.generation.file_check import check_embeds, check_generates, check_numbers
    from actors.models.gguf_file import read_gguf_file

    if kind != "gguf" and path == minilm.NAME:
        if minilm.minilm_file_there(environ) is None:
            minilm.weights_folder()
            return "made when it is first used"
        return "bert, 384 numbers of a text"
    found = read_gguf_file(Path(path))
    if kind == "gguf":
        check_generates(Path(path), found)
        check_numbers(Path(path), found)
    else:
        check_embeds(Path(path), found)
    context = found.metadata.get(f"{found.architecture}.context_length")
    parts = [
        found.architecture,
        _count(sum(math.prod(shape) for shape in found.tensors.values())) + " parameters",
        *([] if context is None else [f"{context} tokens"]),
    ]
    if kind == "gguf":
        parts.append("chat" if "tokenizer.chat_template" in found.metadata else "completion")
    return ", ".join(parts)


def _count(number: int) -> str:
    """`7.2 billion`."""
    for size, unit in ((1e9, " billion"), (1e6, " million"), (1e3, " thousand")):
        if number >= size:
            return f"{number / size:.1f}{unit}"
    return str(number)


def _file(entry: LocalModelEntry, environ: Mapping[str, str]) -> Path | None:
    """The model's file, whether it is there or not; None: it has none, or it is not made yet."""
    from actors.models.embedding import minilm

    if entry.path is None:
        return None
    return minilm.minilm_file_there(environ) if entry.path == minilm.NAME else Path(entry.path)


def _nbytes(file: Path | None) -> int | None:
    try:
        return None if file is None else file.stat().st_size
    except (OSError, ValueError):
        return None
