"""What is to be known of a language, and how its tables are read. A further language is one more module.

Tables are texts, a group of equivalents on each line. Of guarded words the first of a line stands for all. Of
synonyms a group stands for its members form by form, as `inflect` says: `deleted` is to `delete` as `erased` to
`erase`. What would belong to two groups, or to two forms of one, belongs to none: it stands for itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import Final, NamedTuple

from actors.caches.l3.guards.model import Item
from actors.caches.l3.guards.numbers import Numerals

#: forms of a word, each with a name that is the same for all words: ("deleted", "ed")
type Inflect = Callable[[str], Iterable[tuple[str, str]]]


class Phrase(NamedTuple):
    """Words that are read as something else."""

    words: tuple[str, ...]
    #: items as `kind:value`, or words; "$" stands for the last word, "$2" for the last two, "$0" for the first
    becomes: tuple[str, ...]
    #: whether it must begin its sentence
    is_first: bool = False
    #: whether it makes a request of what looks like a question
    is_request: bool = False
    #: whether commas or ends must part it from the rest
    is_apart: bool = False


#: by their first two words, of which the second may be empty; of each the longest first
type PhraseTable = Mapping[tuple[str, str], tuple[Phrase, ...]]


@dataclass(frozen=True, kw_only=True)
class Synonyms:
    """Groups of a part of speech."""

    table: str
    inflect: Inflect = lambda word: ((word, ""),)


@dataclass(frozen=True, kw_only=True)
class Language:
    """Everything that guards know of a language."""

    code: str
    #: frequent words that no other known language has
    marks: frozenset[str]
    numerals: Numerals
    #: kind → table of guarded words
    guarded: Mapping[str, str]
    #: words without meaning here
    silent: frozenset[str]
    #: words without meaning in a text that is not about words
    polite: frozenset[str]
    #: written as one, read as several
    contractions: Mapping[str, str]
    #: ends of words that are read as a word of their own
    suffixes: Mapping[str, str]
    #: lines `words = what they are read as`; "^" in front: at the beginning of a sentence, "?" after it: of a
    #: request; "!": apart from the rest by commas or ends; "(a|b|)" are alternatives
    phrases: str
    synonyms: tuple[Synonyms, ...]
    #: pairs of opposites, `buy sell`
    opposites: tuple[Synonyms, ...]
    #: parts of words that turn meaning round: `un`, `less`
    negating_prefixes: tuple[str, ...]
    negating_suffixes: tuple[str, ...]
    #: words that make a text one about words: nothing is a synonym there
    mentions: frozenset[str]
    #: words beside which stands a name of something to click or to call
    labels: frozenset[str]
    #: words that mean something else with a capital, `Turkey`
    case_matters: frozenset[str]
    #: whether nouns have capitals, so that those say nothing
    has_capital_nouns: bool
    #: unit as written → its name; those with capitals are symbols, whose case matters
    units: Mapping[str, str]
    #: name of a month → 1 to 12
    months: Mapping[str, int]
    #: months that are ordinary words too
    doubtful_months: frozenset[str] = frozenset()
    #: may stand between day and month, `of`
    date_joiners: frozenset[str] = frozenset()
    #: after a number, hours to be added to it, `pm`
    clocks: Mapping[str, int] = field(default_factory=dict)
    #: may be asked with: values of items that stand elsewhere in a question than in a clause
    auxiliaries: frozenset[str] = frozenset()
    #: auxiliaries that say nothing in a question, `do`
    empty_auxiliaries: frozenset[str] = frozenset()
    #: auxiliaries that are the verb itself where they stand last
    full_verbs: frozenset[str] = frozenset()
    #: how words ask: `alone` if never with another (`who`); `how` if with what says how much; `what` if they
    #: may ask with a noun; `noun`, as all others, if they do
    asking: Mapping[str, str] = field(default_factory=dict)
    #: may begin what stands in front of a question or behind it: `in`
    frontable: frozenset[str] = frozenset()
    #: words before which a contraction in `'s` may be read in two ways
    leaves_open: Callable[[str], bool] = lambda word: False
    #: brings the items of a sentence into one order, given whether it ended in a question mark, and how a word
    #: in lower case is read
    arrange: Callable[[Language, list[Item], bool, Callable[[str], Item]], list[Item]] = (
        lambda language, items, asks, read: items
    )

    @cached_property
    def words(self) -> Mapping[str, Item | None]:
        """What guarded words are read as; None: nothing."""
        made: dict[str, Item | None] = dict.fromkeys(self.silent | self.polite)
        for kind, table in self.guarded.items():
            for group in groups(table):
                made |= {word: Item(kind, group[0], word) for word in group}
        return made

    @cached_property
    def lemmas(self) -> Mapping[str, tuple[str, str]]:
        """Synonyms: word, or several, → value of its group, and which member of that it is a form of."""
        found: dict[str, set[tuple[str, str]]] = {}
        for part in self.synonyms:
            for group in groups(part.table):
                for member in group:
                    for form, name in _forms(member, part.inflect):
                        found.setdefault(form, set()).add((f"={group[0]}~{name}", member))
        one = {form: values.pop() for form, values in found.items() if len(values) == 1}
        return {form: value for form, value in one.items() if form not in self.words}

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        """Words by which a text is known to be in this language, if it has none that only this one has."""
        tables = (self.words, self.lemmas, self.contractions, self.opposite_of, self.units, self.months)
        words = self.marks.union(*tables, self.numerals.units, self.numerals.tens, self.mentions)
        return words | {member for phrase in read_phrases(self.phrases) for member in phrase.words}

    @cached_property
    def unit_letters(self) -> frozenset[str]:
        """Symbols of units with capitals, in lower case."""
        return frozenset(unit.lower() for unit in self.units if unit != unit.lower())

    @cached_property
    def phrases_only(self) -> PhraseTable:
        """All phrases."""
        return _by_beginning(read_phrases(self.phrases))

    @cached_property
    def phrase_table(self) -> PhraseTable:
        """The same, with synonyms of more than one word."""
        several = (Phrase(tuple(form.split()), (form,)) for form in self.lemmas if " " in form)
        return _by_beginning([*read_phrases(self.phrases), *several])

    @cached_property
    def beginnings(self) -> frozenset[str]:
        """Words that may begin a phrase, a number or a date; all others stand alone."""
        return self.number_beginnings.union([first for first, _ in self.phrase_table], self.months)

    @cached_property
    def number_beginnings(self) -> frozenset[str]:
        """Words that may begin a number."""
        numerals = self.numerals
        return frozenset().union(numerals.units, numerals.tens, numerals.articles, numerals.ordinals)

    @cached_property
    def opposite_of(self) -> Mapping[str, frozenset[str]]:
        """Word → its opposites, form by form."""
        found: dict[str, set[str]] = {}
        for part in self.opposites:
            for one, other in groups(part.table):
                ones = _by_name(one, part.inflect)
                for name, forms in _by_name(other, part.inflect).items():
                    for a, b in product(ones.get(name, ()), forms):
                        found.setdefault(a, set()).add(b)
                        found.setdefault(b, set()).add(a)
        return {word: frozenset(others) for word, others in found.items()}

    def negates(self, one: str, other: str) -> bool:
        """Whether a word is another with a part that turns it round: `possible`, `impossible`."""
        short, long = sorted((one, other), key=len)
        if any(long == prefix + short or long == f"{prefix}-{short}" for prefix in self.negating_prefixes):
            return True
        ends = self.negating_suffixes
        return any(a != b and one == stem + a and other == stem + b for stem in _stems(one, ends)
                   for a in ends for b in ends)  # fmt: skip


def _stems(word: str, ends: tuple[str, ...]) -> list[str]:
    return [word.removesuffix(end) for end in ends if word.endswith(end)]


def groups(table: str) -> Iterator[list[str]]:
    """The lines of a table; members are parted by commas, or by spaces if there is none."""
    for line in table.strip().splitlines():
        members = [each.strip() for each in line.split(",")] if "," in line else line.split()
        if members:
            yield members


def _forms(member: str, inflect: Inflect) -> Iterator[tuple[str, str]]:
    first, _, rest = member.partition(" ")
    for form, name in inflect(first):
        yield (f"{form} {rest}" if rest else form), name


def _by_name(word: str, inflect: Inflect) -> dict[str, list[str]]:
    made: dict[str, list[str]] = {}
    for form, name in _forms(word, inflect):
        made.setdefault(name, []).append(form)
    return made


_CHOICE: Final = re.compile(r"\(([^()]*)\)")


def read_phrases(table: str) -> Iterator[Phrase]:
    """The phrases of a table, alternatives one by one."""
    for line in table.strip().splitlines():
        if not line.strip():
            continue
        left, _, right = line.partition(" =")
        marks, words = ("", left.strip())
        while words[:1] in ("^", "?", "!"):
            marks, words = marks + words[0], words[1:].lstrip()
        parts = _CHOICE.split(words)
        choices = [part.split("|") if at % 2 else [part] for at, part in enumerate(parts)]
        for chosen in product(*choices):
            words_of, becomes = tuple("".join(chosen).split()), tuple(right.split())
            if "$" in becomes and len(words_of) < 2:
                raise ValueError(f"expected two words or more before `$`, got `{line.strip()}`")
            yield Phrase(words_of, becomes, "^" in marks, "?" in marks, "!" in marks)


def _by_beginning(phrases: Iterable[Phrase]) -> PhraseTable:
    made: dict[tuple[str, str], list[Phrase]] = {}
    for phrase in phrases:
        first, second, *_ = (*phrase.words, "")
        made.setdefault((first, second), []).append(phrase)
    return {key: tuple(sorted(those, key=lambda each: -len(each.words))) for key, those in made.items()}
