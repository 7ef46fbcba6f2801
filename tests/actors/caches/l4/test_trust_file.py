"""The file of trust is changed by one process at a time."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from actors.caches.l4.errors import TrustFileError
from actors.caches.l4.signing import SigningKey
from actors.caches.l4.trust import TrustStore
from actors.caches.l4.trust_file import changing, keys_folder, trust_path

ROOT = Path(__file__).resolve().parents[4]
KEY = SigningKey.new()


def test_where_they_are() -> None:
    home = {"HOME": "/home/ada"}
    assert trust_path(home) == Path("/home/ada/.config/rtfs/trust.json")
    assert keys_folder(home) == Path("/home/ada/.config/rtfs/keys")
    other = {**home, "XDG_CONFIG_HOME": "/etc/ada"}
    assert trust_path(other) == Path("/etc/ada/rtfs/trust.json")
    assert keys_folder(other) == Path("/etc/ada/rtfs/keys")
    named = {**other, "RTFS_TRUST_FILE": "/run/trust", "RTFS_KEYS_DIR": "/run/keys"}
    assert (trust_path(named), keys_folder(named)) == (Path("/run/trust"), Path("/run/keys"))


def test_a_change_is_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "trust.json"
    with changing(path) as draft:
        draft.trust = draft.trust.trusting(KEY.public, "build", now=1.0)
    assert list(TrustStore.read(path).keys) == [KEY.id]
    assert path.stat().st_mode & 0o077 == 0
    before = path.stat().st_ino
    with changing(path):
        pass
    assert path.stat().st_ino == before  # nothing was changed, so nothing was written


def test_nothing_is_written_if_the_block_fails(tmp_path: Path) -> None:
    path = tmp_path / "trust.json"

    def fail(failure: type[BaseException]) -> None:
        with changing(path) as draft:
            draft.trust = draft.trust.trusting(KEY.public, "build", now=1.0)
            raise failure

    for failure in (ValueError, KeyboardInterrupt):
        with pytest.raises(failure):
            fail(failure)
    assert not path.exists()
    with changing(path):  # the lock is free again
        pass


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "trust.json")
    with changing(tmp_path / "link") as draft:
        draft.trust = draft.trust.trusting(KEY.public, "build", now=1.0)
    assert (tmp_path / "link").is_symlink()
    assert KEY.id in TrustStore.read(tmp_path / "trust.json").keys


def test_a_file_that_cannot_be_used_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "trust.json"
    path.write_text("{", encoding="ascii")
    with pytest.raises(TrustFileError, match="no file of trusted keys"), changing(path):
        raise AssertionError("nothing is to be changed in it")
    assert path.read_text("ascii") == "{"
    with pytest.raises(TrustFileError, match="cannot change"), changing(path / "below"):
        raise AssertionError


def test_threads_and_processes_lose_none_of_each_others_changes(tmp_path: Path) -> None:
    path = tmp_path / "trust.json"
    code = (
        "import sys; from pathlib import Path; from actors.caches.l4.trust_file import changing\n"
        "for n in range(20):\n"
        "    with changing(Path(sys.argv[1])) as draft:\n"
        "        draft.trust = draft.trust.revoking_module(f'{sys.argv[2]}-{n}', now=1.0)\n"
    )
    command = [sys.executable, "-c", code, os.fspath(path)]
    others = [subprocess.Popen([*command, f"process-{name}"], cwd=ROOT) for name in range(2)]

    def some(name: int) -> None:
        for n in range(20):
            with changing(path) as draft:
                draft.trust = draft.trust.revoking_module(f"thread-{name}-{n}", now=1.0)

    threads = [threading.Thread(target=some, args=(name,)) for name in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [other.wait(60) for other in others] == [0, 0]
    assert len(TrustStore.read(path).revoked) == 80
