"""Where the values of a policy come from: a line of its file, or a variable of the environment."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from policies.errors import PolicyProblem, Severity
from policies.file.toml_lines import KeyPath, Scan, dotted, flattened
from rtfs.spell import nearest

ENVIRONMENT: Final = "environment"
#: problems of one kind, errors or warnings, that are told; the others are counted
MAX_TOLD: Final = 500
#: characters of one message
_LONGEST: Final = 500


class _Spelling:
    """Finds the name that was meant, until names and text turn out to be no policy but an attack.

    A comparison takes a step for each pair of characters.
    """

    def __init__(self) -> None:
        self._left = 3_000_000

    def nearest(self, name: str, known: Collection[str]) -> str | None:
        self._left -= len(known) * min(len(name), 64) ** 2
        return nearest(name, known) if self._left > 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Makes problems that say where they are."""

    source: str = "delegation.toml"
    scan: Scan = field(default_factory=Scan)
    #: keys that a variable set → its name
    variables: Mapping[KeyPath, str] = field(default_factory=lambda: MappingProxyType({}))
    _spelling: _Spelling = field(default_factory=_Spelling, repr=False, compare=False)

    def nearest(self, name: str, known: Collection[str]) -> str | None:
        """The known name most like `name`; None if none is, or if too much was looked for already."""
        return self._spelling.nearest(name, known)

    def problem(
        self,
        code: str,
        path: KeyPath,
        message: str,
        *,
        hint: str | None = None,
        severity: Severity = "error",
    ) -> PolicyProblem:
        """A problem with the value at `path`."""
        variable = self._variable(path)
        if len(message) > _LONGEST:
            message = message[:_LONGEST] + "…"
        return PolicyProblem(
            code=code,
            message=f"in `{variable}`: {message}" if variable else message,
            severity=severity,
            source=ENVIRONMENT if variable else self.source,
            line=None if variable else self.scan.line(path),
            key=dotted(path) if path else None,
            hint=hint,
        )

    def line(self, path: KeyPath) -> int | None:
        """The line of `path` in the file, None if a variable set it."""
        return None if self._variable(path) else self.scan.line(path)

    def lines(self, below: str) -> Mapping[str, int]:
        """The lines of all keys of the file that no variable changed, by dotted path below `below`."""
        known = self.scan.implied | self.scan.lines
        if self.variables:
            known = {path: line for path, line in known.items() if not self._variable(path)}
        return MappingProxyType(flattened(known, below))

    def _variable(self, path: KeyPath) -> str | None:
        if not self.variables:
            return None
        lengths = range(len(path), 0, -1)
        return next((found for length in lengths if (found := self.variables.get(path[:length]))), None)


def told(problems: Iterable[PolicyProblem], untold: int = 0) -> tuple[PolicyProblem, ...]:
    """Problems by line, then those without one, then those of the environment; the first `MAX_TOLD` of them.

    Args:
        problems: what was found.
        untold: how many more there are.
    """
    ordered = sorted(problems, key=_by_place)
    untold += max(0, len(ordered) - MAX_TOLD)
    if not untold:
        return tuple(ordered)
    last = ordered[-1]
    more = PolicyProblem(
        code="more-problems",
        message=f"there are {untold} more problems",
        severity=last.severity,
        source=last.source,
    )
    return (*ordered[:MAX_TOLD], more)


def _by_place(problem: PolicyProblem) -> tuple[bool, bool, int, str]:
    return (problem.source == ENVIRONMENT, problem.line is None, problem.line or 0, problem.key or "")
