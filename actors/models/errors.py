"""What can be wrong with a model before it is asked anything.

ModelError           a model that cannot be made or loaded
└── RulesFileError   a rules file that cannot be used: everything that is wrong with it

A call that a model does not answer fails with `policies.errors.TargetFailed`.
"""

from __future__ import annotations

from dataclasses import dataclass


class ModelError(Exception):
    """A model that cannot be made or loaded. The text names it and says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesProblem:
    """One finding in a rules file."""

    source: str
    #: from 1; None where no line is to blame
    line: int | None
    message: str
    #: what to do, such as the nearest known word
    hint: str | None = None

    def __str__(self) -> str:
        place = self.source if self.line is None else f"{self.source}:{self.line}"
        hint = f"; {self.hint}" if self.hint else ""
        return f"{place}: {self.message}{hint}"


class RulesFileError(ModelError):
    """A rules file that cannot be used. `problems` lists what is wrong, in order of line; never empty."""

    def __init__(self, problems: tuple[RulesProblem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems

    def __reduce__(self) -> tuple[type[RulesFileError], tuple[tuple[RulesProblem, ...]]]:
        return type(self), (self.problems,)
