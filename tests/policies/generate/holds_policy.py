"""Policies out of a seed: as data, and as the text that users would write."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import holds_words as words

type Table = dict[str, Any]


def some(pick: Random, things: Sequence[Any], least: int = 0, most: int = 2) -> list[Any]:
    """A few of `things`, in any order."""
    return pick.sample(list(things), min(len(things), pick.randint(least, most)))


def maybe(pick: Random, table: Table, share: float, **values: Any) -> None:
    """Set keys with a probability; callables make their values."""
    for key, value in values.items():
        if pick.random() < share:
            table[key] = value() if callable(value) else value


class Policies:
    """Makes one policy. `strict`: how much it forbids, 0 to 1."""

    def __init__(self, pick: Random) -> None:
        self.pick = pick
        self.strict = pick.choice((0.0, 0.1, 0.25, 0.5))
        self.remote: list[str] = []
        self.local: list[str] = []

    @property
    def targets(self) -> list[str]:
        """Names that rules may name."""
        return [*(f"remote-{key}" for key in self.remote), *(f"local-{key}" for key in self.local)]

    def table(self) -> Table:
        """`[delegation]`."""
        pick = self.pick
        self.remote = some(pick, words.REMOTES, 2, 5)
        self.local = some(pick, words.LOCALS, 0, 2)
        table: Table = {
            "remote_providers": {
                key if pick.random() < 0.5 else f"remote-{key}": self._provider(key) for key in self.remote
            },
            "local_models": {
                key if pick.random() < 0.5 else f"local-{key}": {"path": f"{key}.gguf", **self._facts()}
                for key in self.local
            },
            "security": self._security(),
            "rules": [self._rule(each) for each in range(pick.randint(0, 6))],
            "static_routes": self._routes(),
            "health": {"consecutive_failures": pick.choice((1, 3, 5, 50)), "window_s": 60.0},
            "caches": {"l1": {"enabled": pick.random() < 0.8, "ttl": pick.choice((10.0, 3600.0))}},
            "budgets": self._budgets(),
        }
        if pick.random() < 0.8:
            table["default_target"] = pick.choice(self.targets)
        if pick.random() < 0.7:
            table["fallback"] = self._chain(1, 3)
        maybe(
            pick, table, self.strict * 0.5, max_cost_usd=lambda: pick.choice((0.0, 0.0015, 0.005, 0.012, 0.3))
        )
        maybe(pick, table, 0.2, timeout_ms=lambda: pick.choice((500.0, 5_000.0)))
        maybe(pick, table, 0.1, enable_l4_cache=False)
        maybe(pick, table, 0.3, weights={"cost": pick.random(), "latency": 1, "quality": 2.0})
        self._learning(table)
        if "cluster" in self.remote and pick.random() < 0.4:
            table["remote_rtfs"] = {"steps": some(pick, words.SYMBOL_GLOBS, 1, 2)}
        if pick.random() < 0.3:
            table["model_choice"] = {"target": pick.choice(self.targets), "timeout_ms": 2000.0}
        return table

    def _learning(self, table: Table) -> None:
        pick = self.pick
        if pick.random() < 0.5:
            table["learning"] = {
                "enabled": True,
                "exploration": pick.choice((0.0, 0.2, 0.2)),
                "min_outcomes": pick.choice((1, 3)),
                "seed": pick.randrange(9),
                "min_quality": 0.5,
            }

    def _provider(self, key: str) -> Table:
        provider = {"endpoint": f"https://{key}.example/v1", **self._facts()}
        if key == "cluster":
            provider["kind"] = "rtfs"
        maybe(self.pick, provider, 0.3, timeout=lambda: self.pick.choice((1, 800, 5_000)))
        return provider

    def _facts(self) -> Table:
        pick = self.pick
        facts: Table = {}
        cost = pick.choice((0.0, 0.001, 0.001, 0.01, 0.2))
        maybe(pick, facts, 0.85, cost_usd=cost)
        maybe(pick, facts, 0.5, max_cost_usd=lambda: round(cost * pick.choice((1, 2, 4)), 6))
        maybe(pick, facts, 0.5, latency_ms=lambda: pick.choice((5, 50, 700)))
        maybe(pick, facts, 0.5, quality=lambda: pick.choice((0.2, 0.7, 0.95, 1)))
        maybe(pick, facts, 0.2, capacity=lambda: pick.choice((0, 1, 4)))
        maybe(pick, facts, 0.3, locality=lambda: pick.choice(words.LOCALITIES))
        maybe(pick, facts, 0.5, region=lambda: pick.choice(words.REGIONS))
        maybe(pick, facts, self.strict, permissions=lambda: some(pick, words.PERMISSIONS, 1, 2))
        maybe(pick, facts, self.strict, tenants=lambda: some(pick, words.TENANT_GLOBS, 1, 2))
        return facts

    def _target_globs(self, least: int, most: int) -> list[str]:
        globs = ("local-*", "remote-*", "remote-[co]*", "*-e*", "local-tiny", "*", "l4-*", *self.targets)
        return some(self.pick, globs, least, most)

    def _security(self) -> Table:
        pick = self.pick
        labels = some(pick, words.LABELS[:-1], 0, 3)
        security: Table = {"privacy": {label: {"allow": self._target_globs(0, 3)} for label in labels}}
        maybe(pick, security, 0.5, unknown_label_allow=lambda: self._target_globs(0, 2))
        maybe(pick, security, 0.3, declassify=lambda: some(pick, words.DECLASSIFIERS, 1, 2))
        sources = some(pick, words.SOURCES, 0, 3)
        if sources:
            security["sources"] = {source: some(pick, words.LABELS, 1, 2) for source in sources}
        maybe(
            pick,
            security,
            self.strict,
            require=lambda: {glob: some(pick, words.PERMISSIONS, 1, 2) for glob in self._target_globs(1, 2)},
        )
        self.labels = labels
        return security

    def _budgets(self) -> Table:
        pick = self.pick
        owners = {
            "tenant": words.TENANT_GLOBS,
            "plan": words.PLAN_GLOBS,
            "provider": ("*", "openai", "remote-c*", "local-*", "eu-cloud"),
            "all": ("*", "nobody"),
        }
        budgets = {}
        for name in some(pick, ("per day", "a", "b", "c"), 0, 3 if self.strict else 1):
            scope = pick.choice(tuple(owners))
            budgets[name] = {
                "scope": scope,
                "limit_usd": pick.choice((0.0, 0.001, 0.005, 0.05, 1.0, 3)),
                "window": pick.choice(("minute", "hour", "day", "week", "month", "forever")),
            }
            maybe(pick, budgets[name], 0.5, match=lambda scope=scope: pick.choice(owners[scope]))
        return budgets

    def _routes(self) -> Table:
        pick = self.pick
        globs = some(pick, words.SYMBOL_GLOBS[1:], 0, 2)
        return {glob: pick.choice((*self.targets, *self.targets, "local-pure")) for glob in globs}

    def _chain(self, least: int, most: int, without: Sequence[str] = ()) -> list[str]:
        pick = self.pick
        names = some(pick, [name for name in self.targets if name not in without], least, most)
        if names and pick.random() < 0.1:
            names.append("local-pure")
        return names

    def _rule(self, number: int) -> Table:
        pick = self.pick
        rule: Table = {"name": f"r{number}"} if pick.random() < 0.5 else {}
        maybe(pick, rule, 0.5, symbols=lambda: some(pick, words.SYMBOL_GLOBS, 1, 3))
        maybe(pick, rule, 0.1, namespaces=lambda: some(pick, words.NAMESPACE_GLOBS, 1, 2))
        maybe(pick, rule, 0.2, arg_types=self._arg_types)
        if pick.random() < 0.25:
            sizes = sorted(pick.sample((0, 1, 2, 10, 40, 100, 300), 2))
            maybe(pick, rule, 0.7, min_size=sizes[0], max_size=sizes[1])
        maybe(pick, rule, 0.15, capabilities=lambda: some(pick, words.CAPABILITY_GLOBS, 1, 2))
        maybe(pick, rule, 0.2, tenants=lambda: some(pick, words.TENANT_GLOBS, 1, 2))
        maybe(pick, rule, 0.1, permissions=lambda: some(pick, words.PERMISSIONS, 1, 2))
        if self.labels:
            maybe(pick, rule, 0.15, privacy=lambda: some(pick, self.labels, 1, 2))
        maybe(pick, rule, 0.2, when=self._when)
        if pick.random() < max(self.strict, 0.1):
            self._forbid(rule)
        if pick.random() < 0.75:
            self._choose(rule)
        return rule

    def _forbid(self, rule: Table) -> None:
        pick = self.pick
        maybe(pick, rule, 0.5, deny=lambda: self._target_globs(1, 2))
        maybe(pick, rule, 0.4, require_locality=lambda: pick.choice(words.LOCALITIES[:2]))
        maybe(pick, rule, 0.4, require_region=lambda: some(pick, words.REGIONS, 1, 2))
        maybe(pick, rule, 0.3, max_cost_usd=lambda: pick.choice((0.0, 0.001, 0.02)))

    def _choose(self, rule: Table) -> None:
        pick = self.pick
        rule["targets"] = self._chain(1, 3)
        if pick.random() < 0.4:
            rule["fallback"] = self._chain(0, 2, rule["targets"])
        maybe(pick, rule, 0.4, choose="best", weights={"cost": 1, "latency": pick.random(), "quality": 1.0})
        maybe(pick, rule, 0.4, max_cost_usd=lambda: pick.choice((0.001, 0.0015, 0.005, 0.012, 0.3)))
        maybe(pick, rule, 0.15, max_latency_ms=60.0, min_quality=0.5)
        maybe(pick, rule, 0.6, min_confidence=lambda: pick.choice((0.5, 0.9)))
        maybe(pick, rule, 0.1, cache={"tier": pick.choice(("none", "l2"))})

    def _arg_types(self) -> list[str]:
        pick = self.pick
        types = pick.choices(("string", "integer", "vector", "any", *words.TYPE_NAMES), k=pick.randint(1, 2))
        return [*types, "..."] if pick.random() < 0.5 else types

    def _when(self) -> Table:
        pick = self.pick
        fact = pick.choice(tuple(words.FACTS))
        values = words.FACTS[fact]
        if fact in ("hour", "load") and pick.random() < 0.6:
            return {fact: pick.choice(("22-6", "0-12", "3-3"))}
        return {fact: list(values[:2]) if pick.random() < 0.4 else pick.choice(values)}


def policy_text(pick: Random) -> str:
    """The text of a policy. Few are refused when they are loaded, for contradicting themselves."""
    return toml({"delegation": Policies(pick).table()})


# ---------------------------------------------------------------- TOML


def toml(data: Mapping[str, Any]) -> str:
    """`data` as TOML: tables of the second level under headers, deeper ones inline."""
    lines = []
    for name, table in data.items():
        lines.append(f"[{name}]")
        deeper = {key: value for key, value in table.items() if _is_rich(value)}
        lines += [f"{_key(key)} = {_value(value)}" for key, value in table.items() if key not in deeper]
        for key, value in deeper.items():
            if isinstance(value, list):
                for each in value:
                    lines.append(f"[[{name}.{_key(key)}]]")
                    lines += [f"{_key(inner)} = {_value(one)}" for inner, one in each.items()]
            else:
                lines.append(f"[{name}.{_key(key)}]")
                lines += [f"{_key(inner)} = {_value(one)}" for inner, one in value.items()]
    return "\n".join(lines) + "\n"


def _is_rich(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))


def _key(key: str) -> str:
    return json.dumps(key)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)} = {_value(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_value(each) for each in value) + "]"
    return json.dumps(value)
