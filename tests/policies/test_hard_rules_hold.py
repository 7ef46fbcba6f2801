"""Generated cases of policy, program, call, health and budget: what a policy forbids happens on no path.

`tests/policies/generate` makes them and judges them by a reading of the policies of its own;
`scripts/fuzz-policies` runs many more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from functools import cache
from random import Random
from typing import Any

import pytest
from holds_oracle import Money, Oracle, Seen
from holds_policy import policy_text
from holds_program import program
from holds_round import Tally, round_of

import rtfs
from policies import dry_route, explain
from policies.engines import security
from policies.engines.standard import standard_engine
from policies.file.load import load_policy
from policies.plan import Rejection
from policies.rules.hard_rules import Judge
from policies.rules.rulebook import Current, Rulebook
from policies.running import chain, delegated_call, guard, observe
from policies.running.delegate import PolicyDelegate
from policies.running.ledger import Ledger, Reservation
from policies.running.runner import Allowance, Clock, Outcome
from policies.world import BudgetKey
from rtfs.delegation import ExecTarget, FunctionInfo
from rtfs.runtime_facts import RuntimeFacts
from rtfs.values import Map, Value, Vector

#: rounds of one test, and tests
SIZE, PARTS = 10, 6
#: what must turn up in the rounds of these tests, as the counts name it
REACHED = (
    *(f"vetoed in plan: {kind}" for kind in ("authorization", "privacy", "locality", "budget", "provider")),
    *(f"try refused: {kind}" for kind in ("authorization", "privacy", "budget", "breaker", "runner", "effect")),
    *(f"stage {stage}" for stage in ("hint", "static-route", "l1", "l4", "metadata", "rule", "optimizer")),
    *(f"stage {stage}" for stage in ("model", "adaptive", "remote-rtfs", "default", "fallback")),
    *(f"tries of {kind} targets" for kind in ("remote", "local", "l4")),
    *(f"engine: {kind}" for kind in ("standard", "policy engine", "a reckless engine")),
    "hints followed", "hints vetoed", "fallbacks tried", "own body at last", "try unsure: low-confidence",
    "try passed-over: money", "try passed-over: deadline", "try failed: bad-reply", "calls that stay",
    "calls decided by arguments", "calls as explained, nothing having happened", "policies reloaded",
    "changes in the middle of a run", "bills above what was reserved",
)  # fmt: skip


@cache
def seen(seed: int) -> Tally:
    """A round, run once."""
    return round_of(seed)


def rounds(seeds: Iterable[int], run: Callable[[int], Tally] = round_of) -> Tally:
    tally = Tally()
    for seed in seeds:
        tally.add(run(seed))
    return tally


@pytest.mark.parametrize("part", range(PARTS))
def test_nothing_happens_that_the_policy_forbids(part: int) -> None:
    tally = rounds(range(part * SIZE, (part + 1) * SIZE), seen)
    assert tally.findings == []
    assert tally.cases > 20 * SIZE


def test_the_cases_reach_everything_that_could_go_wrong() -> None:
    """Cases without vetoes, fallbacks and changes would show nothing."""
    counts = rounds(range(SIZE * PARTS), seen).counts
    assert [name for name in REACHED if not counts[name]] == []
    assert counts["calls not explained"] < counts["calls delegated"] / 20
    assert counts["runs that end with an error of the program"] < counts["runs"] / 10


def test_the_same_seed_makes_the_same_case() -> None:
    assert [policy_text(Random(seed)) for seed in range(9)] == [policy_text(Random(seed)) for seed in range(9)]
    assert [program(Random(seed)) for seed in range(9)] == [program(Random(seed)) for seed in range(9)]
    assert len({program(Random(seed)).text for seed in range(9)}) == 9


# ---------------------------------------------------------------- whether violations would be seen


def blind_to(kind: str) -> Callable[[pytest.MonkeyPatch], None]:
    """Hard rules of one kind forbid nothing."""

    def breaks(patch: pytest.MonkeyPatch) -> None:
        for name in ("veto", "_verdict"):
            patch.setattr(Judge, name, lenient(getattr(Judge, name)))

    def lenient(
        method: Callable[[Judge, object], Rejection | None],
    ) -> Callable[[Judge, object], Rejection | None]:
        def asked(judge: Judge, target: object) -> Rejection | None:
            found = method(judge, target)
            return None if found is not None and found.hard == kind else found

        return asked

    breaks.__name__ = f"blind_to_{kind}"
    return breaks


def generous_ledger(patch: pytest.MonkeyPatch) -> None:
    """Purses are never empty, whoever asks."""
    blind_to("budget")(patch)

    def reserve(self: Ledger, purses: object, amount: int) -> Reservation:
        made = _reserve(self, [(key, 10**15) for key, _ in purses], amount)  # type: ignore[attr-defined]
        assert isinstance(made, Reservation)
        return made

    patch.setattr(Ledger, "reserve", reserve)


_reserve = Ledger.reserve


def forgetful_ledger(patch: pytest.MonkeyPatch) -> None:
    """What was spent is not written down."""
    settle = Ledger.settle
    patch.setattr(Ledger, "settle", lambda self, reservation, actual: settle(self, reservation, 0))


def endless_money(patch: pytest.MonkeyPatch) -> None:
    """What a chain has spent is forgotten."""
    patch.setattr(chain.Chain, "spent", property(lambda self: 0, lambda self, value: None), raising=False)


def endless_time(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(delegated_call, "time_for_chain", lambda timeout_s, left_s: 1e6)


def blind_analysis(patch: pytest.MonkeyPatch) -> None:
    """No labels are found in programs."""
    patch.setattr("rtfs.passes.privacy.argument_labels", lambda units, sources, run_labels: {})


def blind_guard(patch: pytest.MonkeyPatch) -> None:
    """All arguments seem small."""
    patch.setattr(guard, "size_of", lambda args, stop_at: 0)


def open_gate(patch: pytest.MonkeyPatch) -> None:
    """Plans are not held against the hard rules; tries still are."""
    patch.setattr(security, "secured", lambda rulebook, call, plan, world: plan)


def no_second_look(patch: pytest.MonkeyPatch) -> None:
    """Plans are held against the hard rules, but tries are not."""
    veto, attempt = Rulebook.veto, delegated_call.DelegatedCall._attempt
    trying: list[bool] = []

    def tried(self: delegated_call.DelegatedCall, *args: object) -> object:
        trying.append(True)
        try:
            return attempt(self, *args)  # type: ignore[arg-type]
        finally:
            trying.pop()

    patch.setattr(delegated_call.DelegatedCall, "_attempt", tried)
    patch.setattr(Rulebook, "veto", lambda self, *args: None if trying else veto(self, *args))


def hasty_explanation(patch: pytest.MonkeyPatch) -> None:
    """What is explained is what would hold if nobody looked at health and hard rules."""
    explained = explain.explained

    def without(plan: object, current: object, call: object) -> object:
        inner = standard_engine(current).security.inner  # type: ignore[arg-type]
        return explained(inner.plan(call), current, call)  # type: ignore[arg-type]

    patch.setattr(dry_route, "explained", without)


def wrong_answers(patch: pytest.MonkeyPatch) -> None:
    run = delegated_call.DelegatedCall.run

    def wrong(self: delegated_call.DelegatedCall) -> object:
        given = run(self)
        return (
            given if given is None else chain.Give(value=None, target=given.target, confidence=1.0, reason="")
        )

    patch.setattr(delegated_call.DelegatedCall, "run", wrong)


def silent_meter(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(observe, "OVER_RESERVATION", "something_else_total")


#: what is broken, and the kind of violation that must be found then
BROKEN: list[tuple[Callable[[pytest.MonkeyPatch], None], str]] = [
    (blind_to("authorization"), "authorization"),
    (blind_to("privacy"), "privacy"),
    (blind_to("locality"), "locality"),
    (blind_to("provider"), "provider"),
    (generous_ledger, "budget"),
    (forgetful_ledger, "ledger"),
    (forgetful_ledger, "budget"),
    (endless_money, "ceiling"),
    (endless_time, "deadline"),
    (blind_analysis, "analysis"),
    (blind_analysis, "privacy"),
    (blind_guard, "explain"),
    (open_gate, "explain"),
    (no_second_look, "authorization"),
    (hasty_explanation, "explain"),
    (wrong_answers, "value"),
    (silent_meter, "report"),
]


@pytest.mark.parametrize(("breaks", "kind"), BROKEN)
def test_the_oracle_sees_what_is_broken(
    breaks: Callable[[pytest.MonkeyPatch], None], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaks(monkeypatch)
    tally = Tally()
    for seed in range(150):
        tally.add(round_of(seed))
        if tally.kinds[kind]:
            return
    pytest.fail(f"nothing of the kind {kind} was found, only {tally.kinds}")


def test_each_line_of_defence_holds_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where plans are not held against the hard rules, tries are: still nothing forbidden happens."""
    open_gate(monkeypatch)
    assert rounds(range(8)).kinds.keys() == {"explain"}


