"""The report of an error that people see: what, where in the text, a hint, and the calls under way."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from itertools import groupby
from typing import Final

from rtfs.errors import Frame, ReadError, RtfsError, Span

#: lines shown before the error, and at most of a span that covers several
_LINES_BEFORE: Final = 1
_SPAN_LINES: Final = 4
#: columns shown of a long line
_EXCERPT_WIDTH: Final = 160
#: calls shown at either end of a long trace
_TRACE_ENDS: Final = 8

_STYLES: Final = {"title": "1;31", "place": "34", "caret": "1;31", "hint": "32", "trace": "2"}


class _Paint:
    """Terminal colours, or none."""

    def __init__(self, color: bool) -> None:
        self._color = color

    def __call__(self, style: str, text: str) -> str:
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self._color and text else text


def render(error: RtfsError, text: str | None, color: bool = False) -> str:
    """The report of `error`, without a final newline.

    Characters that a terminal would obey, and lone surrogates, are shown as escapes.

    Args:
        text: the program that `error.span` points into, None if it is not at hand.
    """
    paint = _Paint(color)
    lines = [paint("title", f"❌ {_title(error)}")]
    if error.span is not None:
        place = f"{visible(error.source or '<string>')}:{error.span.line}:{error.span.column}"
        lines.append(paint("place", "  --> ") + place)
        if text is not None:
            lines.extend(_excerpt(text, error.span, paint))
    if isinstance(error, ReadError) and error.expected:
        lines.append(f"  expected: {', '.join(map(visible, error.expected))}")
    if error.hint:
        lines.append(paint("hint", "  hint: ") + visible(error.hint))
    if error.cause is not None:
        lines.append(f"  while handling: {visible(error.cause.text())}")
    lines.extend(paint("trace", line) for line in _trace(error.trace))
    return "\n".join(lines)


def _title(error: RtfsError) -> str:
    if isinstance(error, ReadError):
        return f"Parse Error: {visible(error.text())} ({error.code})"
    return f"{visible(error.text())} ({error.category})"


def visible(text: str) -> str:
    """`text` with control characters and lone surrogates as escapes; newlines stay."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else _escape(c) for c in text)


def _escape(char: str) -> str:
    return f"\\u{ord(char):04X}"


#: what a terminal obeys or reorders text by: C0 and C1 but newline and tab, and bidirectional overrides
_COMMANDS: Final = {
    code: _escape(chr(code))
    for code in (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
    if chr(code) not in "\n\t"
}


def for_terminal(text: str) -> str:
    """What a program prints, as a terminal may have it: characters that command the terminal are escapes.

    Softer than `visible`: spaces of all kinds and joiners stay, for they belong to people's texts.
    """
    return text if text.isprintable() else text.translate(_COMMANDS)


# ---------------------------------------------------------------- excerpt


def _excerpt(text: str, span: Span, paint: _Paint) -> Iterator[str]:
    """Numbered lines around `span`, each line of it underlined."""
    lines = text.split("\n")
    if not 1 <= span.line <= len(lines):
        return
    last = min(span.end_line, len(lines))
    if last > span.line and span.end_column <= 1:  # ends with a newline
        last -= 1
    first_shown = max(1, span.line - _LINES_BEFORE)
    last_shown = min(last, span.line + _SPAN_LINES - 1)
    gutter = len(str(last_shown))
    yield paint("place", f"{' ' * gutter} |")
    for number in range(first_shown, last_shown + 1):
        line = lines[number - 1].rstrip("\r")
        start, stop = _underlined(number, line, span)
        shown, caret = _window(line, start, stop)
        yield f"{paint('place', f'{number:>{gutter}} |')} {shown}".rstrip()
        if number >= span.line:
            yield f"{paint('place', f'{chr(32) * gutter} |')} {paint('caret', caret)}"
    if last_shown < last:
        yield paint("place", f"{' ' * gutter} | … {last - last_shown} more lines")


def _underlined(number: int, line: str, span: Span) -> tuple[int, int]:
    """Offsets in `line` that belong to `span`; at least one column."""
    indent = len(line) - len(line.lstrip())
    start = span.column - 1 if number == span.line else indent
    stop = span.end_column - 1 if number == span.end_line else len(line)
    return start, max(stop, start + 1)


def _window(line: str, start: int, stop: int) -> tuple[str, str]:
    """The part of `line` to show, and the carets under line[start:stop]."""
    first = 0 if start < _EXCERPT_WIDTH - 20 else start - _EXCERPT_WIDTH // 3
    last = first + _EXCERPT_WIDTH
    before = ("…" if first else "") + _cells(line[first:start])
    marked = _cells(line[start : min(stop, last)])
    after = _cells(line[stop:last]) + ("…" if len(line) > last else "")
    return before + marked + after, " " * _columns(before) + "^" * max(1, _columns(marked))


def _cells(text: str) -> str:
    """`text` as a terminal shows it: a tab as one blank, no control characters."""
    return visible(text.replace("\t", " "))


def _columns(text: str) -> int:
    """Columns that `text` takes: East Asian wide characters take two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(_width(char) for char in text)


def _width(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


# ---------------------------------------------------------------- trace


def _trace(trace: tuple[Frame, ...]) -> list[str]:
    """One line per call, innermost first; equal neighbours are one line, a long middle is left out."""
    groups = [(frame, len(list(same))) for frame, same in groupby(trace)]
    if len(groups) <= 2 * _TRACE_ENDS:
        return [_call(*group) for group in groups]
    skipped = sum(count for _, count in groups[_TRACE_ENDS:-_TRACE_ENDS])
    return [
        *(_call(*group) for group in groups[:_TRACE_ENDS]),
        f"  … {skipped} more calls",
        *(_call(*group) for group in groups[-_TRACE_ENDS:]),
    ]


def _call(frame: Frame, count: int) -> str:
    place = visible(frame.source)
    if frame.span is not None:
        place += f":{frame.span.line}:{frame.span.column}"
    again = f" (and {count - 1} more times)" if count > 1 else ""
    return f"  in {visible(frame.function)} at {place}{again}"
