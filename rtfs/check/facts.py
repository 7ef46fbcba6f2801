"""What the static checker collects about a whole unit before it infers any type."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from rtfs import ir
from rtfs.ir_walk import children
from rtfs.types import model as types
from rtfs.types.model import Type

_ANY = types.Primitive("any")


@dataclass(slots=True)
class Facts:
    """Of the unit, modules inside it included."""

    #: ids of locals that are read
    used: set[int] = field(default_factory=set)
    #: ids of locals that a `def` inside a frame assigns
    assigned: set[int] = field(default_factory=set)
    #: every local name, for hints
    local_names: set[str] = field(default_factory=set)
    #: type names; of one that is defined more than once only that it exists
    aliases: dict[str, Type] = field(default_factory=dict)
    #: functions and struct constructors that calls of a global certainly reach
    functions: dict[str, ir.Lambda | ir.StructOf] = field(default_factory=dict)


def collect(unit: ir.Unit) -> Facts:
    """The facts of `unit`."""
    facts = Facts()
    todo: list[ir.Node] = list(unit.forms)
    while todo:
        node = todo.pop()
        match node:
            case ir.LocalRef(local):
                facts.used.add(local.id)
                facts.local_names.add(local.name)
            case ir.LocalDef(local):
                facts.assigned.add(local.id)
            case ir.DefType(name, type_):
                facts.aliases[name] = _ANY if name in facts.aliases else type_
            case _:
                pass
        todo.extend(children(node))
    defined = [form for form in _top_level(unit.forms) if isinstance(form, ir.Def)]
    counts = Counter(form.name for form in defined)
    for form in defined:
        value = form.value
        certain = form.name in unit.stable if isinstance(value, ir.Lambda) else counts[form.name] == 1
        if certain and isinstance(value, ir.Lambda | ir.StructOf):
            facts.functions[form.name] = value
    return facts


def _top_level(forms: tuple[ir.Node, ...]) -> list[ir.Node]:
    """The forms, those inside a top-level `do` included."""
    found: list[ir.Node] = []
    for form in forms:
        found += _top_level(form.items) if isinstance(form, ir.Do) else [form]
    return found


def locals_read(node: ir.Node, most: int = 1000) -> set[int] | None:
    """Ids of the locals that `node` reads; None if it has more than `most` nodes."""
    found: set[int] = set()
    todo = [node]
    for _ in range(most):
        if not todo:
            return found
        node = todo.pop()
        if isinstance(node, ir.LocalRef):
            found.add(node.local.id)
        todo.extend(children(node))
    return None


#: builtins that tell nothing about the kind of a value beyond what their result says
_TELLS_NO_KIND = frozenset(
    (
        "<",
        ">",
        "<=",
        ">=",
        "not",
        "+",
        "-",
        "*",
        "mod",
        "rem",
        "even?",
        "odd?",
        "zero?",
        "pos?",
        "neg?",
        "count",
    )
)


def tells_no_kind(node: ir.Node) -> bool:
    """Whether the outcome of the test `node` leaves open of what kind the values in it are."""
    todo = [node]
    while todo:
        node = todo.pop()
        match node:
            case ir.Constant() | ir.LocalRef() | ir.And() | ir.Or() | ir.Apply():
                pass
            case ir.BuiltinRef(name) if name in _TELLS_NO_KIND:
                pass
            case _:
                return False
        todo.extend(children(node))
    return True
