"""Which purses pay for a call: the budgets of a policy that apply to it, whose they are, and in which window.

A budget counts in windows of time that begin at fixed moments in UTC: each minute, hour and day at its start, a
week on Monday, a month every 30 days from the epoch. Each owner has a purse of its own:

tenant      the run's tenant; runs for none share the purse of the owner `""`
plan        the run's plan, likewise
provider    the target's name, `remote-openai`; `match` may leave out `remote-` or `local-`
all         one purse for everything, of the owner `""`; its `match` says nothing

What runs here anyway, `LocalPure` and modules out of the cache, is paid out of no purse.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from policies.file.schema import Budget, Delegation
from policies.rules.globs import matches
from policies.targets import target_name
from policies.world import BudgetKey, MicroUsd, micro_usd
from rtfs.delegation import ExecTarget, LocalModel, RemoteModel
from rtfs.runtime_facts import RuntimeFacts

#: length of each kind of window and how long before the epoch one began, seconds
WINDOWS: Final[Mapping[str, tuple[float, float]]] = {
    "minute": (60.0, 0.0),
    "hour": (3600.0, 0.0),
    "day": (86_400.0, 0.0),
    "week": (604_800.0, 259_200.0),  # the epoch was a Thursday; weeks begin on Monday
    "month": (2_592_000.0, 0.0),
}


def window_number(window: str, now: float) -> int:
    """Number of the window of that kind which `now`, seconds since the epoch, falls into."""
    if window == "forever":
        return 0
    length, offset = WINDOWS[window]
    return int((now + offset) // length)


def purses_for(
    settings: Delegation, facts: RuntimeFacts, target: ExecTarget, now: float
) -> tuple[tuple[BudgetKey, MicroUsd], ...]:
    """The purses that pay for a call of `target` under `facts`, in the file's order, each with its limit."""
    if not settings.budgets or not isinstance(target, LocalModel | RemoteModel):
        return ()
    found = []
    for name, budget in settings.budgets.items():
        owner = _owner(budget, facts, target)
        if owner is not None:
            key = BudgetKey(name, owner, window_number(budget.window, now))
            found.append((key, micro_usd(budget.limit_usd)))
    return tuple(found)


def _owner(budget: Budget, facts: RuntimeFacts, target: LocalModel | RemoteModel) -> str | None:
    """Whose purse pays, None if the budget is for others."""
    if budget.scope == "all":
        return ""
    if budget.scope == "provider":
        name = target_name(target)
        return name if _matches(budget.match, name) or _matches(budget.match, target.id) else None
    owner = (facts.tenant if budget.scope == "tenant" else facts.plan) or ""
    return owner if _matches(budget.match, owner) else None


def _matches(glob: str, owner: str) -> bool:
    return glob == "*" or matches(glob, owner)
