"""Checks of `[[delegation.rules]]`: contradictions within a rule, and rules that others hide."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from policies.errors import PolicyProblem
from policies.file.covering import Covering, Work, rule_covers
from policies.file.places import Places
from policies.file.schema import Delegation, FactValue, Rule
from policies.file.toml_lines import KeyPath
from policies.rules.arguments import ANY, MORE
from policies.rules.candidates import DISTANCES, Candidate
from policies.rules.globs import matches
from policies.targets import LOCAL_PURE
from rtfs.values import TYPE_NAMES

_ARG_TYPES: Final = frozenset({*TYPE_NAMES.values(), ANY})
_RANGE: Final = re.compile(r"(\d{1,18})-(\d{1,18})", re.ASCII)
#: digits and a dash, but one side is missing
_HALF_RANGE: Final = re.compile(r"\s*(\d+\s*-|-\s*\d+|-)\s*|\d+\s+-\s*\d+|\d+\s*-\s+\d+", re.ASCII)
_HOURS: Final = range(24)
#: targets times globs that are compared within one rule
_MOST_PAIRS: Final = 10_000

#: conditions on texts
_ON_TEXTS: Final = ("symbols", "namespaces", "tenants", "capabilities")

#: answers whether a rule lets a target of it pass; None: it asks nothing of targets
type _Passes = Callable[[Candidate], bool] | None


def check(settings: Delegation, places: Places, served: Mapping[str, Candidate]) -> list[PolicyProblem]:
    """All findings about rules, in no order."""
    found: list[PolicyProblem] = []
    names: dict[str, int] = {}
    for index, rule in enumerate(settings.rules):
        path: KeyPath = ("delegation", "rules", index)
        found += _name(rule, path, index, names, places)
        found += _conditions(rule, path, settings, places)
        found += _contradictions(rule, path, served, places)
        found += _effect(rule, path, places)
    return found + list(_unreachable(settings, places))


def label_of(rule: Rule, index: int) -> str:
    """How people call the rule at `index`."""
    return f"rule {index + 1}" if rule.name is None else f"rule `{rule.name}`"


def _name(
    rule: Rule, path: KeyPath, index: int, names: dict[str, int], places: Places
) -> Iterator[PolicyProblem]:
    if rule.name is None:
        return
    first = names.setdefault(rule.name, index)
    if first != index:
        line = places.line((*path[:-1], first, "name"))
        where = "" if line is None else f", first in line {line}"
        message = f"two rules are called `{rule.name}`{where}"
        yield places.problem("duplicate-rule", (*path, "name"), message)


# ---------------------------------------------------------------- conditions


def _conditions(rule: Rule, path: KeyPath, settings: Delegation, places: Places) -> Iterator[PolicyProblem]:
    for label in sorted(rule.privacy - settings.security.privacy.keys()):
        near = places.nearest(label, settings.security.privacy)
        hint = f"did you mean `{near}`?" if near else f"define `[delegation.security.privacy.{label}]`"
        message = f"no table defines the privacy label `{label}`"
        yield places.problem("unknown-label", (*path, "privacy"), message, hint=hint)
    if rule.min_size is not None and rule.max_size is not None and rule.min_size > rule.max_size:
        message = f"no size is at least {rule.min_size} and at most {rule.max_size}"
        yield places.problem("contradiction", (*path, "min_size"), message)
    yield from _arg_types(rule.arg_types or (), (*path, "arg_types"), places)
    for fact, wanted in rule.when.items():
        where = (*path, "when", fact)
        if isinstance(wanted, tuple):
            if not wanted:
                yield places.problem("contradiction", where, "no value is one of none")
            for index, value in enumerate(wanted):
                yield from _when(fact, value, (*where, index), places)
        else:
            yield from _when(fact, wanted, where, places)


def _arg_types(names: tuple[str, ...], path: KeyPath, places: Places) -> Iterator[PolicyProblem]:
    for index, name in enumerate(names):
        if name == MORE:
            if index < len(names) - 1:
                message = f"`{MORE}` stands for further arguments and can only be the last"
                yield places.problem("bad-arg-type", (*path, index), message)
        elif name not in _ARG_TYPES:
            near = places.nearest(name, _ARG_TYPES)
            hint = f"did you mean `{near}`?" if near else f"known are {', '.join(sorted(_ARG_TYPES))}"
            message = f"no value has the type `{name}`"
            yield places.problem("bad-arg-type", (*path, index), message, hint=hint)


def _when(fact: str, value: FactValue, path: KeyPath, places: Places) -> Iterator[PolicyProblem]:
    """A wanted value of an ambient fact. Any text may be one, but half a range cannot be meant."""
    span = _RANGE.fullmatch(value) if isinstance(value, str) else None
    if fact == "hour":
        ends = [int(span[1]), int(span[2])] if span else [value]
        if any(isinstance(end, bool) or end not in _HOURS for end in ends):
            got = f'"{value}"' if isinstance(value, str) else str(value).lower()
            message = f'expected an hour from 0 to 23 or a range of them such as "22-6", got {got}'
            yield places.problem("bad-range", path, message)
    elif isinstance(value, str) and not span and _HALF_RANGE.fullmatch(value):
        message = f'expected a range such as "22-6", got "{value}"'
        yield places.problem("bad-range", path, message)


# ---------------------------------------------------------------- contradictions


def _contradictions(
    rule: Rule, path: KeyPath, served: Mapping[str, Candidate], places: Places
) -> Iterator[PolicyProblem]:
    """What a rule asks of targets and none of its own meets. `local-pure` meets all hard rules."""
    targets = [served[name] for name in rule.targets if name in served]
    if len(targets) < len(rule.targets) or not targets:
        return  # what nobody serves is reported as such
    for key, passes, text in _demands(rule):
        if passes and not any(passes(target) for target in targets):
            yield places.problem("contradiction", (*path, key), f"no target of the rule {text}")


def _demands(rule: Rule) -> Iterator[tuple[str, _Passes, str]]:
    """What may be asked of targets: the key, the test, and how a failure reads on after "no target"."""
    yield "deny", _not_denied(rule) if rule.deny else None, "is left by its own `deny`"
    locality = rule.require_locality
    yield "require_locality", _near(locality) if locality else None, f"is as near as `{locality}`"
    regions = ", ".join(f"`{region}`" for region in sorted(rule.require_region))
    yield "require_region", _in_region(rule) if rule.require_region else None, f"is in {regions}"
    yield "min_quality", _at_least(rule.min_quality), f"has a quality of {rule.min_quality}"
    yield "max_cost_usd", _within(rule.max_cost_usd, _cost), f"costs at most ${rule.max_cost_usd}"
    latency = _within(rule.max_latency_ms, lambda target: target.expected.latency_ms)
    yield "max_latency_ms", latency, f"takes at most {rule.max_latency_ms} ms"


def _not_denied(rule: Rule) -> _Passes:
    if len(rule.targets) * len(rule.deny) > _MOST_PAIRS:
        return None
    return lambda target: target.name == LOCAL_PURE or not any(matches(glob, target.name) for glob in rule.deny)


def _near(locality: str) -> _Passes:
    return lambda target: target.distance <= DISTANCES[locality]


def _in_region(rule: Rule) -> _Passes:
    def passes(target: Candidate) -> bool:
        return target.distance == 0 if target.region is None else target.region in rule.require_region

    return passes


def _at_least(quality: float | None) -> _Passes:
    if quality is None:
        return None
    return lambda target: target.expected.quality is None or target.expected.quality >= quality


def _within(limit: float | None, known: Callable[[Candidate], float | None]) -> _Passes:
    """Whether a figure of a target is within a limit; what is not known may be."""
    if limit is None:
        return None

    def passes(target: Candidate) -> bool:
        figure = known(target)
        return figure is None or figure <= limit

    return passes


def _cost(target: Candidate) -> float | None:
    return target.max_cost_usd


# ---------------------------------------------------------------- what has no effect


def _effect(rule: Rule, path: KeyPath, places: Places) -> Iterator[PolicyProblem]:
    has_effect = (
        rule.targets or rule.fallback or rule.cache or rule.deny or rule.require_locality
        or rule.require_region or rule.max_cost_usd is not None
    )  # fmt: skip
    if not has_effect:
        message = "the rule says nothing about the calls that it matches"
        hint = "give it `targets`, `deny`, `require_locality` or another consequence"
        yield places.problem("no-effect", path, message, hint=hint, severity="warning")


def _unreachable(settings: Delegation, places: Places) -> Iterator[PolicyProblem]:
    """Rules whose targets are never chosen, as an earlier rule with targets takes all their calls."""
    earlier = _Earlier(settings.rules)
    for index, rule in enumerate(settings.rules):
        if not rule.targets:
            continue
        hider = earlier.hider(rule)
        if hider is None:
            earlier.add(index)
        else:  # whatever it would hide is hidden already
            yield _hidden(hider, index, settings, places)
    if earlier.work.is_used_up:
        message = "there are too many rules to find all that are never reached"
        yield places.problem("not-checked", ("delegation", "rules"), message, severity="warning")


class _Earlier:
    """Rules that may hide later ones, filed by the first condition on texts that they have."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self.work = Work()
        self._rules = rules
        self._anywhere: list[int] = []
        self._filed: dict[str, Covering[int]] = {name: Covering() for name in _ON_TEXTS}

    def add(self, index: int) -> None:
        """File the rule at `index`."""
        rule = self._rules[index]
        name = next((name for name in _ON_TEXTS if getattr(rule, name)), None)
        if name is None:
            self._anywhere.append(index)
        else:
            for glob in getattr(rule, name):
                self._filed[name].add(glob, index)

    def hider(self, rule: Rule) -> int | None:
        """The first rule found that takes all calls of `rule`. To hide it, it has to take its first texts."""
        if not self.work.take(len(self._anywhere)):
            return None
        found = set(self._anywhere)
        for name, filed in self._filed.items():
            for glob in getattr(rule, name)[:1]:
                found |= {at for _, at in filed.candidates(glob, self.work)}
        return next((at for at in sorted(found) if rule_covers(self._rules[at], rule, self.work)), None)


def _hidden(hider: int, index: int, settings: Delegation, places: Places) -> PolicyProblem:
    line = places.line(("delegation", "rules", hider))
    where = "" if line is None else f" in line {line}"
    name = label_of(settings.rules[hider], hider)
    message = f"its targets are never chosen: {name}{where} comes first and matches all that it does"
    return places.problem("unreachable-rule", ("delegation", "rules", index), message, severity="warning")
