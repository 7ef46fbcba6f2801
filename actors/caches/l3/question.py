"""What L3 is asked, and what it says: a leaf module, for both sides of the process border.

SemanticQuestion ──look──▶ Served    the answer to an earlier call that means the same
                           Verify    there is one, and whether it is right is to be found out: ask the target
                           Unknown   there is none
what the target said ──answered──▶
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from actors.caches.layer import Hit, Origin
from rtfs.values import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class SemanticQuestion:
    """One call whose exact answer is not known."""

    #: of calls that differ in nothing but their texts: `InferenceCall.partition`
    partition: bytes
    #: the texts among its arguments, in order
    texts: tuple[str, ...]
    #: under which its own answer will be kept
    key: bytes
    origin: Origin
    #: share of answers by meaning that may be wrong, 0 to 1
    max_error: float
    #: of what is kept, seconds
    ttl_s: float
    #: nothing older will do, seconds; None: whatever there is
    max_age_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """The answer to an earlier call."""

    hit: Hit[Value]
    #: of the two calls, -1 to 1
    similarity: float
    #: share of such answers that are wrong, at most
    error_bound: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verify:
    """The target is to be asked, and its answer compared with that of an earlier call."""

    ticket: str
    similarity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """The target is to be asked."""

    #: by which its answer may be told; empty: there is no need
    ticket: str = ""
    #: for people: `number: 3 is not 4`
    reason: str = ""


type Verdict = Served | Verify | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """An earlier call, for people who want to know what is near a text."""

    texts: tuple[str, ...]
    symbol: str
    similarity: float
    #: why it would not be served, however alike; empty: no text stands against it
    refused: str = ""


class SemanticPort(Protocol):
    """How a process reaches L3. Never raises but for the run: in doubt nothing is known."""

    def look(self, question: SemanticQuestion) -> Verdict:
        """What is known. Raises LimitError: the run must stop."""

    def answered(self, ticket: str, answer: bytes) -> None:
        """What the target said, as `keys.answer_digest`; its answer is kept in L2. Never waits."""

    def similar(self, symbol: str, text: str, at_least: float, limit: int) -> Sequence[Neighbour]:
        """Calls of a function with texts near `text`, the nearest first."""
