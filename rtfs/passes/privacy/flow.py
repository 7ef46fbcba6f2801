"""The graph of information flow, and its least solution.

A variable is a number. It holds a set, as the bits of an integer: labels in the low bits, above them tokens of
functions. Sets grow along edges until nothing changes. A variable may take labels only, or tokens only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from rtfs.run import STOP_REQUESTS, poll

#: the variable that never holds anything
NOTHING: Final = 0
#: what a variable takes
ANYTHING: Final = 0
LABELS: Final = 1
TOKENS: Final = 2

#: functions × calls of computed callees; beyond it all functions are one, lest hostile programs take long
_MOST_LINKS: Final = 300_000


@dataclass(slots=True, eq=False)
class Function:
    """The variables of one function: of a lambda, or of a builtin used as a value."""

    #: parameters and rest parameter of each arity, in the order in which they are tried
    arities: list[tuple[list[int], int | None]]
    result: int
    #: labels under which it is called
    condition: int
    #: labels of what may decide whether it ends with an error
    touched: int
    #: labels of its arguments
    inside: int = NOTHING
    #: labels of what it captures; `free`: globals and names of the run, which functions around it capture too
    captured: int = NOTHING
    free: int = NOTHING
    outer: Function | None = None
    token: int | None = None


@dataclass(slots=True, eq=False)
class Site:
    """A call of whatever functions arrive in `callee`."""

    callee: int
    #: a variable for each argument; if `mixed`, variables any of which may be any argument, of any number
    args: Sequence[int]
    result: int
    condition: int
    touched: int
    mixed: bool = False


@dataclass(slots=True, eq=False)
class Flow:
    """Variables, edges, where labels and functions come in, and calls that wait for functions."""

    edges: list[list[int]] = field(default_factory=lambda: [[]])
    #: what each variable takes
    takes: list[int] = field(default_factory=lambda: [LABELS])
    labels: list[tuple[int, frozenset[str]]] = field(default_factory=list)
    tokens: list[tuple[int, Function]] = field(default_factory=list)
    sites: dict[int, list[Site]] = field(default_factory=dict)
    #: functions with a token, by its number
    functions: list[Function] = field(default_factory=list)

    def variable(self, takes: int = ANYTHING) -> int:
        """A new variable."""
        self.edges.append([])
        self.takes.append(takes)
        return len(self.takes) - 1

    def join(self, start: int, end: int) -> None:
        """An edge."""
        self.edges[start].append(end)

    def add_labels(self, variable: int, labels: frozenset[str]) -> None:
        """`labels` come in at `variable`."""
        if labels:
            self.labels.append((variable, labels))

    def add_function(self, variable: int, function: Function) -> None:
        """`function` may be the value of `variable`."""
        if function.token is None:
            function.token = len(self.functions)
            self.functions.append(function)
        self.tokens.append((variable, function))

    def add_site(self, site: Site) -> None:
        """A call whose callee is computed."""
        self.sites.setdefault(site.callee, []).append(site)

    def link(self, site: Site, function: Function) -> None:
        """A call of `function`."""
        link(site, function, self.join)

    def merge_functions(self) -> None:
        """Make all functions with tokens one."""
        crowd = Function([([], self.variable())], self.variable(), self.variable(LABELS), self.variable(LABELS))
        everywhere = Site(
            NOTHING, [crowd.arities[0][1] or NOTHING], crowd.result, crowd.condition, crowd.touched
        )
        everywhere.mixed = True
        for function in self.functions:
            self.link(everywhere, function)
            function.token = 0
        self.functions = [crowd]


def link(site: Site, function: Function, join: Callable[[int, int], None]) -> None:
    """Join what `site` passes and gets with what `function` takes and gives."""
    join(site.condition, function.condition)
    join(site.callee, function.condition)
    join(function.result, site.result)
    join(function.touched, site.touched)
    for params, rest in function.arities:
        if site.mixed:
            targets = params if rest is None else [*params, rest]
            for arg in site.args:
                for param in targets:
                    join(arg, param)
        elif len(params) == len(site.args) if rest is None else len(params) <= len(site.args):
            for arg, param in zip(site.args, params, strict=False):
                join(arg, param)
            for arg in site.args[len(params) :]:
                join(arg, rest or NOTHING)
            return
    for arg in site.args:  # an error, but who runs the function may see them before that is known
        join(arg, function.inside)


class Solution:
    """The least solution of a flow. `held`: what each variable holds; `names`: the labels by their bits."""

    def __init__(self, flow: Flow) -> None:
        sites = sum([len(each) for each in flow.sites.values()])
        if len(flow.functions) * sites > _MOST_LINKS:
            flow.merge_functions()
        self.names = sorted({label for _, labels in flow.labels for label in labels})
        self.held = [0] * len(flow.edges)
        self._flow = flow
        shift = len(self.names)
        only_labels = (1 << shift) - 1
        only_tokens = ((1 << len(flow.functions)) - 1) << shift
        masks = {ANYTHING: only_labels | only_tokens, LABELS: only_labels, TOKENS: only_tokens}
        self._masks = [masks[takes] for takes in flow.takes]
        self._masks[NOTHING] = 0
        #: what arrived and was not passed on yet, and the variables where something did
        self._fresh = [0] * len(flow.edges)
        self._todo: list[int] = []
        bits = {name: 1 << index for index, name in enumerate(self.names)}
        for variable, labels in flow.labels:
            for label in labels:
                self._grow(variable, bits[label])
        for variable, function in flow.tokens:
            self._grow(variable, 1 << shift + (function.token or 0))
        self._settle(shift)

    def labels(self, *variables: int) -> int:
        """The labels in any of `variables`, as bits."""
        found = 0
        for variable in variables:
            found |= self.held[variable]
        return found & ((1 << len(self.names)) - 1)

    def _grow(self, variable: int, more: int) -> None:
        more &= self._masks[variable] & ~self.held[variable]
        if more:
            self.held[variable] |= more
            if not self._fresh[variable]:
                self._todo.append(variable)
            self._fresh[variable] |= more

    def _join(self, start: int, end: int) -> None:
        self._flow.edges[start].append(end)
        if self.held[start]:
            self._grow(end, self.held[start])

    def _settle(self, shift: int) -> None:
        """Pass on what arrives, in rounds, until nothing does."""
        held, masks, fresh, edges, sites = (
            self.held,
            self._masks,
            self._fresh,
            self._flow.edges,
            self._flow.sites,
        )
        while self._todo:
            if STOP_REQUESTS:
                poll()
            now, self._todo = self._todo, []
            for variable in now:
                more, fresh[variable] = fresh[variable], 0
                for end in edges[variable]:
                    grown = more & masks[end] & ~held[end]
                    if grown:
                        held[end] |= grown
                        if not fresh[end]:
                            self._todo.append(end)
                        fresh[end] |= grown
                if variable in sites and more >> shift:
                    self._call(sites[variable], more >> shift)

    def _call(self, sites: list[Site], tokens: int) -> None:
        """Link functions that arrived with the calls that wait for them."""
        while tokens:
            lowest = tokens & -tokens
            tokens ^= lowest
            function = self._flow.functions[lowest.bit_length() - 1]
            for site in sites:
                link(site, function, self._join)
