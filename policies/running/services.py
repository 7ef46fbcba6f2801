"""What delegated calls work with: everything around them that is not the call itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import FunctionType

from policies.rules.rulebook import Current
from policies.running.chain import Attempt
from policies.running.health import HealthTracker
from policies.running.ledger import Larger, Ledger
from policies.running.observe import Meter, NullMeter
from policies.running.results import Results
from policies.running.runner import CallRecord, Clock, Observation, Runner
from policies.world import World
from rtfs.delegation import FunctionInfo, L4CacheHit

type Modules = Callable[[FunctionInfo, L4CacheHit], FunctionType | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What delegated calls need."""

    current: Current
    #: by a target's name or by its kind: `remote-openai`, or `remote`, `local-model`, `l4`
    runners: Mapping[str, Runner]
    clock: Clock
    ledger: Ledger
    health: HealthTracker
    meter: Meter = field(default_factory=NullMeter)
    #: what is known already; None: nothing is kept
    results: Results | None = None
    #: gives the function in a module, to stand for the one that is linked; None: the module may not be used
    modules: Modules | None = None
    #: told of each try of a target
    observe: Callable[[Observation], None] | None = None
    #: told of each delegated call
    audit: Callable[[CallRecord], None] | None = None
    #: asked before a function's own body runs for want of an answer, with the function and what was tried; what
    #: it raises ends the call
    before_body: Callable[[str, tuple[Attempt, ...]], None] | None = None

    def world_now(self) -> World:
        """The world in force, with the time and the money of this moment."""
        world = self.current.world
        return World(
            version=world.version,
            now=self.clock.wall(),
            targets=world.targets,
            spent=Larger(world.spent, self.ledger.taken),
            prices_usd=world.prices_usd,
        )
