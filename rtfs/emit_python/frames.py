"""What holds of the forms of a unit or module whichever of its functions are delegated.

A form's code depends on routing only through the functions inside that form: what another form's function
returns is known by its declared type alone, which a stub's answers have too, and its entry without checks is
the stub when there is one. So each form is compiled by itself, and a new policy leaves most code as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rtfs import ir
from rtfs.emit_python.emitter import checked_type
from rtfs.emit_python.names import UNCHECKED, plain
from rtfs.emit_python.tailcalls import TailCalls
from rtfs.interpret.scopes import homes
from rtfs.ir_walk import locals_of
from rtfs.types import model as types


class Frame:
    """The forms of one unit or module, and what emission of each of them needs to know about all."""

    def __init__(self, forms: tuple[ir.Node, ...], stable: frozenset[str]) -> None:
        self.forms = forms
        #: id of each local that `LocalDef` assigns → the loop turn or call it belongs to (`scope_of` its node)
        self.homes = homes(forms)
        self.tail_calls = TailCalls(forms, stable, frozenset(self.homes))
        #: the largest id of a local
        self.last_local = 0
        #: the locals in `homes`
        self.assigned: list[ir.Local] = []
        seen: set[int] = set()
        for local in locals_of(forms):
            self.last_local = max(self.last_local, local.id)
            if local.id in self.homes and local.id not in seen:
                seen.add(local.id)
                self.assigned.append(local)
        #: functions with an entry without checks: id of lambda → index of its form, Python name
        self._entries = {
            id(node): (index, f"{plain(name)}{UNCHECKED}")
            for index, name, node in _defined(forms)
            if self._has_entry(node)
        }

    def entry(self, node: ir.Lambda) -> str | None:
        """The Python name of the function's entry that leaves out what its callers prove, if it has one."""
        found = self._entries.get(id(node))
        return None if found is None else found[1]

    def entries_before(self, index: int) -> dict[int, str]:
        """The entries of functions that forms before that at `index` define, by id of the lambda."""
        return {key: name for key, (at, name) in self._entries.items() if at < index}

    def _has_entry(self, node: ir.Lambda) -> bool:
        arity = node.arities[0]
        return (
            self.tail_calls.is_known(node)
            and len(node.arities) == 1
            and arity.rest is None
            and not self.tail_calls.is_bouncing(node)
            and any(checked_type(param.type) for param in arity.params)
            and all(isinstance(param.type, types.Primitive | None) for param in arity.params)
        )


def _defined(forms: Iterable[ir.Node]) -> Iterator[tuple[int, str, ir.Lambda]]:
    """Functions that top-level forms define: index of the form, name, function."""
    for index, form in enumerate(forms):
        todo = [form]
        while todo:
            node = todo.pop()
            match node:
                case ir.Do(items=items):
                    todo.extend(items)
                case ir.Def(name=name, value=ir.Lambda() as value, type=None):
                    yield index, name, value
                case _:
                    pass
