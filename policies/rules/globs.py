"""Many globs against one name at once.

A glob is matched against the whole name, case-sensitively, character by character:

    *       any text, the empty one too; `/`, `.` and line ends are characters like others
    ?       any one character
    [a-z_]  one of these; `]` stands first if it is meant, `-` first or last
    [!a-z]  one character that is none of these
    other   itself; a `[` that is never closed, too. `[*]`, `[?]` and `[[]` stand for the plain characters

The meaning is that of `fnmatch.fnmatchcase`, which the tests compare with.

Why an index and not one large automaton: names are new most of the time when a program is linked, and an
automaton over hundreds of `*x*` builds new states for each new name (RE2's took 70 us a name in the median and
4 ms in the worst hundredth, over 800 globs). So each glob is filed under a text that a matching name must hold:

    no wildcard         the name itself
    literal beginning   that beginning; those that a name has are found by one binary search
    literal end         likewise
    literal only inside its last 8, 4, 2 or 1 characters: one look-up for each place and length in use
    none                tried always

Of several such texts the one counts that the fewest globs share. Only what was found so is compared, linearly
in the name for every part between two stars.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable
from fnmatch import translate
from functools import lru_cache
from typing import Final, NamedTuple

#: names whose answers are kept, and the longest name for which one is
_KEPT: Final = 4096
_LONGEST_KEPT: Final = 512
#: lengths to which texts from the inside of a glob are cut
_GRAMS: Final = (8, 4, 2, 1)
#: as long as there are so few of them, looking for each is faster
_FEW: Final = 150
_WILDCARDS: Final = re.compile(r"[*?\[]")

#: answers whether a name matches; None: all that were found do
type _Test = Callable[[str], object] | None


class _Entry(NamedTuple):
    """A glob, filed."""

    position: int
    #: its longest literal text but for that it is filed under: a name without it needs no further test
    needle: str
    test: _Test


type _Filed = dict[str, list[_Entry]]


class _Key(NamedTuple):
    filed: _Filed
    text: str
    #: the glob that matches every name found so
    whole: str | None


def is_glob(text: str) -> bool:
    """Whether `text` may match more than itself."""
    return _WILDCARDS.search(text) is not None


@lru_cache(maxsize=4096)
def _test(glob: str) -> Callable[[str], object]:
    if not is_glob(glob):
        return glob.__eq__
    parts = glob.split("*")
    if any(is_glob(part) for part in parts):
        return re.compile(translate(glob)).match
    return lambda name: _follows(parts, name)


def matches(glob: str, name: str) -> bool:
    """Whether `name` matches `glob`; a `GlobSet` is faster for many."""
    return bool(_test(glob)(name))


def _follows(parts: list[str], name: str) -> bool:
    """Whether `name` is the parts in order, with any text between them. There are two parts at least."""
    first, *inner, last = parts
    place, end = len(first), len(name) - len(last)
    if place > end or not (name.startswith(first) and name.endswith(last)):
        return False
    for part in inner:
        found = name.find(part, place, end)
        if found < 0:
            return False
        place = found + len(part)
    return True


class GlobSet:
    """Globs in an order. Immutable but for a bounded cache of answers."""

    def __init__(self, globs: Iterable[str]) -> None:
        self.globs = tuple(globs)
        self._exact: _Filed = {}
        self._insides: _Filed = {}
        self._always: list[_Entry] = []
        beginnings: _Filed = {}
        ends: _Filed = {}
        self._file([self._keys(glob, beginnings, ends) for glob in self.globs])
        self._beginnings = _Beginnings(beginnings)
        self._ends = _Beginnings({text[::-1]: entries for text, entries in ends.items()})
        self._inside_lengths = sorted({len(text) for text in self._insides})
        self._known: dict[str, tuple[int, ...]] = {}

    def __len__(self) -> int:
        return len(self.globs)

    def positions(self, name: str) -> tuple[int, ...]:
        """Positions of the globs that `name` matches, ascending."""
        known = self._known.get(name) if self.globs else ()
        if known is None:
            known = self._search(name)
            if len(name) <= _LONGEST_KEPT:
                if len(self._known) >= _KEPT:
                    self._known.clear()
                self._known[name] = known
        return known

    def first(self, name: str) -> int | None:
        """Position of the first glob that `name` matches."""
        found = self.positions(name)
        return found[0] if found else None

    def matches(self, name: str) -> bool:
        """Whether `name` matches any of the globs."""
        return bool(self.positions(name))

    def _file(self, keys_of: list[list[_Key]]) -> None:
        """File each glob under that of its keys which the fewest others have; of these, the longest."""
        sharers = Counter((id(key.filed), key.text) for keys in keys_of for key in keys)
        for position, (glob, keys) in enumerate(zip(self.globs, keys_of, strict=True)):
            if keys:
                key = min(keys, key=lambda key: (sharers[id(key.filed), key.text], -len(key.text)))
                entries, text, whole = key.filed.setdefault(key.text, []), key.text, glob == key.whole
            else:
                entries, text, whole = self._always, "", not glob.strip("*")
            needle = max((run for run in _literal_runs(glob) if run != text), key=len, default="")
            entries.append(_Entry(position, "" if whole else needle, None if whole else _test(glob)))

    def _keys(self, glob: str, beginnings: _Filed, ends: _Filed) -> list[_Key]:
        """The texts under which `glob` may be filed, and where."""
        beginning, *rest = _literal_runs(glob)
        if not rest:
            return [_Key(self._exact, glob, glob)]
        *between, end = rest
        anchored = (_Key(beginnings, beginning, f"{beginning}*"), _Key(ends, end, f"*{end}"))
        keys = [key for key in anchored if key.text]
        inside = max(between, key=len, default="")
        if keys or not inside:
            return keys
        length = next(length for length in _GRAMS if length <= len(inside))
        return [_Key(self._insides, inside[-length:], None)]

    def _search(self, name: str) -> tuple[int, ...]:
        filed = [*self._always, *self._exact.get(name, ())]
        filed += self._beginnings.of(name)
        filed += self._ends.of(name[::-1])
        if self._insides:
            filed += self._holding(name)
        return tuple(
            sorted([at for at, needle, test in filed if needle in name and (test is None or test(name))])
        )

    def _holding(self, name: str) -> list[_Entry]:
        """What is filed under texts that `name` holds, each once."""
        insides = self._insides
        if len(insides) <= _FEW:
            return [entry for text, entries in insides.items() if text in name for entry in entries]
        end = len(name) + 1
        texts = [name[at : at + length] for length in self._inside_lengths for at in range(end - length)]
        return [entry for text in dict.fromkeys(texts) if text in insides for entry in insides[text]]


class _Beginnings:
    """Entries by texts that a name begins with.

    All texts that a name begins with are beginnings of the longest of them, and that is a beginning of, or is,
    the last text that does not sort behind the name.
    """

    def __init__(self, filed: _Filed) -> None:
        self._texts = sorted(filed)
        self._entries = [filed[text] for text in self._texts]
        #: of each text, the place of the longest other that it begins with; -1: none
        self._shorter: list[int] = []
        for at, text in enumerate(self._texts):
            shorter = at - 1
            while shorter >= 0 and not text.startswith(self._texts[shorter]):
                shorter = self._shorter[shorter]
            self._shorter.append(shorter)

    def of(self, name: str) -> list[_Entry]:
        """What is filed under texts that `name` begins with."""
        found: list[_Entry] = []
        at = bisect_right(self._texts, name) - 1
        while at >= 0:
            if name.startswith(self._texts[at]):
                found += self._entries[at]
            at = self._shorter[at]
        return found


def _literal_runs(glob: str) -> list[str]:
    """The texts between wildcards, in order, empty ones too: one more than there are wildcards."""
    runs: list[str] = []
    run: list[str] = []
    place = 0
    while place < len(glob):
        char = glob[place]
        end = _class_end(glob, place) if char == "[" else None
        if char in "*?" or end is not None:
            runs.append("".join(run))
            run = []
        else:
            run.append(char)
        place = place + 1 if end is None else end
    return [*runs, "".join(run)]


def _class_end(glob: str, place: int) -> int | None:
    """Where the class that opens at `place` has ended, None if it never does."""
    start = place + 1
    if glob[start : start + 1] == "!":
        start += 1
    if glob[start : start + 1] == "]":
        start += 1
    close = glob.find("]", start)
    return None if close < 0 else close + 1
