"""Levels and capabilities: what goes together, and what takes in what."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rtfs.security import Level
from rtfs.spell import nearest

#: from the least to the most
LEVELS: Final[tuple[Level, ...]] = ("pure", "controlled", "full")


def covers(allowed: str, capability: str) -> bool:
    """Whether what is allowed, an id or a prefix with `.*`, takes in another."""
    if allowed == capability:
        return True
    return allowed.endswith(".*") and capability.startswith(allowed[:-1])


def check_rights(level: str, capabilities: Iterable[str] | None) -> None:
    """Whether a level and a list of capabilities go together.

    Raises:
        ValueError: they do not.
    """
    if level not in LEVELS:
        near = nearest(level, LEVELS)
        advice = f"did you mean `{near}`?" if near else f"levels are {', '.join(LEVELS)}"
        raise ValueError(f"there is no level `{shown(level)}`; {advice}")
    if isinstance(capabilities, str):  # would be taken apart into its characters
        raise ValueError(f"capabilities must be a collection of names, got the string {capabilities!r}")
    if level != "controlled" and capabilities:
        permits = "no" if level == "pure" else "every"
        raise ValueError(f"the level {level} permits {permits} capability; with a list, use controlled")


def shown(name: str) -> str:
    """A name that somebody sent, as it may stand in a message."""
    text = name if len(name) <= 100 else name[:100] + "…"
    return text if text.isprintable() else ascii(text)[1:-1]
