"""Programs that are run with a delegate and without one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from holds_program import Generated, program
from holds_watch import Watch
from holds_world import host

import rtfs
from policies.running.delegate import PolicyDelegate
from rtfs import errors
from rtfs.analyze.environment import MappingModules
from rtfs.delegation import ByArguments, ExecTarget, FunctionInfo, PrivacySources
from rtfs.program import BackendName, Program
from rtfs.runtime_facts import RuntimeFacts
from rtfs.security import RuntimeContext
from rtfs.values import Value


@dataclass(slots=True)
class Ready:
    """A program, compiled, and what it comes to without a delegate."""

    generated: Generated
    compiled: Program
    _plain: dict[BackendName, object] = field(default_factory=dict)

    def plain_outcome(self, backend: BackendName) -> object:
        """What it comes to where nothing is delegated."""
        if backend not in self._plain:
            context = RuntimeContext.full()
            linked = self.compiled.link(None, context, backend)
            self._plain[backend] = outcome(lambda: linked.run(host=host()))
        return self._plain[backend]


def outcome(run: Callable[[], Value]) -> object:
    """The value, or the kind of the error of RTFS."""
    try:
        return run()
    except errors.RtfsError as error:
        return type(error)


def ready(pick: Random) -> Ready:
    generated = program(pick)
    return Ready(generated, rtfs.compile(generated.text, modules=MappingModules(generated.modules)))


class Watched:
    """A delegate that has calls watched on their way into another."""

    def __init__(self, inner: PolicyDelegate, watch: Watch) -> None:
        self.inner = inner
        self._watch = watch

    @property
    def version(self) -> str:
        return self.inner.version

    @property
    def sources(self) -> PrivacySources | None:
        return self.inner.sources

    def target(self, function: FunctionInfo, facts: RuntimeFacts) -> ExecTarget | ByArguments:
        return self.inner.target(function, facts)

    def bind(
        self,
        function: FunctionInfo,
        target: ExecTarget | ByArguments,
        facts: RuntimeFacts,
        body: Callable[..., Value],
    ) -> Callable[..., Value]:
        made, watch = self.inner.bind(function, target, facts, body), self._watch
        if made is body:
            return body

        def watched(*args: Value) -> Value:
            frame = watch.enter(function, args, body, target)
            try:
                return made(*args)
            finally:
                watch.leave(frame)

        watched.__name__ = made.__name__
        watched.__dict__.update(made.__dict__)
        return watched
