"""What was seen of an entry: how near calls were for which the target was asked, and whether it said the same.

    evidence  = "1", outcomes, the oldest first
    outcome   = similarity as a float32, big-endian; the sign says whether the answer was the same (+) or not

Similarities below 0 count as 0: nothing so far away is ever served. Bytes that are none are no evidence.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

#: outcomes that are kept of an entry, the latest
MOST_OUTCOMES: Final = 32
_FORMAT: Final = b"1"
_OUTCOME: Final = struct.Struct(">f")
#: below any similarity that counts, so that its sign can be told
_SMALLEST: Final = 1e-6


class Outcome(NamedTuple):
    """One verified answer."""

    #: 0 to 1
    similarity: float
    correct: bool


def read_evidence(data: bytes) -> tuple[Outcome, ...]:
    """The outcomes, the oldest first."""
    body = data[1:]
    if data[:1] != _FORMAT or len(body) % _OUTCOME.size or len(body) > MOST_OUTCOMES * _OUTCOME.size:
        return ()
    found = [signed for (signed,) in _OUTCOME.iter_unpack(body)]
    if not all(0.0 < abs(signed) <= 1.0 for signed in found):  # NaN is none of these
        return ()
    return tuple(Outcome(abs(signed), signed > 0) for signed in found)


def with_outcome(data: bytes, outcome: Outcome) -> bytes:
    """The evidence with one more outcome, without the oldest if there are too many."""
    outcomes = (*read_evidence(data), outcome)[-MOST_OUTCOMES:]
    return _FORMAT + b"".join(
        _OUTCOME.pack((1 if correct else -1) * min(1.0, max(_SMALLEST, similarity)))
        for similarity, correct in outcomes
    )
