r"""Rules files: text to a `RuleSet`, or to all that is wrong with it.

    # what a customer feels
    default neutral 0.3
    negation not never

    [glad]
    3  word    thanks great love
    4  phrase  well done

    [cross = "angry"]
    2  word    bad worst awful
    3  regex   !{2,}\s*$

Settings come first, a line each. A label in brackets begins its rules: a weight, a kind and, to the end of the
line, what is looked for. A rule of the kind `word` looks for any of its words, a `phrase` for its words in a
row, a `regex` for its pattern. A label answers with the keyword of its name unless a value is given. Empty
lines, and those that begin with `#`, mean nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from pathlib import Path
from typing import Final

from actors.models.errors import RulesFileError, RulesProblem
from actors.models.rule_set import Label, Rule, RuleSet, words_of
from rtfs.errors import Generic, RtfsError
from rtfs.reader import read
from rtfs.spell import nearest
from rtfs.stdlib.regex import Pattern, compiled
from rtfs.values import Keyword, Value

#: bytes of a file, rules in it, and problems that are told
MAX_BYTES: Final = 1 << 20
MAX_RULES: Final = 5000
_MAX_TOLD: Final = 100
#: a weight of either sign goes so far
_HEAVIEST: Final = 1000.0
_WIDEST: Final = 20
_SHOWN: Final = 60

_LABEL: Final = re.compile(r"\[\s*([^\s\[\]=]+)\s*(?:=\s*(.*\S)\s*)?\]")
_SETTINGS: Final = ("default", "threshold", "negation", "window")
_KINDS: Final = ("word", "phrase", "regex")


def read_rules_file(path: str | Path) -> RuleSet:
    """The rules in the file at `path`.

    Raises:
        RulesFileError: it cannot be read, or has no rules that can be used.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        problem = RulesProblem(source=str(path), line=None, message=f"cannot read the file: {reason.lower()}")
        raise RulesFileError((problem,)) from None
    return read_rules(data, str(path))


def read_rules(data: bytes, source: str) -> RuleSet:
    """The rules that `data` describes.

    Args:
        data: UTF-8 of at most 1 MiB.
        source: its name in messages.

    Raises:
        RulesFileError: with every error found.
    """
    reading = _Reading(source)
    text = reading.text(data)
    for number, line in enumerate(text.split("\n"), 1):
        reading.line(number, line.strip())
    return reading.end(hashlib.sha256(b"rules 1\n" + data).hexdigest())


