"""Keys: what an answer depends on, as 32 bytes. No two different calls share one.

    key       = BLAKE2b-256("rtfs l2 call 1",     function, model, scope, arguments)
    function  = BLAKE2b-256("rtfs function 1",    symbol, IR hash, parameter types, return type, interface,
                                                  language version)
    model     = BLAKE2b-256("rtfs model 1",       target, version, prompt version, parameters of sampling)
    scope     = BLAKE2b-256("rtfs scope 1",       tenant, privacy labels)
    input     = BLAKE2b-128("rtfs l2 input 1",    symbol, arguments)
    partition = BLAKE2b-256("rtfs l3 calls 1",    function, model, scope, arguments but for their texts)
    answer    = BLAKE2b-256("rtfs answer 1",      value)
    compound  = BLAKE2b-256("rtfs compound 1",    vector, list, map or set)

The text in quotes is BLAKE2b's personalisation: it keeps the domains apart, and its number is the version of
what follows. Everything hashed is self-delimiting, so that no two sequences of parts are the same bytes:

    nil, true, false      n  T  F
    integer               i HEX ;
    float                 f, 8 bytes IEEE 754, big-endian; every NaN is the same, and -0.0 is not 0.0
    text and the like     tag, length in hexadecimal, ":", UTF-8 (lone surrogates pass)
    vector, list          v or l, count, ":", items; as a part of something else "#" and the digest of that
    map, set              m or s, count, ":", entries or members in the order of their encoding; likewise "#"

So 1, 1.0, "1", true and :1 differ, a vector is no list, and the order of maps and sets is nothing, as `=` has
it (language.md §2) but for NaN, which is one input, and -0.0, which prints as another text than 0.0.

What is the same for all calls of a function, a model or a tenant is hashed once and kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from hashlib import blake2b
from struct import Struct
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol

from actors.caches.errors import NotCacheable
from actors.caches.layer import Origin
from rtfs.delegation import FunctionInfo
from rtfs.run import STOP_REQUESTS, poll
from rtfs.values import (
    COLLECTIONS,
    Keyword,
    List,
    Map,
    ResourceHandle,
    Set,
    Symbol,
    Timestamp,
    Uuid,
    Value,
    Vector,
    type_name,
)
from rtfs.version import VERSION

#: length of keys, bytes
KEY_BYTES: Final = 32
#: length of digests of inputs, bytes
INPUT_BYTES: Final = 16

#: a parameter of sampling
type Option = str | int | float | bool | None

#: descriptions of functions that are kept, by what they were made from
_KEPT: Final = 4096

_CALL: Final = b"rtfs l2 call 1"
_FUNCTION: Final = b"rtfs function 1"
_MODEL: Final = b"rtfs model 1"
_SCOPE: Final = b"rtfs scope 1"
_INPUT: Final = b"rtfs l2 input 1"
_PARTITION: Final = b"rtfs l3 calls 1"
_ANSWER: Final = b"rtfs answer 1"
_COMPOUND: Final = b"rtfs compound 1"
#: stands for a text among arguments; no value is encoded so
_A_TEXT: Final = b"?"

# ---------------------------------------------------------------- what a key is made of


@dataclass(frozen=True, kw_only=True)
class FunctionKey:
    """What all calls of a function share."""

    symbol: str
    #: of the function, or the module that it belongs to
    ir_hash: str
    parameter_types: tuple[str, ...] = ()
    return_type: str = "any"
    #: what else a target is told about the function, as a text
    interface: str = ""
    language: str = VERSION

    @classmethod
    def of(cls, function: FunctionInfo, interface: str = "") -> FunctionKey:
        """That of `function`; the same object for the same object."""
        known = _of_functions.get((id(function), interface))
        if known is not None and known[0] is function:
            return known[1]
        made = cls(
            symbol=function.symbol,
            ir_hash=function.ir_hash,
            parameter_types=function.parameter_types,
            return_type=function.return_type,
            interface=interface,
        )
        if len(_of_functions) >= _KEPT:
            _of_functions.clear()
        _of_functions[id(function), interface] = function, made
        return made

    @cached_property
    def digest(self) -> bytes:
        """All of it, as 32 bytes."""
        types = _sequence(b"v", map(_text, self.parameter_types))
        head = _text(self.symbol) + _text(self.ir_hash) + types
        return _hashed(_FUNCTION, head, *map(_text, (self.return_type, self.interface, self.language)))


#: id of a function's description and interface → that, which keeps the id its own, and its key
_of_functions: Final[dict[tuple[int, str], tuple[FunctionInfo, FunctionKey]]] = {}


@dataclass(frozen=True, kw_only=True)
class ModelKey:
    """What all calls of a model share that asks in one way."""

    #: name of the target: `local-sentiment`
    target: str
    #: changes when the model's answers may
    version: str
    #: changes when what is asked of it may
    prompt_version: str = ""
    #: parameters of sampling by name
    options: Mapping[str, Option] = field(default_factory=lambda: MappingProxyType({}))

    @cached_property
    def digest(self) -> bytes:
        """All of it, as 32 bytes."""
        options = sorted(_text(name) + canonical(option) for name, option in self.options.items())
        texts = map(_text, (self.target, self.version, self.prompt_version))
        return _hashed(_MODEL, *texts, _sequence(b"m", options))


class Scope(NamedTuple):
    """For whom a call is, as far as that keeps it apart from others."""

    tenant: str | None = None
    #: privacy labels that its arguments may carry
    labels: frozenset[str] = frozenset()


class Keyed(Protocol):
    """What layers have to know of a call to find its answer."""

    @property
    def key(self) -> bytes:
        """What the answer depends on."""

    @property
    def input(self) -> bytes:
        """Digest of function and arguments alone."""


class InferenceCall:
    """One call of a function that a model is to answer.

    Raises:
        NotCacheable: an argument has no meaning outside its run: a function, a ticket, an error.
    """

    __slots__ = ("_encoded", "_input", "args", "function", "key", "model", "scope")

    def __init__(self, function: FunctionKey, model: ModelKey, scope: Scope, args: tuple[Value, ...]) -> None:
        self.function = function
        self.model = model
        self.scope = scope
        self.args = args
        self._encoded = encoded = _sequence(b"v", [canonical(arg) for arg in args])
        self._input: bytes | None = None
        parts = function.digest + model.digest + _scope_digest(scope) + encoded
        self.key: Final = blake2b(parts, digest_size=KEY_BYTES, person=_CALL).digest()

    @property
    def input(self) -> bytes:
        """Digest of function and arguments alone, whoever asks whom: 16 bytes."""
        found = self._input
        if found is None:
            found = self._input = input_digest(self.function.symbol, self._encoded)
        return found

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts among its arguments: what it means."""
        return tuple(arg for arg in self.args if type(arg) is str)

    @property
    def partition(self) -> bytes:
        """Digest of all but its texts, where a text stands included: calls that share it may mean the same."""
        rest = [_A_TEXT if type(arg) is str else canonical(arg) for arg in self.args]
        parts = self.function.digest + self.model.digest + _scope_digest(self.scope) + _sequence(b"v", rest)
        return blake2b(parts, digest_size=KEY_BYTES, person=_PARTITION).digest()

    @property
    def origin(self) -> Origin:
        """Whose answer it will be."""
        return Origin(self.scope.tenant, self.function.symbol, self.model.target, self.model.version)


