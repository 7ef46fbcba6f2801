"""What was given to the store and is not committed yet. It is as good as what is."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from actors.caches.disk.victims import NUMBER
from actors.caches.l3.entry import Entry

#: entries in one commit
MOST_IN_COMMIT: Final = 512
#: entries that wait; one more is not kept
MOST_WAITING: Final = 16_384


@dataclass(slots=True, kw_only=True)
class Batch:
    """What one commit writes."""

    added: dict[bytes, Entry] = field(default_factory=dict)
    learnt: dict[bytes, bytes] = field(default_factory=dict)
    used: list[bytes] = field(default_factory=list)
    removed: set[bytes] = field(default_factory=set)
    #: partition and number of entries that are damaged, or not there
    damaged: set[tuple[bytes, bytes]] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.added or self.learnt or self.used or self.removed or self.damaged)


class Pending:
    """What waits to be committed. Safe to use from many threads.

    Args:
        next_number: to be given to the first entry.
    """

    def __init__(self, next_number: int) -> None:
        self._all = Batch()
        self._next_number = next_number
        #: key of the call → number of the newest entry that waits
        self._of_key: dict[bytes, bytes] = {}
        self._lock = Lock()

    def __bool__(self) -> bool:
        all_ = self._all  # looked at by every search
        return bool(all_.added or all_.learnt or all_.used or all_.removed or all_.damaged)

    def __len__(self) -> int:
        """Entries that wait."""
        return len(self._all.added)

    @property
    def next_number(self) -> int:
        """Above all numbers that were given."""
        return self._next_number

    def add(self, entry: Entry) -> Entry | None:
        """The entry with the number that it has now; None: too many wait."""
        with self._lock:
            if len(self._all.added) >= MOST_WAITING:
                return None
            numbered = entry._replace(id=NUMBER.pack(self._next_number))
            self._next_number += 1
            self._all.added[numbered.id] = numbered
            self._of_key[numbered.key] = numbered.id
            return numbered

    def learn(self, number: bytes, evidence: bytes) -> None:
        """What was learnt about an entry."""
        with self._lock:
            self._all.learnt[number] = evidence

    def use(self, number: bytes) -> None:
        """An entry was used."""
        with self._lock:
            if len(self._all.used) < MOST_WAITING:
                self._all.used.append(number)

    def remove(self, number: bytes) -> None:
        """An entry is removed. It may be in a commit that goes on."""
        with self._lock:
            self._all.added.pop(number, None)
            self._all.removed.add(number)

    def is_removed(self, number: bytes) -> bool:
        """Whether an entry waits to be removed."""
        return number in self._all.removed

    def note_damage(self, partition: bytes, number: bytes) -> None:
        """An entry is damaged, or not there."""
        with self._lock:
            if len(self._all.damaged) < MOST_WAITING:
                self._all.damaged.add((partition, number))

    def get(self, number: bytes) -> Entry | None:
        """An entry that waits."""
        with self._lock:
            entry = self._all.added.get(number)
            learnt = self._all.learnt.get(number)
        return entry if entry is None or learnt is None else entry._replace(evidence=learnt)

    def of_key(self, key: bytes) -> bytes | None:
        """Number of the newest entry of a call that waits."""
        return self._of_key.get(key)

    def evidence(self, number: bytes) -> bytes | None:
        """What was learnt about an entry and waits; None: nothing does."""
        return self._all.learnt.get(number)

    def of(self, partition: bytes) -> list[Entry]:
        """The entries of a partition that wait."""
        with self._lock:
            return [entry for entry in self._all.added.values() if entry.partition == partition]

    def take(self, most: int) -> Batch:
        """What is to be committed next, which goes on to wait."""
        with self._lock:
            numbers = list(self._all.added)
            now, later = numbers[:most], set(numbers[most:])
            return Batch(
                added={number: self._all.added[number] for number in now},
                learnt={n: evidence for n, evidence in self._all.learnt.items() if n not in later},
                used=list(self._all.used),
                removed=set(self._all.removed),
                damaged=set(self._all.damaged),
            )

    def done(self, batch: Batch) -> None:
        """It is committed, or cannot be."""
        with self._lock:
            for number, entry in batch.added.items():
                self._all.added.pop(number, None)
                if self._of_key.get(entry.key) == number:
                    del self._of_key[entry.key]
            for number, evidence in batch.learnt.items():
                if self._all.learnt.get(number) is evidence:  # else more was learnt meanwhile
                    del self._all.learnt[number]
            del self._all.used[: len(batch.used)]
            self._all.removed -= batch.removed
            self._all.damaged -= batch.damaged
