"""Names in programs: what a top-level form defines, and what it mentions or refers to.

Judged by the text and by the code that was made of it, macros expanded. Of `alias/name`, and for modules and
imports as a whole, `alias/` is a name as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from rtfs import ir
from rtfs.forms import MetaForm
from rtfs.ir_walk import children
from rtfs.values import Keyword, List, Map, Set, Symbol, Value, Vector

_DEFMACRO: Final = Symbol.of("defmacro")


def mentioned(form: Value) -> Iterator[str]:
    """Names of all symbols and keywords in a form; of `alias/name` the alias too, as `alias/`."""
    todo = [form]
    while todo:
        each = todo.pop()
        kind = type(each)
        if kind is Symbol or kind is Keyword:
            yield each.name
            module, slash, _ = each.name.rpartition("/")
            if slash:
                yield f"{module}/"
        elif kind is Map:
            todo += [part for entry in each.items() for part in entry]
        elif kind in (List, Vector, Set):
            todo += each.to_list()
        elif kind is MetaForm:
            todo.append(each.form)
            todo += [part for entry in each.entries for part in entry]


def referred(node: ir.Node) -> Iterator[str]:
    """Names that code refers to, where macros may have put them."""
    for each in nodes_of([node]):
        if isinstance(each, ir.GlobalRef):
            yield each.name
        elif isinstance(each, ir.QualifiedRef | ir.Import):
            yield f"{each.module}/"


def defined(form: Value, node: ir.Node) -> Iterator[str]:
    """Names that a top-level form defines; `m/` stands for the module m, or what is imported as m."""
    for each in outside_functions(node):
        if isinstance(each, ir.Def | ir.DefType):
            yield each.name
        elif isinstance(each, ir.ModuleForm):
            yield f"{each.name}/"
        elif isinstance(each, ir.Import):
            yield f"{each.module}/"
            for _, name in each.names:
                yield name
                alias, slash, _ = name.rpartition("/")
                if slash:
                    yield f"{alias}/"
    yield from _macros(form)


def _macros(form: Value) -> Iterator[str]:
    """Names of the macros that a form defines, wherever in it."""
    todo = [form]
    while todo:
        each = todo.pop()
        if type(each) is MetaForm:
            todo.append(each.form)
        elif type(each) is List and len(each):
            parts = each.to_list()
            if parts[0] is _DEFMACRO and len(parts) > 1:
                name = parts[1].form if type(parts[1]) is MetaForm else parts[1]
                if type(name) is Symbol:
                    yield name.name
            todo += parts


def nodes_of(nodes: Iterable[ir.Node]) -> Iterator[ir.Node]:
    """`nodes` and all below them."""
    todo = list(nodes)
    while todo:
        node = todo.pop()
        yield node
        todo.extend(children(node))


def outside_functions(node: ir.Node) -> Iterator[ir.Node]:
    """What runs when the form does: neither bodies of functions nor of modules."""
    todo = [node]
    while todo:
        each = todo.pop()
        yield each
        if not isinstance(each, ir.Lambda | ir.ModuleForm):
            todo.extend(children(each))
