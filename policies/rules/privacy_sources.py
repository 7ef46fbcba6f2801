"""Where privacy labels come from, by the policy: `[delegation.security] sources` and `declassify`."""

from __future__ import annotations

from typing import Final

from policies.file.schema import Security
from policies.rules.globs import matches

CONTEXT: Final = "context:"
CAPABILITY: Final = "capability:"


class PolicySources:
    """The sources that a policy names; an `rtfs.delegation.PrivacySources`."""

    def __init__(self, security: Security) -> None:
        self._context = _under(CONTEXT, security)
        self._capability = _under(CAPABILITY, security)
        self._declassify = security.declassify

    def of_context(self, key: str | None) -> frozenset[str]:
        """Labels of the host's context value `key`; None: of all of them."""
        return _labels(self._context, key)

    def of_capability(self, id: str | None) -> frozenset[str]:
        """Labels of what the capability `id` answers; None: of all of them."""
        return _labels(self._capability, id)

    def declassifies(self, symbol: str) -> bool:
        """Whether results of the function `symbol` carry no label."""
        return any(matches(glob, symbol) for glob in self._declassify)


def _under(prefix: str, security: Security) -> tuple[tuple[str, frozenset[str]], ...]:
    return tuple(
        (source.removeprefix(prefix), frozenset(labels))
        for source, labels in security.sources.items()
        if source.startswith(prefix)
    )


def _labels(sources: tuple[tuple[str, frozenset[str]], ...], name: str | None) -> frozenset[str]:
    found: frozenset[str] = frozenset()
    for glob, labels in sources:
        if name is None or matches(glob, name):
            found |= labels
    return found
