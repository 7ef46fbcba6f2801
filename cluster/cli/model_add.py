"""`rtfs models add`: a model becomes a table of the policy. The rest of its file stays as it is."""

from __future__ import annotations

import fcntl
import os
import re
import tomllib
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

from cluster.cli.model_facts import LLAMA_MISSING, OF_LLAMA, has_llama, looked_over
from policies.cli import files
from rtfs.cli import options as common
from rtfs.cli.console import Console, Exit, UsageError
from rtfs.cli.sources import STDIN

if TYPE_CHECKING:
    from policies.file.policy import Policy
    from policies.file.schema import LocalModelEntry


#: the kind of model that has no file
NEEDS_NONE: Final = "echo"


def parse(argv: Sequence[str]) -> Namespace:
    """The options of `rtfs models add`."""
    from policies.file.schema import ModelKind

    summary = "Put a model into the policy file, behind all that is there. Its file is looked over first."
    examples = (
        ("rtfs models add small ./models/small.q4.gguf", ""),
        ("rtfs models add topics minilm --kind classifier", "the embedder that comes along"),
        ("rtfs models add big ./models/big.gguf --device gpu:0.5", ""),
    )
    parser = common.Parser("models add", summary, examples)
    parser.add_argument("name", metavar="NAME", help="of the model; calls go to `local-NAME`")
    parser.add_argument(
        "path",
        nargs="?",
        metavar="PATH",
        help=f"of its file, or `minilm`; a model of the kind `{NEEDS_NONE}` needs none",
    )
    parser.add_argument(
        "--kind",
        **common.one_of(get_args(ModelKind.__value__)),
        help="what it is (default: by how the name of its file ends)",
    )
    parser.add_argument("--device", type=_device, metavar="DEVICE", help='"cpu", "cpu:4", "gpu" or "gpu:0.5"')
    parser.add_argument(
        "--policy", default=files.DEFAULT, metavar="FILE", help="the policy (default: ./%(default)s)"
    )
    return parser.options(argv)


def execute(options: Namespace, console: Console) -> Exit:
    """Add the model."""
    from policies.errors import PolicyFileError

    file, name = Path(options.policy), options.name.removeprefix("local-")
    if options.policy == STDIN:
        raise UsageError("expected the file of a policy, got `-`: what comes from stdin cannot be added to")
    if not name:
        raise UsageError("expected a name for the model, got an empty one")
    try:
        table = _table(name, options, file)
        with _alone(file):
            text, is_new = _text(file), not file.exists()
            _refuse_known(name, text, file)
            policy = _with(text, table, file)
            _write(file, _joined(text, table))
    except PolicyFileError as error:
        return files.refuse(error.problems, console)
    entry = policy.settings.local_models[name]
    if not console.json:
        console.show_text(table.rstrip("\n"))
        _tell(name, entry, file, policy, is_new, console)
    fields = {"policy": str(file), "model": f"local-{name}", "entry": entry.model_dump(exclude_unset=True)}
    return console.finish(Exit.VALUE, fields)


