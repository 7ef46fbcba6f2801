from __future__ import annotations

import os
from pathlib import Path

import pytest

from rtfs.cli.console import UsageError
from rtfs.cli.sources import read_program, read_text


def test_a_byte_order_mark_is_no_part_of_the_program(tmp_path: Path) -> None:
    path = tmp_path / "a.rtfs"
    path.write_bytes(b"\xef\xbb\xbf(+ 1 2)")
    assert read_program(str(path)).text == "(+ 1 2)"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"(+ 1\0 2)", "NUL byte at offset 4"),
        (b"\xef\xbb\xbf1\0", "NUL byte at offset 4"),
        (b"ok\n\xff", "not UTF-8: byte 0xff on line 2"),
        (b"\xef\xbb\xbfok\n\xff", "not UTF-8: byte 0xff on line 2"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "a.rtfs"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=message):
        read_program(str(path))


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "hello.rtfs").write_text("1")
    with pytest.raises(UsageError, match="no such file") as caught:
        read_program(str(tmp_path / "helo.rtfs"))
    assert "hello.rtfs" in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["", "with\0nul", "no/such/folder/x.rtfs"])
def test_a_name_of_nothing(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        read_program(str(tmp_path) + "/" + name)


def test_a_directory_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a directory"):
        read_program(str(tmp_path))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "secret.rtfs"
    path.write_text("1")
    path.chmod(0)
    with pytest.raises(UsageError, match="permission denied"):
        read_program(str(path))


def test_data_may_hold_odd_bytes_but_no_nul(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"a\xffb")
    assert read_text(str(path)) == ("a\ufffdb", False)
    path.write_bytes(b"a\0b")
    with pytest.raises(UsageError, match="no text"):
        read_text(str(path))