def answer_digest(value: Value) -> bytes:
    """The same for answers that nothing can tell apart, and for no others: 32 bytes. Raises NotCacheable."""
    return _hashed(_ANSWER, canonical(value))


def input_of(symbol: str, args: tuple[Value, ...]) -> bytes:
    """`InferenceCall.input` of calls of that function with these arguments. Raises NotCacheable."""
    return input_digest(symbol, _sequence(b"v", [canonical(arg) for arg in args]))


def input_digest(symbol: str, encoded: bytes) -> bytes:
    """The same, of arguments that are encoded already."""
    return blake2b(_text(symbol) + encoded, digest_size=INPUT_BYTES, person=_INPUT).digest()


@lru_cache(_KEPT)
def _scope_digest(scope: Scope) -> bytes:
    tenant = b"n" if scope.tenant is None else _text(scope.tenant)
    return _hashed(_SCOPE, tenant, _sequence(b"s", sorted(map(_text, scope.labels))))


def _hashed(domain: bytes, *parts: bytes) -> bytes:
    """BLAKE2b-256 of self-delimiting parts."""
    return blake2b(b"".join(parts), digest_size=KEY_BYTES, person=domain).digest()


# ---------------------------------------------------------------- values


def canonical(value: Value) -> bytes:
    """A value as bytes: the same for those that nothing can tell apart, and for no others.

    Raises:
        NotCacheable: it has no meaning outside its run.
    """
    encode = _SCALARS.get(type(value))
    return _compound(value) if encode is None else encode(value)


