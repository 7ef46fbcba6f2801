"""A second, naive reading of the hard rules: straight from the text of the policy, as its guide says them.

It shares no code with `policies`: `tomllib`, `fnmatch` and loops. It is asked about what was done, when all is
known: the arguments themselves, the time, the money spent so far.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from math import floor
from typing import Any

from rtfs.runtime_facts import RuntimeFacts
from rtfs.values import ErrorValue, List, Map, Set, Value, Vector, type_name

DISTANCE = {"machine": 0, "site": 1, "remote": 2}
SECONDS = {"minute": 60, "hour": 3600, "day": 86400, "week": 604800, "month": 2592000}
MARK = re.compile("«(label|context|capability):([^»]*)»")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A call that a target got."""

    symbol: str
    args: tuple[Value, ...]
    facts: RuntimeFacts
    #: capabilities that the function may call; `*`: any
    capabilities: frozenset[str]
    #: labels that annotations of the function give all its arguments
    annotated: frozenset[str]
    #: labels that the program's analysis found, which rules may look at
    found: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """Something that forbids a target."""

    kind: str
    why: str


@dataclass(slots=True)
class Money:
    """What was spent and is reserved, by purse."""

    spent: dict[tuple[str, str, int], int] = field(default_factory=dict)
    reserved: dict[tuple[str, str, int], int] = field(default_factory=dict)

    def taken(self, purse: tuple[str, str, int]) -> int:
        return self.spent.get(purse, 0) + self.reserved.get(purse, 0)


def micro(usd: float) -> int:
    """Dollars in millionths, rounded up but for what is below a thousandth of one."""
    whole = floor(usd * 1_000_000)
    return whole if usd * 1_000_000 - whole < 0.001 else whole + 1