# ---------------------------------------------------------------- the oracle itself


POLICY = """
[delegation]
max_cost_usd = 0.5
[delegation.remote_providers]
remote-a = { endpoint = "https://a", cost_usd = 0.1, max_cost_usd = 0.2, tenants = ["ac*"], region = "eu"}
b = { endpoint = "https://b.example", permissions = ["pay"], locality = "site" }
free = { endpoint = "https://free.example", cost_usd = 0.0 }
[delegation.local_models]
tiny = { path = "tiny.gguf" }
[delegation.security]
unknown_label_allow = ["local-*"]
sources = { "context:name*" = ["pii"], "capability:*" = ["odd"] }
[delegation.security.privacy]
pii = { allow = ["*-b", "*-free"] }
[delegation.security.require]
"remote-?" = ["net"]
[[delegation.rules]]
symbols = ["f*"]
arg_types = ["string", "..."]
min_size = 4
when = { hour = "22-6" }
deny = ["local-*"]
[[delegation.rules]]
namespaces = ["m"]
require_region = ["eu"]
[[delegation.rules]]
tenants = ["home"]
require_locality = "machine"
[delegation.budgets]
day = { scope = "tenant", limit_usd = 0.3 }
"""
NET = frozenset({"net", "pay"})


def kinds(target: str, **call: Any) -> list[str]:
    """The kinds of what forbids `target` for a call; `taken`: what tenant `acme` has spent today."""
    taken, spent = call.pop("taken", 0), call.pop("spent", 0)
    facts: dict[str, Any] = {"tenant": "acme", "permissions": NET, **call.pop("facts", {})}
    nothing: frozenset[str] = frozenset()
    known = {"symbol": "g", "args": (), "capabilities": nothing, "annotated": nothing}
    asked = Seen(**{**known, "found": frozenset({"pii", "odd"}), **call}, facts=RuntimeFacts(**facts))
    money = Money(spent={("day", "acme", 1): taken})
    against = Oracle(POLICY).against(target, asked, now=86_400.0, prices={}, money=money, chain_spent=spent)
    return sorted({each.kind for each in against})


