"""Chains: what stands behind a target when one engine puts it before the plan of another."""

from __future__ import annotations

from policies.plan import DelegationPlan
from rtfs.delegation import ExecTarget, LocalPure


def behind(target: ExecTarget, plan: DelegationPlan) -> tuple[ExecTarget, ...]:
    """The targets of `plan` as the chain behind `target`, each once.

    It ends where `plan` would run the function's own body: that comes last of every chain anyway.
    """
    chain: list[ExecTarget] = []
    for each in (plan.target, *plan.chain):
        if isinstance(each, LocalPure):
            break
        if each != target and each not in chain:
            chain.append(each)
    return tuple(chain)
