"""How many invalidations there were: a number that all processes of a machine see at once.

The writer counts it up when an invalidation is committed. What a process holds in memory is good only under
the number that it was read under, so that nothing that was taken back is given again, however many processes
had it. It is eight bytes of a mapped file: a look costs no system call.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from struct import Struct
from typing import Final

from actors.caches.errors import StoreError

#: the file in the folder of the store
EPOCH_FILE: Final = "epoch"
_SIZE: Final = 4096
_NUMBER: Final = Struct("=Q")


class Epoch:
    """The number, to be read, or by the writer to be set.

    Args:
        folder: that of the store; None: the number is for this process alone.
        write: whether it is the writer's.

    Raises:
        StoreError: there is no such file, or it cannot be used.
    """

    __slots__ = ("_map",)

    def __init__(self, folder: Path | None, *, write: bool = False) -> None:
        if folder is None:
            self._map = mmap.mmap(-1, _SIZE)
            return
        path = folder / EPOCH_FILE
        try:
            descriptor = os.open(path, (os.O_RDWR | os.O_CREAT if write else os.O_RDONLY) | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(f"cannot use `{path}`: {error.strerror}") from error
        try:
            if write and os.fstat(descriptor).st_size < _SIZE:
                os.pwrite(descriptor, bytes(_SIZE), 0)  # what is mapped must not need room when it is written
            if os.fstat(descriptor).st_size < _SIZE:
                raise StoreError(f"cannot use `{path}`: it was cut short")
            access = mmap.ACCESS_WRITE if write else mmap.ACCESS_READ
            self._map = mmap.mmap(descriptor, _SIZE, access=access)
        except OSError as error:
            raise StoreError(f"cannot use `{path}`: {error.strerror}") from error
        finally:
            os.close(descriptor)

    def get(self) -> int:
        """The number now."""
        found: int = _NUMBER.unpack_from(self._map)[0]
        return found

    def set(self, number: int) -> None:
        """Make it `number`. The writer's alone; eight aligned bytes are written at once."""
        _NUMBER.pack_into(self._map, 0, number)

    def close(self) -> None:
        """Let go of the file."""
        self._map.close()
