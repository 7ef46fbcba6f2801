r"""Rules that sort texts by what occurs in them, as data, and how they judge.

Each rule belongs to a label and has a weight. It counts once if what it looks for occurs in the text:

- a *regex* anywhere, by RE2, case told apart;
- a *phrase*, one or several words in a row, whatever stands between the words but letters and digits, and
  whatever the case. A phrase is negated, and does not occur there, if one of the last `window` words before it
  is a negation.

A word is a run of letters and digits; an apostrophe within it belongs to it. `out-of-memory` is three words.

The score of a label is the sum of the weights of its rules that count. The label with the highest score wins,
the earlier of equals. With `b` its score and `s` the next one, but at least 0,

    confidence = (b - s) / (b + s + 1)

which grows with the evidence (1 point: 0.5; 4: 0.8; 9: 0.9) and falls with what speaks against it, to 0 for a
draw. Below the set's threshold it counts as 0: the answer is a guess, and whoever asked should ask others. If
no score is above 0, the default label wins with a confidence of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from rtfs.stdlib.regex import Pattern
from rtfs.values import Value

#: characters of a text that are looked at, from its beginning
LONGEST_TEXT: Final = 100_000
_WORD: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def words_of(text: str) -> list[str]:
    """The words of a text, in one case."""
    return _WORD.findall(text.casefold())


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One of the answers."""

    name: str
    #: an RTFS value, what is answered
    value: Value


class Rule(NamedTuple):
    """What a rule adds, and to which label, by its place among the labels."""

    label: int
    weight: float


class Judgement(NamedTuple):
    """What the rules make of a text."""

    label: Label
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RuleSet:
    """All rules of a model. Immutable."""

    #: SHA-256, hex, of the file
    version: str
    labels: tuple[Label, ...]
    rules: tuple[Rule, ...]
    #: patterns, each with the place of its rule
    regexes: tuple[tuple[Pattern, int], ...]
    #: first word → phrases that begin with it, each with the place of its rule
    phrases: Mapping[str, tuple[tuple[tuple[str, ...], int], ...]]
    #: place of the default label, and the confidence in it
    default: int
    default_confidence: float = 0.0
    threshold: float = 0.0
    negations: frozenset[str] = frozenset()
    window: int = 3

    def judge(self, text: str) -> Judgement:
        """The label of a text.

        Raises:
            Generic: a pattern would take too long on it.
        """
        text = text[:LONGEST_TEXT]
        counting = {rule for pattern, rule in self.regexes if pattern.is_in(text)}
        self._add_phrases(words_of(text), counting)
        scores = [0.0] * len(self.labels)
        for rule in counting:
            label, weight = self.rules[rule]
            scores[label] += weight
        return self._winner(scores)

    def _add_phrases(self, words: Sequence[str], counting: set[int]) -> None:
        for at, word in enumerate(words):
            for phrase, rule in self.phrases.get(word, ()):
                if rule in counting or tuple(words[at : at + len(phrase)]) != phrase:
                    continue
                if self.negations.isdisjoint(words[max(0, at - self.window) : at]):
                    counting.add(rule)

    def _winner(self, scores: Sequence[float]) -> Judgement:
        best = max(scores)
        if best <= 0:
            return Judgement(self.labels[self.default], self.default_confidence)
        winner = scores.index(best)
        second = max((score for at, score in enumerate(scores) if at != winner), default=0.0)
        second = max(second, 0.0)
        confidence = (best - second) / (best + second + 1)
        return Judgement(self.labels[winner], confidence if confidence >= self.threshold else 0.0)
