"""From values to text: `pr_str` for the reader, `to_str` for people, `pretty` for both.

Values may be nested to any depth and share parts, so that a small value can have a text of exponential size.
Printing keeps a list of what is left to do instead of recursing, and counts what it made: a text beyond the
run's `allocation_bytes`, or `MAX_TEXT` where no limit is set, ends in BudgetExhausted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from rtfs import errors
from rtfs.run import LARGE_RESULT_BYTES, poll, reserve
from rtfs.values import (
    COLLECTIONS,
    ErrorValue,
    Keyword,
    List,
    Map,
    ResourceHandle,
    Set,
    Symbol,
    Ticket,
    Timestamp,
    Uuid,
    Value,
    Vector,
    is_function,
    type_name,
)

if TYPE_CHECKING:
    from rtfs.delegation import DelegationHint

#: longest text that a single value may have outside any limit, characters
MAX_TEXT: Final = 128 << 20
#: `pretty` gives up on layout where fewer columns are left
_NARROW: Final = 12

_ESCAPES: Final = str.maketrans({"\n": "\\n", "\t": "\\t", "\r": "\\r", "\\": "\\\\", '"': '\\"'})
_BRACKETS: Final = {Vector: ("[", "]"), List: ("(", ")"), Map: ("{", "}"), Set: ("#{", "}")}

type _Leaves = Mapping[type, Callable[[Value], str]]


def pr_str(value: Value) -> str:
    """Text that reads back as an equal value, where there is such a text.

    Functions, errors and tickets have none and print as `#<function>`, `#<error: …>`, `#ticket("…")`.

    Raises:
        BudgetExhausted: the text grows beyond the limit.
    """
    return _collect(_pieces(value, _READABLE))


def to_str(value: Value) -> str:
    """What `(str value)` gives: strings and tagged literals bare at the top, quoted inside collections.

    Raises:
        BudgetExhausted: the text grows beyond the limit.
    """
    kind = type(value)
    if kind is str:
        return value  # type: ignore[no-any-return]
    if kind in _TAGGED:
        return value.text  # type: ignore[no-any-return]
    return _collect(_pieces(value, _DISPLAY))


def pretty(value: Value, width: int = 100) -> str:
    """`pr_str` laid out in lines of at most `width` columns where its parts allow.

    Raises:
        BudgetExhausted: the text grows beyond the limit.
    """
    text = _Text()
    _lay_out(value, 0, 0, width, text)
    return text.joined()


# ---------------------------------------------------------------- leaves


def quoted(text: str) -> str:
    """A string literal that reads back as `text`."""
    return f'"{text.translate(_ESCAPES)}"'


def _readable_float(number: float) -> str:
    text = repr(number)
    if text in _SPECIAL_FLOATS:
        return _SPECIAL_FLOATS[text]
    mantissa, e, exponent = text.partition("e")
    return f"{mantissa}.0e{exponent}" if e and "." not in mantissa else text


_SPECIAL_FLOATS: Final = {"inf": "##Inf", "-inf": "##-Inf", "nan": "##NaN"}
_DISPLAYED_SPECIAL: Final = {"inf": "inf", "-inf": "-inf", "nan": "NaN"}


def _displayed_float(number: float) -> str:
    """Shortest digits, never an exponent, no point if integral: `4.0` is `4`, `1e-7` is `0.0000001`."""
    text = repr(number)
    if text in _DISPLAYED_SPECIAL:
        return _DISPLAYED_SPECIAL[text]
    mantissa, _, exponent = text.removeprefix("-").partition("e")
    sign = "-" if text[0] == "-" else ""
    whole, _, fraction = mantissa.partition(".")
    fraction = fraction.rstrip("0")
    shift = int(exponent or "0")
    if shift > 0:
        fraction = fraction.ljust(shift, "0")
        whole, fraction = whole + fraction[:shift], fraction[shift:]
    elif shift < 0:
        whole, fraction = "0", "0" * (-shift - 1) + whole + fraction
    return f"{sign}{whole}.{fraction}" if fraction else sign + whole


def _name(value: Value) -> str:
    return value.name  # type: ignore[no-any-return]


def _tagged_text(value: Value) -> str:
    return value.text  # type: ignore[no-any-return]


def _tagged_display(value: Value) -> str:
    return f"#{type_name(value)}({quoted(value.text)})"


_TAGGED: Final = frozenset((Timestamp, Uuid, ResourceHandle))
_LEAVES: Final[_Leaves] = {
    type(None): lambda _: "nil",
    bool: lambda value: "true" if value else "false",
    int: str,
    str: quoted,
    Keyword: lambda value: f":{value.name}",
    Symbol: _name,
    ErrorValue: lambda value: f"#<error: {value.message}>",
}
_READABLE: Final[_Leaves] = {
    **_LEAVES,
    float: _readable_float,
    **dict.fromkeys(_TAGGED, _tagged_text),
}
_DISPLAY: Final[_Leaves] = {
    **_LEAVES,
    float: _displayed_float,
    **dict.fromkeys(_TAGGED, _tagged_display),
}


# ---------------------------------------------------------------- walking


class _Raw(str):
    """Text among values that are still to print."""

    __slots__ = ()


_SPACE: Final = _Raw(" ")
_OPENERS: Final = {kind: brackets[0] for kind, brackets in _BRACKETS.items()}
_CLOSERS: Final = {kind: _Raw(brackets[1]) for kind, brackets in _BRACKETS.items()}


def _pieces(value: Value, leaves: _Leaves) -> Iterator[str]:
    """The text of `value` piece by piece."""
    todo: list[Any] = [value]
    while todo:
        value = todo.pop()
        kind = type(value)
        if kind is _Raw:
            yield value
        elif kind in COLLECTIONS:
            yield _OPENERS[kind]
            todo.append(_CLOSERS[kind])
            _push(_parts(value), todo)
        elif kind in leaves:
            yield leaves[kind](value)
        else:
            yield from _rare_pieces(value, todo)


def _rare_pieces(value: Value, todo: list[Any]) -> Iterator[str]:
    """The text of what is neither leaf nor collection."""
    if is_function(value):
        yield "#<function>"
    elif isinstance(value, Ticket):
        yield f"#ticket({quoted(value.id)})"
    else:
        yield from _form_pieces(value, todo)


def _form_pieces(value: Value, todo: list[Any]) -> Iterator[str]:
    """The text of the two things that only forms have. A program that was not read starts without them."""
    from rtfs.forms import Colon, MetaForm

    if type(value) is Colon:
        yield ":"
    elif type(value) is MetaForm:
        yield from _hint_text(value.hint)
        todo.append(value.form)
        if value.entries:
            yield "^{"
            todo.append(_Raw("} "))
            _push([part for entry in value.entries for part in entry], todo)
    else:
        yield f"#<{type_name(value)}>"


def _parts(value: Value) -> list[Value]:
    """What stands between the brackets, in order."""
    if type(value) is Map:
        return [part for entry in value.items() for part in entry]
    parts: list[Value] = value.to_list()
    return parts


def _push(parts: list[Value], todo: list[Any]) -> None:
    for part in reversed(parts):
        todo.append(part)
        todo.append(_SPACE)
    if parts:
        todo.pop()


def _hint_text(hint: DelegationHint | None) -> Iterator[str]:
    if hint is None:
        return
    if hint.kind == "target":
        yield f"^:delegation {{:target {quoted(hint.id or '')}}} "
    elif hint.id is None:
        yield f"^:delegation :{hint.kind} "
    else:
        yield f"^:delegation :{hint.kind} {quoted(hint.id)} "


class _Text:
    """Pieces of text, counted."""

    __slots__ = ("_checked", "_nbytes", "_pieces")

    def __init__(self) -> None:
        self._pieces: list[str] = []
        #: size so far, with the list that holds the pieces
        self._nbytes = 0
        self._checked = 0

    def add(self, piece: str) -> None:
        self._pieces.append(piece)
        self._nbytes += len(piece) + 8
        if self._nbytes - self._checked >= LARGE_RESULT_BYTES:
            self._checked = self._nbytes
            poll()
            reserve(self._nbytes)
            if self._nbytes > MAX_TEXT:
                raise errors.BudgetExhausted("allocation", f"{MAX_TEXT} characters of text")

    def joined(self) -> str:
        return "".join(self._pieces)


def _collect(pieces: Iterator[str]) -> str:
    text = _Text()
    for piece in pieces:
        text.add(piece)
    return text.joined()


# ---------------------------------------------------------------- layout


def _flat(value: Value, room: int) -> str | None:
    """The text of `value` on one line if it takes at most `room` columns. Stops as soon as it does not."""
    pieces = []
    for piece in _pieces(value, _READABLE):
        pieces.append(piece)
        room -= len(piece)
        if room < 0:
            return None
    return "".join(pieces)


def _lay_out(value: Value, indent: int, tail: int, width: int, text: _Text) -> None:
    """Add `value`, which starts at column `indent` and is followed by `tail` closing brackets.

    Recursion is bounded by the width: each level moves right.
    """
    flat = _flat(value, width - indent - tail)
    if flat is not None:
        text.add(flat)
    elif type(value) not in COLLECTIONS or width - indent < _NARROW:
        for piece in _pieces(value, _READABLE):
            text.add(piece)
    else:
        _lay_out_collection(value, indent, tail, width, text)


def _lay_out_collection(value: Value, indent: int, tail: int, width: int, text: _Text) -> None:
    opener, closer = _BRACKETS[type(value)]
    text.add(opener)
    inner = indent + len(opener)
    if type(value) is Map:
        _lay_out_entries(value.items(), inner, tail + 1, width, text)
    elif any(type(part) in COLLECTIONS for part in value):
        parts = value.to_list()
        for i, part in enumerate(parts):
            if i:
                text.add("\n" + " " * inner)
            _lay_out(part, inner, tail + 1 if i == len(parts) - 1 else 0, width, text)
    else:
        _fill(value.to_list(), inner, tail + 1, width, text)
    text.add(closer)


def _lay_out_entries(
    entries: list[tuple[Value, Value]], indent: int, tail: int, width: int, text: _Text
) -> None:
    for i, (key, item) in enumerate(entries):
        if i:
            text.add("\n" + " " * indent)
        name = pr_str(key)
        text.add(name + " ")
        _lay_out(item, indent + len(name) + 1, tail if i == len(entries) - 1 else 0, width, text)


def _fill(parts: list[Value], indent: int, tail: int, width: int, text: _Text) -> None:
    """Atoms side by side, as many as a line holds."""
    column = indent
    for i, part in enumerate(parts):
        atom = pr_str(part)
        last_tail = tail if i == len(parts) - 1 else 0
        if i and column + 1 + len(atom) + last_tail > width:
            text.add("\n" + " " * indent)
            column = indent
        elif i:
            text.add(" ")
            column += 1
        text.add(atom)
        column += len(atom)
