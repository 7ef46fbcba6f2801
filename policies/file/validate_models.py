"""Checks of models on this machine: what each kind of them needs, and which keys mean something to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Final

from policies.errors import PolicyProblem
from policies.file.checked import TOP, Checked
from policies.file.device import fault_of, share_of
from policies.file.schema import LocalModelEntry, ReplicaRange, Sampling
from policies.file.toml_lines import KeyPath

#: how names of files end → what is in them
SUFFIXES: Final[Mapping[str, str]] = {".rules": "rules", ".gguf": "gguf"}
#: what may stand in place of a file: the embedder that comes along
BUILT_IN: Final = "minilm"
#: the kind of model that needs no file, and those that may have the built-in one
_WITHOUT_FILE: Final = "echo"
_EMBEDDING: Final = ("embedder", "classifier")
#: key → the kinds of models that it means something to
_FOR: Final[Mapping[str, tuple[str, ...]]] = {
    "fail_rate": ("echo",),
    "threshold": ("classifier",),
    "gpu_layers": ("gguf", *_EMBEDDING),
    **dict.fromkeys(("mode", "context_length", "overflow", "parallel"), ("gguf",)),
    **dict.fromkeys(Sampling.model_fields, ("gguf",)),
}


def check(what: Checked) -> Iterator[PolicyProblem]:
    """All findings about models, in no order."""
    for key, entry in what.settings.local_models.items():
        path: KeyPath = (TOP, "local_models", key)
        yield from _file(entry, path, what)
        yield from _keys(entry, path, what)
        yield from _numbers(entry, path, what)


def kind_of(entry: LocalModelEntry) -> str | None:
    """What is inside a model, None if nobody can tell."""
    return entry.kind or (None if entry.path is None else SUFFIXES.get(PurePath(entry.path).suffix))


def _file(entry: LocalModelEntry, path: KeyPath, what: Checked) -> Iterator[PolicyProblem]:
    """A model has a file, or is of the kind that needs none; the file tells its kind where no key does."""
    if entry.kind == _WITHOUT_FILE:
        if entry.path is not None:
            message = f'a model of the kind "{entry.kind}" reads no file'
            yield what.places.problem("no-effect", (*path, "path"), message, severity="warning")
    elif entry.path is None:
        hint = None if entry.kind else f'only a model of the kind "{_WITHOUT_FILE}" needs none'
        if entry.kind in _EMBEDDING:
            hint = f'`path = "{BUILT_IN}"` is the model that comes along'
        message = "expected the key `path`, it is missing"
        yield what.places.problem("missing-key", (*path, "path"), message, hint=hint)
    elif entry.path == BUILT_IN and entry.kind is None:
        message = f"expected the key `kind`, since `{BUILT_IN}` serves several"
        hint = f"write {' or '.join(f'`kind = {each!r}`' for each in _EMBEDDING)}".replace("'", '"')
        yield what.places.problem("missing-key", (*path, "kind"), message, hint=hint)
    elif entry.kind is None and (suffix := PurePath(entry.path).suffix) not in SUFFIXES:
        near = what.places.nearest(suffix, SUFFIXES)
        hint = f"did you mean `{near}`?" if near else f"known are {', '.join(f'`{each}`' for each in SUFFIXES)}"
        ends = f"ends in `{suffix}`, which no model does" if suffix else "has no ending that tells its kind"
        message = f"the name of the file {ends}, so that nothing can run it"
        yield what.places.problem("unknown-suffix", (*path, "path"), message, hint=hint, severity="warning")


def _keys(entry: LocalModelEntry, path: KeyPath, what: Checked) -> Iterator[PolicyProblem]:
    """Keys that were given and mean nothing to a model of this kind."""
    kind = kind_of(entry)
    if kind is None:
        return
    for key, kinds in _FOR.items():
        if key in entry.model_fields_set and kind not in kinds:
            only = " or ".join(f'"{each}"' for each in kinds)
            message = f'it has no effect on a model of the kind "{kind}", only on {only}'
            yield what.places.problem("no-effect", (*path, key), message, severity="warning")
    if (
        "gpu_layers" in entry.model_fields_set
        and not share_of(entry.device).gpus
        and kind in _FOR["gpu_layers"]
    ):
        message = f'it has no effect on the device "{entry.device}"'
        yield what.places.problem("no-effect", (*path, "gpu_layers"), message, severity="warning")


def _numbers(entry: LocalModelEntry, path: KeyPath, what: Checked) -> Iterator[PolicyProblem]:
    expected = fault_of(entry.device)
    if expected:
        message = f'expected {expected}, got the device "{entry.device}"'
        hint = None if share_of(entry.device).gpus else 'write "cpu" to use none'
        yield what.places.problem("bad-value", (*path, "device"), message, hint=hint)
    if isinstance(entry.replicas, ReplicaRange) and entry.replicas.max < entry.replicas.min:
        message = f"expected `max` to be at least `min`, got {entry.replicas.max} and {entry.replicas.min}"
        yield what.places.problem("bad-value", (*path, "replicas", "max"), message)