def window_number(window: str, now: float) -> int:
    """Weeks begin on Monday, and the epoch was a Thursday."""
    offset = 3 * 86400 if window == "week" else 0
    return 0 if window == "forever" else int((now + offset) // SECONDS[window])


def any_glob(globs: Iterable[str], text: str) -> bool:
    return any(fnmatchcase(text, glob) for glob in globs)


def parts_of(value: Value) -> Iterator[Value]:
    if isinstance(value, Vector | List | Set):
        yield from value
    elif isinstance(value, Map):
        for key, item in value.items():
            yield key
            yield item
    elif isinstance(value, ErrorValue):
        yield value.message
        yield value.data


def size(value: Value) -> int:
    if isinstance(value, str):
        return max(1, len(value))
    return 1 + sum(map(size, parts_of(value)))


def marks(value: Value) -> set[tuple[str, str]]:
    """The marks in a value: kind and name."""
    if isinstance(value, str):
        return set(MARK.findall(value))
    return {each for part in parts_of(value) for each in marks(part)}


class Oracle:
    """Reads one policy."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.raw: dict[str, Any] = tomllib.loads(text)["delegation"]
        self.rules: list[dict[str, Any]] = self.raw.get("rules", [])
        self.security: dict[str, Any] = self.raw.get("security", {})
        self.targets: dict[str, dict[str, Any]] = {}
        for key, table in self.raw.get("remote_providers", {}).items():
            self.targets[f"remote-{key.removeprefix('remote-')}"] = {"locality": "remote", **table}
        for key, table in self.raw.get("local_models", {}).items():
            self.targets[f"local-{key.removeprefix('local-')}"] = {
                "locality": "machine",
                **table,
                "cost_usd": table.get("cost_usd", 0.0),
            }

    # ------------------------------------------------------------ all of it

    def against(
        self,
        target: str,
        call: Seen,
        *,
        now: float,
        prices: Mapping[str, float],
        money: Money,
        chain_spent: int,
    ) -> Iterator[Against]:
        """Everything that forbids `target` for `call`."""
        if target == "local-pure":
            return
        if target.startswith("l4-"):
            table: dict[str, Any] = {"locality": "machine", "cost_usd": 0.0}
        elif target in self.targets:
            table = self.targets[target]
        else:
            yield Against(kind="provider", why="nobody serves it")
            return
        yield from self._authorization(target, table, call.facts)
        yield from self._privacy(target, call)
        for rule in self.rules:
            if self.matches(rule, call, unknown_facts_match=True):
                yield from self._by_rule(target, table, rule)
        yield from self._money(target, table, call, now, prices, money, chain_spent)

    # ------------------------------------------------------------ who may use it

    def _authorization(self, target: str, table: Mapping[str, Any], facts: RuntimeFacts) -> Iterator[Against]:
        tenants = table.get("tenants", [])
        if tenants and (facts.tenant is None or not any_glob(tenants, facts.tenant)):
            yield Against(kind="authorization", why=f"the tenant is {facts.tenant}, only {tenants} may")
        needed = [table.get("permissions", [])]
        needed += [each for glob, each in self.security.get("require", {}).items() if fnmatchcase(target, glob)]
        for each in needed:
            if not set(each) <= facts.permissions:
                yield Against(
                    kind="authorization", why=f"it takes {each}, the run has {set(facts.permissions)}"
                )

    # ------------------------------------------------------------ what may go there

    def labels(self, call: Seen) -> set[str]:
        """Labels that the arguments carry for certain: by the run, by annotation, by marks that are in them."""
        found = set(call.facts.labels) | call.annotated
        for kind, name in set().union(*map(marks, call.args)):
            found |= {name} if kind == "label" else self.of_source(f"{kind}:{name}")
        return found

    def of_source(self, source: str) -> set[str]:
        """Labels of what comes from a source such as `context:name`."""
        found = set()
        for glob, labels in self.security.get("sources", {}).items():
            kind, _, rest = glob.partition(":")
            if source.startswith(f"{kind}:") and fnmatchcase(source.removeprefix(f"{kind}:"), rest):
                found |= set(labels)
        return found

    def _privacy(self, target: str, call: Seen) -> Iterator[Against]:
        for label in self.labels(call):
            if label not in call.found | call.facts.labels:
                yield Against(kind="analysis", why=f"the label {label} was not found to be among {call.found}")
            known = self.security.get("privacy", {}).get(label)
            allowed = self.security.get("unknown_label_allow", []) if known is None else known.get("allow", [])
            if not any_glob(allowed, target):
                yield Against(kind="privacy", why=f"the label {label} allows {allowed}")

    # ------------------------------------------------------------ rules

    def matches(self, rule: Mapping[str, Any], call: Seen, *, unknown_facts_match: bool) -> bool:
        """Whether all conditions of a rule hold."""
        facts = call.facts
        namespace, slash, _ = call.symbol.partition("/")
        return (
            (not rule.get("symbols") or any_glob(rule["symbols"], call.symbol))
            and (not rule.get("namespaces") or (bool(slash) and any_glob(rule["namespaces"], namespace)))
            and ("arg_types" not in rule or _types_match(rule["arg_types"], call.args))
            and sum(map(size, call.args)) >= rule.get("min_size", 0)
            and ("max_size" not in rule or sum(map(size, call.args)) <= rule["max_size"])
            and (
                not rule.get("capabilities")
                or "*" in call.capabilities
                or any(any_glob(rule["capabilities"], each) for each in call.capabilities)
            )
            and (
                not rule.get("tenants")
                or (facts.tenant is not None and any_glob(rule["tenants"], facts.tenant))
            )
            and set(rule.get("permissions", [])) <= facts.permissions
            and (not rule.get("privacy") or bool(set(rule["privacy"]) & (call.found | facts.labels)))
            and all(
                _fact_matches(wanted, facts.ambient[name]) if name in facts.ambient else unknown_facts_match
                for name, wanted in rule.get("when", {}).items()
            )
        )

    def _by_rule(self, target: str, table: Mapping[str, Any], rule: Mapping[str, Any]) -> Iterator[Against]:
        if any_glob(rule.get("deny", []), target):
            yield Against(kind="authorization", why=f"a rule denies {rule['deny']}")
        wanted = rule.get("require_locality")
        if wanted and DISTANCE[table["locality"]] > DISTANCE[wanted]:
            yield Against(kind="locality", why=f"it is {table['locality']}, {wanted} is required")
        regions = rule.get("require_region", [])
        here = table["locality"] == "machine" and "region" not in table
        if regions and table.get("region") not in regions and not here:
            yield Against(kind="locality", why=f"it is in {table.get('region')}, {regions} is required")

    # ------------------------------------------------------------ money

    def bound(self, target: str, prices: Mapping[str, float]) -> float | None:
        """The most that a call of `target` may cost, None if nobody says."""
        if target.startswith("l4-"):
            return 0.0
        table = self.targets[target]
        said = table.get("max_cost_usd", table.get("cost_usd"))
        if target in prices:
            return max(prices[target], said or 0.0)
        return said

    def ceiling(self, call: Seen) -> float | None:
        """The most that a call may cost with all that is tried for it."""
        found = [self.raw.get("max_cost_usd")]
        deciding = [
            r for r in self.rules if r.get("targets") and self.matches(r, call, unknown_facts_match=False)
        ]
        found += [rule.get("max_cost_usd") for rule in deciding[:1]]
        found += [
            rule.get("max_cost_usd")
            for rule in self.rules
            if not rule.get("targets") and self.matches(rule, call, unknown_facts_match=True)
        ]
        return min((each for each in found if each is not None), default=None)

    def purses(
        self, target: str, facts: RuntimeFacts, now: float
    ) -> Iterator[tuple[tuple[str, str, int], int]]:
        """The purses that pay for a call of `target`, with their limits."""
        if target.startswith("l4-") or target == "local-pure":
            return
        for name, budget in self.raw.get("budgets", {}).items():
            glob, number = budget.get("match", "*"), window_number(budget.get("window", "day"), now)
            owner: str | None = None
            if budget["scope"] == "all":
                owner = ""
            elif budget["scope"] == "provider":
                bare = target.partition("-")[2]
                owner = target if fnmatchcase(target, glob) or fnmatchcase(bare, glob) else None
            else:
                whose = (facts.tenant if budget["scope"] == "tenant" else facts.plan) or ""
                owner = whose if fnmatchcase(whose, glob) else None
            if owner is not None:
                yield (name, owner, number), micro(budget["limit_usd"])

    def _money(
        self,
        target: str,
        table: Mapping[str, Any],
        call: Seen,
        now: float,
        prices: Mapping[str, float],
        money: Money,
        chain_spent: int,
    ) -> Iterator[Against]:
        bound = self.bound(target, prices)
        if bound == 0:
            return
        ceiling = self.ceiling(call)
        if ceiling is not None and (bound is None or chain_spent + micro(bound) > micro(ceiling)):
            why = f"the call may cost {bound}, {chain_spent} are spent of it, the ceiling is {ceiling}"
            yield Against(kind="ceiling", why=why)
        for purse, limit in self.purses(target, call.facts, now):
            if bound is None or money.taken(purse) + micro(bound) > limit:
                why = f"a call may cost {bound}, {money.taken(purse)} of {limit} are taken of {purse}"
                yield Against(kind="budget", why=why)


def _types_match(wanted: list[str], args: tuple[Value, ...]) -> bool:
    is_open = wanted[-1:] == ["..."]
    names = wanted[:-1] if is_open else wanted
    if len(args) < len(names) or (len(args) > len(names) and not is_open):
        return False
    return all(name in ("any", type_name(arg)) for name, arg in zip(names, args, strict=False))


def _fact_matches(wanted: Any, fact: str | int | bool) -> bool:
    if isinstance(wanted, list):
        return any(_fact_matches(each, fact) for each in wanted)
    if isinstance(wanted, str) and "-" in wanted and type(fact) is int:
        low, high = map(int, wanted.split("-"))
        return low <= fact <= high if low <= high else fact >= low or fact <= high
    return type(wanted) is type(fact) and wanted == fact
