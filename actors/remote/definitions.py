"""Of a program, what one of its functions needs to run elsewhere: text, modules, arguments of the run.

Another runtime gets the program's own text with everything blanked out that the function does not need. What
stays, stays on its line and in its column, so that errors from there name places here.

A function needs what its text mentions or its code refers to, and so on from there: functions, values, types,
macros, imports. What is defined by a top-level form needs all of that form. So values of other definitions, and
forms that merely do something, are neither sent nor run once more. Mentioning is judged by name alone: rather
too much is kept than too little.

What cannot be sent: functions without a name of their own at the top level; a name that is defined twice, of
which a text alone does not say which one is meant; and values that the host had a hand in (`(def now (call
…))`), which would be others there.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Final

from actors.remote.program_names import defined, mentioned, nodes_of, outside_functions, referred
from policies.errors import TargetFailed
from rtfs import errors, ir
from rtfs.analyze.environment import MappingModules
from rtfs.errors import Span
from rtfs.namespace import builtins
from rtfs.program import compile
from rtfs.reader import read

#: programs whose definitions are kept
_KEPT: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Extract:
    """What one function needs."""

    #: the program, blanked out but for what is needed
    source: str
    #: what the function is called there
    function: str
    #: names of module files that it may load
    modules: frozenset[str]
    #: names that are defined nowhere: arguments of the run, or values of its context
    free: frozenset[str]
    #: capabilities that its functions may call; `*` if one of them is known only when it runs
    capabilities: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """A top-level form."""

    span: Span
    node: ir.Node
    #: names that it defines for others
    defines: frozenset[str]
    #: names that stand in it or that its code refers to
    mentions: frozenset[str]


class Definitions:
    """The definitions of one program."""

    def __init__(self, source: str, source_name: str, modules: Mapping[str, str]) -> None:
        self._source = source
        self._modules = modules
        # without optimisation, since the other side reads the text and not what became of it
        self._program = compile(
            source, source_name=source_name, modules=MappingModules(modules), optimize=False
        )
        self._extracts: dict[str, Extract] = {}

    def extract(self, symbol: str) -> Extract:
        """What the function `symbol` needs.

        Raises:
            TargetFailed: it cannot be sent (`bad-request`).
        """
        found = self._extracts.get(symbol)
        if found is None:
            found = self._extracts[symbol] = self._extract(symbol)
        return found

    def _extract(self, symbol: str) -> Extract:
        module, _, name = symbol.rpartition("/")
        values = self._values(symbol)
        if module and name and not values:
            return self._of_module(symbol, module, name)
        self._check_global(symbol, values)
        return self._made(symbol, self._needed([symbol]))

    def _of_module(self, symbol: str, module: str, name: str) -> Extract:
        """A function of a module: it is imported there, and so it must be exported."""
        unit = self._program.module_unit(module) if module in self._modules else None
        here = any(module in _modules_defined(each.node) for each in self._forms)
        exports = {
            name
            for node in nodes_of((*self._program.unit.forms, *(() if unit is None else unit.forms)))
            if isinstance(node, ir.ModuleForm) and node.name == module
            for name in node.exports
        }
        if name not in exports or not (here or unit):
            raise _unsendable(symbol, "no module of the program exports it")
        return self._made(symbol, self._needed([f"{module}/"]), f"(import {module})")

    def _values(self, name: str) -> list[ir.Node]:
        """What the program's top level defines `name` as."""
        return [
            node.value
            for form in self._forms
            for node in outside_functions(form.node)
            if isinstance(node, ir.Def) and node.name == name
        ]

    def _check_global(self, symbol: str, values: list[ir.Node]) -> None:
        """Refuse a function of which the text does not say for sure that it is the one meant."""
        if not values:
            raise _unsendable(symbol, "it is not defined at the top level of the program")
        alike = [node for form in self._forms for node in nodes_of([form.node]) if _is_function(node, symbol)]
        if len(values) > 1 or len(alike) != 1 or not isinstance(values[0], ir.Lambda):
            raise _unsendable(symbol, "the program has several functions of this name, or makes it as it runs")

    # ------------------------------------------------------------ what is needed

    @cached_property
    def _forms(self) -> tuple[_Form, ...]:
        program = read(self._source)
        return tuple(
            _Form(
                span=span,
                node=node,
                defines=frozenset(defined(form, node)),
                mentions=frozenset(mentioned(form)) | frozenset(referred(node)),
            )
            for form, span, node in zip(program.forms, program.spans, self._program.unit.forms, strict=True)
        )

    def _needed(self, names: Iterable[str]) -> list[_Form]:
        """The forms that define `names` and all that these need, in order."""
        wanted = set(names)
        found: set[int] = set()
        todo = list(wanted)
        by_name = self._by_name
        while todo:
            for place in by_name.get(todo.pop(), ()):
                if place not in found:
                    found.add(place)
                    new = self._forms[place].mentions - wanted
                    wanted |= new
                    todo += new
        return [self._forms[place] for place in sorted(found)]

    @cached_property
    def _by_name(self) -> Mapping[str, list[int]]:
        table: dict[str, list[int]] = {}
        for place, form in enumerate(self._forms):
            for name in form.defines:
                table.setdefault(name, []).append(place)
        return table

    def _made(self, function: str, needed: list[_Form], prelude: str = "") -> Extract:
        nodes = [form.node for form in needed]
        for form in needed:
            _check_no_effects(function, form.node)
        units = dict(self._units(nodes, function.rpartition("/")[0]))
        every = [*nodes, *(node for unit in units.values() for node in unit.forms)]
        source = _blanked(self._source, [form.span for form in needed])
        return Extract(
            source=f"{source}\n{prelude}" if prelude else source,
            function=function,
            modules=frozenset(units),
            capabilities=self._capabilities(every, units.values()),
            free=frozenset(node.name for node in nodes_of(every) if isinstance(node, ir.DynamicRef)),
        )

    def _capabilities(self, nodes: list[ir.Node], units: Iterable[ir.Unit]) -> frozenset[str]:
        """What the functions among `nodes`, of the program and of `units`, may call."""
        mine = {id(node) for node in nodes_of(nodes)}
        found: set[str] = set()
        for unit in (self._program.unit, *units):
            for function, info in self._program.functions(unit):
                if id(function) in mine:
                    found |= info.capabilities
        return frozenset(found)

    def _units(self, nodes: list[ir.Node], module: str) -> Iterator[tuple[str, ir.Unit]]:
        """The module files that `nodes` may load, and `module`, with those that these may load."""
        seen: set[str] = set()
        todo = [module, *_loaded(nodes)]
        while todo:
            name = todo.pop()
            if name in seen or name not in self._modules:
                continue
            seen.add(name)
            unit = self._program.module_unit(name)
            if unit is not None:
                yield name, unit
                todo += _loaded(unit.forms)


