"""Chains behind a target."""

from __future__ import annotations

import pytest

from policies.engines.chaining import behind
from policies.plan import DelegationPlan
from rtfs.delegation import ExecTarget, LocalModel, LocalPure, RemoteModel

A, B, C, BODY = RemoteModel("a"), RemoteModel("b"), LocalModel("c"), LocalPure()


@pytest.mark.parametrize(
    ("target", "plan", "chain"),
    [
        (A, (B,), (B,)),
        (A, (B, C), (B, C)),
        (A, (A, C), (C,)),
        (A, (B, A, C), (B, C)),
        (A, (B, C, B), (B, C)),
        (A, (BODY,), ()),
        (A, (BODY, B), ()),
        (A, (B, BODY, C), (B,)),
        (A, (A,), ()),
    ],
)
def test_behind(target: ExecTarget, plan: tuple[ExecTarget, ...], chain: tuple[ExecTarget, ...]) -> None:
    first, *rest = plan
    assert behind(target, DelegationPlan(target=first, stage="default", chain=tuple(rest))) == chain
