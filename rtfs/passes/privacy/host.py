"""The host: what it is given, and what it answers."""

from __future__ import annotations

from collections.abc import Sequence, Set

from rtfs.passes.privacy.flow import Site
from rtfs.passes.privacy.library import FORGETFUL
from rtfs.passes.privacy.program import Place, Program


def give_to_host(program: Program, args: Sequence[int], condition: int) -> None:
    """The host gets `args`, and learns that it does."""
    edges = program.flow.edges
    edges[condition].append(program.host)
    for arg in args:
        edges[arg].append(program.host)


def read_context(program: Program, key: str | None, into: int, place: Place) -> None:
    """Read what the run provides under a name. A function that does so captures it."""
    found = program.context.get(key)
    if found is None:
        found = program.context[key] = program.flow.variable()
        program.flow.add_labels(found, program.sources.of_context(key))
        program.flow.join(program.host, found)
    program.flow.edges[found] += (into, place.touched, place.function.free)


def ask_capabilities(program: Program, ids: Set[str | None], args: Sequence[int], site: Site) -> None:
    """Calls of capabilities, whose answers are the result of `site`."""
    flow = program.flow
    answer = flow.variable()
    for each in ids:
        flow.add_labels(answer, program.sources.of_capability(each))
    for arg in args:
        flow.join(arg, answer)
    flow.join(answer, site.result)
    flow.join(answer, site.touched)
    if not FORGETFUL.issuperset(ids):
        give_to_host(program, args, site.condition)
        flow.join(program.host, answer)
