"""The files that graphs are saved to. They are derived from LMDB: one that is not as noted there is not used.

hnswlib believes what it reads, so that size and checksum are compared before it sees a file.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Final
from zlib import crc32

from actors.caches.l3.graph import BREADTH, LINKS, Graph
from actors.caches.l3.rows import IndexNote

#: the folder for them, in that of the store
INDEX_FOLDER: Final = "indexes"
_PIECE_BYTES: Final = 1 << 20


class IndexFiles:
    """Files of graphs. For one thread that writes.

    Args:
        folder: that of the store.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / INDEX_FOLDER
        self._folder.mkdir(mode=0o700, exist_ok=True)

    def path(self, partition: bytes, generation: int) -> Path:
        """The file of a partition."""
        return self._folder / f"{partition.hex()}.{generation}"

    def write(self, partition: bytes, graph: Graph, generation: int) -> IndexNote:
        """Save a graph; it counts when the note is committed.

        Raises:
            OSError: the disk failed.
        """
        path = self.path(partition, generation)
        unfinished = path.with_suffix(".new")
        try:
            graph.save(unfinished)
            with unfinished.open("rb+") as file:
                os.fsync(file.fileno())
            note = IndexNote(generation, unfinished.stat().st_size, checksum(unfinished), LINKS, BREADTH)
            unfinished.replace(path)
            return note
        except OSError:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
            raise

    def problem(self, partition: bytes, note: IndexNote) -> str:
        """What is wrong with a file; empty: nothing."""
        path = self.path(partition, note.generation)
        try:
            if (note.links, note.breadth) != (LINKS, BREADTH):
                return "it was built in another way"
            if (nbytes := path.stat().st_size) != note.nbytes:
                return f"expected {note.nbytes} bytes, got {nbytes}"
            return "" if checksum(path) == note.checksum else "its checksum is another"
        except OSError as error:
            return f"it cannot be read: {error.strerror}"

    def load(self, partition: bytes, note: IndexNote, dimensions: int) -> Graph:
        """The graph in a file in which no problem was found.

        Raises:
            RuntimeError: it changed meanwhile.
        """
        return Graph.load(self.path(partition, note.generation), dimensions)

    def remove(self, partition: bytes, generation: int) -> None:
        """Delete the file of a partition, if it is there."""
        with suppress(OSError):
            self.path(partition, generation).unlink(missing_ok=True)

    def keep_only(self, paths: Collection[Path]) -> None:
        """Delete all other files."""
        for path in self._folder.iterdir():
            if path not in paths:
                with suppress(OSError):
                    path.unlink(missing_ok=True)


def checksum(path: Path) -> int:
    """The CRC-32 of a file. Raises OSError."""
    found = 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            found = crc32(piece, found)
    return found
