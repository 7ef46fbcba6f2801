"""JSON text to values and back (RFC 8259), without recursion: nesting is bounded by memory alone.

Reading is strict, but a lone surrogate escape gives the lone surrogate, and of two equal keys the later wins.
A number without point or exponent that fits 64 bits is an integer, any other a float; one that no finite float
can hold is an error, because infinity could not be written again.
"""

from __future__ import annotations

import math
import re
from typing import Any, Final, NoReturn

from rtfs.errors import Generic
from rtfs.run import STOP_REQUESTS, poll, reserve
from rtfs.values import EMPTY_MAP, EMPTY_VECTOR, INT_MAX, INT_MIN, Keyword, List, Map, Value, Vector, type_name

_SPACE: Final = re.compile(r"[ \t\n\r]*")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_WORD: Final = re.compile(r"[A-Za-z]+")
_WORDS: Final = {"true": True, "false": False, "null": None}
#: characters of a string that stand for themselves
_PLAIN: Final = re.compile(r'[^"\\\x00-\x1f]*')
_ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|([\"\\/bfnrt]))")
_ESCAPED: Final = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_PAIR: Final = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
#: characters of an integer that may fit 64 bits
_INT_CHARACTERS: Final = 20
#: pretty text is indented no deeper than this, so that its size stays linear in that of the value
_MAX_INDENT: Final = 64

#: what `_Reader.value` gives for a container that it has opened
_OPENED: Final = object()


def parse(text: str) -> Value:
    """The value of one JSON text. Arrays become vectors, objects maps with string keys.

    Raises:
        Generic: it is no JSON; the message gives line and column.
    """
    reader = _Reader(text)
    value = reader.document()
    if reader.peek():
        reader.fail("expected the end of the text")
    return value


def _joined(text: str) -> str:
    """`text` with surrogate pairs made into the characters they stand for."""
    return _PAIR.sub(lambda pair: pair.group().encode("utf-16", "surrogatepass").decode("utf-16"), text)


class _Reader:
    """A position in a text, and the containers that are open there, outermost first."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._open: list[list[Value] | dict[Value, Value]] = []
        #: the key under which the next value goes, for each open object
        self._keys: list[str] = []

    def fail(self, message: str) -> NoReturn:
        before = self._text[: self._position]
        line = before.count("\n") + 1
        column = self._position - before.rfind("\n")
        raise Generic(f"JSON parsing error: {message} at line {line} column {column}")

    def peek(self) -> str:
        """The next character that is no white space, '' at the end. Goes there."""
        found = _SPACE.match(self._text, self._position)
        assert found is not None
        self._position = found.end()
        return self._text[self._position : self._position + 1]

    def document(self) -> Value:
        while True:
            if STOP_REQUESTS:
                poll()
            value = self._value()
            while value is not _OPENED:
                if not self._open:
                    return value
                value = self._put(value)

    def _put(self, value: Value) -> Value:
        """Add a value to the innermost container. The container, if it ends here, else `_OPENED`."""
        container = self._open[-1]
        if isinstance(container, list):
            container.append(value)
            end = "]"
        else:
            container[self._keys.pop()] = value
            end = "}"
        found = self.peek()
        if found == ",":
            self._position += 1
            if end == "}":
                self._key()
            return _OPENED
        if found != end:
            self.fail(f"expected `,` or `{end}`")
        self._position += 1
        self._open.pop()
        return Vector(container) if isinstance(container, list) else Map(container)

    def _value(self) -> Value:
        character = self.peek()
        if character == "[":
            return self._start([], "]", EMPTY_VECTOR)
        if character == "{":
            return self._start({}, "}", EMPTY_MAP)
        if character == '"':
            return self._string()
        if character and character in "-0123456789":
            return self._number()
        return self._word()

    def _start(self, container: Any, end: str, empty: Value) -> Value:
        self._position += 1
        if self.peek() == end:
            self._position += 1
            return empty
        self._open.append(container)
        if end == "}":
            self._key()
        return _OPENED

    def _key(self) -> None:
        if self.peek() != '"':
            self.fail("expected a string as key")
        self._keys.append(self._string())
        if self.peek() != ":":
            self.fail("expected `:`")
        self._position += 1

    def _string(self) -> str:
        parts: list[str] = []
        self._position += 1
        while True:
            plain = _PLAIN.match(self._text, self._position)
            assert plain is not None
            parts.append(plain.group())
            self._position = plain.end()
            mark = self._text[self._position : self._position + 1]
            if mark == '"':
                self._position += 1
                return parts[0] if len(parts) == 1 else _joined("".join(parts))
            if mark != "\\":
                self.fail("control character in a string" if mark else "string without end")
            parts.append(self._escape())

    def _escape(self) -> str:
        """The character that the escape here stands for; of a surrogate pair, one half."""
        found = _ESCAPE.match(self._text, self._position)
        if found is None:
            self.fail("invalid escape")
        self._position = found.end()
        return chr(int(found[1], 16)) if found[1] else _ESCAPED[found[2]]

    def _number(self) -> int | float:
        found = _NUMBER.match(self._text, self._position)
        if found is None:
            self.fail("expected digits")
        digits = found.group()
        if found[1] is None and found[2] is None and len(digits) <= _INT_CHARACTERS:
            whole = int(digits)
            if INT_MIN <= whole <= INT_MAX:
                self._position = found.end()
                return whole
        value = float(digits)
        if math.isinf(value):
            self.fail("number out of range")
        self._position = found.end()
        return value

    def _word(self) -> bool | None:
        found = _WORD.match(self._text, self._position)
        if found is None or found.group() not in _WORDS:
            self.fail("expected a value" if self.peek() else "expected a value, got the end of the text")
        self._position = found.end()
        return _WORDS[found.group()]


def serialize(value: Value, pretty: bool = False) -> str:
    """JSON text for a value; `pretty` puts each item on its own line.

    Raises:
        Generic: it holds something JSON has no form for.
    """
    parts: list[str] = []
    size = 0
    #: what is still to write, last first: text, or (value, depth)
    todo: list[str | tuple[Value, int]] = [(value, 0)]
    while todo:
        item = todo.pop()
        if not isinstance(item, str):
            inner, depth = item
            if type(inner) in _CONTAINERS:
                pieces = _container(inner, depth, pretty)
                pieces.reverse()
                todo.extend(pieces)
                continue
            item = _scalar(inner)
        parts.append(item)
        size += len(item)
        reserve(size)
    return "".join(parts)


_CONTAINERS: Final = frozenset((Vector, List, Map))


def _container(value: Value, depth: int, pretty: bool) -> list[str | tuple[Value, int]]:
    """The texts and items that a container is written as."""
    open_, close = "{}" if type(value) is Map else "[]"
    if not len(value):
        return [open_ + close]
    between, after = ",", ""
    colon = ":"
    if pretty:
        open_, between = (mark + _line(depth + 1) for mark in (open_, between))
        after, colon = _line(depth), ": "
    pieces: list[str | tuple[Value, int]] = [open_]
    if type(value) is Map:
        # two keys may have one text; the later wins
        for key, item in {_key_text(key): item for key, item in value.items()}.items():
            pieces += [_quoted(key) + colon, (item, depth + 1), between]
    else:
        for item in value.to_list():
            pieces += [(item, depth + 1), between]
    pieces[-1] = after + close
    return pieces


def _line(depth: int) -> str:
    return "\n" + "  " * min(depth, _MAX_INDENT)


def _key_text(key: Value) -> str:
    return str(key.name) if type(key) is Keyword else str(key)


def _quoted(text: str) -> str:
    from json.encoder import encode_basestring

    quoted = str(encode_basestring(text))
    if quoted.isascii():
        return quoted
    # a lone surrogate cannot be sent anywhere as UTF-8; its escape can
    return _SURROGATE.sub(lambda found: f"\\u{ord(found.group()):04x}", quoted)


_LITERALS: Final = {True: "true", False: "false", None: "null"}


def _scalar(value: Value) -> str:
    kind = type(value)
    if kind is str:
        return _quoted(value)
    if value is None or kind is bool:
        return _LITERALS[value]
    if kind is int:
        return str(value)
    if kind is float:
        if math.isfinite(value):
            return repr(value)
        name = "NaN" if math.isnan(value) else "an infinite number"
    else:
        name = type_name(value)
    raise Generic(f"JSON serialization error: Cannot serialize {name} to JSON")
