"""A loaded policy: its settings, where each stands in the file, and its version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from policies.errors import PolicyProblem
from policies.file.schema import Delegation
from policies.plan import Because


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Immutable. Made by `policies.file.load`; `Policy()` is the empty policy: everything runs locally."""

    settings: Delegation = field(default_factory=Delegation)
    source: str = "built-in policy"
    #: SHA-256, hex, of the settings in force, overrides included; equal settings have equal versions
    version: str = "0"
    #: line of each key by its dotted path below `delegation`: `rules.0.deny`, `static_routes.ai-*`
    lines: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    warnings: tuple[PolicyProblem, ...] = ()

    def because(self, what: str, path: str) -> Because:
        """The place of the setting at `path`."""
        return Because(what=what, source=self.source, line=self.lines.get(path))
