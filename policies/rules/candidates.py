"""The targets that a policy names, and what it says of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf
from typing import Final

from policies.file.policy import Policy
from policies.file.schema import LocalModelEntry, RemoteProvider
from policies.plan import Because, Expected
from policies.targets import LOCAL_PURE, target_name
from policies.world import World
from rtfs.delegation import ExecTarget, L4CacheHit, LocalModel, LocalPure, RemoteModel

DISTANCES: Final[Mapping[str, int]] = {"machine": 0, "site": 1, "remote": 2}
DISTANCE_NAMES: Final = ("this machine", "this site", "a remote site")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A target that the policy knows, and what it says of it."""

    target: ExecTarget
    name: str
    expected: Expected
    #: what is reserved before a call; None: the policy names no bound
    max_cost_usd: float | None
    #: 0 this machine, 1 this site, 2 remote
    distance: int
    region: str | None
    permissions: frozenset[str]
    tenants: frozenset[str]
    capacity: int | None
    because: Because
    #: its table in the policy, `remote_providers.remote-openai`; "" for what needs none
    path: str = ""
    #: its model, if the policy names one
    model: str | None = None
    #: whether it is a model that writes its answers as text, so that JSON must have a form for them
    writes: bool = False


def place(policy: Policy, what: str, *parts: str) -> Because:
    """Where the key at `parts` stands, or the nearest table around it whose line is known."""
    for end in range(len(parts), 0, -1):
        path = ".".join(parts[:end])
        if path in policy.lines:
            return policy.because(what, path)
    return policy.because(what, ".".join(parts))


def local_pure(policy: Policy) -> Candidate:
    """The body of the function, here: free, and always allowed."""
    return _here(LocalPure(), policy.because("the function's own body", ""))


def module_candidate(target: L4CacheHit) -> Candidate:
    """A signed module out of the cache: it runs here and is free."""
    return _here(target, Because(what="module cache"))


def _here(target: ExecTarget, because: Because) -> Candidate:
    return Candidate(
        target=target,
        name=target_name(target),
        expected=Expected(cost_usd=0.0, latency_ms=0.0),
        max_cost_usd=0.0,
        distance=0,
        region=None,
        permissions=frozenset(),
        tenants=frozenset(),
        capacity=None,
        because=because,
    )


def candidates_of(policy: Policy) -> Mapping[str, Candidate]:
    """By target name, in the policy's order; `local-pure` comes first.

    A provider's key may have the prefix `remote-` or not, a local model's `local-`: both name the same target.
    """
    found = {LOCAL_PURE: local_pure(policy)}
    for candidate in _named(policy):
        found.setdefault(candidate.name, candidate)
    return found


def _named(policy: Policy) -> Iterator[Candidate]:
    for key, provider in policy.settings.remote_providers.items():
        remote = RemoteModel(key.removeprefix("remote-") or key)
        yield _candidate(policy, remote, f"remote_providers.{key}", provider, provider.model)
    for key, model in policy.settings.local_models.items():
        local = LocalModel(key.removeprefix("local-") or key)
        yield _candidate(policy, local, f"local_models.{key}", model, local.id)


def _candidate(
    policy: Policy, target: ExecTarget, path: str, facts: RemoteProvider | LocalModelEntry, model: str | None
) -> Candidate:
    local = isinstance(target, LocalModel)
    cost = 0.0 if local and facts.cost_usd is None else facts.cost_usd
    name = target_name(target)
    return Candidate(
        target=target,
        name=name,
        expected=Expected(cost_usd=cost, latency_ms=facts.latency_ms, quality=facts.quality),
        max_cost_usd=cost if facts.max_cost_usd is None else facts.max_cost_usd,
        distance=DISTANCES[facts.locality or ("machine" if local else "remote")],
        region=facts.region,
        permissions=facts.permissions,
        tenants=facts.tenants,
        capacity=facts.capacity,
        because=place(policy, f"`{path}`", path),
        path=path,
        model=model,
        writes=_writes(facts),
    )


def _writes(facts: RemoteProvider | LocalModelEntry) -> bool:
    if isinstance(facts, RemoteProvider):
        return facts.kind == "openai"
    return facts.kind == "gguf" or (facts.kind is None and str(facts.path).endswith(".gguf"))


def expected_now(candidate: Candidate, world: World) -> Expected:
    """What one call is expected to take now: by the world where it knows, else by the policy."""
    known = candidate.expected
    if not world.targets and not world.prices_usd:
        return known
    state = world.targets.get(candidate.name)
    price = world.prices_usd.get(candidate.name)
    if price is None and (state is None or state.latency_ms is None):
        return known
    return Expected(
        cost_usd=known.cost_usd if price is None else price if _is_price(price) else None,
        latency_ms=known.latency_ms if state is None or state.latency_ms is None else state.latency_ms,
        quality=known.quality,
    )


def cost_bound(candidate: Candidate, world: World) -> float | None:
    """The most that one call may cost in dollars, as far as anyone says; None: nobody does.

    It is what is reserved before a call: the policy's `max_cost_usd`, else `cost_usd`; a price of the world
    above it takes its place, and one that is no price is not known. Targets on this machine are free if the
    policy names no price for them.
    """
    price = world.prices_usd.get(candidate.name)
    bound = candidate.max_cost_usd
    if price is None:
        return bound
    if not _is_price(price):
        return None
    return price if bound is None else max(price, bound)


def _is_price(price: float) -> bool:
    """Whether it can be counted: it is not `nan`, infinite or less than nothing."""
    return 0 <= price < inf
