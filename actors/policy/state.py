"""A policy as it is handed to those who follow it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from policies.world import BudgetKey, MicroUsd


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyState:
    """A policy's text, and all that is needed to read the same policy of it elsewhere."""

    text: str
    source: str
    #: variables that override keys of the file, `RTFS_DELEGATION__…`
    overrides: Mapping[str, str] = field(default_factory=dict)
    #: number of swaps since the runtime began; a higher one is newer
    number: int = 0
    #: hash of all that decisions depend on
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyRequest:
    """Money to be put aside out of purses, each with its limit."""

    purses: tuple[tuple[BudgetKey, MicroUsd], ...]
    amount: MicroUsd


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyRefusal:
    """The first purse that does not hold enough."""

    key: BudgetKey
    limit: MicroUsd
    taken: MicroUsd
    wanted: MicroUsd
