from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.file.toml_lines import MAX_DEPTH, MAX_PARTS, MAX_WORD, KeyPath, dotted, flattened, scan

LINES = [
    ("", {}),
    ("a = 1\n\nb = 2", {("a",): 1, ("b",): 3}),
    ("a = 1\r\n# c\r\nb = 2\r\n", {("a",): 1, ("b",): 3}),
    ("  a\t=\t1 # b = 2\n", {("a",): 1}),
    ("[t]\na = 1\n[t.u]\nb = 2", {("t",): 1, ("t", "a"): 2, ("t", "u"): 3, ("t", "u", "b"): 4}),
    ("[ t . u ]\na = 1", {("t", "u"): 1, ("t", "u", "a"): 2}),
    ("a.b.c = 1", {("a", "b", "c"): 1}),
    ("'a.b'.\"c\" = 1", {("a.b", "c"): 1}),
    ('"a\\"\\u0041" = 1\n"" = 2', {('a"A',): 1, ("",): 2}),
    ("1.2 = 3", {("1", "2"): 1}),
    ("a = '[b]'\nc = \"# d = {\"", {("a",): 1, ("c",): 2}),
    ('a = """\nb = 1\n\\"""\n""""\nc = 1', {("a",): 1, ("c",): 5}),
    ("a = '''\n''\n'''''\nc = 1", {("a",): 1, ("c",): 4}),
    ("a = [1, # one\n 2,\n]\nb = 1", {("a",): 1, ("a", 0): 1, ("a", 1): 2, ("b",): 4}),
    (
        "a = [[1],\n[2,\n3]]",
        {("a",): 1, ("a", 0): 1, ("a", 0, 0): 1, ("a", 1): 2, ("a", 1, 0): 2, ("a", 1, 1): 3},
    ),
    (
        "a = { b = 1, c.d = [\n2 ], 'e' = {} }\nf = 1",
        {("a",): 1, ("a", "b"): 1, ("a", "c", "d"): 1, ("a", "c", "d", 0): 2, ("a", "e"): 2, ("f",): 3},
    ),
    ("a = 1979-05-27T07:32:00.5Z\nb = 1.5e3\nc = -inf", {("a",): 1, ("b",): 2, ("c",): 3}),
    (
        "[[r]]\na = 1\n[[r]]\na = 2\n[r.t]\nb = 3\n[[r.s]]\nc = 4\n[[r.s]]",
        {
            ("r", 0): 1, ("r", 0, "a"): 2, ("r", 1): 3, ("r", 1, "a"): 4, ("r", 1, "t"): 5,
            ("r", 1, "t", "b"): 6, ("r", 1, "s", 0): 7, ("r", 1, "s", 0, "c"): 8, ("r", 1, "s", 1): 9,
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "lines"), LINES)
def test_lines(text: str, lines: dict[KeyPath, int]) -> None:
    tomllib.loads(text)  # the table holds valid texts only
    assert scan(text).lines == lines


def test_tables_that_others_imply() -> None:
    found = scan("\n[a.b.c]\nd.e = 1\n[[a.f]]")
    assert found.implied == {("a",): 2, ("a", "b"): 2, ("a", "b", "c", "d"): 3, ("a", "f"): 4}


def test_the_line_of_what_is_not_there_is_that_of_the_table_around_it() -> None:
    found = scan("x = 1\n[a]\n[a.b]\nc = 1")
    assert [found.line(path) for path in [("a", "b", "c"), ("a", "b", "z"), ("a", "z", "y"), ("z",)]] == [
        4,
        3,
        2,
        None,
    ]


AGAIN = [
    ("a = 1\nb = 1\na = 2", (("a",), 1, 3)),
    ("[a]\n[b]\n[a]", (("a",), 1, 3)),
    ("[a]\nb = 1\n[a.b]", (("a", "b"), 2, 3)),
    ("a.b = 1\na.c = 1\na.b = 1", (("a", "b"), 1, 3)),
    ("[[a]]\nb = 1\n[[a]]\nb = 1", None),
    ("[a.b]\n[a]\n[a.c]", None),
]


@pytest.mark.parametrize(("text", "again"), AGAIN)
def test_what_is_written_twice(text: str, again: object) -> None:
    assert scan(text).again == again


REFUSED = [
    ("x = 1\n" + ".".join("a" * (MAX_PARTS + 1)) + " = 1", "expected a key of at most 16 parts", 2),
    ("[" + ".".join("a" * (MAX_PARTS + 1)) + "]", "expected a key of at most 16 parts", 1),
    ("x = [\n" + "[" * MAX_DEPTH, "expected arrays and inline tables at most 16 deep", 2),
    ("x = " + "{a=" * (MAX_DEPTH + 1), "expected arrays and inline tables at most 16 deep", 1),
    ("x = " + "9" * (MAX_WORD + 1), "expected a word of at most 500 characters, got 501", 1),
]


@pytest.mark.parametrize(("text", "message", "line"), REFUSED)
def test_refused(text: str, message: str, line: int) -> None:
    refusal = scan(text).refusal
    assert refusal is not None
    assert (refusal.message, refusal.line) == (message, line)


ALLOWED = [
    ".".join("a" * MAX_PARTS) + " = 1",
    "x = " + "[" * MAX_DEPTH + "]" * MAX_DEPTH,
    "x = " + "9" * MAX_WORD,
    f'x = "{"y." * 1000}"\n"{"z" * 1000}" = 1',
]


@pytest.mark.parametrize("text", ALLOWED)
def test_not_refused(text: str) -> None:
    tomllib.loads(text)
    assert scan(text).refusal is None


# ---------------------------------------------------------------- properties

NAMES = st.sampled_from(["a", "b-c", "1", "é", "x.y", 'q"', "", "=", "#", "[z]", "new\nline"])
SCALARS = st.sampled_from(
    ["1", "-2.5", "true", '"#"', "'[,]'", '"""\n\n"""', "'''x\n'''", "1979-05-27", '"\\"="', '""', "0x1F"]
)


def quoted(name: str) -> str:
    if name and name.isascii() and name.replace("-", "").isalnum():
        return name
    return '"' + name.replace('"', '\\"').replace("\n", "\\n") + '"'


@st.composite
def values(draw: st.DrawFn, depth: int = 0) -> str:
    kind = draw(st.integers(0, 4 if depth < 3 else 1))
    if kind <= 1:
        return draw(SCALARS)
    if kind <= 3:
        gap = draw(st.sampled_from(["", " ", "\n", " # ,]\n"]))
        items = [gap + draw(values(depth + 1)) + gap for _ in range(draw(st.integers(0, 3)))]
        return f"[{','.join(items)}{gap}]"
    keys = draw(st.lists(NAMES, max_size=3, unique=True))
    return "{" + ", ".join(f"{quoted(key)} = {draw(values(depth + 1))}" for key in keys) + "}"


@st.composite
def documents(draw: st.DrawFn) -> str:
    text = ""
    for table in draw(st.lists(st.lists(NAMES, min_size=1, max_size=3).map(tuple), max_size=5)):
        text += draw(st.sampled_from(["", "\n", "# [x]\n", "  "]))
        header = ".".join(map(quoted, table))
        text += draw(st.sampled_from([f"[{header}]\n", f"[[{header}]] # x\n"]))
        for key in draw(st.lists(NAMES, max_size=3, unique=True)):
            text += f"{quoted(key)} = {draw(values())}\n"
    return text


def paths_of(data: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    if path:
        yield path
    if isinstance(data, dict):
        for key, below in data.items():
            yield from paths_of(below, (*path, key))
    elif isinstance(data, list):
        for index, below in enumerate(data):
            yield from paths_of(below, (*path, index))


@given(documents())
def test_every_key_of_a_valid_text_has_a_line_and_nothing_else_has(text: str) -> None:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return  # the generator may set a key twice
    found = scan(text)
    assert found.refusal is None
    assert found.again is None
    assert found.lines.keys() | found.implied.keys() == set(paths_of(data))


@given(documents())
def test_lines_are_those_where_the_key_is_written(text: str) -> None:
    rows = text.split("\n")
    for path, line in scan(text).lines.items():
        name = path[-1] if isinstance(path[-1], str) else None
        if name is not None:
            assert quoted(name) in rows[line - 1]


@given(st.text(alphabet="a.b=[]{},\"'\\\n# \r\t0\x00é", max_size=200))
def test_any_text_can_be_scanned(text: str) -> None:
    found = scan(text)
    count = text.replace("\r\n", "\n").count("\n") + 1
    assert all(1 <= line <= count for line in [*found.lines.values(), *found.implied.values()])


@given(st.lists(NAMES, min_size=1, max_size=4))
def test_a_dotted_path_reads_back(names: list[str]) -> None:
    data: Any = tomllib.loads(f"{dotted(tuple(names))} = 1")
    for name in names:
        data = data[name]
    assert data == 1


def test_flattened_lines() -> None:
    found = scan("[other]\nx = 1\n[delegation.static_routes]\n'ai-*' = 1\n[[delegation.rules]]\ndeny = []")
    assert flattened(found.implied | found.lines, "delegation") == {
        "static_routes": 3, "static_routes.ai-*": 4, "rules": 5, "rules.0": 5, "rules.0.deny": 6,
    }  # fmt: skip
