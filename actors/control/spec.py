"""What a runtime consists of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: runs at once in a process
MOST_RUNS: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeSpec:
    """The parts of a runtime, as its starter wants them."""

    namespace: str
    #: folder for what outlives processes, on the node of policy and tickets
    state_dir: str
    evaluators: int = 2
    #: runs at once on each evaluator
    most_runs: int = MOST_RUNS
    #: ceiling of the memory of each evaluator's process; None: none
    memory_bytes: int | None = None
    #: Ray resource that policy and tickets need, so that they come back on the node of their folder
    state_resource: str | None = None

    def __post_init__(self) -> None:
        for name in ("evaluators", "most_runs"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")

    @property
    def pinned(self) -> dict[str, float]:
        """Resources of the actors that keep state."""
        return {} if self.state_resource is None else {self.state_resource: 0.001}