class _Reading:
    """A file on its way to a rule set."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.problems: list[RulesProblem] = []
        self.labels: list[Label] = []
        #: line of each label, and of each setting that was given
        self.label_lines: list[int] = []
        self.set_in: dict[str, int] = {}
        self.rules: list[Rule] = []
        self.regexes: list[tuple[Pattern, int]] = []
        self.phrases: dict[str, list[tuple[tuple[str, ...], int]]] = {}
        self.default = ("", 0.0)
        self.threshold = 0.0
        self.negations: frozenset[str] = frozenset()
        self.window = 3

    def problem(self, line: int | None, message: str, hint: str | None = None) -> None:
        self.problems.append(RulesProblem(source=self.source, line=line, message=message, hint=hint))

    def text(self, data: bytes) -> str:
        if len(data) > MAX_BYTES:
            self.problem(None, f"expected at most {MAX_BYTES} bytes, got more")
        try:
            return data[:MAX_BYTES].decode("utf-8-sig")
        except UnicodeDecodeError as error:
            if len(data) <= MAX_BYTES:
                line = data.count(b"\n", 0, error.start) + 1
                self.problem(line, f"expected UTF-8, got the byte 0x{data[error.start]:02x}")
            return ""

    def line(self, number: int, line: str) -> None:
        if not line or line.startswith("#") or len(self.problems) > _MAX_TOLD:
            return
        if line.startswith("["):
            self._begin_label(number, line)
        elif self.labels:
            self._rule(number, line)
        else:
            self._setting(number, line)

    # ------------------------------------------------------------ labels

    def _begin_label(self, number: int, line: str) -> None:
        found = _LABEL.fullmatch(line)
        if found is None:
            hint = 'such as `[glad]` or `[glad = "happy"]`'
            self.problem(number, f"expected a label in brackets, got `{_shown(line)}`", hint)
            # its rules are read all the same, so that only it is reported
            self._add_label(number, Label(name=line, value=None))
            return
        name, text = found[1], found[2]
        first = next((at for at, label in enumerate(self.labels) if label.name == name), None)
        if first is not None:
            self.problem(number, f"the label `{name}` was begun before, in line {self.label_lines[first]}")
        value = Keyword.of(name) if text is None else self._value(number, text)
        self._add_label(number, Label(name=name, value=value))

    def _add_label(self, number: int, label: Label) -> None:
        self.labels.append(label)
        self.label_lines.append(number)

    def _value(self, number: int, text: str) -> Value:
        """The scalar that `text` denotes."""
        try:
            forms = read(text, self.source).forms
        except RtfsError:
            forms = ()
        if len(forms) == 1 and type(forms[0]) in (Keyword, str, int, float, bool):
            return forms[0]
        hint = "a keyword, a string, a number, `true` or `false`"
        self.problem(number, f"expected a value, got `{_shown(text)}`", hint)
        return None

    # ------------------------------------------------------------ rules

    def _rule(self, number: int, line: str) -> None:
        weight, kind, pattern = _three(line)
        heavy = _number(weight)
        if heavy is None:
            if weight in _SETTINGS:
                self.problem(number, f"`{weight}` stands among the rules of a label", "settings come first")
            else:
                hint = "a rule is a weight, a kind and a pattern: `3 word thanks`"
                self.problem(number, f"expected a weight, got `{_shown(weight)}`", hint)
        elif not 0 < abs(heavy) <= _HEAVIEST:
            self.problem(number, f"expected a weight up to {_HEAVIEST:g} that is not 0, got `{_shown(weight)}`")
        elif kind not in _KINDS:
            got = f"got `{_shown(kind)}`" if kind else "got nothing after the weight"
            self.problem(number, f"expected `word`, `phrase` or `regex`, {got}", _meant(kind, _KINDS))
        elif not pattern:
            self.problem(number, f"expected what to look for after `{kind}`, got nothing")
        else:
            self._add_rule(number, Rule(len(self.labels) - 1, heavy), kind, pattern)

    def _add_rule(self, number: int, rule: Rule, kind: str, pattern: str) -> None:
        at = len(self.rules)
        if at == MAX_RULES:
            self.problem(number, f"expected at most {MAX_RULES} rules, got more")
        self.rules.append(rule)
        if kind == "regex":
            try:
                self.regexes.append((compiled(pattern), at))
            except Generic as error:
                self.problem(number, _lower(error.message))
            return
        words = words_of(pattern)
        if not words:
            self.problem(
                number, f"expected letters or digits after `{kind}`, got `{_shown(pattern)}`", "use `regex`"
            )
        for phrase in [tuple(words)] if kind == "phrase" else [(word,) for word in words]:
            if phrase:
                self.phrases.setdefault(phrase[0], []).append((phrase, at))

    # ------------------------------------------------------------ settings

    def _setting(self, number: int, line: str) -> None:
        name, *words = line.split()
        if name not in _SETTINGS:
            if _number(name) is not None:
                self.problem(
                    number, "a rule stands before the first label", "such as `[glad]`, on a line before it"
                )
                return
            hint = _meant(name, _SETTINGS) or f"known are {', '.join(f'`{each}`' for each in _SETTINGS)}"
            self.problem(number, f"unknown setting `{_shown(name)}`", hint)
        elif name in self.set_in:
            self.problem(number, f"`{name}` was set before, in line {self.set_in[name]}")
        else:
            self.set_in[name] = number
            _READERS[name](self, number, words)

    def _default(self, number: int, words: list[str]) -> None:
        confidence = _number(words[1]) if len(words) == 2 else 0.0
        if len(words) not in (1, 2) or confidence is None or not 0 <= confidence <= 1:
            message = f"expected a label and perhaps a number from 0 to 1, got `{_shown(' '.join(words))}`"
            self.problem(number, message, "such as `default other 0.2`")
        else:
            self.default = words[0], confidence

    def _threshold(self, number: int, words: list[str]) -> None:
        found = _number(words[0]) if len(words) == 1 else None
        if found is None or not 0 <= found <= 1:
            self.problem(number, f"expected a number from 0 to 1, got `{_shown(' '.join(words))}`")
        else:
            self.threshold = found

    def _negation(self, number: int, words: list[str]) -> None:
        self.negations = frozenset(words_of(" ".join(words)))
        if not self.negations:
            self.problem(number, "expected words that negate, got none", "such as `negation no not never`")

    def _window(self, number: int, words: list[str]) -> None:
        found = _number(words[0]) if len(words) == 1 else None
        if found is None or found != int(found) or not 1 <= found <= _WIDEST:
            self.problem(
                number, f"expected a whole number from 1 to {_WIDEST}, got `{_shown(' '.join(words))}`"
            )
        else:
            self.window = int(found)

    # ------------------------------------------------------------ the whole

    def end(self, version: str) -> RuleSet:
        names = [label.name for label in self.labels]
        if not names and not self.problems:
            self.problem(None, "expected labels and their rules, got none")
        elif names and "default" not in self.set_in:
            self.problem(
                None,
                "expected a default for texts that no rule speaks for, it is missing",
                f"begin with `default {names[-1]}`",
            )
        elif names and self.default[0] and self.default[0] not in names:
            hint = (
                _meant(self.default[0], names) or f"known are {', '.join(f'`{name}`' for name in names[:20])}"
            )
            self.problem(self.set_in["default"], f"there is no label `{_shown(self.default[0])}`", hint)
        used = {rule.label for rule in self.rules}
        if not self.problems:
            for at, name in enumerate(names):
                if at not in used and name != self.default[0]:
                    self.problem(
                        self.label_lines[at], f"the label `{name}` has no rules, so that it is never answered"
                    )
        if self.problems:
            raise RulesFileError(tuple(sorted(self.problems[:_MAX_TOLD], key=lambda each: each.line or 0)))
        return RuleSet(
            version=version,
            labels=tuple(self.labels),
            rules=tuple(self.rules),
            regexes=tuple(self.regexes),
            phrases={first: tuple(found) for first, found in self.phrases.items()},
            default=names.index(self.default[0]),
            default_confidence=self.default[1],
            threshold=self.threshold,
            negations=self.negations,
            window=self.window,
        )


_READERS: Final[Mapping[str, Callable[[_Reading, int, list[str]], None]]] = {
    "default": _Reading._default,
    "threshold": _Reading._threshold,
    "negation": _Reading._negation,
    "window": _Reading._window,
}


def _three(line: str) -> tuple[str, str, str]:
    parts = line.split(None, 2)
    first, second, third = (*parts, "", "")[:3]
    return first, second, third


def _number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if isfinite(found) else None


def _meant(name: str, known: Iterable[str]) -> str | None:
    near = nearest(name, known)
    return f"did you mean `{near}`?" if near else None


def _shown(text: str) -> str:
    text = text if text.isprintable() else ascii(text)[1:-1]
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
