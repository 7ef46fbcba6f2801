"""Where the command line keeps things: in the user's folders, never in whatever folder it runs in."""

from pathlib import Path

import pytest

from rtfs.cli.main import main
from rtfs.repl.terminal import history_path
from rtfs.sealed_files import default_folder


def test_the_users_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RTFS_CACHE_DIR", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/ada")
    assert default_folder() == "/home/ada/.cache/rtfs"
    assert history_path() == Path("/home/ada/.local/state/rtfs/history")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/ada/cache")
    monkeypatch.setenv("XDG_STATE_HOME", "/var/ada/state")
    assert default_folder() == "/var/ada/cache/rtfs"
    assert history_path() == Path("/var/ada/state/rtfs/history")
    monkeypatch.setenv("RTFS_CACHE_DIR", "/elsewhere")
    assert default_folder() == "/elsewhere"


def test_without_a_folder_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("RTFS_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.chdir(tmp_path)
    Path("three.rtfs").write_text("(+ 1 2)")
    assert main(["run", "three.rtfs"]) == 0
    assert capsys.readouterr().out == "3\n"
    assert history_path() is None
    assert [path.name for path in tmp_path.iterdir()] == ["three.rtfs"]
