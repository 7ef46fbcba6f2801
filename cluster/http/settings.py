"""What an operator decides about the HTTP API. Durations are in seconds, sizes in bytes."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

from rtfs.run import MIB, Limits

#: most that a request may ask for one run
MOST_LIMITS: Final = Limits(
    deadline_s=3_600.0, allocation_bytes=4_096 * MIB, output_bytes=64 * MIB, delegations=1_000_000
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """Bounds of the HTTP API.

    Raises:
        ValueError: one that must be above 0 is not.
    """

    max_body_bytes: int = MIB
    #: of a request that is refused for its size this much is still read, so that the client gets to see why
    drain_bytes: int = 64 * MIB
    #: a body that has not come by then is given up
    body_timeout_s: float = 30.0
    #: largest answer, counted in characters of the value's text
    max_answer_chars: int = 32 * MIB
    #: longest that `?wait=` may ask for
    max_wait_s: float = 60.0
    #: pause between comments on a stream where nothing happens
    heartbeat_s: float = 15.0
    #: a client that takes nothing off its stream for so long is dropped
    send_timeout_s: float = 30.0
    #: event streams open at the same time
    max_streams: int = 256
    #: an evaluation that takes longer is watched for its client going away
    watch_after_s: float = 0.02
    most_limits: Limits = MOST_LIMITS
    #: whether `/metrics` is served to everybody who can reach it
    open_metrics: bool = False
    #: whether somebody who has no token is let in from nowhere: behind a proxy all come from this machine
    needs_token: bool = False
    #: whether answers get an `X-Request-Id` from us; Serve adds one of its own, which is the same
    sends_request_id: bool = True

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, int | float) and not isinstance(value, bool) and not value > 0:
                raise ValueError(f"{each.name} must be above 0, got {value!r}")
