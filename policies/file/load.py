"""From the text of `delegation.toml` to a `Policy`, or to all that is wrong with it.

text → data (`toml_text`) → with the environment's overrides (`environment`) → settings (`schema`) → what has to
agree with what (`validate`) → `Policy`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from policies.errors import PolicyFileError, PolicyProblem
from policies.file import environment, schema_errors, toml_text, validate
from policies.file.diff import ORDERED
from policies.file.places import Places, told
from policies.file.policy import Policy
from policies.file.schema import Delegation, PolicyFile
from policies.file.toml_lines import KeyPath


def load_policy(
    text: str,
    *,
    source: str = "delegation.toml",
    environ: Mapping[str, str] | None = None,
    needs_secrets: bool = True,
) -> Policy:
    """The policy that `text` describes.

    Args:
        text: TOML of at most 1 MiB.
        source: name of the text in messages.
        environ: the environment that is in force: its variables override keys, and secrets that routes need
            have to be in it. None: it is not known; nothing is overridden and no secret looked for.
        needs_secrets: False for those who only ask where calls would go.

    Raises:
        PolicyFileError: with every error found.
    """
    data, scan = toml_text.parse(text, source)
    overrides = environment.apply(data, environ) if environ is not None else environment.Overrides()
    places = Places(source=source, scan=scan, variables=overrides.variables)
    settings, problems, untold = _settings(data, places)
    problems += overrides.problems
    if settings:
        problems += validate.check(settings, places, environ if needs_secrets else None)
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors or settings is None:
        raise PolicyFileError(told(errors, untold))
    return Policy(
        settings=settings,
        source=source,
        version=version_of(settings),
        lines=places.lines("delegation"),
        warnings=told(problems),
    )


def load_policy_file(
    path: str | Path, *, environ: Mapping[str, str] | None = None, needs_secrets: bool = True
) -> Policy:
    """The policy in the file at `path`; see `load_policy`.

    Raises:
        PolicyFileError: it cannot be read, is no UTF-8, or is no policy.
    """
    text = read_policy_text(path)
    return load_policy(text, source=str(path), environ=environ, needs_secrets=needs_secrets)


def read_policy_text(path: str | Path) -> str:
    """The text of the file at `path`, of which no more is read than a policy may have.

    Raises:
        PolicyFileError: it cannot be read or is no UTF-8.
    """

    def refused(code: str, message: str, line: int | None = None) -> PolicyFileError:
        return PolicyFileError((PolicyProblem(code=code, message=message, source=str(path), line=line),))

    try:
        with Path(path).open("rb") as file:
            raw = file.read(toml_text.MAX_BYTES + 4)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise refused("unreadable", f"cannot read the file: {reason.lower()}") from None
    if len(raw.removeprefix(b"\xef\xbb\xbf")) > toml_text.MAX_BYTES:
        raise refused("too-large", f"expected at most {toml_text.MAX_BYTES} bytes, got more")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        message = f"expected UTF-8, got the byte 0x{raw[error.start]:02x} at offset {error.start}"
        raise refused("no-text", message, line) from None


def version_of(settings: Delegation) -> str:
    """SHA-256, hex, of the settings in a canonical form: equal settings have equal versions."""
    dump = settings.model_dump()
    ordered = {name: list(dump[name].items()) for name in ORDERED}
    text = json.dumps({**dump, **ordered}, default=sorted, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(b"policy 1\n" + text.encode()).hexdigest()


def _settings(data: dict[str, Any], places: Places) -> tuple[Delegation | None, list[PolicyProblem], int]:
    """The settings, or problems and how many more there are."""
    too_large = [
        places.problem("bad-value", path, f"expected a number of at most 64 bits, got {_size(value)}")
        for path, value in _numbers(data)
        if not -(2**63) <= value < 2**63
    ]
    if too_large:
        return None, too_large, 0
    try:
        return PolicyFile.model_validate(data).delegation, [], 0
    except ValidationError as error:
        return None, *schema_errors.translate(error, data, places)


def _numbers(data: dict[str, Any]) -> Iterator[tuple[KeyPath, int]]:
    """All integers of the data, without recursion."""
    todo: list[tuple[KeyPath, Any]] = [((), data)]
    while todo:
        path, value = todo.pop()
        if isinstance(value, dict | list):
            below: Iterable[tuple[str | int, Any]] = (
                value.items() if isinstance(value, dict) else enumerate(value)
            )
            todo += [((*path, key), child) for key, child in below if isinstance(child, dict | list | int)]
        elif not isinstance(value, bool):
            yield path, value


def _size(value: int) -> str:
    return f"one of {value.bit_length()} bits"