#: target, what is said of the call, the kinds of hard rules that forbid it
JUDGED: list[tuple[str, dict[str, Any], list[str]]] = [
    ("local-pure", {"args": ("«context:name»",)}, []),
    ("remote-a", {}, []),
    ("remote-nobody", {}, ["provider"]),
    ("remote-a", {"facts": {"tenant": "other"}}, ["authorization"]),
    ("remote-a", {"facts": {"tenant": None}}, ["authorization"]),
    ("remote-a", {"facts": {"permissions": frozenset()}}, ["authorization"]),
    ("remote-free", {"facts": {"permissions": frozenset()}}, []),
    ("remote-b", {"facts": {"permissions": frozenset({"net"})}}, ["authorization", "budget", "ceiling"]),
    # labels
    ("remote-free", {"args": ("my «context:name-2»",)}, []),
    ("remote-a", {"args": ("my «context:name-2»",)}, ["privacy"]),
    ("remote-a", {"args": ("my «context:other»",)}, []),
    ("remote-a", {"args": (Map({"k": Vector(["«label:pii»"])}),)}, ["privacy"]),
    ("remote-a", {"args": (Map({"«label:pii»": 1}),)}, ["privacy"]),
    ("remote-free", {"args": ("«capability:crm»",)}, ["privacy"]),
    ("local-tiny", {"args": ("«capability:crm»",)}, []),
    ("local-tiny", {"annotated": frozenset({"pii"})}, ["privacy"]),
    ("local-tiny", {"facts": {"labels": {"pii"}}}, ["privacy"]),
    ("l4-blob", {"annotated": frozenset({"pii"})}, ["privacy"]),
    ("remote-free", {"args": ("«context:name»",), "found": frozenset()}, ["analysis"]),
    # rules
    ("local-tiny", {"symbol": "f", "args": ("text", 1)}, ["authorization"]),
    ("local-tiny", {"symbol": "f", "args": ("abc",)}, []),
    ("local-tiny", {"symbol": "f", "args": ("", "", 1)}, []),
    ("local-tiny", {"symbol": "f", "args": ("", Vector([1, 2]))}, ["authorization"]),
    ("local-tiny", {"symbol": "f", "args": (1, "text")}, []),
    ("local-tiny", {"symbol": "f", "args": ("text",), "facts": {"ambient": {"hour": 12}}}, []),
    ("local-tiny", {"symbol": "f", "args": ("text",), "facts": {"ambient": {"hour": 23}}}, ["authorization"]),
    ("remote-free", {"symbol": "m/g"}, ["locality"]),
    ("remote-a", {"symbol": "m/g"}, []),
    ("local-tiny", {"symbol": "m/g"}, []),
    ("remote-free", {"facts": {"tenant": "home"}}, ["locality"]),
    ("l4-blob", {"facts": {"tenant": "home"}}, []),
    # money
    ("remote-b", {}, ["budget", "ceiling"]),
    ("remote-a", {"taken": 100_000}, []),
    ("remote-a", {"taken": 100_001}, ["budget"]),
    ("remote-free", {"taken": 10**9}, []),
    ("remote-a", {"spent": 300_000}, []),
    ("remote-a", {"spent": 300_001}, ["ceiling"]),
]


