"""Where state is kept, and files that are written whole or not at all."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from actors.folders import replace_file, settings_folder, state_folder

PLACES = [
    ({"RTFS_STATE_DIR": "/var/lib/rtfs", "XDG_STATE_HOME": "/x", "HOME": "/h"}, "/var/lib/rtfs/r"),
    ({"XDG_STATE_HOME": "/x", "HOME": "/h"}, "/x/rtfs/r"),
    ({"HOME": "/h"}, "/h/.local/state/rtfs/r"),
    ({"RTFS_STATE_DIR": "", "XDG_STATE_HOME": "", "HOME": "/h"}, "/h/.local/state/rtfs/r"),
    ({"XDG_STATE_HOME": "relative", "HOME": "/h"}, "/h/.local/state/rtfs/r"),
]


@pytest.mark.parametrize(("environ", "folder"), PLACES)
def test_the_folder_of_a_runtime(environ: dict[str, str], folder: str) -> None:
    assert state_folder("r", environ) == Path(folder)


def test_without_a_home_the_users_own_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    assert state_folder("r", {}) == Path("/home/somebody/.local/state/rtfs/r")


def test_a_file_is_replaced_and_is_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "new" / "folder" / "state.json"
    for text in ("first", "second ünïcode \ud800"):
        replace_file(file, text)
        assert file.read_text(encoding="utf-8", errors="surrogatepass") == text
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert os.listdir(file.parent) == ["state.json"]


def test_what_cannot_be_written_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    replace_file(file, "old")
    with pytest.raises(TypeError):
        replace_file(file, b"no text")  # type: ignore[arg-type]
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(IsADirectoryError):
        replace_file(folder, "text")
    assert file.read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["folder", "state.json"]


def test_readers_never_see_half_a_file(tmp_path: Path) -> None:
    file = tmp_path / "state"
    texts = {letter * 100_000 for letter in "abc"}
    replace_file(file, min(texts))
    over = threading.Event()

    def write() -> None:
        for _ in range(10):
            for text in sorted(texts):
                replace_file(file, text)
        over.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not over.is_set():
        assert file.read_text() in texts
    writer.join()


@pytest.mark.parametrize("base", ["", "relative/folder"])
def test_settings_are_below_the_users_home_unless_a_whole_path_says_otherwise(base: str) -> None:
    home = {"HOME": "/home/ada"}
    assert settings_folder({**home, "XDG_CONFIG_HOME": base}) == Path("/home/ada/.config/rtfs")
    assert settings_folder({**home, "XDG_CONFIG_HOME": "/etc/ada"}) == Path("/etc/ada/rtfs")
