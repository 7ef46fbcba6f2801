"""What differs between two policies, and where calls go elsewhere.

Compared is what is in force: to leave a key out is to set it to its default, and to write down a default
changes nothing. Rules are told apart by their names, those without by what they say, and what is left by order;
so a rule that is put in front does not make all others look changed. Where order decides, what moved is told.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from policies.file.policy import Policy
from policies.file.toml_lines import KeyPath, dotted

#: tables whose order decides: the first route that matches wins, ties go to the target that stands first
ORDERED: Final = ("static_routes", "remote_providers", "local_models")

_TOP: Final = "delegation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One key whose value is another. A `moved` one has its place in the order, from 1, as old and new."""

    kind: Literal["added", "removed", "changed", "moved"]
    #: dotted path, `delegation.rules.0.targets`; of a rule, its index in the new policy if it is there
    key: str
    #: plain data; None where the key was not there
    old: Any = None
    new: Any = None
    old_line: int | None = None
    new_line: int | None = None

    def __str__(self) -> str:
        match self.kind:
            case "added":
                return f"+ {self.key} = {_text(self.new)}"
            case "removed":
                return f"- {self.key} = {_text(self.old)}"
            case "moved":
                return f"~ {self.key}: place {self.old} → {self.new}"
        return f"~ {self.key} = {_text(self.old)} → {_text(self.new)}"


def diff_policies(old: Policy, new: Policy) -> tuple[Change, ...]:
    """The keys that differ, in the order of the schema; empty if both decide alike."""
    before, after = plain(old.settings.model_dump()), plain(new.settings.model_dump())
    was, now = _Lines(old), _Lines(new)
    found: list[Change] = []
    for key in after:
        if key == "rules":
            found += _rules(before[key], after[key], was, now)
            continue
        found += _compare((key,), (key,), before[key], after[key], was, now)
        if key in ORDERED:
            shared = [name for name in before[key] if name in after[key]]
            found += _moved([(key, name) for name in shared], [(key, name) for name in after[key]], was, now)
    return tuple(found)


def plain(value: Any) -> Any:
    """Settings as plain data: tuples as lists, sets as sorted lists, keys in their order."""
    if isinstance(value, dict):
        return {key: plain(below) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [plain(below) for below in value]
    return sorted(value) if isinstance(value, frozenset) else value


class _Lines:
    """Where keys stand in one policy."""

    def __init__(self, policy: Policy) -> None:
        self._lines = policy.lines

    def __getitem__(self, path: KeyPath) -> int | None:
        return self._lines.get(".".join(map(str, path)))


def _key(path: KeyPath) -> str:
    return dotted((_TOP, *path))


def _compare(
    path: KeyPath, new_path: KeyPath, old: Any, new: Any, was: _Lines, now: _Lines
) -> Iterator[Change]:
    """The changes below a key; its path is another in the new policy if a rule before it came or went."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in [*new, *(name for name in old if name not in new)]:
            yield from _compare(
                (*path, name), (*new_path, name), old.get(name, _ABSENT), new.get(name, _ABSENT), was, now
            )
    elif old is _ABSENT:
        yield Change(kind="added", key=_key(new_path), new=new, new_line=now[new_path])
    elif new is _ABSENT:
        yield Change(kind="removed", key=_key(path), old=old, old_line=was[path])
    elif _text(old) != _text(new):
        old_line, new_line = was[path], now[new_path]
        yield Change(kind="changed", key=_key(new_path), old=old, new=new, old_line=old_line, new_line=new_line)


_ABSENT: Final = object()


# ---------------------------------------------------------------- rules


def _rules(old: list[Any], new: list[Any], was: _Lines, now: _Lines) -> Iterator[Change]:
    pairs = _pairs(old, new)
    before = {at: index for index, at in pairs}
    for index, rule in enumerate(new):
        path: KeyPath = ("rules", index)
        if index in before:
            yield from _compare(("rules", before[index]), path, old[before[index]], rule, was, now)
        else:
            yield Change(kind="added", key=_key(path), new=_said(rule), new_line=now[path])
    kept = {index for index, _ in pairs}
    for index, rule in enumerate(old):
        if index not in kept:
            gone: KeyPath = ("rules", index)
            yield Change(kind="removed", key=_key(gone), old=_said(rule), old_line=was[gone])
    yield from _moved_rules(pairs, was, now)


def _pairs(old: list[Any], new: list[Any]) -> list[tuple[int, int]]:
    """Indices of rules that are the same one in both, ascending by the old one."""
    pairs: list[tuple[int, int]] = []
    left, right = list(range(len(old))), list(range(len(new)))
    for name_of in (_name, _text, _nameless):
        waiting: defaultdict[str, deque[int]] = defaultdict(deque)
        for at in right:
            if (name := name_of(new[at])) is not None:
                waiting[name].append(at)
        found = [
            (index, waiting[name].popleft())
            for index in left
            if (name := name_of(old[index])) is not None and waiting.get(name)
        ]
        pairs += found
        left = sorted(set(left) - {index for index, _ in found})
        right = sorted(set(right) - {at for _, at in found})
    return sorted(pairs)


def _name(rule: Any) -> str | None:
    return None if rule["name"] is None else str(rule["name"])


def _nameless(rule: Any) -> str | None:
    """All rules without a name are alike: they are matched in order."""
    return "" if rule["name"] is None else None


def _said(rule: Any) -> Any:
    """What a rule says, without what it leaves open."""
    return {key: value for key, value in rule.items() if value not in (None, [], {})}


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


# ---------------------------------------------------------------- order


def _moved_rules(pairs: list[tuple[int, int]], was: _Lines, now: _Lines) -> Iterator[Change]:
    stays = _longest_rising([at for _, at in pairs])
    for place, (index, at) in enumerate(pairs):
        if place not in stays:
            yield _move(("rules", index), ("rules", at), index, at, was, now)


def _moved(old: list[KeyPath], new: list[KeyPath], was: _Lines, now: _Lines) -> Iterator[Change]:
    """What left its place among the keys that both have."""
    kept = set(old)
    places = {path: place for place, path in enumerate(path for path in new if path in kept)}
    stays = _longest_rising([places[path] for path in old])
    for place, path in enumerate(old):
        if place not in stays:
            yield _move(path, path, place, places[path], was, now)


def _move(old: KeyPath, new: KeyPath, was_at: int, is_at: int, was: _Lines, now: _Lines) -> Change:
    return Change(
        kind="moved",
        key=_key(new),
        old=was_at + 1,
        new=is_at + 1,
        old_line=was[old],
        new_line=now[new],
    )


def _longest_rising(numbers: Iterable[int]) -> set[int]:
    """Positions of a longest rising subsequence: all others moved. By patience sorting."""
    tops: list[int] = []
    holders: list[int] = []
    before: list[int | None] = []
    for position, number in enumerate(numbers):
        pile = bisect_left(tops, number)
        before.append(holders[pile - 1] if pile else None)
        tops[pile : pile + 1] = [number]
        holders[pile : pile + 1] = [position]
    found: set[int] = set()
    last = holders[-1] if holders else None
    while last is not None:
        found.add(last)
        last = before[last]
    return found
