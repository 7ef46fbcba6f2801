"""What L3 holds of an earlier call: a leaf module."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from actors.caches.layer import Origin

#: float32, shape (dimensions,) or (n, dimensions); rows of length 1
type Vectors = NDArray[np.float32]


class Entry(NamedTuple):
    """An earlier call. Times are microseconds of the store's clock."""

    #: in its store, never given twice
    id: bytes
    #: of calls that differ in nothing but their texts
    partition: bytes
    #: of its texts, shape (dimensions,), length 1; not to be written to
    vector: Vectors
    #: the texts among its arguments, in order
    texts: tuple[str, ...]
    #: under which L2 has the answer
    key: bytes
    origin: Origin
    created_us: int
    expires_us: int
    #: what was learnt about whether it may be served, in the words of who learns it; empty: nothing
    evidence: bytes = b""


class Neighbour(NamedTuple):
    """An entry that is near a vector."""

    #: cosine of the two vectors, -1 to 1
    similarity: float
    entry: Entry
