"""Constants of compiled code as data that `marshal` takes, and back.

Tagged tuples; the first item says what it is. Types are thawed when they are first used, since most checks are
decided in line and never need them, and building them means importing more of the package.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from rtfs.values import Keyword, List, Map, ResourceHandle, Set, Symbol, Timestamp, Uuid, Value, Vector


class NotFrozen(Exception):
    """The value has no frozen form; the code that holds it cannot be kept on disk."""


class TypeConstant:
    """A type in compiled code: the type itself, or its frozen form until it is asked for."""

    __slots__ = ("_frozen", "_type")

    def __init__(self, type_: Any = None, frozen: Any = None) -> None:
        self._type = type_
        self._frozen = frozen

    @property
    def type(self) -> Any:
        """The `rtfs.types.model.Type`."""
        if self._type is None:
            self._type = _thawed_record(self._frozen)
        return self._type

    @property
    def frozen(self) -> Any:
        """Tagged tuples that stand for the type."""
        return _frozen_record(self._type) if self._frozen is None else self._frozen


_SCALARS: Final = frozenset((type(None), bool, int, float, str))
_TEXTS: Final = {"timestamp": Timestamp, "uuid": Uuid, "handle": ResourceHandle}
_TEXT_TAGS: Final = {python_type: tag for tag, python_type in _TEXTS.items()}


def freeze(value: Value) -> Any:
    """The frozen form of a constant.

    Raises:
        NotFrozen: it has none.
    """
    kind = type(value)
    if kind in _SCALARS:
        return value
    if kind is Keyword:
        return ("keyword", value.name)
    if kind is Symbol:
        return ("symbol", value.name)
    if kind in _TEXT_TAGS:
        return (_TEXT_TAGS[kind], value.text)
    if kind in (Vector, List, Set):
        return (kind.__name__, tuple(freeze(item) for item in value))
    if kind is Map:
        return ("Map", tuple((freeze(key), freeze(item)) for key, item in value.items()))
    if kind is TypeConstant:
        return ("type", value.frozen)
    raise NotFrozen(kind.__name__)


def _frozen_record(part: Any) -> Any:
    """A type: its class and fields; within it tuples and values."""
    if type(part).__module__ == "rtfs.types.model":
        names = type(part).__match_args__
        return ("record", type(part).__name__, tuple(_frozen_record(getattr(part, name)) for name in names))
    if type(part) is tuple:
        return ("tuple", tuple(_frozen_record(item) for item in part))
    return ("value", freeze(part))


def _thawed_record(frozen: Any) -> Any:
    tag = frozen[0]
    if tag == "record":
        from rtfs.types import model as types

        return getattr(types, frozen[1])(*(_thawed_record(item) for item in frozen[2]))
    if tag == "tuple":
        return tuple(_thawed_record(item) for item in frozen[1])
    return thaw(frozen[1])


_THAW: Final[dict[str, Callable[[Any], Any]]] = {
    "keyword": Keyword.of,
    "symbol": Symbol.of,
    **_TEXTS,
    "Vector": lambda items: Vector([thaw(item) for item in items]),
    "List": lambda items: List(thaw(item) for item in items),
    "Set": lambda items: Set(thaw(item) for item in items),
    "Map": lambda entries: Map({thaw(key): thaw(item) for key, item in entries}),
    "type": lambda frozen: TypeConstant(frozen=frozen),
}


def thaw(frozen: Any) -> Any:
    """What `freeze` froze."""
    return _THAW[frozen[0]](frozen[1]) if type(frozen) is tuple else frozen
