"""What was learnt as JSON-like data, to be kept in a file or sent elsewhere, and back."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any, Final

from immutables import Map

from policies.errors import PolicyError
from policies.learning.learnt import WINDOW, Arm, Kind, LearntState, Level

#: of the data's shape; data of another is refused
FORMAT: Final = 1
_HEAD: Final = ("format", "version", "seen", "explored", "kinds", "levels")
_KIND: Final = ("outcomes", "at", "choice", "share", "arms")


def to_data(state: LearntState) -> dict[str, Any]:
    """JSON-like data that `from_data` reads; equal states give equal data."""
    return {
        "format": FORMAT,
        "version": state.version,
        "seen": state.seen,
        "explored": state.explored,
        "kinds": {
            name: {
                "outcomes": kind.outcomes,
                "at": kind.at,
                "choice": kind.choice,
                "share": kind.share,
                "arms": {
                    target: {**arm._asdict(), "recent": list(arm.recent)}
                    for target, arm in sorted(kind.arms.items())
                },
            }
            for name, kind in sorted(state.kinds.items())
        },
        "levels": {target: level._asdict() for target, level in sorted(state.levels.items())},
    }


def from_data(data: object) -> LearntState:
    """The state in what `to_data` gave.

    Raises:
        PolicyError: it is something else; names the place.
    """
    head = _table(data, "what was learnt", _HEAD)
    if head["format"] != FORMAT:
        raise PolicyError(f"expected what was learnt in format {FORMAT}, got `{head['format']}`")
    kinds = {name: _kind(kind, f"kinds.{name}") for name, kind in _map(head["kinds"], "kinds").items()}
    levels = {name: _level(level, f"levels.{name}") for name, level in _map(head["levels"], "levels").items()}
    return LearntState(
        version=_count(head["version"], "version"),
        seen=_count(head["seen"], "seen"),
        explored=_count(head["explored"], "explored"),
        kinds=Map(kinds),
        levels=Map(levels),
    )


def _kind(data: object, place: str) -> Kind:
    table = _table(data, place, _KIND)
    choice = table["choice"]
    if choice is not None and not isinstance(choice, str):
        raise PolicyError(f"expected a target's name or nothing at `{place}.choice`, got `{choice}`")
    arms = _map(table["arms"], f"{place}.arms")
    return Kind(
        outcomes=_count(table["outcomes"], f"{place}.outcomes"),
        arms={target: _arm(arm, f"{place}.arms.{target}") for target, arm in arms.items()},
        at=_count(table["at"], f"{place}.at"),
        choice=choice,
        share=_fraction(table["share"], f"{place}.share"),
    )


def _arm(data: object, place: str) -> Arm:
    table = _table(data, place, Arm._fields)
    recent = table["recent"]
    if not isinstance(recent, list) or len(recent) > WINDOW:
        raise PolicyError(f"expected at most {WINDOW} qualities in a list at `{place}.recent`, got `{recent}`")
    read: dict[str, Any] = {
        name: (_count if name in ("seen", "at", "at_all") else _number)(table[name], f"{place}.{name}")
        for name in Arm._fields
        if name != "recent"
    }
    for name in ("fails", "answers", "variance"):
        _fraction(read[name], f"{place}.{name}")
    return Arm(**read, recent=tuple(_fraction(each, f"{place}.recent") for each in recent))


def _level(data: object, place: str) -> Level:
    table = _table(data, place, Level._fields)
    price, pace = (_number(table[name], f"{place}.{name}") for name in ("price", "pace"))
    if not price or not pace:
        raise PolicyError(f"expected price and pace above 0 at `{place}`, got {price} and {pace}")
    moved_at = table["moved_at"]
    return Level(
        price=price,
        pace=pace,
        fails=_fraction(table["fails"], f"{place}.fails"),
        weight=_number(table["weight"], f"{place}.weight"),
        at=_count(table["at"], f"{place}.at"),
        moved_at=-1 if moved_at == -1 else _count(moved_at, f"{place}.moved_at"),
    )


# ---------------------------------------------------------------- pieces


def _map(data: object, place: str) -> Mapping[str, object]:
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise PolicyError(f"expected a map from names at `{place}`, got `{type(data).__name__}`")
    return data


def _table(data: object, place: str, fields: tuple[str, ...]) -> Mapping[str, object]:
    table = _map(data, place)
    if set(table) != set(fields):
        expected = ", ".join(f"`{field}`" for field in fields)
        got = ", ".join(f"`{field}`" for field in sorted(table))
        raise PolicyError(f"expected {expected} at `{place}`, got {got or 'nothing'}")
    return table


def _number(data: object, place: str) -> float:
    if isinstance(data, bool) or not isinstance(data, int | float) or not (isfinite(data) and data >= 0):
        raise PolicyError(f"expected a number of 0 or more at `{place}`, got `{data}`")
    return float(data)


def _fraction(data: object, place: str) -> float:
    number = _number(data, place)
    if number > 1:
        raise PolicyError(f"expected a number from 0 to 1 at `{place}`, got `{data}`")
    return number


def _count(data: object, place: str) -> int:
    if isinstance(data, bool) or not isinstance(data, int) or data < 0:
        raise PolicyError(f"expected a whole number of 0 or more at `{place}`, got `{data}`")
    return data
