from __future__ import annotations

import io
from pathlib import Path

import pytest

from rtfs.cli.arguments import arguments
from rtfs.cli.console import Console, Output, UsageError
from rtfs.values import Map, Value, Vector


@pytest.fixture
def console() -> Console:
    return Console(Output(io.StringIO()), Output(io.StringIO()), "run")


@pytest.mark.parametrize(
    ("arg", "name", "value"),
    [
        ("n=3", "n", 3),
        ("x=-2.5", "x", -2.5),
        ("s=hello", "s", "hello"),
        ('s="3"', "s", "3"),
        ("s=", "s", ""),
        ("s=a=b", "s", "a=b"),
        ("b=true", "b", True),
        ("z=null", "z", None),
        ("v=[1, [2]]", "v", Vector.of(1, Vector.of(2))),
        ('m={"a": 1}', "m", Map({"a": 1})),
        ("f=NaN", "f", "NaN"),
        ("s={oops", "s", "{oops"),
        ("a.b/c=1", "a.b/c", 1),
    ],
)
def test_an_argument_is_json_where_it_is_json(console: Console, arg: str, name: str, value: Value) -> None:
    assert arguments([arg], None, console) == {name: value}


@pytest.mark.parametrize(
    ("arg", "message"),
    [
        ("n", "takes name=value"),
        ("=3", "no name"),
        ("a b=3", "no name"),
        ("(=3", "no name"),
        ("n=@/nowhere/at/all", "no such file"),
        ("n=99999999999999999999", "no RTFS value"),
        ("n=" + "[" * 200_000, "too deep"),
    ],
)
def test_a_malformed_argument_is_a_usage_error(console: Console, arg: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        arguments([arg], None, console)


def test_a_file_is_its_text(console: Console, tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text("a\nb é\n", encoding="utf-8")
    assert arguments([f"lines=@{path}"], None, console) == {"lines": "a\nb é\n"}


def test_bytes_that_are_no_utf8_are_replaced_and_told(tmp_path: Path) -> None:
    err = io.StringIO()
    path = tmp_path / "latin.txt"
    path.write_bytes(b"caf\xe9\n")
    console = Console(Output(io.StringIO()), Output(err), "run")
    assert arguments([f"text=@{path}"], None, console) == {"text": "caf\ufffd\n"}
    assert "not UTF-8" in err.getvalue()


def test_several_at_once_and_the_later_wins(console: Console, tmp_path: Path) -> None:
    path = tmp_path / "args.json"
    path.write_text('{"a": 1, "b": 2}')
    assert arguments(["b=3", "b=4"], f"@{path}", console) == {"a": 1, "b": 4}
    assert arguments([], '{"a": [1]}', console) == {"a": Vector.of(1)}


@pytest.mark.parametrize(("text", "message"), [("[1]", "object"), ("{", "not JSON"), ('{"a b": 1}', "no name")])
def test_malformed_args_json(console: Console, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        arguments([], text, console)
