"""The line editor of a terminal: colours, brackets, several lines, completion, history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from prompt_toolkit import PromptSession
from prompt_toolkit.application.current import get_app
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import Condition, has_completions, has_selection
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout.processors import HighlightMatchingBracketProcessor
from prompt_toolkit.lexers import Lexer
from prompt_toolkit.styles import Style

from rtfs.repl.tokens import indentation, styled, word_before

if TYPE_CHECKING:
    from prompt_toolkit.formatted_text import StyleAndTextTuples

    from rtfs.repl.names import Entry

_STYLE: Final = Style.from_dict(
    {
        "rtfs.comment": "ansibrightblack italic",
        "rtfs.string": "ansigreen",
        "rtfs.number": "ansicyan",
        "rtfs.literal": "ansicyan",
        "rtfs.constant": "ansicyan",
        "rtfs.keyword": "ansimagenta",
        "rtfs.special": "ansiblue bold",
        "rtfs.context": "ansiyellow",
        "rtfs.prefix": "ansiyellow",
        "rtfs.unfinished": "ansigreen",
        "rtfs.error": "ansired",
        "prompt": "ansigreen bold",
        "prompt.more": "ansibrightblack",
    }
)
#: texts longer than this are shown plain: colouring is done anew at every key
_COLOURED_AT_MOST: Final = 50_000


class RtfsLexer(Lexer):
    """Colours for RTFS text."""

    def lex_document(self, document: Document) -> Callable[[int], StyleAndTextTuples]:
        """A function from line number to styled pieces."""
        text = document.text
        if len(text) > _COLOURED_AT_MOST:
            return lambda number: [("", document.lines[number])]
        lines: list[StyleAndTextTuples] = [[]]
        for kind, piece in styled(text):
            style = f"class:rtfs.{kind}"
            for i, part in enumerate(piece.split("\n")):
                if i:
                    lines.append([])
                if part:
                    lines[-1].append((style, part))
        return lambda number: lines[number] if number < len(lines) else []


class NameCompleter(Completer):
    """Completes names; shows how each is called and what it does."""

    def __init__(self, entries: Callable[[], Iterable[Entry]]) -> None:
        self._entries = entries

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """Names that begin with the word before the cursor, then those that contain it."""
        before = document.text_before_cursor
        word = word_before(before)
        if not word or (word.startswith(":") and word != before.lstrip()):
            return
        starting, within = [], []
        for entry in self._entries():
            if entry.name.startswith(word):
                starting.append(entry)
            elif len(word) > 1 and word in entry.name:
                within.append(entry)
        for entry in [*starting, *within]:
            if entry.name.startswith(":") == word.startswith(":"):
                yield Completion(
                    entry.name,
                    start_position=-len(word),
                    display=entry.signature,
                    display_meta=entry.summary,
                )


def bindings(is_complete: Callable[[str], bool]) -> KeyBindings:
    """Enter ends the input when it is complete, else starts an indented line; Alt-Enter always starts one."""
    keys = KeyBindings()
    editing = Condition(lambda: get_app().current_buffer.name == DEFAULT_BUFFER) & ~has_selection

    def new_line(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        buffer.insert_text("\n" + " " * indentation(buffer.document.text_before_cursor))

    @keys.add("enter", filter=editing)
    def _enter(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        chosen = buffer.complete_state and buffer.complete_state.current_completion
        if chosen:
            buffer.complete_state = None
        elif not buffer.document.text_after_cursor.strip() and is_complete(buffer.text):
            buffer.validate_and_handle()
        else:
            new_line(event)

    @keys.add("escape", "enter", filter=editing)
    def _alt_enter(event: KeyPressEvent) -> None:
        new_line(event)

    @keys.add("tab", filter=editing & ~has_completions)
    def _tab(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if word_before(buffer.document.text_before_cursor):
            buffer.start_completion(select_first=False, insert_common_part=True)
        else:
            buffer.insert_text("  ")

    return keys


def history_in(path: Path | None) -> History:
    """The history kept in the file `path`; one of this session only where it cannot be written."""
    if path is None:
        return InMemoryHistory()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
    except OSError:
        return InMemoryHistory()
    return FileHistory(str(path))


class Editor:
    """Reads one input after the other from a terminal."""

    def __init__(
        self,
        *,
        is_complete: Callable[[str], bool],
        entries: Callable[[], Iterable[Entry]],
        history: Path | None,
        **prompt_settings: Any,
    ) -> None:
        self._session: PromptSession[str] = PromptSession(
            lexer=RtfsLexer(),
            completer=NameCompleter(entries),
            complete_while_typing=True,
            complete_in_thread=False,
            auto_suggest=AutoSuggestFromHistory(),
            history=history_in(history),
            key_bindings=bindings(is_complete),
            multiline=True,
            prompt_continuation=_continuation,
            input_processors=[HighlightMatchingBracketProcessor(chars="()[]{}")],
            style=_STYLE,
            enable_open_in_editor=True,
            **prompt_settings,
        )

    def read(self, prompt: str) -> str:
        """One input.

        Raises:
            EOFError: Ctrl-D on an empty line.
            KeyboardInterrupt: Ctrl-C.
        """
        return self._session.prompt([("class:prompt", prompt)])


def _continuation(width: int, line: int, wrapped: int) -> StyleAndTextTuples:
    return [("class:prompt.more", "." * max(0, width - 1) + " ")]
