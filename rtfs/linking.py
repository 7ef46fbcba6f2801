"""What the functions of a program are bound to: one link for each version of the delegate and set of facts.

A run begins with the link that holds then, and keeps it, also for modules that it loads later, whatever
policies come into force meanwhile. Links are made when a run first needs them, and few are kept.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from rtfs import errors, ir
from rtfs.labels import Labels
from rtfs.namespace import Modules, Namespace
from rtfs.overlap.current import in_hub
from rtfs.run import current_run
from rtfs.runtime_facts import RuntimeFacts
from rtfs.sampling import Measured
from rtfs.tiers import Tiers
from rtfs.values import Value

if TYPE_CHECKING:
    from rtfs.delegation import Delegate, FunctionInfo
    from rtfs.emit_python.artifact import Routing
    from rtfs.program import BackendName, Program
    from rtfs.routes import Routes

#: links that a program keeps, those used last
MOST_LINKS: Final = 16
#: attempts to ask about all functions within one version of a delegate that changes meanwhile
_ATTEMPTS: Final = 3


class Link:
    """A program whose calls know where they go. Runs of it are independent of each other."""

    def __init__(
        self, program: Program, routes: Routes | None, backend: BackendName, overlaps: bool = False
    ) -> None:
        self._program = program
        self._routes = routes
        self._backend = backend
        #: which functions are wasm depends on which run elsewhere
        self._tiers = Tiers() if backend == "python" else None
        #: whether parts of the program that may wait for a function that runs elsewhere overlap
        self._overlaps = overlaps
        #: by id of the unit, and whether its parts overlap; None: the interpreter runs it. And what is measured
        self._routings: dict[tuple[int, bool], tuple[ir.Unit, Routing | None, Measured | None]] = {}
        self._loaded: Namespace | None = None
        self._loading = threading.RLock()

    def start(self) -> tuple[Namespace, Value]:
        """Run the program's forms in a new frame; the frame, and the value of the last form."""
        return self._started(self._overlaps and in_hub())

    def _started(self, overlaps: bool) -> tuple[Namespace, Value]:
        current_run().may_overlap = overlaps
        bind = None if self._routes is None else self._routes.bind

        def run_unit(unit: ir.Unit, namespace: Namespace, modules: Modules) -> Value:
            return self._run_unit(unit, namespace, modules, overlaps)

        modules = Modules(self._program.module_unit, run_unit, lambda name: bind)
        namespace = modules.frame()
        return namespace, run_unit(self._program.unit, namespace, modules)

    def namespace(self) -> Namespace:
        """The frame that calls from outside share; the program's forms run once, on the first call."""
        current_run().may_overlap = self._overlaps
        with self._loading:
            if self._loaded is None:
                namespace, _ = self._started(self._overlaps)  # calls may come from a hub and from elsewhere
                self._loaded = self._loaded or namespace  # the forms' host may have called meanwhile
            return self._loaded

    def _run_unit(self, unit: ir.Unit, namespace: Namespace, modules: Modules, overlaps: bool) -> Value:
        if self._routes is not None:
            self._routes.add(unit, self._program.functions(unit))
        routing, measured = _INTERPRETED if self._backend == "interpreter" else self._routing(unit, overlaps)
        if routing is None:
            from rtfs.interpret import run_unit

            return run_unit(unit, namespace, modules)
        from rtfs.emit_python.artifact import prepare, run_artifact

        if self._tiers is not None:
            self._tiers.bind_in(namespace, unit, lambda: prepare(namespace, modules))
        artifact = self._program.code(unit).artifact
        assert artifact is not None
        if measured is not None:
            routing = measured.begin(prepare(namespace, modules), routing)
        return run_artifact(artifact, unit.source, namespace, modules, routing)

    def _routing(self, unit: ir.Unit, overlaps: bool) -> tuple[Routing | None, Measured | None]:
        known = self._routings.get((id(unit), overlaps))
        if known is None:
            from rtfs.emit_python.routed import Uncompiled

            elsewhere = bound = frozenset() if self._routes is None else self._routes.bound(unit)
            if self._tiers is not None:
                bound |= self._tiers.bound(unit, bound)
            code, measured = self._program.code(unit), None
            try:
                routing: Routing | None = code.routing(bound, overlaps=overlaps)
                if self._tiers is not None and code.artifact is not None:
                    measured = self._tiers.measured(unit, code.artifact.forms, elsewhere)
            except Uncompiled:
                routing = None
            known = self._routings[id(unit), overlaps] = unit, routing, measured
        return known[1:]


