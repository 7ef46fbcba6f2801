"""What the reader makes of text: values, places, and errors with their codes."""

from __future__ import annotations

import contextlib
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtfs.delegation import DelegationHint
from rtfs.errors import ReadError, Span
from rtfs.forms import COLON, MetaForm, Program, source_info
from rtfs.reader import is_complete, read
from rtfs.reader.metadata import DELEGATION_FORMS
from rtfs.values import Keyword, List, Map, ResourceHandle, Set, Symbol, Timestamp, Uuid, Value, Vector

S = Symbol.of
K = Keyword.of


def one(text: str) -> Value:
    program = read(text)
    assert len(program.forms) == 1, program.forms
    return program.forms[0]


def refused(text: str) -> ReadError:
    with pytest.raises(ReadError) as caught:
        read(text, "f.rtfs")
    return caught.value


# ---------------------------------------------------------------- atoms


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-5", -5),
        ("+5", 5),
        ("007", 7),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("00000000000000000000000000000001", 1),
        ("1.5", 1.5),
        ("-0.25", -0.25),
        ("1.0e3", 1000.0),
        ("2.5E-3", 0.0025),
        ("##Inf", float("inf")),
        ("##-Inf", float("-inf")),
        ("true", True),
        ("false", False),
        ("nil", None),
        ('""', ""),
        (r'"a\n\t\r\\\"b"', 'a\n\t\r\\"b'),
        ('"line\nbreak"', "line\nbreak"),
        (r'#"\d+\"x"', r"\d+\"x"),
        ("2025-01-31T10:20:30Z", Timestamp("2025-01-31T10:20:30Z")),
        ("2025-01-31T10:20:30_123Z", Timestamp("2025-01-31T10:20:30_123Z")),
        ("2024-02-29T23:59:60.123Z", Timestamp("2024-02-29T23:59:60.123Z")),
        ("123e4567-e89b-12d3-a456-426614174000", Uuid("123e4567-e89b-12d3-a456-426614174000")),
        ("abcdefab-e89b-12d3-a456-426614174000", Uuid("abcdefab-e89b-12d3-a456-426614174000")),
        ("resource://a/b:c?d", ResourceHandle("resource://a/b:c?d")),
    ],
)
def test_literal(text: str, value: Value) -> None:
    found = one(text)
    assert (type(found), found) == (type(value), value)


def test_nan() -> None:
    assert one("##NaN") != one("##NaN")


@pytest.mark.parametrize(
    "name",
    [
        "x",
        "-x",
        "+",
        "-",
        "/",
        "->>",
        "a.b/c",
        "com.acme:v1.2/name",
        "x?",
        "set!",
        "*1",
        "_",
        "_foo",
        "trueish",
        "λ",
        "été",
        "gen#",
        "a-1.2@x",
        "%",
        "%params",
        "&",
        "Exception.",
        ".m",
        "resource:ref",
        "nilly",
        "+x",
        "<=>",
    ],
)
def test_symbol(name: str) -> None:
    assert one(name) is S(name)


