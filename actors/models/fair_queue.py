"""A queue that is fair to its owners: they take turns, whoever has more waiting.

The owners with something in the queue stand in a ring, and `take` goes round it, one item from each. What one
owner puts in comes out in its order. Not safe to use from many threads; who uses it has a lock.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable


class FairQueue[Item]:
    """Items that wait, by owner."""

    def __init__(self) -> None:
        #: owner → what it has waiting, never nothing; owners in the order of their turns
        self._waiting: OrderedDict[str, deque[Item]] = OrderedDict()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def put(self, owner: str, item: Item) -> None:
        """Add an item behind those of its owner; a new owner's turn comes last."""
        self._waiting.setdefault(owner, deque()).append(item)
        self._length += 1

    def take(self, most: int) -> list[Item]:
        """Remove up to `most` items, those whose turn it is."""
        taken: list[Item] = []
        while self._waiting and len(taken) < most:
            owner, items = next(iter(self._waiting.items()))
            taken.append(items.popleft())
            if items:
                self._waiting.move_to_end(owner)
            else:
                del self._waiting[owner]
        self._length -= len(taken)
        return taken

    def remove(self, unwanted: Callable[[Item], bool]) -> list[Item]:
        """Remove the items that `unwanted` picks out, and answer them."""
        removed: list[Item] = []
        for owner, items in list(self._waiting.items()):
            kept: deque[Item] = deque()
            for item in items:
                (removed if unwanted(item) else kept).append(item)
            if kept:
                self._waiting[owner] = kept
            else:
                del self._waiting[owner]
        self._length -= len(removed)
        return removed
