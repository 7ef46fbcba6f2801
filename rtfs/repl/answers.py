"""How the prompt answers: as text for people, or as one JSON object per input for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rtfs.cli.console import Console, wants_colour
from rtfs.values import Value

if TYPE_CHECKING:
    from rtfs.errors import RtfsError

#: a value whose text is longer is shown in part
_SHOWN_AT_MOST: Final = 20_000


class PeoplesAnswers:
    """Values on stdout, errors on stderr."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def value(self, value: Value) -> None:
        """Print a value, a very long one in part."""
        from rtfs.printer import pretty

        text = pretty(value)
        if len(text) > _SHOWN_AT_MOST:
            text = f"{text[:_SHOWN_AT_MOST]} …\n; {len(text):,} characters in all; *1 holds the value"
        self.text(text)

    def error(self, error: RtfsError, text: str | None) -> None:
        """Print an error with its place in `text`."""
        self._console.show(error, text)

    def text(self, text: str) -> None:
        """Print a text."""
        self._console.show_text(text)
        self._console.out.flush()

    def python(self, code: str) -> None:
        """Print Python code, in colours where there are any."""
        if wants_colour(self._console.out):
            from pygments import highlight
            from pygments.formatters import TerminalFormatter
            from pygments.lexers import PythonLexer

            code = highlight(code, PythonLexer(), TerminalFormatter()).rstrip("\n")
        self._console.say(code)
        self._console.out.flush()


class JsonAnswers:
    """One JSON object per input, on a line of its own."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def value(self, value: Value) -> None:
        """`{"ok": true, "value", "text", "type"}`."""
        from rtfs.cli.results import describe_value

        self._object(ok=True, **describe_value(value))

    def error(self, error: RtfsError, text: str | None) -> None:
        """`{"ok": false, "error"}`."""
        from rtfs.error_json import describe

        self._object(ok=False, error=describe(error))

    def text(self, text: str) -> None:
        """`{"ok": true, "answer"}`."""
        self._object(ok=True, answer=text)

    def python(self, code: str) -> None:
        """As any text."""
        self.text(code)

    def _object(self, **fields: Any) -> None:
        import json

        self._console.say(json.dumps(fields, allow_nan=False))
        self._console.out.flush()