@pytest.mark.parametrize(
    "name", ["k", "a.b/k", "com.acme:v1.0/k", "ccos.io.log", "com.acme.db:v1.0:query", "=>", "*", "k?"]
)
def test_keyword(name: str) -> None:
    assert one(f":{name}") is K(name)


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("9223372036854775808", "P005", "64 bits"),
        ("1" * 5000, "P005", "64 bits"),
        ("1/2", "P005", "malformed number"),
        ("1abc", "P005", "malformed number"),
        ("0x1F", "P005", "malformed number"),
        ("5.", "P005", "malformed number"),
        (".5", "P005", "malformed number"),
        ("1e5", "P005", "malformed number"),
        ("1N", "P005", "malformed number"),
        ("##Foo", "P005", "unknown number"),
        ("2025-13-01T00:00:00Z", "P005", "malformed timestamp"),
        ("2025-02-29T00:00:00Z", "P005", "malformed timestamp"),
        (":1", "P005", "malformed keyword"),
        (":a:", "P005", "malformed keyword"),
        ('"a\\qb"', "P006", "unknown escape `\\q`"),
        ("x:int", "P003", "malformed symbol"),
        ("don't", "P003", "malformed symbol"),
        ("a\0b", "P003", "U+0000"),
        ("\ud800", "P003", "U+D800"),
        ("a\xa0b", "P003", "U+00A0"),
        ("½", "P003", "malformed symbol"),
        ("&rest", "P003", "malformed symbol"),
        ("\\a", "P004", "character literal"),
        ("#foo", "P004", "unknown reader form `#foo`"),
        ("@(f)", "P004", "`@` stands before"),
        ('^"x" y', "P004", "metadata is a keyword or a map"),
        ("[a :b} c]", "P008", "expected `]`, got `}`"),
        (")", "P008", "`)` closes nothing"),
        ("(a [b", "P008", "`[` is never closed"),
        ('(a "b', "P008", "this string never ends"),
        ('#"b', "P008", "this string never ends"),
        ("#| x", "P008", "this comment never ends"),
        ("'", "P002", "expected a form after `'`"),
        ("(~@)", "P002", "expected a form after `~@`"),
        ("[#_]", "P002", "expected a form after `#_`"),
        ("[#_ #_ a]", "P002", "expected a form after `#_…`"),
        ("^:a", "P002", "expected a form after metadata"),
        ("^", "P002", "expected a form after `^`"),
        ("(.m)", "P002", "has no object"),
        ("{:a}", "P002", "even number"),
        ("{:a 1 #_ 2 :b}", "P002", "even number"),
        ("{1.5 2}", "P001", "float cannot be a map key"),
        ("{nil 2}", "P001", "nil cannot be a map key"),
        ("{true 2}", "P001", "boolean cannot be a map key"),
        ("{[a] 2}", "P001", "vector cannot be a map key"),
        ("{:a : }", "P001", "unexpected `:` in a map"),
        ("#{ : }", "P001", "unexpected `:` in a set"),
        ("x : int", "P001", "unexpected `:` at the top level"),
        ("' : x", "P002", "got `:`"),
        ("#(a #(b))", "P007", "inside `#(…)`"),
        ("#(a %21)", "P007", "at most 20"),
        ("^:delegation :local ^:delegation :local f", "P007", "two delegation hints"),
    ],
)
def test_error(text: str, code: str, said: str) -> None:
    error = refused(text)
    shown = error.text() + (error.hint or "")
    assert said in shown
    assert (error.code, error.source) == (code, "f.rtfs")
    assert error.span is not None


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("1/2", "(/ a b)"),
        ("0b1", "decimal"),
        ("5.", "1.0"),
        ("x:int", "write `x : int`"),
        ("&rest", "write `& rest`"),
        ("(let [a (+ 1", "inside 3 open brackets; add `)])`"),
        ("(let [a (+ 1)", "inside 2 open brackets; add `])`"),
        ("(a\n [b)", "`[` at 2:2 is closed by `]`"),
        ("(a))", "remove `)`"),
        ("@(f)", "no deref"),
        ("{(f) 1}", "hash-map"),
    ],
)
def test_hint(text: str, hint: str) -> None:
    assert hint in (refused(text).hint or "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("(a", ("a form", "`)`")), ("[a", ("a form", "`]`")), ("{:a 1 )", ("a form", "`}`")), (")", ("a form",))],
)
def test_expected_set(text: str, expected: tuple[str, ...]) -> None:
    assert refused(text).expected == expected


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("(a\n  1/2)", Span(2, 3, 2, 6)),
        ('\n "x\n\\q"', Span(3, 1, 3, 3)),
        ("(a\n]", Span(2, 1, 2, 2)),
        ("[(]", Span(1, 3, 1, 4)),
        ("\n\n  (", Span(3, 3, 3, 4)),
    ],
)
def test_error_span(text: str, span: Span) -> None:
    assert refused(text).span == span


