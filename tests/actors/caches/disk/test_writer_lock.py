from __future__ import annotations

import os
from pathlib import Path

import pytest

from actors.caches.disk.writer_lock import has_writer, only_writer
from actors.caches.errors import StoreError, StoreInUse


def test_there_is_one_writer_at_a_time(tmp_path: Path) -> None:
    assert not has_writer(tmp_path)
    lock = only_writer(tmp_path)
    assert has_writer(tmp_path)
    with pytest.raises(StoreInUse, match=str(os.getpid())):
        only_writer(tmp_path)
    os.close(lock)
    assert not has_writer(tmp_path)
    os.close(only_writer(tmp_path))


def test_a_folder_that_cannot_be_made_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError):
        only_writer(tmp_path / "file" / "folder")
