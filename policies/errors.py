"""What can be wrong with a policy.

PolicyError              one thing that is wrong, and where
└── PolicyFileError      a policy file that cannot be used: everything that is wrong with it
TargetFailed             a target did not answer a call; it never gets farther than the call's chain
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

type Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyProblem:
    """One finding in a policy file."""

    #: stable, in kebab case: `unknown-key`, `unreachable-rule`, …
    code: str
    message: str
    severity: Severity = "error"
    #: name of the text: a path, or `environment`
    source: str = "delegation.toml"
    #: from 1; None where no line is to blame
    line: int | None = None
    #: dotted path of the key as a user would write it, `delegation.remote_providers.remote-openai.timeout`
    key: str | None = None
    #: what to do, such as the nearest known key
    hint: str | None = None

    def __str__(self) -> str:
        place = self.source if self.line is None else f"{self.source}:{self.line}"
        key = f" `{self.key}`:" if self.key else ""
        hint = f"; {self.hint}" if self.hint else ""
        return _printable(f"{place}: {self.severity}:{key} {self.message}{hint} ({self.code})")


def _printable(text: str) -> str:
    """Names out of a file may hold anything; what would steer a terminal is spelt out."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)


class PolicyError(Exception):
    """A policy, an engine or a target name that cannot be used."""


class PolicyFileError(PolicyError):
    """A policy file that cannot be used. `problems` lists what is wrong, in order of line; never empty."""

    def __init__(self, problems: tuple[PolicyProblem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class TargetFailed(Exception):
    """A target did not answer, or nothing that can be used."""

    def __init__(
        self, cause: str, detail: str = "", *, retry_after_s: float | None = None, cost_usd: float = 0.0
    ) -> None:
        """Why a target failed.

        Args:
            cause: one of `policies.running.health.CAUSES`; any other counts as `unknown`.
            detail: for people; never data of the call.
            retry_after_s: how long the target asks to be left alone.
            cost_usd: what the failure did cost.
        """
        super().__init__(f"{cause}: {detail}" if detail else cause)
        self.cause = cause
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.cost_usd = cost_usd


class NotSent(TargetFailed):
    """A call that never left this process, for want of room say. It tells nothing about its target."""