# ---------------------------------------------------------------- forms


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("(f 1, 2)", List.of(S("f"), 1, 2)),
        ("()", List()),
        ("[1 [2]]", Vector.of(1, Vector.of(2))),
        ('{:a 1 "b" 2 3 4}', Map({K("a"): 1, "b": 2, 3: 4})),
        ("{:a 1 :b 2 :a 3}", Map({K("a"): 3, K("b"): 2})),
        ("{name :name & rest}", Map({S("name"): K("name"), S("&"): S("rest")})),
        ("{~k 1}", Map({List.of(S("unquote"), S("k")): 1})),
        ("#{1 a 1}", Set.of(1, S("a"))),
        ("'x", List.of(S("quote"), S("x"))),
        (
            "`(a ~b ~@c)",
            List.of(
                S("quasiquote"),
                List.of(S("a"), List.of(S("unquote"), S("b")), List.of(S("unquote-splicing"), S("c"))),
            ),
        ),
        ("~ @x", List.of(S("unquote"), List.of(S("resource:ref"), "x"))),
        ("@plan-id", List.of(S("resource:ref"), "plan-id")),
        ("@:key", List.of(S("get"), K("key"))),
        ('(resource:ref "s")', List.of(S("resource:ref"), "s")),
        ("(.m obj 1)", List.of(S("m"), S("obj"), 1)),
        ("(f .m)", List.of(S("f"), S(".m"))),
        ("[x : int]", Vector.of(S("x"), COLON, S("int"))),
        ("[x ::int]", Vector.of(S("x"), COLON, K("int"))),
        ("[x :[:vector :int]]", Vector.of(S("x"), COLON, Vector.of(K("vector"), K("int")))),
        ("[x :{:a int}]", Vector.of(S("x"), COLON, Map({K("a"): S("int")}))),
        ("[x :int]", Vector.of(S("x"), K("int"))),
        ("[a #_ b c]", Vector.of(S("a"), S("c"))),
        ("[#_ #_ a b c]", Vector.of(S("c"))),
        ("[#_ a #_ b]", Vector.of()),
        ("'#_ a b", List.of(S("quote"), S("b"))),
        ("[a #|b ( |# c]", Vector.of(S("a"), S("c"))),
        ("[1 ; two\n 3]", Vector.of(1, 3)),
        ('["a""b"]', Vector.of("a", "b")),
        ("[resource://a/b]", Vector.of(ResourceHandle("resource://a/b"))),
        ("#(+ % 1)", List.of(S("fn"), Vector.of(S("%1")), List.of(S("+"), S("%1"), 1))),
        ("#(f %2)", List.of(S("fn"), Vector.of(S("%1"), S("%2")), List.of(S("f"), S("%2")))),
        ("#(f)", List.of(S("fn"), Vector.of(), List.of(S("f")))),
        (
            "#(f [% '%] %&)",
            List.of(
                S("fn"),
                Vector.of(S("%1"), S("&"), S("%&")),
                List.of(S("f"), Vector.of(S("%1"), List.of(S("quote"), S("%1"))), S("%&")),
            ),
        ),
        ("#(f %params)", List.of(S("fn"), Vector.of(), List.of(S("f"), S("%params")))),
        ("#!/usr/bin/env rtfs\n7", 7),
        ("\ufeff7", 7),
    ],
)
def test_form(text: str, form: Value) -> None:
    assert one(text) == form


def test_percent_outside_shorthand_stays() -> None:
    assert read("#(f %) %").forms[1] is S("%")


def test_programs() -> None:
    assert read("").forms == ()
    assert read(" ; only a comment").forms == ()
    assert read("#_ x").forms == ()
    assert read("1 2\n 3", "p.rtfs") == Program(
        "p.rtfs", (1, 2, 3), (Span(1, 1, 1, 2), Span(1, 3, 1, 4), Span(2, 2, 2, 3))
    )


# ---------------------------------------------------------------- metadata


