"""Requests and replies as bytes.

They travel in batches between an evaluator and the host of a model. A batch is sections of
bytes, each after its length:

    requests = "RTQ1", head, values, functions*
    replies  = "RTR1", head, values

The head is a JSON array: how many items there are, their values, and a column for each plain field, which is an
array with something for each item, or what all of them share. The values, arguments or answers, are those of
all items one after the other. They stand in the head where JSON has what they are made of, scalars and
keywords (`["error"]`); if not, they are in the section for them: as `actors.models.vectors` writes them where
all are vectors of floats, else as one RTFS vector.

What is said of a function is the same for all its calls, so it is written once for a batch, its bytes are kept
with it, and who reads the same bytes again gets the same object. All this is for speed: every delegated call
is written and read twice.

Batches are read with care: whatever the bytes are, there is a batch or a `StorageError`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from struct import Struct
from types import NoneType
from typing import Any, Final

from actors.models.inference import FunctionFacts, InferenceRequest, InferenceResponse, Reply
from actors.models.vectors import MAGIC as FLOAT_VECTORS
from actors.models.vectors import are_float_vectors, decode_float_vectors, encode_float_vectors
from policies.errors import TargetFailed
from rtfs.errors import StorageError
from rtfs.ir_codec import decode_value, encode_value
from rtfs.values import EMPTY_MAP, INT_MAX, INT_MIN, Keyword, Map, Value, Vector

#: requests or replies in one batch
MOST_IN_BATCH: Final = 65_536
#: functions whose facts are kept, by the bytes that they were read from
_KEPT: Final = 1024

# ---------------------------------------------------------------- requests


def encode_requests(requests: Sequence[InferenceRequest]) -> bytes:
    """A batch of requests as bytes.

    Raises:
        StorageError: an argument has no meaning elsewhere, a function say, or the batch is too large.
    """
    if len(requests) == 1:
        (function, args, *fields) = requests[0]
        return _sealed(_REQUESTS, 1, list(args), [0, len(args), *fields], [function.encoded])
    functions, args, *plain = zip(*requests, strict=True) if requests else _NO_REQUESTS
    facts: dict[bytes, int] = {}
    which = [facts.setdefault(function.encoded, len(facts)) for function in functions]
    flat = [arg for each in args for arg in each]
    columns = [which, list(map(len, args)), *plain]
    return _written(_REQUESTS, len(requests), flat, columns, facts)


def decode_requests(data: bytes) -> list[InferenceRequest]:
    """The requests that `encode_requests` wrote.

    Raises:
        StorageError: the bytes are damaged, or no batch of requests.
    """
    count, values, head, told = _read(data, _REQUESTS)
    if count == 1 and len(told) == 1 and _is_one(head, _OF_REQUEST):
        which, arity, *fields = head
        if which == 0 and arity == len(values) and _SCALARS.issuperset(map(type, fields[-1].values())):
            return [InferenceRequest(_facts(told[0]), tuple(values), *fields)]
    which, arities, *plain = _columns(head, count, _OF_REQUEST)
    _check_tables(plain[-1], _SCALARS)
    functions = [_facts(section) for section in told]
    if count and not 0 <= min(which) <= max(which) < len(functions):
        raise _damaged("a request of a function that is not told")
    if count and (min(arities) < 0 or sum(arities) != len(values)):
        raise _damaged("arguments and requests do not add up")
    if set(arities) == {1}:
        args: Iterable[tuple[Value, ...]] = zip(values, strict=True)
    else:
        items = iter(values)
        args = [tuple(next(items) for _ in range(arity)) for arity in arities]
    asked = map(functions.__getitem__, which)
    return list(map(InferenceRequest._make, zip(asked, args, *plain, strict=True)))


@lru_cache(maxsize=_KEPT)
def _facts(data: bytes) -> FunctionFacts:
    found = decode_value(data)
    parts = list(found) if type(found) is Vector else []
    if len(parts) == len(_OF_FUNCTION) - 1:
        parts.append(EMPTY_MAP)  # no type has a name
    if [type(part) in kinds for part, kinds in zip(parts, _OF_FUNCTION, strict=False)] != [True] * 7:
        raise _damaged("what is said of a function")
    symbol, doc, names, kinds, return_type, metadata, aliases = parts
    if {type(text) for each in (names, kinds) for text in each} - {str}:
        raise _damaged("what is said of a function's parameters")
    if {type(text) for pair in aliases.items() for text in pair} - {str}:
        raise _damaged("what is said of a function's types")
    return FunctionFacts(
        symbol=symbol,
        doc=doc,
        parameters=tuple(names),
        parameter_types=tuple(kinds),
        return_type=return_type,
        metadata=metadata,
        aliases=aliases.to_dict(),
    )


# ---------------------------------------------------------------- replies


def encode_replies(replies: Sequence[Reply]) -> bytes:
    """A batch of replies as bytes. An answer that cannot be sent becomes a failure, `bad-reply`."""
    try:
        return _encoded_replies(replies)
    except StorageError:
        return _encoded_replies([_sendable(reply) for reply in replies])


def _sendable(reply: Reply) -> Reply:
    if isinstance(reply, InferenceResponse):
        try:
            _encoded_replies([reply])
        except StorageError as error:
            return TargetFailed("bad-reply", error.text(), cost_usd=reply.cost_usd)
    return reply


def _encoded_replies(replies: Sequence[Reply]) -> bytes:
    if len(replies) == 1 and isinstance(replies[0], InferenceResponse):
        value, *fields = replies[0]
        return _sealed(_REPLIES, 1, [value], [True, *fields, *_NO_FAILURES])
    answers = [each for each in replies if isinstance(each, InferenceResponse)]
    failed = [each for each in replies if isinstance(each, TargetFailed)]
    failures = [(each.cause, each.detail, each.retry_after_s, each.cost_usd) for each in failed]
    values, *plain = zip(*answers, strict=True) if answers else _NO_ANSWERS
    told = zip(*failures, strict=True) if failures else _NO_FAILURES
    ok = [isinstance(each, InferenceResponse) for each in replies]
    return _written(_REPLIES, len(replies), list(values), [ok, *plain, *told])


def decode_replies(data: bytes) -> list[Reply]:
    """The replies that `encode_replies` wrote.

    Raises:
        StorageError: the bytes are damaged, or no batch of replies.
    """
    count, values, head, _ = _read(data, _REPLIES)
    end = 1 + len(_OF_ANSWER)
    one = head[1:end]
    if count == len(values) == 1 and head[0] is True and _is_one(one, _OF_ANSWER) and _is_whole(one[_USAGE]):
        return [InferenceResponse(values[0], *one)]
    (ok,) = _columns(head[:1], count, _OF_REPLY)
    answers = sum(ok)
    if len(values) != answers:
        raise _damaged("answers and their values do not add up")
    plain = _columns(head[1:end], answers, _OF_ANSWER)
    _check_tables(plain[_USAGE], _WHOLE)
    good = map(InferenceResponse._make, zip(values, *plain, strict=True))
    if answers == count:
        return list(good)
    bad = zip(*_columns(head[end:], count - answers, _OF_FAILURE), strict=True)
    return [next(good) if each else _failure(*next(bad)) for each in ok]


def _failure(cause: str, detail: str, retry_after_s: float | None, cost_usd: float) -> TargetFailed:
    return TargetFailed(cause, detail, retry_after_s=retry_after_s, cost_usd=cost_usd)


# ---------------------------------------------------------------- columns

type _Kinds = frozenset[Any]

_TEXT: _Kinds = frozenset({str})
_NUMBER: _Kinds = frozenset({float, int})
_OPTIONAL: _Kinds = frozenset({float, int, NoneType})
_WHOLE: _Kinds = frozenset({int})
_TABLE: _Kinds = frozenset({dict})
#: what each part of a function's facts, or each column, may hold
_OF_FUNCTION: Final[tuple[_Kinds, ...]] = (
    _TEXT,
    _TEXT | {NoneType},
    frozenset({Vector}),
    frozenset({Vector}),
    _TEXT,
    frozenset({Map}),
    frozenset({Map}),
)
_OF_REQUEST: Final = (_WHOLE, _WHOLE, _TEXT, _NUMBER, _OPTIONAL, _TEXT, _TEXT, _TABLE)
_OF_REPLY: Final = (frozenset({bool}),)
_OF_ANSWER: Final = (_TEXT | {NoneType}, _OPTIONAL, _NUMBER, _TABLE, _OPTIONAL, _TEXT)
_OF_FAILURE: Final = (_TEXT, _TEXT, _OPTIONAL, _NUMBER)
#: place of the table of uses among the columns of answers
_USAGE: Final = InferenceResponse._fields.index("usage") - 1
#: columns of nothing, the values' own included
_NO_REQUESTS: Final[tuple[tuple[Any, ...], ...]] = ((),) * len(InferenceRequest._fields)
_NO_ANSWERS: Final[tuple[tuple[Any, ...], ...]] = ((),) * len(InferenceResponse._fields)
_NO_FAILURES: Final[tuple[tuple[Any, ...], ...]] = ((),) * len(_OF_FAILURE)

type _Column = Sequence[Any]


def _packed(column: _Column) -> Any:
    """What all items of a column share, which is no array; else the column."""
    if len(column) == 1:
        return column[0]
    if column and column.count(column[0]) == len(column) and len(set(map(type, column))) == 1:
        return column[0]
    return column


def _columns(head: list[Any], count: int, kinds: Sequence[_Kinds]) -> list[list[Any]]:
    """The columns, each of `count` items of the kinds that it may hold."""
    if len(head) != len(kinds):
        raise _damaged(f"{len(head)} columns, expected {len(kinds)}")
    made = []
    for found, allowed in zip(head, kinds, strict=True):
        column = found if type(found) is list else [found] * count
        if len(column) != count or not set(map(type, column)) <= allowed:
            raise _damaged("a column that holds something else, or too little, or too much")
        made.append(column)
    return made


def _is_one(head: list[Any], kinds: Sequence[_Kinds]) -> bool:
    """Whether `head` is what one item has in each column: a single call pays for no columns."""
    return len(head) == len(kinds) and all(
        type(each) in allowed for each, allowed in zip(head, kinds, strict=True)
    )


def _is_whole(table: dict[str, Any]) -> bool:
    return _WHOLE.issuperset(map(type, table.values()))


def _check_tables(tables: list[dict[str, Any]], kinds: _Kinds) -> None:
    for table in {id(table): table for table in tables}.values():
        if not set(map(type, table.values())) <= kinds:
            raise _damaged("an option, or a count of use, that cannot be one")


# ---------------------------------------------------------------- bytes

_REQUESTS: Final = b"RTQ1"
_REPLIES: Final = b"RTR1"
_LENGTH: Final = Struct(">I")
#: what JSON has, or can be told to have: a keyword is an array with its name
_SCALARS: _Kinds = frozenset({str, int, float, bool, NoneType})
_PLAIN: Final = _SCALARS | {Keyword}


def _damaged(what: str) -> StorageError:
    return StorageError(f"damaged batch: {what}")


def _as_json(found: Any) -> Any:
    if type(found) is Keyword:
        return [found.name]
    return dict(found)  # options and uses, which may be any mapping


_WRITE: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, default=_as_json).encode
_READ: Final = json.JSONDecoder().decode


def _written(
    magic: bytes, count: int, values: list[Value], columns: list[_Column], further: Iterable[bytes] = ()
) -> bytes:
    if count > MOST_IN_BATCH:
        raise StorageError(f"expected at most {MOST_IN_BATCH} items in a batch, got {count}")
    return _sealed(magic, count, values, list(map(_packed, columns)), further)


def _sealed(
    magic: bytes, count: int, values: list[Value], columns: list[Any], further: Iterable[bytes] = ()
) -> bytes:
    is_plain = _PLAIN.issuperset(map(type, values))
    try:
        head = _WRITE([count, values if is_plain else None, *columns])
    except (TypeError, ValueError) as error:
        raise StorageError("an option, or a count of use, is no text, number, true, false or nil") from error
    parts = [magic]
    rest = b"" if is_plain else _section(values)
    for section in (head.encode("utf-8", "surrogatepass"), rest, *further):
        parts += _LENGTH.pack(len(section)), section
    return b"".join(parts)


def _section(values: list[Value]) -> bytes:
    return encode_float_vectors(values) if are_float_vectors(values) else encode_value(Vector(values))


def _read(data: bytes, magic: bytes) -> tuple[int, list[Value], list[Any], list[bytes]]:
    """How many items there are, their values, the columns, and further sections."""
    if data[: len(magic)] != magic:
        raise StorageError(f"no such batch: expected it to start with `{magic.decode()}`")
    sections = _sections(data, len(magic))
    if len(sections) < 2:
        raise _damaged("it ends too early")
    try:
        head = _READ(sections[0].decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise _damaged("its head is no JSON") from error
    if type(head) is not list or len(head) < 2 or type(head[0]) is not int or not 0 <= head[0] <= MOST_IN_BATCH:
        raise _damaged("it does not say how many items it has")
    return head[0], _values(head[1], sections[1]), head[2:], sections[2:]


def _sections(data: bytes, at: int) -> list[bytes]:
    sections = []
    while at < len(data):
        start = at + _LENGTH.size
        if start > len(data):
            raise _damaged("it ends too early")
        at = start + _LENGTH.unpack_from(data, at)[0]
        sections.append(data[start:at])
    if at != len(data):
        raise _damaged("it ends too early")
    return sections


def _values(inline: Any, section: bytes) -> list[Value]:
    if inline is None:
        if section.startswith(FLOAT_VECTORS):
            return decode_float_vectors(section)
        vector = decode_value(section)
        if type(vector) is Vector:
            return list(vector)
    elif type(inline) is list:
        kinds = set(map(type, inline))
        if kinds == {str}:
            return inline
        if kinds <= _SCALARS | {list}:
            return [_plain(each) for each in inline]
    raise _damaged("its values are none")


def _plain(found: Any) -> Value:
    if type(found) is list:
        if len(found) == 1 and type(found[0]) is str:
            return Keyword.of(found[0])
        raise _damaged("a value that is none")
    if type(found) is int and not INT_MIN <= found <= INT_MAX:
        raise _damaged("an integer of more than 64 bits")
    return found
