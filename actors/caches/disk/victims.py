"""Which entry goes when there is no room.

A store has two tables for it. `order`: number of an entry → seconds of its last use, number of its uses (and
more); `expiry`: when it ends, and its number → (empty). Numbers are in the order in which entries came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from random import Random
from struct import Struct
from typing import Any, Final

import lmdb

from policies.file.schema import Eviction

#: entries that are looked at for one that goes: of so many, the worst is about the worst of all
SAMPLE: Final = 16

NUMBER: Final = Struct(">Q")
#: end of an entry, microseconds, and its number
EXPIRY: Final = Struct(">QQ")
#: how a row of `order` begins: last used, uses
USE: Final = Struct(">II")
MOST_USES: Final = 0xFFFFFFFF


class Victims:
    """The entries of a transaction, by who goes first.

    Args:
        order_bytes: length of the rows of `order`; one of another length is damaged.
    """

    def __init__(
        self, txn: Any, order: lmdb._Database, expiry: lmdb._Database, random: Random, order_bytes: int
    ) -> None:
        self._txn = txn
        self._order = order
        self._expiry = expiry
        self._random = random
        self._order_bytes = order_bytes

    def next(self, eviction: Eviction, next_number: int) -> bytes | None:
        """The number of the entry to go next; None: there is none. All numbers are below `next_number`."""
        return _NEXT[eviction](self, next_number)

    def expired(self, now_us: int) -> bytes | None:
        """The number of an entry that has expired, whose row in `expiry` is deleted; None: there is none."""
        return self._first_end(EXPIRY.pack(now_us, 0))

    def _first(self) -> bytes | None:
        cursor = self._txn.cursor(self._order)
        return cursor.key() if cursor.first() else None

    def _first_end(self, before: bytes) -> bytes | None:
        cursor = self._txn.cursor(self._expiry)
        if not cursor.first() or (key := cursor.key()) >= before:
            return None
        cursor.delete()
        return NUMBER.pack(EXPIRY.unpack(key)[1])

    def _any(self, next_number: int) -> bytes | None:
        return next((number for number, _ in self._sampled(1, next_number)), None)

    def _least(self, rank: Callable[[int, int], tuple[int, ...]], next_number: int) -> bytes | None:
        """Of a sample, the number of the one with the lowest rank."""
        worst: tuple[tuple[int, ...], bytes] | None = None
        for number, row in self._sampled(SAMPLE, next_number):
            if len(row) != self._order_bytes:
                return number
            found = rank(*USE.unpack_from(row)), number
            worst = found if worst is None else min(worst, found)
        return None if worst is None else worst[1]

    def _sampled(self, size: int, next_number: int) -> Iterator[tuple[bytes, bytes]]:
        """Rows of the order: all if there are no more than that, else by chance, perhaps some twice."""
        cursor = self._txn.cursor(self._order)
        if self._txn.stat(self._order)["entries"] <= size:
            yield from cursor
            return
        if not cursor.first():
            return
        first = NUMBER.unpack(cursor.key())[0]
        for _ in range(size):
            number = self._random.randrange(first, next_number)
            if cursor.set_range(NUMBER.pack(number)) or cursor.last():
                yield cursor.item()


#: above all times
_NEVER: Final = b"\xff" * (EXPIRY.size + 1)

#: the number of the entry to go next, by eviction
_NEXT: Final[Mapping[Eviction, Callable[[Victims, int], bytes | None]]] = {
    "lru": lambda of, end: of._least(lambda used_s, uses: (used_s,), end),
    "lfu": lambda of, end: of._least(lambda used_s, uses: (uses, used_s), end),
    "fifo": lambda of, end: of._first(),
    "random": lambda of, end: of._any(end),
    "ttl": lambda of, end: of._first_end(_NEVER),
}
