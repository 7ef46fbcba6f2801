"""Checks of models on this machine: what each kind of them needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Final

from policies.errors import PolicyProblem
from policies.file.checked import TOP, Checked
from policies.file.schema import LocalModelEntry
from policies.file.toml_lines import KeyPath

#: how names of files end → what is in them
SUFFIXES: Final[Mapping[str, str]] = {".rules": "rules", ".gguf": "gguf"}
#: the kind of model that needs no file
_WITHOUT_FILE: Final = "echo"


def check(what: Checked) -> Iterator[PolicyProblem]:
    """All findings about models, in no order."""
    for key, entry in what.settings.local_models.items():
        path: KeyPath = (TOP, "local_models", key)
        yield from _file(entry, path, what)
        if entry.fail_rate and entry.kind != "echo":
            message = 'only a model of the kind "echo" fails on demand'
            yield what.places.problem("no-effect", (*path, "fail_rate"), message, severity="warning")


def _file(entry: LocalModelEntry, path: KeyPath, what: Checked) -> Iterator[PolicyProblem]:
    """A model has a file, or is of the kind that needs none; the file tells its kind where no key does."""
    if entry.kind == _WITHOUT_FILE:
        if entry.path is not None:
            message = f'a model of the kind "{entry.kind}" reads no file'
            yield what.places.problem("no-effect", (*path, "path"), message, severity="warning")
    elif entry.path is None:
        hint = None if entry.kind else f'only a model of the kind "{_WITHOUT_FILE}" needs none'
        message = "expected the key `path`, it is missing"
        yield what.places.problem("missing-key", (*path, "path"), message, hint=hint)
    elif entry.kind is None and (suffix := PurePath(entry.path).suffix) not in SUFFIXES:
        near = what.places.nearest(suffix, SUFFIXES)
        hint = f"did you mean `{near}`?" if near else f"known are {', '.join(f'`{each}`' for each in SUFFIXES)}"
        ends = f"ends in `{suffix}`, which no model does" if suffix else "has no ending that tells its kind"
        message = f"the name of the file {ends}, so that nothing can run it"
        yield what.places.problem("unknown-suffix", (*path, "path"), message, hint=hint, severity="warning")
