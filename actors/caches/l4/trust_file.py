"""Where keys and trust are, and how the file of trust is changed: by one process at a time.

Both are the user's, not a runtime's: what one trusts counts for all runtimes of a machine.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from actors.caches.l4.errors import TrustFileError
from actors.caches.l4.trust import TrustStore
from actors.folders import settings_folder

TRUST_VARIABLE: Final = "RTFS_TRUST_FILE"
KEYS_VARIABLE: Final = "RTFS_KEYS_DIR"
_MODE: Final = 0o600


def trust_path(environ: Mapping[str, str]) -> Path:
    """The file of trusted keys: that of `RTFS_TRUST_FILE`, else `rtfs/trust.json` in the user's settings."""
    chosen = environ.get(TRUST_VARIABLE)
    return Path(chosen).absolute() if chosen else settings_folder(environ) / "trust.json"


def keys_folder(environ: Mapping[str, str]) -> Path:
    """The folder of private keys: that of `RTFS_KEYS_DIR`, else `rtfs/keys` in the user's settings."""
    chosen = environ.get(KEYS_VARIABLE)
    return Path(chosen).absolute() if chosen else settings_folder(environ) / "keys"


class Draft:
    """What is in the file of trust, to be replaced by something else."""

    def __init__(self, trust: TrustStore) -> None:
        self.trust = trust


@contextmanager
def changing(path: Path) -> Iterator[Draft]:
    """What is trusted, to be changed: what the draft holds at the end of the block is written.

        with changing(path) as draft:
            draft.trust = draft.trust.revoking_key(id, now=now)

    Meanwhile nobody else who uses this changes the file, so that of two changes at once both count. Nothing is
    written if the block fails, or leaves the draft as it was.

    Raises:
        TrustFileError: the file cannot be used, or not be written.
    """
    target = Path(os.path.realpath(path))  # a link stays one, and all its names are locked by one file
    lock = _lock(target)
    try:
        before = TrustStore.read(target)
        draft = Draft(before)
        yield draft
        if draft.trust is not before:
            draft.trust.write(target)
    finally:
        os.close(lock)


def _lock(target: Path) -> int:
    """The lock on changes of a file, once nobody else has it: a descriptor. It goes with the process."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(f"{target}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
    except OSError as error:
        raise TrustFileError(f"cannot change `{target}`: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
    except BaseException:
        os.close(lock)
        raise
    return lock
