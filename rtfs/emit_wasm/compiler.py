"""From a unit to a WebAssembly module: which of its functions can become wasm, and their code."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import Final

from rtfs import ir
from rtfs.emit_wasm import calls, control  # noqa: F401 - register emission
from rtfs.emit_wasm import opcodes as op
from rtfs.emit_wasm.artifact import (
    FUNCTIONS_SECTION,
    MOST_BYTES,
    MOST_PARAMETERS,
    SITES_SECTION,
    SourceMap,
    WasmArtifact,
    WasmFunction,
    functions_section,
)
from rtfs.emit_wasm.binary import PAGE_BYTES, Function, Module, Signature, custom
from rtfs.emit_wasm.calls import loops
from rtfs.emit_wasm.emitter import Emitter
from rtfs.emit_wasm.inference import World
from rtfs.emit_wasm.instances import Instance, Key
from rtfs.emit_wasm.kinds import IN_MEMORY, Kind, declared_kinds
from rtfs.emit_wasm.library import Library
from rtfs.emit_wasm.names import Names, defined
from rtfs.emit_wasm.refusal import Refusal, Refused
from rtfs.run import deep_recursion
from rtfs.types.parser import type_text

#: nesting of nodes that compilation can follow
DEPTH: Final = 100_000
#: choices of kinds that are tried for the parameters of one function
_MOST_TRIES: Final = 8


def compile_unit(
    unit: ir.Unit,
    *,
    kept_out: frozenset[int] = frozenset(),
    wanted: Collection[str] | None = None,
    seen: Mapping[str, Sequence[Kind]] | None = None,
) -> WasmArtifact:
    """Compile the functions that a unit defines at its top level, as many as can be.

    Args:
        kept_out: ids of functions that may run elsewhere; neither they nor what calls them becomes wasm.
        wanted: names of the functions to compile; the others are looked at only as these call them.
        seen: by name of a function, kinds of arguments that it was called with: parameters without a type are
            compiled for these.
    """
    with deep_recursion(DEPTH):
        return _Compiler(unit, kept_out, seen or {}).compile(wanted)


@dataclass(frozen=True, slots=True)
class _Made:
    """A module with what belongs to it."""

    module: bytes | None
    source_map: SourceMap
    functions: tuple[WasmFunction, ...]
    copying: frozenset[str] = frozenset()


class _Compiler:
    def __init__(self, unit: ir.Unit, kept_out: frozenset[int], seen: Mapping[str, Sequence[Kind]]) -> None:
        self._unit = unit
        self._names = Names(unit, kept_out)
        self._kept_out = kept_out
        self._seen = seen
        self._world = World(self._names)

    def compile(self, wanted: Collection[str] | None) -> WasmArtifact:
        roots: dict[str, Instance] = {}
        refusals: list[Refusal] = []
        for title, node in defined(self._unit):
            if wanted is not None and title not in wanted:
                continue
            try:
                roots[title] = self._root(node, self._seen.get(title, ()))
            except Refused as refused:
                refusals.append(_refusal(title, node, refused))
            except RecursionError:
                refusals.append(_refusal(title, node, _too_deep()))
        refusals += _others(self._unit, wanted)
        try:
            made = self._module(roots)
        except RecursionError:
            nodes = dict(defined(self._unit))
            refusals += [_refusal(title, nodes[title], _too_deep()) for title in roots]
            made = self._module({})
        if made.module is not None and len(made.module) > MOST_BYTES:
            nodes = dict(defined(self._unit))
            refusals += [_refusal(title, nodes[title], _too_large()) for title in roots]
            made = self._module({})
        return WasmArtifact(
            module=made.module,
            functions=made.functions,
            refusals=tuple(refusals),
            source_map=made.source_map,
            copying=made.copying,
        )

    def _root(self, node: ir.Lambda, seen: Sequence[Kind]) -> Instance:
        """The instance that is exported for a function: the first choice of kinds that can be compiled."""
        if id(node) in self._kept_out:
            raise Refused("the function", "it may run elsewhere")
        if len(node.arities) != 1:
            raise Refused("the function", "it has several parameter lists")
        arity = node.arities[0]
        if arity.rest is not None:
            raise Refused(f"`& {arity.rest.local.name}`", "functions with a rest parameter have no wasm form")
        if len(arity.params) > MOST_PARAMETERS:
            raise Refused("its parameters", f"there are more than {MOST_PARAMETERS}")
        first: Refused | None = None
        choices = [
            _choices(param, seen[index] if len(seen) == len(arity.params) else None)
            for index, param in enumerate(arity.params)
        ]
        for kinds in islice(product(*choices), _MOST_TRIES):
            try:
                return self._world.solve(node, kinds)
            except Refused as refused:
                first = first or refused
        assert first is not None
        raise first

    def _module(self, roots: dict[str, Instance]) -> _Made:
        if not roots:
            return _Made(None, SourceMap(self._unit.source, ()), ())
        instances = self._world.reached(roots.values())
        numbers = {instance.key: number for number, instance in enumerate(instances)}
        library = Library(len(instances))
        exports = {instance.key: title for title, instance in roots.items()}
        copying: set[Key] = set()
        emitted = [self._function(each, numbers, library, exports.get(each.key), copying) for each in instances]
        functions = tuple(self._described(title, instance) for title, instance in roots.items())
        in_memory = library.uses("allocate") or any(_in_memory(each) for each in instances)
        data = library.texts.data() if in_memory else b""
        module = Module(
            functions=[*emitted, *library.functions],
            pages=-(-len(data) // PAGE_BYTES) if in_memory else None,
            data=data,
        )
        encoded, starts = module.encode()
        sites = [
            replace(site, offset=start + site.offset)
            for function, start in zip(emitted, starts, strict=False)
            for site in function.body.sites
        ]
        source_map = SourceMap(self._unit.source, sites)
        sections = ((FUNCTIONS_SECTION, functions_section(functions)), (SITES_SECTION, source_map.encode()))
        return _Made(
            encoded + b"".join(custom(*section) for section in sections),
            source_map,
            functions,
            frozenset(
                title
                for title, root in roots.items()
                if copying and any(each.key in copying for each in self._world.reached([root]))
            ),
        )

    def _function(
        self,
        instance: Instance,
        numbers: dict[Key, int],
        library: Library,
        export: str | None,
        copying: set[Key],
    ) -> Function:
        e = Emitter(instance, self._names, self._world.instances, numbers, library)
        body = instance.arity.body
        if loops(instance):
            with e.block(op.LOOP, instance.result.held) as label:
                own = range(len(instance.arity.params))
                e.loops[instance.arity.label] = label, list(own)
                e.value(body, tail=True)
        else:
            e.value(body, tail=True)
        if e.copies:
            copying.add(instance.key)
        held = tuple(kind.held for _, kind in instance.parameters)
        return Function(Signature(held, (instance.result.held,)), e.body, export)

    def _described(self, title: str, instance: Instance) -> WasmFunction:
        by_id = {id(node): each for each, node in self._names.globals.items()}
        needs = {
            by_id[each.key.function] for each in self._world.reached([instance]) if each.key.function in by_id
        }
        return WasmFunction(
            name=title,
            params=instance.key.arguments,
            result=instance.result,
            needs=tuple(sorted(needs - {title})),
        )


def _in_memory(instance: Instance) -> bool:
    """Whether an instance handles vectors or strings."""
    return not IN_MEMORY.isdisjoint((*instance.kinds.values(), *(kind for _, kind in instance.parameters)))


def _choices(param: ir.Param, seen: Kind | None) -> Sequence[Kind]:
    found = declared_kinds(param.type)
    if seen is not None and (seen in found or param.type is None):
        return (seen,)
    if not found:
        assert param.type is not None
        reason = "parameters may be int, float, bool, string, or vectors of numbers"
        raise Refused(f"the type `{type_text(param.type)}` of parameter `{param.local.name}`", reason)
    return found


def _too_deep() -> Refused:
    return Refused("its body", "it, or another function of the program, nests too deeply")


def _too_large() -> Refused:
    return Refused("its module", f"with all that the functions call it has more than {MOST_BYTES} bytes")


def _refusal(title: str, node: ir.Lambda, refused: Refused) -> Refusal:
    return Refusal(
        function=title,
        construct=refused.construct,
        reason=refused.reason,
        span=refused.span or node.span,
    )


def _others(unit: ir.Unit, wanted: Collection[str] | None) -> Iterable[Refusal]:
    """Functions that are defined otherwise than for good, at the top level."""
    for form in unit.forms:
        match form:
            case ir.Def(name=title, value=ir.Lambda() as node) if title not in unit.stable or form.type:
                if wanted is None or title in wanted:
                    reason = "its name is not defined once, for good"
                    yield Refusal(function=title, construct="the definition", reason=reason, span=node.span)
            case ir.ModuleForm(name=module, body=body) if wanted is None:
                for inner in body:
                    if isinstance(inner, ir.Def) and isinstance(inner.value, ir.Lambda):
                        title = f"{module}/{inner.name}"
                        reason = "functions of a `module` form stay with Python"
                        yield Refusal(
                            function=title, construct="`module`", reason=reason, span=inner.value.span
                        )
            case _:
                pass