def meta(text: str) -> MetaForm:
    form = one(text)
    assert type(form) is MetaForm
    return form


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("^:a x", ((K("a"), True),)),
        ("^{:a 1 :b [2]} x", ((K("a"), 1), (K("b"), Vector.of(2)))),
        ("^:a ^{:b 1} ^:c x", ((K("a"), True), (K("b"), 1), (K("c"), True))),
        ("^:a #_ skipped ^:b x", ((K("a"), True), (K("b"), True))),
        ("^{} x", ()),
    ],
)
def test_metadata_entries(text: str, entries: tuple[tuple[Value, Value], ...]) -> None:
    form = meta(text)
    assert (form.entries, form.form, form.hint) == (entries, S("x"), None)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("^:delegation :local x", DelegationHint("local")),
        ('^:delegation :local-model "phi" x', DelegationHint("local-model", "phi")),
        ('^:delegation :remote "gpt" x', DelegationHint("remote", "gpt")),
        ('^:delegation ; which\n :remote, #| id |# "g\\"pt" x', DelegationHint("remote", 'g"pt')),
        ('^:delegation {:target "local"} x', DelegationHint("local")),
        ('^:delegation {:target "local-model:phi"} x', DelegationHint("local-model", "phi")),
        ('^:delegation {:target "remote:gpt"} x', DelegationHint("remote", "gpt")),
        ('^:delegation {:target "remote-openai"} x', DelegationHint("target", "remote-openai")),
        ("^{:delegation :local} x", DelegationHint("local")),
        ('^{:delegation {:target "acme"}} x', DelegationHint("target", "acme")),
        ('^{:delegation "remote:gpt"} x', DelegationHint("remote", "gpt")),
        ('^{:delegation [:remote "gpt"]} x', DelegationHint("remote", "gpt")),
    ],
)
def test_delegation_hint(text: str, hint: DelegationHint) -> None:
    form = meta(text)
    assert (form.hint, form.entries, form.form) == (hint, (), S("x"))


def test_hint_beside_entries() -> None:
    form = meta('^:a ^:delegation :remote "r" ^{:b 2} x')
    assert (form.hint, form.entries) == (DelegationHint("remote", "r"), ((K("a"), True), (K("b"), 2)))


def test_hint_before_the_parameters() -> None:
    form = one("(fn ^:delegation :local [x] x)")
    assert type(form[1]) is MetaForm
    assert (form[1].hint, form[1].form) == (DelegationHint("local"), Vector.of(S("x")))


@pytest.mark.parametrize(
    "text",
    [
        "^:delegation",
        "^:delegation x",
        "^:delegation :elsewhere x",
        "^:delegation :remote x",
        '^:delegation :remote "" x',
        "^:delegation :local-model :phi x",
        '^:delegation {:to "x"} x',
        "^:delegation {:target 1} x",
        "^{:delegation 1} x",
    ],
)
def test_malformed_hint_names_the_forms(text: str) -> None:
    error = refused(text)
    assert error.code == "P007"
    assert error.expected == DELEGATION_FORMS
    assert error.span is not None


def test_metadata_spans() -> None:
    form = meta("^:a\n  (f)")
    assert (form.span, form.form_span) == (Span(1, 1, 2, 6), Span(2, 3, 2, 6))


# ---------------------------------------------------------------- places


