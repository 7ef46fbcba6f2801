"""Where a runtime keeps what has to outlive its processes, and files that are replaced as a whole."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
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