_known: OrderedDict[str, Definitions] = OrderedDict()
_lock = threading.Lock()


def definitions_of(source: str, source_name: str, modules: Mapping[str, str]) -> Definitions:
    """The definitions of a program; those of recent programs are remembered.

    Raises:
        TargetFailed: the text is no program (`bad-request`).
    """
    digest = sha256()
    for text in (source_name, source, *(part for entry in sorted(modules.items()) for part in entry)):
        digest.update(len(text).to_bytes(8, "big"))
        digest.update(text.encode("utf-8", "surrogatepass"))
    key = digest.hexdigest()
    with _lock:
        found = _known.get(key)
        if found is not None:
            _known.move_to_end(key)
            return found
    try:
        made = Definitions(source, source_name, modules)
    except errors.LimitError:
        raise
    except errors.RtfsError as error:
        raise TargetFailed(
            "bad-request", f"the program under way cannot be read again: {error.code}"
        ) from error
    with _lock:
        _known[key] = made
        while len(_known) > _KEPT:
            _known.popitem(last=False)
    return made


def _modules_defined(node: ir.Node) -> frozenset[str]:
    return frozenset(each.name for each in outside_functions(node) if isinstance(each, ir.ModuleForm))


def _loaded(nodes: Iterable[ir.Node]) -> list[str]:
    return [node.module for node in nodes_of(nodes) if isinstance(node, ir.Import | ir.QualifiedRef)]


def _is_function(node: ir.Node, name: str) -> bool:
    return isinstance(node, ir.Lambda) and node.name == name


def _check_no_effects(function: str, node: ir.Node) -> None:
    """Refuse what asks the host when it is defined: the answer would be another one there."""
    library = builtins()
    for each in outside_functions(node):
        if isinstance(each, ir.BuiltinRef) and each.name in library and library[each.name].effect:
            raise _unsendable(function, f"a definition that it needs asks the host (`{each.name}`)")


def _unsendable(symbol: str, why: str) -> TargetFailed:
    return TargetFailed("bad-request", f"`{symbol}` cannot be sent: {why}")


# ---------------------------------------------------------------- text


def _blanked(text: str, kept: list[Span]) -> str:
    """`text` with blanks in the place of all but the spans, which are in order; without a blank end."""
    lines = text.split("\n")
    pieces: list[str] = []
    line, column = 1, 1
    for span in kept:
        if span.line > line:
            pieces.append("\n" * (span.line - line))
            column = 1
        pieces.append(" " * (span.column - column))
        if span.line == span.end_line:
            pieces.append(lines[span.line - 1][span.column - 1 : span.end_column - 1])
        else:
            pieces.append(lines[span.line - 1][span.column - 1 :])
            pieces += [f"\n{each}" for each in lines[span.line : span.end_line - 1]]
            pieces.append(f"\n{lines[span.end_line - 1][: span.end_column - 1]}")
        line, column = span.end_line, span.end_column
    return "".join(pieces)