class Links:
    """The links of a program under one delegate."""

    def __init__(self, program: Program, delegate: Delegate | None, backend: BackendName) -> None:
        self._program = program
        self._delegate = delegate
        self._backend = backend
        self._links: OrderedDict[tuple[object, ...], Link] = OrderedDict()
        #: the latest: version, facts, link
        self._latest: tuple[str, RuntimeFacts, Link] | None = None
        self._labels = Labels()
        self._lock = threading.RLock()

    def get(self, facts: RuntimeFacts) -> Link:
        """The link for a run that begins now.

        Raises:
            Exception: whatever the delegate raises; it is a bug of the embedder.
        """
        delegate = self._delegate
        if delegate is None:
            facts, version = _NOBODY, ""
        else:
            version = delegate.version
        latest = self._latest
        if latest is not None and latest[1] is facts and latest[0] == version:
            return latest[2]
        with self._lock:
            link, version = self._link(facts, version)
            self._latest = version, facts, link
            return link

    def _link(self, facts: RuntimeFacts, version: str) -> tuple[Link, str]:
        for attempt in range(1, _ATTEMPTS + 1):
            key = version, facts.key()
            link = self._links.get(key) or self._made(facts)
            now = version if self._delegate is None else self._delegate.version
            if now == version or attempt == _ATTEMPTS:
                break
            version = now  # answers of two versions may be mixed
        self._links[key] = link
        self._links.move_to_end(key)
        while len(self._links) > MOST_LINKS:
            self._links.popitem(last=False)
        return link, version

    def _made(self, facts: RuntimeFacts) -> Link:
        if self._delegate is None:
            return Link(self._program, None, self._backend)
        from rtfs.routes import Routes

        units = tuple(_reachable(self._program))
        routes = Routes(self._delegate, facts, self._labels.of(self._program, units, self._delegate, facts))
        for unit in units:
            routes.add(unit, self._program.functions(unit))
        overlaps = self._backend == "python" and routes.may_wait()
        return Link(self._program, routes, self._backend, overlaps)


_NOBODY: Final = RuntimeFacts()
_INTERPRETED: Final = None, None


def functions_told(
    program: Program, delegate: Delegate, facts: RuntimeFacts
) -> Iterator[tuple[ir.Unit, ir.Lambda, FunctionInfo]]:
    """Every function that a run may reach, as a link tells `delegate` about it; nothing is asked or linked."""
    units = tuple(_reachable(program))
    labelled = Labels().of(program, units, delegate, facts)
    for unit in units:
        for node, known in program.functions(unit):
            yield unit, node, known if labelled is None else labelled(node, known)


def _reachable(program: Program) -> Iterator[ir.Unit]:
    """The program's unit, and those of the modules that it or another of them may load.

    One that cannot be found or read is left to fail when it is used.
    """
    seen: set[str] = set()
    todo = [program.unit]
    while todo:
        unit = todo.pop()
        yield unit
        for name in sorted(program.loads(unit)):
            if name not in seen:
                seen.add(name)
                found = _found(program, name)
                if found is not None:
                    todo.append(found)


def _found(program: Program, name: str) -> ir.Unit | None:
    try:
        return program.module_unit(name)
    except errors.LimitError:
        raise
    except errors.RtfsError:
        return None  # whoever loads it gets the error
