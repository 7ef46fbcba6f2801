"""IR as text, for people: `rtfs compile --emit ir` and `:ir`.

Written like RTFS, one form per node. A local is `name_id`, a label `L3`; a global, a builtin and a call of one
are just their names; what has no syntax of its own is a form in braces, such as `{primitive item v_2 0}`. A
function or call that may reach a delegated function is marked `~`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from rtfs import ir
from rtfs.delegation import DelegationHint
from rtfs.printer import pr_str
from rtfs.run import deep_recursion
from rtfs.types.model import Type
from rtfs.types.text import type_text
from rtfs.values import Value

WIDTH: Final = 100
#: forms nested deeper than this are indented no further
MAX_INDENT: Final = 40
#: how deep IR may nest
MAX_DEPTH: Final = 100_000


class Form:
    """A form as text: opening bracket, parts, closing bracket. `size` is its length on one line."""

    __slots__ = ("brackets", "parts", "size")
    size: int

    def __init__(self, brackets: str, parts: Iterable[Form | str]) -> None:
        self.brackets = brackets
        self.parts = list(parts)
        sizes = [part.size if isinstance(part, Form) else len(part) for part in self.parts]
        self.size = sum(sizes) + max(len(sizes) - 1, 0) + 2


type Text = Form | str


def ir_text(unit: ir.Unit) -> str:
    """The unit as readable text, one top-level form after the other."""
    head = [f"; {unit.source}"]
    if unit.defines:
        marks = [name if name in unit.stable else f"{name} (redefinable)" for name in unit.defines]
        head.append(f"; defines {' '.join(marks)}")
    head += [f"; needs module {name} {digest}" for name, digest in unit.dependencies]
    with deep_recursion(MAX_DEPTH):
        body = [node_text(form) for form in unit.forms]
    return "\n".join([*head, *body]) + "\n"


def node_text(node: ir.Node) -> str:
    """One node as readable text."""
    lines: list[str] = []
    _lay_out(_node(node), "", 0, lines)
    return "\n".join(lines)


def _lay_out(text: Text, before: str, depth: int, lines: list[str]) -> None:
    """Append `before` and `text` as lines: as one if it fits, else one for each part."""
    indent = "  " * min(depth, MAX_INDENT)
    if isinstance(text, str) or len(indent) + len(before) + text.size <= WIDTH:
        lines.append(f"{indent}{before}{_flat(text)}")
        return
    opening, closing = text.brackets[0], text.brackets[1]
    parts = iter(text.parts)
    first = f"{before}{opening}"
    for part in parts:  # leading atoms stand beside the bracket
        if isinstance(part, Form):
            lines.append(f"{indent}{first.rstrip()}")
            _lay_out(part, "", depth + 1, lines)
            break
        first += f"{part} "
    else:
        lines.append(f"{indent}{first.rstrip()}")
    for part in parts:
        _lay_out(part, "", depth + 1, lines)
    lines[-1] += closing


def _flat(text: Text) -> str:
    """On one line."""
    if isinstance(text, str):
        return text
    return text.brackets[0] + " ".join([_flat(part) for part in text.parts]) + text.brackets[1]


# ---------------------------------------------------------------- nodes


def _form(*parts: Text) -> Form:
    return Form("()", parts)


def _special(*parts: Text) -> Form:
    return Form("{}", parts)


def _vector(parts: Iterable[Text]) -> Form:
    return Form("[]", parts)


def _node(node: ir.Node) -> Text:
    return _WRITERS[type(node)](node)


def _nodes(nodes: Iterable[ir.Node]) -> list[Text]:
    return [_node(node) for node in nodes]


def _local(local: ir.Local) -> str:
    return f"{local.name}_{local.id}"


def _typed(name: str, type_: Type | None) -> list[Text]:
    return [name] if type_ is None else [name, ":", type_text(type_)]


def _bindings(bindings: Iterable[ir.Binding]) -> Form:
    return _vector(
        [
            part
            for binding in bindings
            for part in (*_typed(_local(binding.local), binding.type), _node(binding.value))
        ]
    )


def _metadata(doc: str | None, metadata: Iterable[tuple[str, Value]]) -> list[Text]:
    found: list[Text] = [] if doc is None else [pr_str(doc)]
    return found + [f"^{{:{name} {pr_str(value)}}}" for name, value in metadata]


def _hint(hint: DelegationHint | None) -> list[Text]:
    if hint is None:
        return []
    return [f"^:delegation {hint.kind}" if hint.id is None else f"^:delegation {hint.kind} {pr_str(hint.id)}"]


def _param(param: ir.Param) -> list[Text]:
    return [*_metadata(None, param.metadata), *_typed(_local(param.local), param.type)]


def _arity(arity: ir.Arity, brackets: bool) -> list[Text]:
    params = [part for each in arity.params for part in _param(each)]
    if arity.rest is not None:
        params += ["&", *_param(arity.rest)]
    parts: list[Text] = [f"L{arity.label}", _vector(params)]
    if arity.returns is not None:
        parts += [":", type_text(arity.returns)]
    parts.append(_node(arity.body))
    return [_form(*parts)] if brackets else parts


def _lambda(node: ir.Lambda) -> Text:
    parts: list[Text] = ["fn~" if node.may_delegate else "fn", *_hint(node.hint)]
    if node.name is not None:
        parts.append(node.name if node.self_local is None else f"{node.name}={_local(node.self_local)}")
    elif node.self_local is not None:
        parts.append(_local(node.self_local))
    parts += _metadata(node.doc, node.metadata)
    several = len(node.arities) > 1
    for arity in node.arities:
        parts += _arity(arity, several)
    return _form(*parts)


def _apply(node: ir.Apply) -> Text:
    return _form(*(["~"] if node.may_delegate else []), _node(node.fn), *_nodes(node.args))


def _clause(clause: ir.Clause) -> list[Text]:
    match clause:
        case ir.Iterate(local=local, coll=coll):
            return [_local(local), _node(coll)]
        case ir.LetClause(bindings=bindings):
            return [":let", _bindings(bindings)]
        case ir.When(test=test):
            return [":when", _node(test)]
        case ir.While(test=test):
            return [":while", _node(test)]


def _for(node: ir.For) -> Text:
    clauses = [part for clause in node.clauses for part in _clause(clause)]
    return _form("for" if node.collect else "doseq", _vector(clauses), _node(node.body))


def _def(node: ir.Def) -> Text:
    return _form("def", *_typed(node.name, node.type), *_metadata(node.doc, node.metadata), _node(node.value))


def _struct(node: ir.StructOf) -> Text:
    fields = [f":{each.key} {type_text(each.type)}{' ?' if each.optional else ''}" for each in node.fields]
    return _special("struct", node.name, *fields)


def _module(node: ir.ModuleForm) -> Text:
    doc = [] if node.docstring is None else [pr_str(node.docstring)]
    return _form("module", node.name, *doc, f"(:exports [{' '.join(node.exports)}])", *_nodes(node.body))


def _selector(selector: ir.Selector) -> str:
    match selector:
        case ir.CatchAll():
            return "_"
        case ir.CatchCategory(name=name, categories=categories):
            return name if categories == (name,) else f"{name}={'|'.join(categories)}"
        case ir.CatchThrown(type=type_):
            return pr_str(type_)


def _catch(clause: ir.Catch) -> Text:
    also = [] if clause.also is None else [_local(clause.also)]
    return _form("catch", _selector(clause.selector), _local(clause.local), *also, _node(clause.body))


def _try(node: ir.Try) -> Text:
    final = [] if node.final is None else [_form("finally", _node(node.final))]
    return _form("try", _node(node.body), *[_catch(clause) for clause in node.catches], *final)


def _pairs(pairs: Iterable[tuple[str, ir.Node]]) -> list[Text]:
    return [part for name, value in pairs for part in (f":{name}", _node(value))]


def _step(node: ir.Step) -> Text:
    parts: list[Text] = [node.kind, _node(node.name), *_pairs(node.options)]
    if node.params is not None:
        local = [] if node.params_local is None else [f"{_local(node.params_local)}="]
        parts += [":params", *local, Form("{}", _pairs(node.params))]
    return _form(*parts, _node(node.body))


def _constant(node: ir.Constant) -> Text:
    text = pr_str(node.value)
    return f"'{text}" if text[:1] == "(" or (text[:1].isalpha() and text not in _NAMED) else text


#: constants that look like symbols
_NAMED: Final = frozenset(("nil", "true", "false"))


_WRITERS: Final[dict[type[ir.Node], Callable[[Any], Text]]] = {
    ir.Constant: _constant,
    ir.LocalRef: lambda node: _local(node.local),
    ir.GlobalRef: lambda node: node.name,
    ir.BuiltinRef: lambda node: node.name,
    ir.QualifiedRef: lambda node: f"{node.module}/{node.name}",
    ir.DynamicRef: lambda node: _special("dynamic?" if node.or_nil else "dynamic", node.name),
    ir.If: lambda node: _form("if", _node(node.test), _node(node.then), _node(node.otherwise)),
    ir.Do: lambda node: _form("do", *_nodes(node.items)),
    ir.Let: lambda node: _form("let", _bindings(node.bindings), _node(node.body)),
    ir.And: lambda node: _form("and", *_nodes(node.items)),
    ir.Or: lambda node: _form("or", *_nodes(node.items)),
    ir.Loop: lambda node: _form("loop", f"L{node.label}", _bindings(node.bindings), _node(node.body)),
    ir.Recur: lambda node: _form("recur", f"L{node.label}", *_nodes(node.args)),
    ir.For: _for,
    ir.Lambda: _lambda,
    ir.Apply: _apply,
    ir.Primitive: lambda node: _special("primitive", node.name, *_nodes(node.args)),
    ir.Cast: lambda node: _special("cast", type_text(node.type), _node(node.value)),
    ir.IsType: lambda node: _special("is-type", type_text(node.type), _node(node.value)),
    ir.VectorOf: lambda node: _vector(_nodes(node.items)),
    ir.ListOf: lambda node: _special("list", *_nodes(node.items)),
    ir.SetOf: lambda node: _special("set", *_nodes(node.items)),
    ir.MapOf: lambda node: Form("{}", [_node(part) for entry in node.entries for part in entry]),
    ir.Def: _def,
    ir.LocalDef: lambda node: _form("def", *_typed(_local(node.local), node.type), _node(node.value)),
    ir.DefType: lambda node: _form("deftype", node.name, type_text(node.type)),
    ir.StructOf: _struct,
    ir.ModuleForm: _module,
    ir.Import: lambda node: _form("import", node.module, *[f"{export}={name}" for export, name in node.names]),
    ir.Try: _try,
    ir.Step: _step,
    ir.Hinted: lambda node: _special("hinted", *_pairs(node.hints), _node(node.body)),
    ir.Async: lambda node: _form("async", _node(node.body)),
    ir.Race: lambda node: _form("race", *_nodes(node.items)),
}
