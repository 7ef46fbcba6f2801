"""Why a function does not become wasm."""

from __future__ import annotations

from dataclasses import dataclass

from rtfs.errors import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A function that stays with Python, and the construct, in it or in what it calls, that is why."""

    function: str
    construct: str
    reason: str
    span: Span | None = None

    def text(self) -> str:
        """For people, without the place."""
        return f"{self.function}: {self.construct}: {self.reason}"


class Refused(Exception):
    """Raised where a construct cannot be compiled. `span` may be filled in further out."""

    def __init__(self, construct: str, reason: str, span: Span | None = None) -> None:
        super().__init__(construct, reason)
        self.construct = construct
        self.reason = reason
        self.span = span
