"""What a command says, and where: results on stdout, all else on stderr; with `--json` one object on stdout."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from enum import IntEnum
from typing import TYPE_CHECKING, Any, TextIO

from rtfs.error_json import describe

if TYPE_CHECKING:
    from rtfs.cli.sources import Source
    from rtfs.errors import RtfsError


class Exit(IntEnum):
    """How a command ended. Stable: scripts rely on these."""

    VALUE = 0
    PROGRAM_ERROR = 1
    USAGE = 2
    LIMIT = 3
    #: our fault (EX_SOFTWARE of sysexits.h)
    BUG = 70
    #: the output could not be written (EX_IOERR of sysexits.h)
    OUTPUT_FAILED = 74
    INTERRUPTED = 130
    #: what a shell reports for a program that SIGPIPE ended
    OUTPUT_CLOSED = 141


class UsageError(Exception):
    """The command line asks for something that cannot be done; no program has run."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class OutputClosed(BaseException):
    """Our output goes nowhere: nobody reads it any more, or for a `reason` it cannot be written.

    A BaseException: no layer in between may take it for a program's error.
    """

    def __init__(self, reason: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason

    @classmethod
    def by(cls, error: OSError) -> OutputClosed:
        """For what the system said."""
        return cls(None if isinstance(error, BrokenPipeError) else error.strerror)


class Output:
    """A text stream that reports a closed pipe or a full disk as `OutputClosed`. What a host prints to."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write `text`; characters that the stream's encoding lacks become `?` or escapes."""
        try:
            return self._stream.write(text)
        except OSError as error:
            raise OutputClosed.by(error) from None
        except UnicodeEncodeError:
            encoding = self._stream.encoding or "ascii"
            return self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))

    def flush(self) -> None:
        """Hand what was written to the system."""
        try:
            self._stream.flush()
        except OSError as error:
            raise OutputClosed.by(error) from None

    def isatty(self) -> bool:
        """Whether a person may be looking."""
        return self._stream.isatty()

    @property
    def encoding(self) -> str:
        """The encoding of the stream below."""
        return self._stream.encoding or "utf-8"


class Console:
    """The streams of one command, and how it wants its results shown."""

    def __init__(self, out: Output, err: Output, command: str, json: bool = False) -> None:
        self.out = out
        self.err = err
        self.command = command
        self.json = json

    @classmethod
    def of_process(cls, command: str, *, json: bool = False) -> Console:
        """The console of this process."""
        return cls(Output(sys.stdout), Output(sys.stderr), command, json)

    @property
    def program_output(self) -> Output:
        """Where a program prints: stdout, unless that is kept for one JSON object."""
        return self.err if self.json else self.out

    @property
    def colour(self) -> bool:
        """Whether messages on stderr may be coloured (https://no-color.org)."""
        return wants_colour(self.err)

    def say(self, text: str) -> None:
        """Print a line of the result."""
        self.out.write(text + "\n")

    def show_text(self, text: str) -> None:
        """Print a line that a program had a hand in: on a terminal, without characters that command it."""
        if self.out.isatty():
            from rtfs.report import for_terminal

            text = for_terminal(text)
        self.say(text)

    def note(self, text: str) -> None:
        """Print a line that is no result, after all that was printed before it."""
        self.out.flush()
        self.err.write(text + "\n")

    def finish(self, exit_code: Exit, fields: Mapping[str, Any]) -> Exit:
        """With `--json` print the one object; give `exit_code` back."""
        if self.json:
            import json

            document = {
                "command": self.command,
                "ok": exit_code == Exit.VALUE,
                "exit": int(exit_code),
                **fields,
            }
            self.say(json.dumps(document, allow_nan=False))
        self.out.flush()
        return exit_code

    def fail(self, error: RtfsError, source: Source) -> Exit:
        """Report the error that ended the command while it worked on `source`."""
        exit_code = exit_code_of(error)
        if not self.json:
            self.show(error, text_at_fault(error, source))
        return self.finish(exit_code, {"error": describe(error)})

    def show(self, error: RtfsError, text: str | None) -> None:
        """Print an error for people. `text`: the text that it points into, None if that is not at hand."""
        from rtfs.report import render

        self.note(render(error, text, color=self.colour))

    def misuse(self, error: UsageError) -> Exit:
        """Report a usage error."""
        if not self.json:
            self.note(f"rtfs {self.command}: {error}".replace("rtfs :", "rtfs:"))
            if error.hint:
                self.note(f"  {error.hint}")
        fields = {"category": "Usage", "code": "usage", "message": str(error), "hint": error.hint}
        return self.finish(Exit.USAGE, {"error": fields})


def wants_colour(stream: Output | TextIO) -> bool:
    """Whether text on `stream` may be coloured."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def exit_code_of(error: RtfsError) -> Exit:
    """The exit code for a program that `error` ended."""
    from rtfs.errors import LimitError

    return Exit.LIMIT if isinstance(error, LimitError) else Exit.PROGRAM_ERROR


def text_at_fault(error: RtfsError, source: Source) -> str | None:
    """The text that `error` points into: that of `source`, or of the module file it names."""
    if error.source is None or error.source == source.name:
        return source.text
    try:
        with open(error.source, encoding="utf-8") as file:
            return file.read()
    except (OSError, ValueError):  # the report then does without an excerpt
        return None
