"""Where things run: Ray actors, models, tickets, other clusters. For drivers: `from actors import Runtime`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors.runtime import Runtime

__all__ = ["Runtime"]


def __getattr__(name: str) -> object:
    """Import Ray when it is needed, and not before."""
    if name == "Runtime":
        from actors.runtime import Runtime

        return Runtime
    raise AttributeError(f"module `actors` has no `{name}`")
