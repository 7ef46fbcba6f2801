"""For whom a program runs, as far as decisions about where its functions run may depend on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

#: what a fact may be
type Fact = str | int | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeFacts:
    """For whom and in what circumstances a program runs. Immutable and hashable."""

    tenant: str | None = None
    permissions: frozenset[str] = frozenset()
    #: privacy labels that everything in the run carries
    labels: frozenset[str] = frozenset()
    #: names the plan in budgets per plan
    plan: str | None = None
    #: other facts that policies may look at, such as `hour` (0–23, of the driver's clock) or `region`
    ambient: Mapping[str, Fact] = field(default_factory=lambda: MappingProxyType({}), hash=False)

    def __post_init__(self) -> None:
        freeze = object.__setattr__
        freeze(self, "permissions", _names("permissions", self.permissions))
        freeze(self, "labels", _names("labels", self.labels))
        freeze(self, "ambient", MappingProxyType(dict(self.ambient)))

    def key(self) -> tuple[object, ...]:
        """Equal for facts that nothing can tell apart; 1 and true are two facts, though Python's are equal."""
        ambient = frozenset((name, type(fact), fact) for name, fact in self.ambient.items())
        return self.tenant, self.permissions, self.labels, self.plan, ambient


def _names(parameter: str, names: Iterable[str]) -> frozenset[str]:
    if isinstance(names, str):  # would be taken apart into its characters
        raise ValueError(f"{parameter} must be a collection of names, got the string {names!r}")
    return frozenset(names)
