"""Names of the actors of a runtime. Each runtime has a Ray namespace of its own, so several share a cluster."""

from __future__ import annotations

import re
from typing import Final

CONTROL: Final = "control"
POLICY: Final = "policy"
TICKETS: Final = "tickets"
CACHES: Final = "caches"
SEMANTIC: Final = "semantic"
DEFAULT_RUNTIME: Final = "default"

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def namespace(runtime: str) -> str:
    """The Ray namespace of a runtime.

    Raises:
        ValueError: this is no name for a runtime.
    """
    if not _NAME.fullmatch(runtime):
        raise ValueError(
            f"expected a runtime's name of up to 64 letters, digits, `_`, `.` and `-`, got `{runtime[:80]}`"
        )
    return f"rtfs-{runtime}"


def evaluator(number: int) -> str:
    """The actor of an evaluator."""
    return f"evaluator-{number}"


def model(name: str, replica: int, digest: str) -> str:
    """The actor of a replica of a model. `digest` is that of its settings: with others it is another actor."""
    return f"model-{name}-{replica}-{digest}"
