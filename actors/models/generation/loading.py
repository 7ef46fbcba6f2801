"""A GGUF file and an entry of the policy become a model that answers."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from actors.models.errors import ModelError
from actors.models.generation.answering import Answering
from actors.models.generation.chat import ChatTemplate
from actors.models.generation.engine import Engine
from actors.models.generation.file_check import check_generates, check_numbers
from actors.models.generation.memory import available_bytes, text_of
from actors.models.generation.prompting import Prompter
from actors.models.generation.runtime import llama
from actors.models.generation.sampling import SamplingSettings
from actors.models.generation.session import Session, SessionSettings
from actors.models.generation.vocabulary import Vocabulary
from actors.models.gguf_file import GgufFile, content_hash, read_gguf_file
from actors.models.prompt import PROMPT_VERSION
from policies.errors import TargetFailed
from policies.file.schema import LocalModelEntry

_log = logging.getLogger(__name__)

#: threads where the policy names none: more of them mostly wait for memory
_MOST_THREADS: Final = 8
#: where a file does not say how long its contexts are
_DEFAULT_CONTEXT: Final = 2048


def load(model: str, path: Path, entry: LocalModelEntry, clock: Callable[[], float]) -> Answering:
    """Load a model.

    Raises:
        ModelError: the file cannot be used, or llama.cpp is missing.
        TargetFailed: there is not enough memory for it, `out-of-memory`.
    """
    lib = llama()
    file = read_gguf_file(path)
    check_generates(path, file)
    check_numbers(path, file)
    _check_memory(path)
    settings, problems = _settings(lib, path, entry, file)
    version = f"{content_hash(path)}-{_settings_hash(entry)}"
    session = Session(settings)
    try:
        vocabulary = Vocabulary(session.texts(), session.ends)
        template = _template(path, session, entry)
        return Answering(
            model=model,
            version=version,
            problems=problems,
            lib=lib,
            engine=Engine(model, session, vocabulary, clock=clock),
            prompter=Prompter(model, session, template, entry.overflow),
            vocabulary=vocabulary,
            sampling=_sampling(entry),
            clock=clock,
        )
    except BaseException:
        session.close()
        raise


def threads(device: str) -> int:
    """The threads that `device` of an entry gives a model."""
    kind, _, count = device.partition(":")
    if kind == "cpu" and count:
        return int(count)
    return min(len(os.sched_getaffinity(0)), _MOST_THREADS)


def _settings_hash(entry: LocalModelEntry) -> str:
    """A hash of what else answers depend on."""
    names = "mode", "context_length", "overflow", "temperature", "top_p", "top_k", "seed", "max_tokens"
    told = repr((PROMPT_VERSION, *(getattr(entry, name) for name in names)))
    return hashlib.sha256(told.encode()).hexdigest()[:8]


def _check_memory(path: Path) -> None:
    size, free = path.stat().st_size, available_bytes()
    if free is not None and size > free:
        detail = f"{path}: the file has {text_of(size)}, {text_of(free)} of memory are free"
        raise TargetFailed("out-of-memory", detail)


def _settings(
    lib: Any, path: Path, entry: LocalModelEntry, file: GgufFile
) -> tuple[SessionSettings, tuple[str, ...]]:
    """How the model is run, and what about it is not as it should be."""
    problems = []
    trained = file.metadata.get(f"{file.architecture}.context_length")
    own = trained if isinstance(trained, int) and trained > 0 else _DEFAULT_CONTEXT
    n_ctx = entry.context_length or own
    if n_ctx > own:
        problems.append(f"`context_length` is {n_ctx}, the model was made for {own}: answers may be worse")
    gpu_layers = entry.gpu_layers if entry.device.startswith("gpu") else 0
    if gpu_layers and not lib.llama_supports_gpu_offload():
        problems.append(
            f"`device` is `{entry.device}`, llama.cpp was compiled without GPU support: it uses the CPU"
        )
        gpu_layers = 0
    for problem in problems:
        _log.warning("%s: %s", path, problem)
    settings = SessionSettings(
        path=str(path),
        n_ctx=n_ctx,
        parallel=entry.parallel,
        n_threads=threads(entry.device),
        gpu_layers=gpu_layers,
    )
    return settings, tuple(problems)


def _template(path: Path, session: Session, entry: LocalModelEntry) -> ChatTemplate | None:
    """The file's chat template, if it is to be used."""
    if entry.mode == "completion":
        return None
    source = session.template
    if source is None:
        if entry.mode == "chat":
            raise ModelError(f'{path}: the file has no chat template; `mode = "completion"` needs none')
        return None
    try:
        return ChatTemplate(source, bos=session.special_text("bos"), eos=session.special_text("eos"))
    except ModelError as error:
        raise ModelError(f'{path}: {error}; `mode = "completion"` needs none') from error


def _sampling(entry: LocalModelEntry) -> SamplingSettings:
    given = {
        name: getattr(entry, name)
        for name in ("temperature", "top_p", "top_k", "seed", "max_tokens")
        if getattr(entry, name) is not None
    }
    return SamplingSettings(**given)
