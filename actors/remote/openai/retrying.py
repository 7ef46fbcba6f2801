"""When a call is tried again, and after how long: full jitter, within the time of the call.

Pauses are drawn between nothing and a bound that doubles each time, so that callers who failed together do not
come back together (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from policies.errors import TargetFailed

#: causes that may be gone the next time
PASSING: Final = frozenset(
    ("connection-refused", "connection-lost", "rate-limited", "overloaded", "server-error", "timeout")
)
#: bound of the first pause, and of all, seconds
FIRST_S: Final = 0.25
MOST_S: Final = 8.0


def pause_s(failure: TargetFailed, retry: int, left_s: float, draw: Callable[[], float]) -> float | None:
    """How long to wait before the next try, seconds; None: it is not worth one.

    Args:
        retry: which one it would be, from 0.
        left_s: what is left of the time of the call.
        draw: a random number from 0 to 1.
    """
    if failure.cause not in PASSING:
        return None
    jitter_s = draw() * min(MOST_S, FIRST_S * 2.0 ** min(retry, 60))
    pause = jitter_s if failure.retry_after_s is None else failure.retry_after_s + jitter_s
    return pause if pause < left_s else None
