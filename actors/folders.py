"""Folders of a runtime and of a user, and files that are replaced as a whole."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Mapping
from errno import EPERM
from pathlib import Path


def state_folder(name: str, environ: Mapping[str, str]) -> Path:
    """The folder of the runtime `name`: below `RTFS_STATE_DIR`, else below the user's folder for state.

    That is `$XDG_STATE_HOME/rtfs`, by default `~/.local/state/rtfs` (XDG Base Directory Specification, by which
    a relative path counts as none).
    """
    chosen = environ.get("RTFS_STATE_DIR")
    if chosen:
        return Path(chosen) / name
    return _users("XDG_STATE_HOME", Path(".local", "state"), environ) / name


def settings_folder(environ: Mapping[str, str]) -> Path:
    """The user's folder for settings: `$XDG_CONFIG_HOME/rtfs`, by default `~/.config/rtfs`."""
    return _users("XDG_CONFIG_HOME", Path(".config"), environ)


def _users(variable: str, below_home: Path, environ: Mapping[str, str]) -> Path:
    base = Path(environ.get(variable, ""))
    if not base.is_absolute():
        base = Path(environ.get("HOME", "~")).expanduser() / below_home
    return base / "rtfs"


def user_folder(name: str) -> Path:
    """Where this user's folder of that name is that all their processes on this machine share.

    It is among temporary files, since it means nothing elsewhere.
    """
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


def replace_file(path: Path, text: str) -> None:
    """Write a file whole or not at all, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogatepass") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
