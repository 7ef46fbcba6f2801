"""What an engine is told about the functions of a unit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from rtfs import ir
from rtfs.capabilities import BUILTIN_CAPABILITIES
from rtfs.delegation import FunctionInfo
from rtfs.ir_walk import children
from rtfs.namespace import STDLIB
from rtfs.slices import Reach
from rtfs.values import Keyword

if TYPE_CHECKING:
    from rtfs.types.model import Type

#: stands for capabilities that are known only when they are called
ANY_CAPABILITY: Final = frozenset({"*"})


def functions_of(unit: ir.Unit) -> Iterator[tuple[ir.Lambda, FunctionInfo]]:
    """Every function of `unit`, with what is known about it by itself: all but the labels."""
    capabilities = _Capabilities(unit)
    aliases = _aliases(unit)
    todo: list[tuple[ir.Node, str | None]] = [(form, None) for form in reversed(unit.forms)]
    found: list[tuple[ir.Lambda, FunctionInfo]] = []
    while todo:
        node, module = todo.pop()
        if isinstance(node, ir.ModuleForm):
            module = node.name
        if isinstance(node, ir.Lambda):
            found.append((node, describe(node, module, capabilities.of(node), aliases.get(module))))
        todo.extend((child, module) for child in reversed(list(children(node))))
    reach = Reach(unit, {id(node): info.ir_hash for node, info in found})
    named = {id(node): symbol for symbol, node in reach.functions()}
    for node, info in found:
        symbol = named.get(id(node))
        yield node, info if symbol is None else replace(info, body_hash=reach.digest(symbol))


def loaded_by(unit: ir.Unit) -> frozenset[str]:
    """Names of the modules that running `unit` may load; those that it defines are there already."""
    used, defined = set[str](), set[str]()
    for node in _nodes(unit):
        if isinstance(node, ir.Import | ir.QualifiedRef):
            used.add(node.module)
        elif isinstance(node, ir.ModuleForm):
            defined.add(node.name)
    return frozenset(used - defined)


def _nodes(unit: ir.Unit) -> Iterator[ir.Node]:
    todo = list(unit.forms)
    while todo:
        node = todo.pop()
        yield node
        todo.extend(children(node))


def describe(
    node: ir.Lambda,
    module: str | None,
    capabilities: frozenset[str] = frozenset(),
    aliases: Mapping[str, Type] | None = None,
) -> FunctionInfo:
    """The facts about one function. Of several arities the first counts; what they return may be `any`.

    Args:
        aliases: the type names of its module.
    """
    from rtfs.ir_codec import content_hash
    from rtfs.types.parser import type_text

    arity = node.arities[0]
    params = [*arity.params, *([arity.rest] if arity.rest else [])]
    returns = {each.returns for each in node.arities}
    name = node.name
    if name is None:
        name = f"fn@{node.span.line}:{node.span.column}" if node.span else "fn"
    return FunctionInfo(
        symbol=f"{module}/{name}" if module else name,
        doc=node.doc,
        parameters=tuple(param.local.name for param in params),
        parameter_types=tuple("any" if param.type is None else type_text(param.type) for param in params),
        return_type="any" if arity.returns is None or len(returns) > 1 else type_text(arity.returns),
        hint=node.hint,
        metadata=dict(node.metadata),
        ir_hash=content_hash(node),
        capabilities=capabilities,
        variadic=arity.rest is not None or len(node.arities) > 1,
        **_reached([*(param.type for param in params), arity.returns if len(returns) == 1 else None], aliases),
    )


def _reached(declared: Iterable[Type | None], aliases: Mapping[str, Type] | None) -> dict[str, Any]:
    """The `aliases` of a function that declares these types; nothing where there are none."""
    if not aliases:
        return {}
    from rtfs.types.parser import type_text
    from rtfs.types.walk import reached_aliases

    found: dict[str, str] = {}
    for type_ in declared:
        if type_ is not None:
            reached = reached_aliases(type_, aliases)
            found.update((name, type_text(known)) for name, known in reached.items() if known is not None)
    return {"aliases": dict(sorted(found.items()))} if found else {}


def _aliases(unit: ir.Unit) -> dict[str | None, dict[str, Type]]:
    """The type names of each module of the unit, of the program under None; none that is defined twice."""
    found: dict[str | None, dict[str, Type]] = {}
    twice: set[tuple[str | None, str]] = set()
    todo: list[tuple[ir.Node, str | None]] = [(form, None) for form in unit.forms]
    while todo:
        node, module = todo.pop()
        if isinstance(node, ir.ModuleForm):
            module = node.name
        if isinstance(node, ir.DefType):
            known = found.setdefault(module, {})
            if known.setdefault(node.name, node.type) != node.type:
                twice.add((module, node.name))
        todo.extend((child, module) for child in children(node))
    for module, name in twice:
        del found[module][name]
    return found


# ---------------------------------------------------------------- capabilities


class _Capabilities:
    """Which capabilities the functions of a unit call, each by itself: what it calls has its own."""

    def __init__(self, unit: ir.Unit) -> None:
        #: id of lambda → what its body calls, functions made in it included
        self._found: dict[int, frozenset[str]] = {}
        library = _library_names(unit)
        around: list[tuple[int, set[str]]] = []
        todo: list[ir.Node | None] = list(unit.forms)
        while todo:
            node = todo.pop()
            if node is None:  # the end of the innermost function
                key, found = around.pop()
                self._found[key] = frozenset(found)
                if around:
                    around[-1][1].update(found)
                continue
            if around:
                around[-1][1].update(_called(node, library))
            if isinstance(node, ir.Lambda):
                around.append((id(node), set()))
                todo.append(None)
            todo.extend(_looked_into(node, library))

    def of(self, node: ir.Lambda) -> frozenset[str]:
        return self._found[id(node)]


def capabilities_in(unit: ir.Unit) -> Iterator[tuple[ir.Lambda, frozenset[str]]]:
    """Every function of `unit`, and which capabilities its body calls by itself."""
    capabilities = _Capabilities(unit)
    for node in _nodes(unit):
        if isinstance(node, ir.Lambda):
            yield node, capabilities.of(node)


def _library_names(unit: ir.Unit) -> Mapping[str, str]:
    """Globals of the unit that stand for builtins by import, and these."""
    return {
        as_: _full_name(node.module, name)
        for node in _nodes(unit)
        if isinstance(node, ir.Import)
        for name, as_ in node.names
    }


def _full_name(module: str, name: str) -> str:
    return name if module == STDLIB else f"{module}/{name}"


def _builtin_name(node: ir.Node, library: Mapping[str, str]) -> str | None:
    """The builtin that a reference means, or may mean as long as the program's own is not defined."""
    match node:
        case ir.BuiltinRef(name=name):
            return name
        case ir.GlobalRef(name=name):
            return library.get(name, name)
        case ir.QualifiedRef(module=module, name=name):
            return _full_name(module, name)
        case _:
            return None


def _called(node: ir.Node, library: Mapping[str, str]) -> frozenset[str]:
    """The capabilities that a node calls, or whatever uses the value of a node that is a reference."""
    if isinstance(node, ir.Apply) and _builtin_name(node.fn, library) == "call":
        capability = node.args[0].value if node.args and isinstance(node.args[0], ir.Constant) else None
        if type(capability) is Keyword:
            return frozenset({capability.name})
        return frozenset({capability}) if type(capability) is str else ANY_CAPABILITY
    name = _builtin_name(node, library)
    if name == "call":  # handed on as a value
        return ANY_CAPABILITY
    return frozenset() if name is None else BUILTIN_CAPABILITIES.get(name, frozenset())


def _looked_into(node: ir.Node, library: Mapping[str, str]) -> list[ir.Node]:
    """The children of `node`; the callee of a `call` is no value that is handed on."""
    if isinstance(node, ir.Apply) and _builtin_name(node.fn, library) == "call":
        return list(node.args)
    return list(children(node))
