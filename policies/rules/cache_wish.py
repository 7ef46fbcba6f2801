"""What a function says about keeping its results: its metadata `:cache`.

    ^{:cache :none}        results are not kept
    ^{:cache :exact}       they are kept for this very call (L2)
    ^{:cache :semantic}    also for calls that mean the same (L3)
    ^{:cache {:by :semantic :ttl 600 :max-age 60 :bypass true :no-store true :max-error 0.005}}

`:ttl` and `:max-age` are seconds. `:bypass`: the target is always asked. `:no-store`: its answers are not kept.
`:max-error`: the share of answers by meaning that may be wrong, instead of the policy's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Final

from policies.plan import CacheTier
from rtfs.delegation import FunctionInfo
from rtfs.errors import InvalidArgument
from rtfs.printer import pr_str
from rtfs.spell import nearest
from rtfs.values import Keyword, Map, Value

_CACHE: Final = "cache"
_TIERS: Final[Mapping[str, CacheTier]] = {"none": "none", "exact": "l2", "semantic": "l3"}
_KEYS: Final = ("by", "ttl", "max-age", "bypass", "no-store", "max-error")
_FORMS: Final = "`:none`, `:exact`, `:semantic`, or a map of some of " + ", ".join(f"`:{key}`" for key in _KEYS)


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheWish:
    """What a function says about keeping its results. None: nothing."""

    tier: CacheTier | None = None
    ttl_s: float | None = None
    max_age_s: float | None = None
    bypass: bool = False
    no_store: bool = False
    #: 0 to 1
    max_error: float | None = None


_NO_WISH: Final = CacheWish()


def cache_wish(function: FunctionInfo) -> CacheWish:
    """What `function` says.

    Raises:
        InvalidArgument: it says something that there is not.
    """
    said = function.metadata.get(_CACHE)
    return _NO_WISH if said is None else _wish(function.symbol, said)


def _wish(symbol: str, said: Value) -> CacheWish:
    if isinstance(said, Keyword):
        return CacheWish(tier=_tier(symbol, said))
    if not isinstance(said, Map):
        raise _wrong(symbol, f"expected {_FORMS}, got `{pr_str(said)}`")
    found: dict[str, Value] = {}
    for key, value in said.items():
        name = key.name if isinstance(key, Keyword) else pr_str(key)
        if name not in _KEYS:
            near = nearest(name, _KEYS)
            hint = f"did you mean `:{near}`?" if near else f"expected {_FORMS}"
            raise _wrong(symbol, f"there is no `{pr_str(key)}`; {hint}")
        found[name] = value
    by = found.get("by")
    return CacheWish(
        tier=None if by is None else _tier(symbol, by),
        ttl_s=_number(symbol, found, "ttl", inf),
        max_age_s=_number(symbol, found, "max-age", inf),
        bypass=_flag(symbol, found, "bypass"),
        no_store=_flag(symbol, found, "no-store"),
        max_error=_number(symbol, found, "max-error", 1.0),
    )


def _tier(symbol: str, said: Value) -> CacheTier:
    tier = _TIERS.get(said.name) if isinstance(said, Keyword) else None
    if tier is None:
        near = nearest(said.name, _TIERS) if isinstance(said, Keyword) else None
        hint = f"did you mean `:{near}`?" if near else f"expected {_FORMS}"
        raise _wrong(symbol, f"there is no `{pr_str(said)}`; {hint}")
    return tier


def _number(symbol: str, found: Mapping[str, Value], name: str, most: float) -> float | None:
    value = found.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most or value == inf:
        upto = "" if most == inf else f", at most {most:g}"
        raise _wrong(symbol, f"expected a number above 0{upto} as `:{name}`, got `{pr_str(value)}`")
    return float(value)


def _flag(symbol: str, found: Mapping[str, Value], name: str) -> bool:
    value = found.get(name, False)
    if not isinstance(value, bool):
        raise _wrong(symbol, f"expected `true` or `false` as `:{name}`, got `{pr_str(value)}`")
    return value


def _wrong(symbol: str, what: str) -> InvalidArgument:
    return InvalidArgument(f"`:cache` of `{symbol}`: {what}")
