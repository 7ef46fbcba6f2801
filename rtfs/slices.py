"""A function by itself: the definitions of its unit that it needs, and what tells them apart from all others.

A *slice* is a unit of definitions alone, from which the function comes out as it is in its program. It is
what is published, compiled elsewhere, and compared: two functions whose slices have one hash do the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from rtfs import ir
from rtfs.delegation import LocalPure
from rtfs.errors import Span
from rtfs.ir_walk import children
from rtfs.namespace import STDLIB
from rtfs.run import Limits
from rtfs.values import Value

if TYPE_CHECKING:
    from rtfs.program import BackendName, Program


#: what the definitions beside a function may take; they are values that somebody wrote down, mostly
LOADING: Final = Limits(deadline_s=5.0, allocation_bytes=256 << 20)


class NotSliced(Exception):
    """A function cannot stand by itself: why, and where."""

    def __init__(self, symbol: str, reason: str, span: Span | None = None) -> None:
        super().__init__(f"{symbol}: {reason}")
        self.symbol = symbol
        self.reason = reason
        self.span = span


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A function and all that it needs, as a unit that defines nothing else."""

    #: qualified name of the function
    symbol: str
    unit: ir.Unit

    @property
    def module(self) -> str | None:
        """The module in which it is; None: the unit itself."""
        return _module_in(self.unit, self.symbol)

    @property
    def lambda_(self) -> ir.Lambda:
        """The function."""
        return dict(Reach(self.unit).functions())[self.symbol]

    @property
    def digest(self) -> str:
        """`FunctionInfo.body_hash` of the function."""
        return Reach(self.unit).digest(self.symbol)

    def program(self) -> Program:
        """A program whose value is the function."""
        from rtfs.analyze.environment import Environment
        from rtfs.program import Program

        module = self.module
        name = self.symbol if module is None else self.symbol.removeprefix(f"{module}/")
        last = ir.GlobalRef(name) if module is None else ir.QualifiedRef(module, name)
        forms = (_exporting(form, name) if _is_module(form, module) else form for form in self.unit.forms)
        return Program(replace(self.unit, forms=(*forms, last)), "", Environment())

    def function(self, backend: BackendName = "python") -> Value:
        """The function itself, made in a run of its own with no host, no delegate and little time.

        Raises:
            RtfsError: what one of its definitions raises.
        """
        return self.program().link(backend=backend).run(limits=LOADING)


