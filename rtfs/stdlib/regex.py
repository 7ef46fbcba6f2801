r"""Regular expressions, by RE2: a search takes time linear in the text, whatever the pattern.

Linear still has a factor, the size of the compiled pattern, when RE2 has to simulate the pattern instead of
running it as an automaton. No search can be interrupted, so one whose worst case would be too long is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from rtfs.errors import Generic
from rtfs.run import poll, reserve
from rtfs.stdlib.registry import builtin
from rtfs.stdlib.strings import string
from rtfs.values import Value, Vector

#: longest pattern, characters
_MAX_PATTERN: Final = 10_000
#: memory of one compiled pattern and its automaton, bytes; bounds the time to compile, too
_MAX_MEMORY: Final = 1 << 20
#: compiled patterns that are kept
_CACHED: Final = 128
#: largest product of text bytes and pattern instructions. One step takes at most about 5 ns.
_MAX_STEPS: Final = 1_000_000_000
#: the span of no match
_NOWHERE: Final = (-1, -1)
#: how much of a bad pattern an error message shows, characters
_SHOWN: Final = 200


class Pattern:
    """A compiled pattern. Works on UTF-8 inside, where lone surrogates are kept as three bytes.

    Args:
        source: its text.
        regexp: the object of the library itself. The Python layer around it makes a generator and a match
            object for each search, which takes longer than most searches.
        anywhere: the library's word for a search that is not anchored.
    """

    __slots__ = ("_anywhere", "_regexp", "_size", "source")

    def __init__(self, source: str, regexp: Any, anywhere: Any) -> None:
        self.source = source
        self._regexp = regexp
        self._anywhere = anywhere
        self._size = int(regexp.ProgramSize())

    def is_in(self, text: str) -> bool:
        """Whether it matches anywhere in `text`."""
        return self._search(_encode(text), 0) is not None

    def first(self, text: str) -> str | None:
        """The first match, None if there is none."""
        data = _encode(text)
        span = self._search(data, 0)
        return None if span is None else _decode(data[span[0] : span[1]])

    def matches(self, text: str) -> Iterator[str]:
        """All matches from left to right. None starts before the one before it ends."""
        data = _encode(text)
        position = 0
        while position <= len(data):
            span = self._search(data, position)
            if span is None:
                return
            start, end = span
            yield _decode(data[start:end])
            position = end if end > start else _next_character(data, end)

    def _search(self, data: bytes, position: int) -> tuple[int, int] | None:
        steps = self._size * (len(data) - position)
        if steps > _MAX_STEPS:
            raise Generic(
                f"Regex pattern '{self.source[:_SHOWN]}' could take too long on this text: "
                f"{self._size} instructions times {len(data)} bytes; split the text or simplify the pattern"
            )
        poll()
        span: tuple[int, int] = self._regexp.Match(self._anywhere, data, position, len(data))[0]
        return None if span == _NOWHERE else span


def _encode(text: str) -> bytes:
    reserve(len(text))
    return text.encode("utf-8", "surrogatepass")


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:  # `\C` matches one byte, maybe of several that make a character
        return data.decode("utf-8", "replace")


def _next_character(data: bytes, position: int) -> int:
    """Where the character after the one at `position` starts."""
    position += 1
    while position < len(data) and data[position] & 0xC0 == 0x80:
        position += 1
    return position


@lru_cache(maxsize=_CACHED)
def compiled(pattern: str) -> Pattern:
    """The compiled `pattern`.

    Raises:
        Generic: it is malformed or too large.
    """
    from re2 import Options, _re2

    if len(pattern) > _MAX_PATTERN:
        raise _invalid(pattern, f"longer than {_MAX_PATTERN} characters")
    options = Options()
    options.max_mem = _MAX_MEMORY
    options.log_errors = False
    options.never_capture = True  # no function tells groups, and searches without them are faster
    regexp = _re2.RE2(pattern.encode("utf-8", "surrogatepass"), options)
    if not regexp.ok():
        raise _invalid(pattern, _decode(regexp.error()))
    return Pattern(pattern, regexp, _re2.RE2.Anchor.UNANCHORED)


def _invalid(pattern: str, reason: str) -> Generic:
    return Generic(f"Invalid regex pattern '{pattern[:_SHOWN]}': {reason[:_SHOWN]}")


@builtin("re-matches")
def re_matches(pattern: Value, text: Value) -> Value:
    """Whether a pattern matches anywhere in the text; anchor it with `^` and `$` for the whole. False for nil.

    (re-matches "[0-9]+" "room 101") => true
    (re-matches "^[0-9]+$" "room 101") => false
    (re-matches "(" "a") => !Generic
    """
    found = compiled(string(pattern, "re-matches"))
    return text is not None and found.is_in(string(text, "re-matches"))


@builtin("re-find")
def re_find(pattern: Value, text: Value) -> Value:
    """The text of the first match of a pattern, nil if there is none or the text is nil.

    (re-find "[0-9]+" "room 101, floor 3") => "101"
    (re-find "[0-9]+" "none") => nil
    """
    found = compiled(string(pattern, "re-find"))
    return None if text is None else found.first(string(text, "re-find"))


@builtin("re-seq")
def re_seq(pattern: Value, text: Value) -> Value:
    """A vector of the texts of all matches of a pattern, from left to right.

    (re-seq "[0-9]+" "room 101, floor 3") => ["101" "3"]
    (re-seq "x" nil) => []
    """
    found = compiled(string(pattern, "re-seq"))
    return Vector([] if text is None else list(found.matches(string(text, "re-seq"))))
