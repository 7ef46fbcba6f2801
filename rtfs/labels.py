"""Which privacy labels the arguments of a program's functions may carry, remembered between links.

The analysis is a function of the program, the labels of the run, and what the sources of labels answer to the
questions it asks them. So its result holds for any sources that give the same answers, and a new policy that
labels nothing otherwise than the old one costs these questions alone.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from rtfs import ir

if TYPE_CHECKING:
    from rtfs.delegation import Delegate, FunctionInfo, PrivacySources
    from rtfs.program import Program
    from rtfs.runtime_facts import RuntimeFacts

#: adds to what is known about a function the labels that its arguments may carry; always the same object
type Labelled = Callable[[ir.Lambda, FunctionInfo], FunctionInfo]
#: method of the sources and its argument
type _Question = tuple[str, str | None]

#: results that are remembered, those used last
_MOST_KEPT: Final = 8


class _Asked:
    """Sources of labels that note what they are asked, and their answers."""

    def __init__(self, sources: PrivacySources) -> None:
        self._sources = sources
        self.answers: dict[_Question, frozenset[str] | bool] = {}

    def of_context(self, key: str | None) -> frozenset[str]:
        found = self.answers["of_context", key] = self._sources.of_context(key)
        return found

    def of_capability(self, id: str | None) -> frozenset[str]:
        found = self.answers["of_capability", id] = self._sources.of_capability(id)
        return found

    def declassifies(self, symbol: str) -> bool:
        found = self.answers["declassifies", symbol] = self._sources.declassifies(symbol)
        return found


class _Found(NamedTuple):
    #: kept so that their ids stay their own
    units: tuple[ir.Unit, ...]
    answers: Mapping[_Question, frozenset[str] | bool]
    labelled: Labelled


class Labels:
    """The labels of one program's functions. Not safe to share between threads."""

    def __init__(self) -> None:
        self._found: OrderedDict[tuple[object, ...], _Found] = OrderedDict()

    def of(
        self, program: Program, units: tuple[ir.Unit, ...], delegate: Delegate, facts: RuntimeFacts
    ) -> Labelled | None:
        """Adds labels to the functions of `units`; any other may get all labels there are.

        None if the delegate looks at no labels.
        """
        sources = delegate.sources
        if sources is None:
            return None
        key = facts.labels, *map(id, units)
        known = self._found.get(key)
        if known is None or not _same(known.answers, sources):
            asked = _Asked(sources)
            functions = (node for unit in units for node, _ in program.functions(unit))
            labelled = _labelled(units, functions, asked, facts.labels)
            known = self._found[key] = _Found(units, asked.answers, labelled)
        self._found.move_to_end(key)
        while len(self._found) > _MOST_KEPT:
            self._found.popitem(last=False)
        return known.labelled


def _same(answers: Mapping[_Question, frozenset[str] | bool], sources: PrivacySources) -> bool:
    return all(getattr(sources, method)(name) == answer for (method, name), answer in answers.items())


def _labelled(
    units: tuple[ir.Unit, ...],
    functions: Iterable[ir.Lambda],
    sources: PrivacySources,
    run_labels: frozenset[str],
) -> Labelled:
    from rtfs.passes.privacy import argument_labels

    found = argument_labels(units, sources, run_labels)
    known = {id(node) for node in functions}
    everything = run_labels | sources.of_context(None) | sources.of_capability(None)
    everything = everything.union(*found.values())

    told: dict[int, FunctionInfo] = {}

    def labelled(node: ir.Lambda, info: FunctionInfo) -> FunctionInfo:
        made = told.get(id(node))
        if made is None:
            labels = found.get(id(node), frozenset()) if id(node) in known else everything
            made = told[id(node)] = replace(info, labels=labels) if labels else info
        return made

    return labelled
