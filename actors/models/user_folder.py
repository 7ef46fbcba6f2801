"""Folders that all processes of one user on one machine share, and nobody else."""

from __future__ import annotations

import os
import stat
import tempfile
from errno import EPERM
from pathlib import Path


def user_folder(name: str) -> Path:
    """Where this user's folder of that name is: among temporary files, since it means nothing elsewhere."""
    return Path(tempfile.gettempdir()) / f"rtfs-{name}-{os.getuid()}"


def made_own(folder: Path) -> Path:
    """Make the folder if it is not there.

    Raises:
        OSError: it cannot be made, or somebody else could put something into it.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        why = "expected a folder of this user's that no others may write to"
        raise PermissionError(EPERM, why, str(folder))
    return folder
