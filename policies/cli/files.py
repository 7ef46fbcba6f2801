"""Policies that a command line names, and what is wrong with them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from rtfs.cli.console import Console, Exit
from rtfs.cli.sources import STDIN, Source, read_program

if TYPE_CHECKING:
    from policies.errors import PolicyProblem
    from policies.file.policy import Policy

DEFAULT: Final = "delegation.toml"
#: what messages call the policy without any setting
BUILT_IN: Final = "built-in policy"


def policy_in(path: str, *, needs_secrets: bool = True) -> Policy:
    """The policy in the file `path`, or on stdin for `-`, with the overrides of this process's environment.

    Args:
        needs_secrets: see `policies.file.load.load_policy`.

    Raises:
        UsageError: the file cannot be read, or is no text.
        PolicyFileError: it is no policy.
    """
    return _loaded(read_program(path), needs_secrets)


def policy_in_force(path: str | None) -> Policy:
    """The policy in `path`; without one that in `delegation.toml` if there is such a file, else the empty one.

    Where calls would go can be told without secrets, so none is looked for.

    Raises:
        UsageError, PolicyFileError: as `policy_in`.
    """
    if path is not None or os.path.exists(DEFAULT):
        return policy_in(path or DEFAULT, needs_secrets=False)
    return _loaded(Source(BUILT_IN, ""), False)


def _loaded(source: Source, needs_secrets: bool) -> Policy:
    from policies.file.load import load_policy

    return load_policy(source.text, source=source.name, environ=os.environ, needs_secrets=needs_secrets)


def overrides() -> list[str]:
    """The variables of this process's environment that override keys of policies."""
    from policies.file.environment import PREFIX

    return sorted(name for name in os.environ if name.upper().startswith(f"{PREFIX}__"))


def show_problem(problem: PolicyProblem, console: Console) -> None:
    """Print one line, in the form that editors know: `file:line: severity: message (code)`."""
    from rtfs.report import visible

    console.say(visible(str(problem)))


def refuse(problems: tuple[PolicyProblem, ...], console: Console) -> Exit:
    """End a command whose policy cannot be used."""
    if not console.json:
        for problem in problems:
            show_problem(problem, console)
        console.note(f"the policy cannot be used: {count(problems, 'error')}")
    return console.finish(Exit.PROGRAM_ERROR, {"problems": [described(problem) for problem in problems]})


def described(problem: PolicyProblem) -> dict[str, Any]:
    """A problem as JSON data; the keys are stable."""
    return {
        "severity": problem.severity,
        "source": problem.source,
        "line": problem.line,
        "key": problem.key,
        "code": problem.code,
        "message": problem.message,
        "hint": problem.hint,
    }


def count(problems: Iterable[PolicyProblem], severity: str) -> str:
    """`2 errors`."""
    return counted(sum(problem.severity == severity for problem in problems), severity)


def counted(number: int, noun: str) -> str:
    """`1 rule`, `2 rules`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def named(path: str) -> str:
    """How messages call the file `path`."""
    return "<stdin>" if path == STDIN else path
