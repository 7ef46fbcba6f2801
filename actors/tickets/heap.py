"""A priority queue from which anything can be taken out.

An entry that is taken out or changed stays in the heap until it comes up, or until such entries are the greater
part; then the heap is built anew. So each operation costs O(log n) on average, and memory stays within twice
what is needed.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from itertools import count
from typing import Any, Final

#: below this many entries there is nothing to gain
_SMALL: Final = 64


class KeyedHeap:
    """Names by key, least key first; of equal keys the one that came first. Keys are all of one kind."""

    def __init__(self) -> None:
        self._heap: list[tuple[Any, int, str]] = []
        #: name → the number of its entry that counts
        self._entries: dict[str, int] = {}
        self._numbers = count()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def put(self, name: str, key: Any) -> None:
        """Enter `name`, in place of its former entry if there is one."""
        number = next(self._numbers)
        self._entries[name] = number
        heappush(self._heap, (key, number, name))
        self._tidy()

    def discard(self, name: str) -> None:
        """Take `name` out, if it is there."""
        if self._entries.pop(name, None) is not None:
            self._tidy()

    def first(self) -> tuple[Any, str] | None:
        """The least key and its name; they stay."""
        while self._heap:
            key, number, name = self._heap[0]
            if self._entries.get(name) == number:
                return key, name
            heappop(self._heap)
        return None

    def pop(self, until: Any = None) -> str | None:
        """Take out the first name, if its key is at most `until` (any key if None)."""
        found = self.first()
        if found is None or (until is not None and found[0] > until):
            return None
        heappop(self._heap)
        del self._entries[found[1]]
        return found[1]

    def _tidy(self) -> None:
        if len(self._heap) > _SMALL + 2 * len(self._entries):
            self._heap = [entry for entry in self._heap if self._entries.get(entry[2]) == entry[1]]
            heapify(self._heap)
