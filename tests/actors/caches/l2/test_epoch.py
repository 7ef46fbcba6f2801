from __future__ import annotations

from pathlib import Path

import pytest

from actors.caches.errors import StoreError
from actors.caches.l2.epoch import EPOCH_FILE, Epoch


def test_readers_see_at_once_what_the_writer_sets(tmp_path: Path) -> None:
    writer = Epoch(tmp_path, write=True)
    readers = [Epoch(tmp_path) for _ in range(3)]
    assert [reader.get() for reader in readers] == [0, 0, 0]
    writer.set(2**40)
    assert [reader.get() for reader in readers] == [2**40] * 3
    for epoch in (writer, *readers):
        epoch.close()
    again = Epoch(tmp_path, write=True)
    assert again.get() == 2**40
    again.close()


def test_without_a_folder_it_is_the_processs_own() -> None:
    epoch = Epoch(None)
    epoch.set(3)
    assert epoch.get() == 3
    assert Epoch(None).get() == 0


def test_a_missing_or_short_file_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        Epoch(tmp_path)
    (tmp_path / EPOCH_FILE).write_bytes(b"x")
    with pytest.raises(StoreError, match="cut short"):
        Epoch(tmp_path)