def _text(text: str) -> bytes:
    data = text.encode("utf-8", "surrogatepass")
    return b"t%x:%b" % (len(data), data)


def _named(tag: bytes) -> Callable[[Any], bytes]:
    def encode(value: Any) -> bytes:
        data = value.name.encode("utf-8", "surrogatepass")
        return b"%b%x:%b" % (tag, len(data), data)

    return encode


def _tagged(tag: bytes) -> Callable[[Any], bytes]:
    def encode(value: Any) -> bytes:
        data = value.text.encode("utf-8", "surrogatepass")
        return b"%b%x:%b" % (tag, len(data), data)

    return encode


_PACK_FLOAT: Final = Struct(">d").pack
_NAN: Final = bytes.fromhex("7ff8000000000000")


def _float(value: float) -> bytes:
    return b"f" + (_PACK_FLOAT(value) if value == value else _NAN)


_SCALARS: Final[Mapping[type, Callable[[Any], bytes]]] = {
    type(None): lambda _: b"n",
    bool: lambda value: b"T" if value else b"F",
    int: lambda value: b"i%x;" % value,
    float: _float,
    str: _text,
    Keyword: _named(b"k"),
    Symbol: _named(b"y"),
    Timestamp: _tagged(b"d"),
    Uuid: _tagged(b"u"),
    ResourceHandle: _tagged(b"r"),
}


_TAGS: Final = {Vector: b"v", List: b"l", Set: b"s"}


def _sequence(tag: bytes, items: Iterable[bytes]) -> bytes:
    listed = list(items)
    return b"%b%x:%b" % (tag, len(listed), b"".join(listed))


def _compound(root: Value) -> bytes:
    """Innermost first, without recursion; what is shared is hashed once, else that could take for ever."""
    done: dict[int, bytes] = {}
    todo = [root]
    while todo:
        here = todo[-1]
        if id(here) in done:
            todo.pop()
            continue
        inner = [part for part in _parts(here) if type(part) in COLLECTIONS and id(part) not in done]
        if inner:
            todo += inner
        else:
            todo.pop()
            done[id(here)] = b"#" + _hashed(_COMPOUND, _flat(here, done))
        if STOP_REQUESTS:
            poll()
    return done[id(root)]


def _parts(value: Value) -> list[Value]:
    kind = type(value)
    if kind not in COLLECTIONS:
        raise _refused(value)
    return list(value.values() if kind is Map else value.to_list())


def _flat(value: Value, done: Mapping[int, bytes]) -> bytes:
    kind = type(value)
    parts = [_part(item, done) for item in _parts(value)]
    if kind is Map:
        keys = map(canonical, value.keys())
        return _sequence(b"m", sorted([key + part for key, part in zip(keys, parts, strict=True)]))
    return _sequence(_TAGS[kind], sorted(parts) if kind is Set else parts)


def _part(item: Value, done: Mapping[int, bytes]) -> bytes:
    encode = _SCALARS.get(type(item))
    if encode is not None:
        return encode(item)
    if type(item) not in COLLECTIONS:
        raise _refused(item)
    return done[id(item)]


def _refused(value: Value) -> NotCacheable:
    return NotCacheable(f"a value of type {type_name(value)} has no meaning outside its run")