class Reach:
    """What the functions of a unit reach at its top level, and at the top level of modules in it.

    Args:
        hashes: content hash of a lambda by its id, where it is known already.
    """

    def __init__(self, unit: ir.Unit, hashes: Mapping[int, str] | None = None) -> None:
        self._unit = unit
        self._hashes = hashes or {}
        #: forms by the qualified name that they define
        self._forms: dict[str, list[_Place]] = {}
        self._needs: dict[int, frozenset[str]] = {}
        self._digests: dict[int, str] = {}
        self._places = [place for form in unit.forms for place in _places(form)]
        self._modules = {form.name for form in unit.forms if isinstance(form, ir.ModuleForm)}
        #: names that are defined inside other forms, and may come to be defined or not
        self._hidden = set[str]()
        for place in self._places:
            names = place.names
            for name in names:
                self._forms.setdefault(name, []).append(place)
            if not names:
                self._hidden.update(place.named(name) for name in _defs_below(place.form))

    def functions(self) -> Iterator[tuple[str, ir.Lambda]]:
        """The functions that the unit or a module form in it defines, by symbol."""
        for place in self._places:
            if isinstance(place.form, ir.Def) and isinstance(place.form.value, ir.Lambda):
                yield place.named(place.form.name), place.form.value

    def slice(self, symbol: str) -> tuple[ir.Node, ...]:
        """The top-level forms that a function needs, its own among them, in order; of a module what it needs.

        Raises:
            NotSliced: it needs something else, or is none of this unit.
        """
        found = {id(place.form) for place in self._reached(symbol)}
        forms: list[ir.Node] = []
        for form in self._unit.forms:
            if isinstance(form, ir.ModuleForm):
                kept = tuple(each for each in form.body if id(each) in found)
                if kept:
                    forms.append(_cut(form, kept))
            elif id(form) in found:
                forms.append(form)
        return tuple(forms)

    def digest(self, symbol: str) -> str:
        """SHA-256, hex, of all that a function needs; empty if it cannot stand by itself.

        Hashed are `b1`, the symbol, and of each definition in its slice, in order, the names that it defines
        and a content hash.
        """
        try:
            places = self._reached(symbol)
        except NotSliced:
            return ""
        return sha256(" ".join(["b1", symbol, *map(self._digest, places)]).encode()).hexdigest()

    def _reached(self, symbol: str) -> list[_Place]:
        """The definitions that a function needs, and all types beside them, in order. Raises NotSliced."""
        found, modules = set[int](), set[str | None]({None})
        todo, seen = [symbol], set[str]()
        while todo:
            name = todo.pop()
            if name in seen:
                continue
            seen.add(name)
            places = self._forms.get(name, [])
            if not places and name == symbol:
                raise NotSliced(symbol, "it is no function at the top level")
            if len(places) > 1:
                raise NotSliced(symbol, f"`{name}` is defined more than once", places[1].form.span)
            if name in self._hidden:
                raise NotSliced(symbol, f"`{name}` is defined inside another form")
            for place in places:
                found.add(id(place.form))
                modules.add(place.module)
                todo += self._needed(place, symbol)
        # which types a function needs is seldom worth finding out
        return [
            place
            for place in self._places
            if id(place.form) in found or (place.module in modules and _defines_type(place.form))
        ]

    def _digest(self, place: _Place) -> str:
        form = place.form
        known = self._digests.get(id(form))
        if known is None:
            hashed = form
            if isinstance(form, ir.Def) and isinstance(form.value, ir.Lambda) and form.type is None:
                hashed = form.value  # whose hash is often known
            inner = self._hashes.get(id(hashed))
            if inner is None:
                from rtfs.ir_codec import content_hash

                inner = content_hash(hashed)
            known = self._digests[id(form)] = " ".join((*place.names, inner))
        return known

    def _needed(self, place: _Place, symbol: str) -> frozenset[str]:
        """Qualified names of what a definition refers to. Raises NotSliced."""
        known = self._needs.get(id(place.form))
        if known is None:
            known = self._needs[id(place.form)] = frozenset(self._references(place, symbol))
        return known

    def _references(self, place: _Place, symbol: str) -> Iterator[str]:
        todo = [place.form]
        while todo:
            node = todo.pop()
            match node:
                case ir.GlobalRef(name=name):
                    yield place.named(name)
                case ir.QualifiedRef(module=module, name=name) if module != STDLIB:
                    yield self._in_module(module, name, node, symbol)
                case ir.Import(module=module, names=names) if module != STDLIB:
                    for name, _ in names:
                        yield self._in_module(module, name, node, symbol)
                case ir.ModuleForm(name=name):
                    raise NotSliced(symbol, f"the module `{name}` is made while it runs", node.span)
                case _:
                    pass
            todo.extend(children(node))

    def _in_module(self, module: str, name: str, node: ir.Node, symbol: str) -> str:
        if module not in self._modules:
            raise NotSliced(symbol, f"it needs the module `{module}`", node.span)
        return f"{module}/{name}"


@dataclass(frozen=True, slots=True)
class _Place:
    """A form at the top level of a unit, or of a module form in it."""

    module: str | None
    form: ir.Node

    def named(self, name: str) -> str:
        """The qualified name of what is `name` here."""
        return name if self.module is None else f"{self.module}/{name}"

    @property
    def names(self) -> tuple[str, ...]:
        """Qualified names of what the form certainly defines; none if it does anything else."""
        return tuple(map(self.named, _defined_by(self.form)))


def _places(form: ir.Node) -> Iterator[_Place]:
    if isinstance(form, ir.ModuleForm):
        yield from (_Place(form.name, each) for each in form.body)
    else:
        yield _Place(None, form)