@pytest.mark.parametrize(("target", "call", "expected"), JUDGED)
def test_the_oracle_reads_policies_as_the_guide_does(
    target: str, call: dict[str, Any], expected: list[str]
) -> None:
    load_policy(POLICY)
    assert kinds(target, **call) == expected


# ---------------------------------------------------------------- many threads, one purse


PURSE = """
[delegation]
default_target = "remote-a"
[delegation.remote_providers]
a = { endpoint = "https://a.example", cost_usd = 0.01, max_cost_usd = 0.03 }
[delegation.budgets]
all = { scope = "all", limit_usd = 1.0, window = "forever" }
"""


class Counting:
    """A target that counts the money of calls under way, and what was spent."""

    def __init__(self) -> None:
        self.taken = self.most = self.spent = self.calls = 0
        self._lock = threading.Lock()

    def run(
        self, function: FunctionInfo, args: tuple[Value, ...], target: ExecTarget, allowance: Allowance
    ) -> Outcome:
        cost = 10_000 + args[0] % 3 * 10_000
        with self._lock:
            self.calls += 1
            self.taken += 30_000
            self.most = max(self.most, self.taken)
        with self._lock:
            self.taken += cost - 30_000
            self.spent += cost
        return Outcome(value=args[0], cost_usd=cost / 1e6)


def test_threads_together_spend_no_more_than_the_budget() -> None:
    current = Current(Rulebook(load_policy(PURSE)))
    target = Counting()
    clock = Clock(monotonic=lambda: 0.0, wall=lambda: 0.0)
    delegate = PolicyDelegate(standard_engine(current), current, {"remote": target}, clock)
    linked = rtfs.compile("(defn f [n] n) (reduce + (map f (range 40)))").link(delegate)
    values: list[Value] = []
    threads = [threading.Thread(target=lambda: values.append(linked.run())) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert values == [780] * 6
    assert target.most <= 1_000_000
    assert target.spent > 970_000  # as long as a call might fit, it went
    assert delegate.services.ledger.snapshot() == {BudgetKey("all", "", 0): target.spent}