@pytest.mark.parametrize(
    ("text", "span", "children"),
    [
        ("(f  1)", Span(1, 1, 1, 7), (Span(1, 2, 1, 3), Span(1, 5, 1, 6))),
        ("[1\n 22]", Span(1, 1, 2, 5), (Span(1, 2, 1, 3), Span(2, 2, 2, 4))),
        (
            "{:a 1 :b 2 :a 3}",
            Span(1, 1, 1, 17),
            (Span(1, 12, 1, 14), Span(1, 15, 1, 16), Span(1, 7, 1, 9), Span(1, 10, 1, 11)),
        ),
        ("#{1 1 2}", Span(1, 1, 1, 9), (Span(1, 5, 1, 6), Span(1, 7, 1, 8))),
        ("'x", Span(1, 1, 1, 3), (Span(1, 1, 1, 2), Span(1, 2, 1, 3))),
        ("#(f %)", Span(1, 1, 1, 7), (Span(1, 1, 1, 3), Span(1, 1, 1, 3), Span(1, 1, 1, 7))),
        ('["a\nb" c]', Span(1, 1, 2, 6), (Span(1, 2, 2, 3), Span(2, 4, 2, 5))),
    ],
)
def test_source_info(text: str, span: Span, children: tuple[Span, ...]) -> None:
    info = source_info(one(text))
    assert info is not None
    assert (info.span, info.children) == (span, children)


def test_made_forms_have_no_place() -> None:
    assert source_info(Vector.of(1)) is None
    assert source_info(1) is None


# ---------------------------------------------------------------- any text


@pytest.mark.parametrize(
    "brackets", ["()", "[]", ("{:a ", "}"), ("#{", "}"), ("'", ""), ("^:a ", ""), ("(#{[~", "]})")]
)
def test_deep_nesting_reads(brackets: tuple[str, str]) -> None:
    opener, closer = brackets
    levels = 100_000 if len(opener) < 3 else 30_000
    assert len(read(opener * levels + "x" + closer * levels).forms) == 1


@pytest.mark.parametrize("opener", ["(", "[", "{", "#{", "'", "^", "^{", "(^:a "])
def test_too_deep_nesting_is_refused(opener: str) -> None:
    error = refused(opener * 500_000)
    assert (error.code, error.text()) == ("P007", "forms nest deeper than 200000 levels")


def test_deep_member_of_a_set() -> None:
    depth = 50_000
    assert len(one("#{" + "[" * depth + "]" * depth + "}")) == 1


def test_equal_deep_members_of_a_set() -> None:
    deep = "#{" * 5_000 + "}" * 5_000
    program = None
    with contextlib.suppress(ReadError):
        program = read("#{" + deep + deep + "}")
    assert program is None or len(program.forms[0]) == 1


_TOKENS = st.sampled_from(
    [
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "#{",
        "#(",
        "'",
        "`",
        "~",
        "~@",
        "@",
        "^",
        "#_",
        ":",
        ":a",
        "x",
        "%",
        "1",
        "1.5",
        '"s"',
        '"',
        "\\",
        "#|",
        "|#",
        ";",
        "\n",
        " ",
        "^:delegation ",
        ":local",
        ":remote",
        "nil",
        "##Inf",
        "\0",
        "\ud800",
        ".m",
    ]
)


@given(st.one_of(st.text(), st.lists(_TOKENS).map(" ".join), st.lists(_TOKENS).map("".join)))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        program = read(text)
    except ReadError as refusal:
        place = refusal.span
        lines = text.split("\n")
        assert place is not None
        assert 1 <= place.line <= place.end_line <= len(lines) + 1
        assert 1 <= place.column <= len(lines[place.line - 1]) + 1
    else:
        assert len(program.forms) == len(program.spans)
        assert is_complete(text)


# ---------------------------------------------------------------- completeness


@pytest.mark.parametrize(
    "text", ["", "1", "(+ 1 2)", "(a]", ")", '"x"', "; (", "#| ( |#", "(a))", "a'", '("\\"")']
)
def test_complete(text: str) -> None:
    assert is_complete(text)


@pytest.mark.parametrize(
    "text", ["(", "(a [b]", '"x', '"x\\"', "#| x", "'", "[1 #_", "(a ; )", "`~@", "{:a #{"]
)
def test_incomplete(text: str) -> None:
    assert not is_complete(text)


def test_tables_are_built_on_first_use_only() -> None:
    script = "import sys, rtfs.reader as r; m = sys.modules; print('sly' in m); r.read('1'); print('sly' in m)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["False", "True"]
    assert (done.returncode, done.stderr) == (0, "")  # nothing on stderr: the grammar has no conflicts