def _cut(form: ir.ModuleForm, body: tuple[ir.Node, ...]) -> ir.ModuleForm:
    """A module with a part of its body."""
    names = [name for each in body for name in _defined_by(each)]
    exports = tuple(each for each in form.exports if each in names)
    return replace(form, exports=exports, defines=tuple(dict.fromkeys(names)), body=body)


def slice_of(program: Program, symbol: str) -> Slice:
    """A function of `program`, or of a module file that it uses, by itself.

    Args:
        symbol: its qualified name, as in `FunctionInfo`.

    Raises:
        NotSliced: it needs more than definitions of its own file, or is not found.
        RtfsError: what the text of its module is refused for.
    """
    module = symbol.rpartition("/")[0]
    unit = program.unit
    if module and _module_in(unit, symbol) is None:
        unit = program.module_unit(module) or unit
    return slice_in(unit, symbol)


def slice_in(unit: ir.Unit, symbol: str) -> Slice:
    """A function that `unit` defines, by itself. Raises NotSliced."""
    forms = Reach(unit).slice(symbol)
    names = [name for form in forms for name in _defined_by(form)]
    made = ir.Unit(
        source=unit.source,
        forms=forms,
        defines=tuple(dict.fromkeys(names)),
        stable=frozenset(names) & unit.stable,
    )
    return Slice(symbol=symbol, unit=made)


def impurity_of(part: Slice) -> NotSliced | None:
    """What in a slice asks anything but its arguments: a host, the run's arguments, another machine.

    None: the function gives the same for the same, wherever it runs.
    """
    from rtfs.function_info import capabilities_in

    for node, found in capabilities_in(part.unit):
        title = f"`{node.name}`" if node.name else "a function in it"
        if found:
            named = ", ".join(f"`{each}`" for each in sorted(found - {"*"})) or "capabilities"
            return NotSliced(part.symbol, f"{title} calls {named}", node.span)
        if node.hint is not None and not isinstance(node.hint.to_exec_target(), LocalPure):
            return NotSliced(part.symbol, f"{title} is delegated", node.span)
    todo: list[ir.Node] = list(part.unit.forms)
    while todo:
        below = todo.pop()
        match below:
            case ir.DynamicRef(name=name):
                return NotSliced(part.symbol, f"`{name}` comes from outside", below.span)
            case ir.Step() | ir.Hinted() | ir.Async() | ir.Race():
                return NotSliced(part.symbol, "steps and what overlaps belong to a run", below.span)
            case _:
                todo.extend(children(below))
    return None


def _defined_by(form: ir.Node) -> tuple[str, ...]:
    """What a form of a unit certainly defines, and does nothing else; none for any other form."""
    match form:
        case ir.Def(name=name):
            return (name,)
        case ir.Import(names=names):
            return tuple(as_ for _, as_ in names)
        case ir.Do(items=items) if all(isinstance(each, ir.Def | ir.DefType) for each in items):
            return tuple(each.name for each in items if isinstance(each, ir.Def))  # `defstruct`
        case _:
            return ()


def _defines_type(form: ir.Node) -> bool:
    items = form.items if isinstance(form, ir.Do) and _defined_by(form) else (form,)
    return any(isinstance(each, ir.DefType) for each in items)


def _defs_below(form: ir.Node) -> Iterator[str]:
    todo = [form]
    while todo:
        node = todo.pop()
        if isinstance(node, ir.Def):
            yield node.name
        todo.extend(children(node))


def _is_module(form: ir.Node, name: str | None) -> bool:
    return isinstance(form, ir.ModuleForm) and form.name == name


def _exporting(form: ir.Node, name: str) -> ir.Node:
    """A module that lets others have `name`, too."""
    assert isinstance(form, ir.ModuleForm)
    return form if name in form.exports else replace(form, exports=(*form.exports, name))


def _module_in(unit: ir.Unit, symbol: str) -> str | None:
    """The module that a form of `unit` makes, and in which `symbol` is."""
    module, _, name = symbol.rpartition("/")
    for form in unit.forms:
        if isinstance(form, ir.ModuleForm) and form.name == module and name in form.defines:
            return module
    return None