def _tell(
    name: str, entry: LocalModelEntry, file: Path, policy: Policy, is_new: bool, console: Console
) -> None:
    from policies.file.validate_models import kind_of

    console.note(f"{'made' if is_new else 'added to'} {file}; `rtfs models test {name} TEXT` tries it")
    for warning in policy.warnings:
        if warning.key is not None and warning.key.startswith(f"delegation.local_models.{name}."):
            console.note(str(warning))
    if kind_of(entry) in OF_LLAMA and not has_llama():
        console.note(LLAMA_MISSING)


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Nobody else adds to a file of the same folder while this block runs: of two at once both count."""
    try:
        folder = os.open(file.resolve().parent, os.O_RDONLY)
    except OSError as error:
        raise UsageError(f"no such folder: {file.parent}") from error
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _text(file: Path) -> str:
    """The text of the policy; empty if there is no such file. Raises PolicyFileError if it cannot be read."""
    from policies.file.load import read_policy_text

    if not file.exists():
        return ""
    return read_policy_text(file)


def _refuse_known(name: str, text: str, file: Path) -> None:
    """Raises UsageError if the file has a model of that name, PolicyFileError if it is no policy as it is."""
    from policies.file.load import load_policy

    found = load_policy(text, source=str(file)).settings.local_models
    for key in (name, f"local-{name}"):
        if key in found:
            raise UsageError(
                f"`local-{name}` is in {file} already", hint="change it there, or give this one another name"
            )


def _table(name: str, options: Namespace, file: Path) -> str:
    """The table as it stands in the file. Raises UsageError if the model cannot be used."""
    from actors.models.errors import ModelError
    from policies.file.schema import LocalModelEntry
    from policies.file.toml_out import toml_text
    from policies.file.validate_models import BUILT_IN, SUFFIXES, kind_of

    if options.path is None and options.kind != NEEDS_NONE:
        hint = f"only a model of the kind `{NEEDS_NONE}` needs none: `--kind {NEEDS_NONE}`"
        raise UsageError("expected PATH, the file of the model, got none", hint=hint)
    given = {key: value for key, value in (("kind", options.kind), ("device", options.device)) if value}
    entry = LocalModelEntry(path=options.path, **given)
    is_built_in = options.path == BUILT_IN and options.kind is not None
    if kind_of(entry) is None:
        raise UsageError(
            f"expected --kind, since the name `{options.path}` does not tell what kind of model it is",
            hint=f"{' and '.join(SUFFIXES)} do; `{BUILT_IN}` may be a classifier or an embedder",
        )
    try:
        looked_over(name, entry, os.environ)
    except ModelError as error:
        raise UsageError(str(error)) from None
    if options.path is None:
        return toml_text({"local_models": {name: given}})
    path = options.path if is_built_in else _from(file, options.path)
    row: dict[str, Any] = {"path": path, **given}
    if options.kind == SUFFIXES.get(Path(path).suffix):
        row.pop("kind", None)
    return toml_text({"local_models": {name: row}})


def _from(file: Path, path: str) -> str:
    """A path as the policy names it: relative to its own folder, as long as it was given like that."""
    if os.path.isabs(path):
        return path
    found = os.path.relpath(os.path.abspath(path), file.absolute().parent)
    return found if found.startswith(os.pardir) else f".{os.sep}{found}"


def _with(text: str, table: str, file: Path) -> Policy:
    """The policy with the table.

    Raises:
        UsageError: the file writes its models in a form that no table can be added to.
        PolicyFileError: it is no policy any more.
    """
    from policies.file.load import load_policy

    whole = _joined(text, table)
    try:
        tomllib.loads(whole.replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError:
        hint = "write them as tables `[delegation.local_models.NAME]`"
        message = f"{file} has its `local_models` in one value, to which none can be added"
        raise UsageError(message, hint=hint) from None
    return load_policy(whole, source=str(file), environ=os.environ, needs_secrets=False)


def _joined(text: str, table: str) -> str:
    end = "\r\n" if "\r\n" in text else "\n"
    if not text.strip():
        return text + table
    before = "" if text.endswith("\n") else end
    return f"{text}{before}{end}{table.replace('\n', end)}"


def _write(file: Path, text: str) -> None:
    """Replace the file as a whole; who may read it stays as it was."""
    from actors.folders import replace_file

    real = file.resolve()
    try:
        mode = real.stat().st_mode & 0o777 if real.exists() else 0o644
        replace_file(real, text)
        real.chmod(mode)
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {(error.strerror or str(error)).lower()}") from None


def _device(text: str) -> str:
    import argparse

    from policies.file.device import FORMS, PATTERN, fault_of

    if not re.fullmatch(PATTERN, text):
        raise argparse.ArgumentTypeError(f"expected {FORMS}, got `{text[:40]}`")
    expected = fault_of(text)
    if expected:
        raise argparse.ArgumentTypeError(f"expected {expected}, got `{text}`")
    return text
