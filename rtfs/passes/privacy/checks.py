"""Checks of types. `[:and int [even-number]]` asks a function of the program about the value."""

from __future__ import annotations

from rtfs.passes.privacy.program import Place, Program
from rtfs.types import model as types
from rtfs.types.model import Type
from rtfs.types.walk import components


def check(program: Program, type_: Type, variable: int, place: Place) -> None:
    """The value of `variable` is checked against `type_` at `place`: functions that types name may get it."""
    if type(type_) is types.Primitive or not _asks(program, type_):
        return
    edges = program.flow.edges
    edges[variable].append(program.checked)
    edges[place.condition].append(program.checking)
    edges[program.verdict].append(place.touched)


def note(program: Program, type_: Type) -> None:
    """`type_` is defined under a name."""
    _asks(program, type_)


def _asks(program: Program, type_: Type) -> bool:
    """Whether a check may ask a function. A name of a type stands for any type there is."""
    found = False
    todo: list[Type | types.Predicate] = [type_]
    while todo:
        part = todo.pop()
        if isinstance(part, types.Predicate):
            program.predicates.add(part.name)
            found = True
        elif isinstance(part, types.Alias):
            found = True
        else:
            todo.extend(components(part))
    return found
