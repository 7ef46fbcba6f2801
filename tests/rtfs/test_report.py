"""The report of an error, as people see it."""

from __future__ import annotations

import pytest

from rtfs import errors
from rtfs.errors import Frame, RtfsError, Span
from rtfs.reader import read
from rtfs.report import render


def read_report(text: str) -> str:
    with pytest.raises(errors.ReadError) as caught:
        read(text, "plan.rtfs")
    return render(caught.value, text)


def test_read_error() -> None:
    assert read_report("(defn f [x]\n  (+ x 1/2))").split("\n") == [
        "❌ Parse Error: malformed number `1/2` (P005)",
        "  --> plan.rtfs:2:8",
        "  |",
        "1 | (defn f [x]",
        "2 |   (+ x 1/2))",
        "  |        ^^^",
        "  expected: an integer, a float such as 1.5",
        "  hint: there are no ratios; write the division `(/ a b)`",
    ]


def test_delimiter_balance() -> None:
    report = read_report("(let [a 1]\n  (foo")
    assert report.startswith("❌ Parse Error: `(` is never closed (P008)")
    assert report.endswith("  expected: a form, `)`\n  hint: the text ends inside 2 open brackets; add `))`")


def error(span: Span | None = None, source: str | None = "p.rtfs") -> RtfsError:
    return errors.TypeMismatch("number", "string", "+", span=span, source=source)


TITLE = "❌ Type error in +: expected number, got string (TypeError)"


def test_runtime_error_with_trace() -> None:
    failed = error(Span(1, 2, 1, 3))
    failed.hint = "did you mean `x`?"
    failed.cause = errors.DivisionByZero()
    failed.trace = (*[Frame("fact", "p.rtfs", Span(3, 5, 3, 9))] * 4, Frame("main", "q.rtfs", None))
    assert render(failed, "(+)").split("\n") == [
        TITLE,
        "  --> p.rtfs:1:2",
        "  |",
        "1 | (+)",
        "  |  ^",
        "  hint: did you mean `x`?",
        "  while handling: Division by zero",
        "  in fact at p.rtfs:3:5 (and 3 more times)",
        "  in main at q.rtfs",
    ]


@pytest.mark.parametrize(
    ("text", "span", "lines"),
    [
        ("a\nb\nc", Span(2, 1, 2, 2), ["  |", "1 | a", "2 | b", "  | ^"]),
        ("\tx", Span(1, 2, 1, 3), ["  |", "1 |  x", "  |  ^"]),
        ("日本 x", Span(1, 4, 1, 5), ["  |", "1 | 日本 x", "  |      ^"]),
        ("(a\n b)", Span(1, 1, 2, 4), ["  |", "1 | (a", "  | ^^", "2 |  b)", "  |  ^^"]),
        ("x\r\ny", Span(1, 1, 1, 2), ["  |", "1 | x", "  | ^"]),
        ("x\x1b[2J", Span(1, 1, 1, 2), ["  |", "1 | x\\u001B[2J", "  | ^"]),
        ("abc", Span(1, 4, 1, 5), ["  |", "1 | abc", "  |    ^"]),
        ("abc", Span(7, 1, 7, 2), []),
        ("\n" * 9 + "x", Span(10, 1, 10, 2), ["   |", " 9 |", "10 | x", "   | ^"]),
        (
            "(\n1\n2\n3\n4\n5)",
            Span(1, 1, 6, 3),
            [
                "  |",
                "1 | (",
                "  | ^",
                "2 | 1",
                "  | ^",
                "3 | 2",
                "  | ^",
                "4 | 3",
                "  | ^",
                "  | … 2 more lines",
            ],
        ),
    ],
)
def test_excerpt(text: str, span: Span, lines: list[str]) -> None:
    assert render(error(span), text).split("\n") == [TITLE, f"  --> p.rtfs:{span.line}:{span.column}", *lines]


def test_long_lines_are_cut_around_the_error() -> None:
    text = "a" * 5000 + "bad" + "c" * 5000
    report = render(error(Span(1, 5001, 1, 5004)), text).split("\n")
    shown, carets = report[3], report[4]
    assert max(map(len, report)) < 200
    assert shown[carets.index("^") : carets.rindex("^") + 1] == "bad"


def test_without_place_or_text() -> None:
    assert render(error(), "x") == TITLE
    assert render(error(Span(1, 1, 1, 2)), None) == f"{TITLE}\n  --> p.rtfs:1:1"
    assert render(error(Span(1, 1, 1, 2), None), None) == f"{TITLE}\n  --> <string>:1:1"


def test_a_long_trace_is_cut_in_the_middle() -> None:
    failed = error()
    failed.trace = tuple(Frame(f"f{i}", "p.rtfs", None) for i in range(1000))
    lines = render(failed, None).split("\n")
    assert len(lines) == 18
    assert lines[9] == "  … 984 more calls"
    assert lines[-1] == "  in f999 at p.rtfs"


def test_what_a_terminal_would_obey_is_escaped() -> None:
    shown = render(errors.Generic("\x1b]0;title\x07 \ud800 line\nbreak"), None)
    assert shown == "❌ Runtime error: \\u001B]0;title\\u0007 \\uD800 line\nbreak (Generic)"
    shown.encode()


def test_color_only_adds_escapes() -> None:
    failed = error(Span(1, 1, 1, 2))
    failed.hint = "h"
    colored = render(failed, "x", color=True)
    plain = render(failed, "x")
    assert "\x1b[" in colored
    assert "\x1b" not in plain
    for code in ("\x1b[1;31m", "\x1b[34m", "\x1b[32m", "\x1b[2m", "\x1b[0m"):
        colored = colored.replace(code, "")
    assert colored == plain
