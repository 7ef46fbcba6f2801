"""Why a value does not belong to a type: the first part at fault, its path and the text (language.md §5).

| kind | text |
|---|---|
| TypeMismatch | `Type mismatch at x.name: expected string, got integer` |
| ShapeViolation | `Shape violation at x: expected 2 items, got 3` |
| MissingRequiredKey | `Missing required key :name at x` |
| PredicateViolation | `Predicate [:> 0] violated at x.age: got -1` |
| InvalidRegexPattern | `Invalid regex pattern '(': …` |
| UnknownPredicate | `Unknown predicate: positive` |
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from rtfs import errors, run
from rtfs.types import model as types
from rtfs.types.model import Type
from rtfs.types.parser import nearest_type, type_text
from rtfs.types.shapes import Fault, Part, demands
from rtfs.values import COLLECTIONS, Keyword, Value, type_name

if TYPE_CHECKING:
    from rtfs.types.check import Compiled
    from rtfs.types.solver import Solver

#: longest text of a type or value in an error, characters
_TEXT_WIDTH: Final = 200
_VALUE_WIDTH: Final = 60
#: steps of a path that are shown
_PATH_STEPS: Final = 20

#: types that look into a value
_COMPOUND: Final = (
    types.VectorType,
    types.ListType,
    types.SetType,
    types.TupleType,
    types.MapType,
    types.MapOfType,
    types.ArrayType,
)


def failure(compiled: Compiled, t: Type, value: Value, path: str) -> errors.TypeValidationError:
    """The error for `value`, which does not belong to `t`."""
    solver = compiled.solver()
    steps: list[str] = []
    shown = t
    while True:
        run.poll()
        place = _path(path, steps)
        if isinstance(t, types.Alias):
            definition = compiled.definition(t.name)
            if definition is None:
                return _unknown_type(place, t.name, value, compiled)
            t = definition
        elif isinstance(t, types.OptionalType | types.UnionType):
            member = _only_candidate(compiled, t, value)
            if member is None:
                return mismatch(place, shown, value)
            t = member
        elif isinstance(t, types.AndType):
            failing = next((item for item in t.items if not solver.holds(item, value)), None)
            if failing is None:
                return mismatch(place, shown, value)
            if isinstance(failing, types.Predicate):
                return _violation(place, failing, value)
            t = shown = failing
        else:
            demand = demands(t, value)
            if isinstance(demand, Fault):
                return _fault(place, shown, demand, value)
            part = _failing(solver, demand)
            if part is None:
                return mismatch(place, shown, value)
            steps.append(part.step)
            t, value = part.type, part.value
            shown = t


def _failing(solver: Solver, parts: Iterator[Part]) -> Part | None:
    """The first part at fault. None only if a custom predicate changed its mind."""
    for part in parts:
        if not solver.holds(part.type, part.value):
            return part
    return None


def _only_candidate(compiled: Compiled, t: types.OptionalType | types.UnionType, value: Value) -> Type | None:
    """The one member of a union whose kind `value` has, so that the fault is inside it."""
    found: list[Type] = []
    todo: list[Type] = [t]
    while todo:
        run.poll()
        member = todo.pop()
        match member:
            case types.Alias(name):
                definition = compiled.definition(name)
                todo += [] if definition is None else [definition]
            case types.OptionalType(item):
                todo.append(item)
            case types.UnionType(items):
                todo.extend(items)
            case types.AndType(items):
                found += [member] if _has_kind(compiled, items[0], value) else []
            case _:
                found += [member] if _has_kind(compiled, member, value) else []
    return found[0] if len(found) == 1 else None


def _has_kind(compiled: Compiled, t: Type | types.Predicate, value: Value) -> bool:
    """Whether `value` passes `t` one level deep, but for its size and keys."""
    while isinstance(t, types.Alias):
        definition = compiled.definition(t.name)
        if definition is None:
            return False
        t = definition
    if isinstance(t, types.Predicate | types.OptionalType | types.UnionType | types.AndType):
        return False
    demand = demands(t, value)
    return not isinstance(demand, Fault) or demand.kind != "mismatch"


# ---------------------------------------------------------------- texts


def mismatch(path: str, t: Type, value: Value) -> errors.TypeValidationError:
    """`Type mismatch at …`. Of an enumeration the value is shown, of other types its kind."""
    got = brief(value) if isinstance(t, types.EnumType) else type_name(value)
    return errors.TypeValidationError(f"Type mismatch at {path}: expected {brief_type(t)}, got {got}")


def _fault(path: str, t: Type, fault: Fault, value: Value) -> errors.TypeValidationError:
    if fault.kind == "missing":
        return errors.TypeValidationError(f"Missing required key :{fault.detail} at {path}")
    if fault.kind == "shape":
        return errors.TypeValidationError(f"Shape violation at {path}: {fault.detail}")
    return mismatch(path, t, value)


def _violation(path: str, predicate: types.Predicate, value: Value) -> errors.TypeValidationError:
    text = brief_type(predicate)
    return errors.TypeValidationError(f"Predicate {text} violated at {path}: got {brief(value)}")


def _unknown_type(path: str, name: str, value: Value, compiled: Compiled) -> errors.TypeValidationError:
    error = errors.TypeValidationError(
        f"Type mismatch at {path}: expected {name} (unknown type), got {type_name(value)}"
    )
    error.hint = nearest_type(name, compiled.env.aliases)
    return error


def _path(path: str, steps: list[str]) -> str:
    if len(steps) <= _PATH_STEPS:
        return path + "".join(steps)
    half = _PATH_STEPS // 2
    return f"{path}{''.join(steps[:half])}…{''.join(steps[-half:])}"


def brief_type(t: Type | types.Predicate) -> str:
    """The text of a type, cut where it is long."""
    text = type_text(t)
    return text if len(text) <= _TEXT_WIDTH else text[: _TEXT_WIDTH - 1] + "…"


def brief(value: Value) -> str:
    """A scalar as text, cut where it is long; of others the kind, and of collections the size."""
    if type(value) in COLLECTIONS:
        return f"{type_name(value)} of {len(value)}"
    if not isinstance(value, bool | int | float | str | Keyword | None):
        return type_name(value)
    from rtfs.printer import pr_str

    text: str = pr_str(value[:_VALUE_WIDTH] if isinstance(value, str) else value)
    return text if len(text) <= _VALUE_WIDTH else text[: _VALUE_WIDTH - 1] + "…"
