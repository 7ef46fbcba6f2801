"""Inflection of English, as far as tables need it: rules, and a list of verbs that have none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

#: base, past, participle
_IRREGULAR: Final = {
    row.split()[0]: (row.split()[1].split("/"), row.split()[2].split("/"))
    for row in """
be was/were been
become became become
begin began begun
break broke broken
bring brought brought
build built built
buy bought bought
catch caught caught
choose chose chosen
come came come
cost cost cost
cut cut cut
do did done
draw drew drawn
drive drove driven
eat ate eaten
fall fell fallen
feel felt felt
fight fought fought
find found found
fix fixed fixed
fly flew flown
forget forgot forgotten
freeze froze frozen
get got got/gotten
give gave given
go went gone
grow grew grown
hide hid hidden
hold held held
keep kept kept
know knew known
lead led led
leave left left
lend lent lent
lose lost lost
make made made
mean meant meant
meet met met
pay paid paid
put put put
read read read
ride rode ridden
rise rose risen
run ran run
say said said
see saw seen
seek sought sought
sell sold sold
send sent sent
set set set
shrink shrank shrunk
shut shut shut
sink sank sunk
sleep slept slept
speak spoke spoken
spend spent spent
split split split
stand stood stood
stop stopped stopped
swap swapped swapped
take took taken
teach taught taught
tell told told
think thought thought
throw threw thrown
undo undid undone
understand understood understood
win won won
withdraw withdrew withdrawn
write wrote written
hear heard heard
love loved loved
wake woke woken
forgive forgave forgiven
overwrite overwrote overwritten
""".strip().splitlines()
}
#: of more than one syllable with the stress on the last: their last letter doubles
_DOUBLING: Final = frozenset("admit permit commit submit transfer refer prefer occur begin equip".split())
_WITH_OES: Final = frozenset("do go undo redo echo veto hero potato tomato".split())
_VOWELS: Final = frozenset("aeiou")


_PARTICIPLES: Final = frozenset(form for _, forms in _IRREGULAR.values() for form in forms) | {
    "had",
    "hit",
    "hurt",
}


def is_participle(word: str) -> bool:
    """Whether a word may be the past participle of a verb, so that `who's` before it may be `who has`."""
    return word.endswith("ed") or word in _PARTICIPLES


def verb(word: str) -> Iterator[tuple[str, str]]:
    """Forms of a verb: base, third person, past, participle, gerund."""
    yield word, ""
    yield _with_s(word), "s"
    past, participle = _IRREGULAR.get(word, ([_with_ed(word)], [_with_ed(word)]))
    if word not in past:
        yield from ((each, "ed" if each in participle else "past") for each in past)
    if word not in participle:
        yield from ((each, "ed" if each in past else "en") for each in participle)
    yield _with_ing(word), "ing"


def noun(word: str) -> Iterator[tuple[str, str]]:
    """Singular and plural."""
    yield word, ""
    yield _with_s(word), "s"


def adjective(word: str) -> Iterator[tuple[str, str]]:
    """A short adjective and its comparison."""
    yield word, ""
    stem = _stem(word) if not word.endswith("y") else word[:-1] + "i"
    yield stem + "er", "er"
    yield stem + "est", "est"


def _with_s(word: str) -> str:
    if word.endswith("y") and word[-2] not in _VOWELS:
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("s", "x", "z", "ch", "sh")) or word in _WITH_OES else "s")


def _stem(word: str) -> str:
    """What `er`, `ed` and `ing` are put to."""
    if word.endswith("e") and not word.endswith(("ee", "oe", "ye")):
        return word[:-1]
    is_short = len(word) <= 4 and len(word) >= 3 and sum(each in _VOWELS for each in word) == 1
    ends = word[-1] not in "aeiouwxy" and word[-2:-1] in _VOWELS
    doubles = word in _DOUBLING or (is_short and ends and word[-3:-2] not in _VOWELS)
    return word + word[-1] if ends and doubles else word


def _with_ed(word: str) -> str:
    if word.endswith("y") and word[-2] not in _VOWELS:
        return word[:-1] + "ied"
    return _stem(word) + ("d" if word.endswith(("ee", "oe", "ye")) else "ed")


def _with_ing(word: str) -> str:
    return _stem(word) + "ing"
