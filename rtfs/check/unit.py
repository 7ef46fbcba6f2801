"""The static checker behind `rtfs check`.

It infers a type for every expression and reports what is certainly wrong as an error, what may well be wrong as
a warning. What it knows nothing about is `any`, and any-typed values are left to the checks at run time: no
error is reported for a program that could run through, apart from code that never runs. Inside a `try` that
catches, errors are warnings, since failing may be the point.

`CODES` lists what it reports.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from rtfs import errors, ir, run
from rtfs.errors import Span

type Severity = Literal["error", "warning", "info"]

#: nesting of expressions that can be checked
DEPTH: Final = 100_000

#: code → (severity, what it means)
CODES: Final[Mapping[str, tuple[Severity, str]]] = {
    "type-mismatch": ("error", "a value can never have the type that its place declares"),
    "possible-type-mismatch": ("warning", "some of the values that may arrive cannot have the declared type"),
    "arity": ("error", "a call with a number of arguments that the function never takes"),
    "not-callable": ("error", "a call of something that is no function"),
    "circular-type": ("error", "a type defined in terms of itself without a collection in between"),
    "unknown-type": ("warning", "a type name that nothing in the program defines"),
    "undefined-symbol": ("warning", "a name that nothing in the program defines; the host may supply it"),
    "unreachable-code": ("warning", "a branch that never runs because its condition is constant"),
    "unused-binding": ("warning", "a `let` name that is never used; begin it with `_` to keep it"),
    "duplicate-key": ("warning", "a map key that is given twice, so that the later value wins"),
    "shadowed-builtin": ("info", "a definition hides a function of the standard library"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One finding. `span` is None if no source text belongs to it."""

    severity: Severity
    code: str
    message: str
    span: Span | None = None
    hint: str | None = None


def check_unit(unit: ir.Unit, *, known: Container[str] = (), types: Iterable[str] = ()) -> list[Problem]:
    """The problems of `unit`, in the order of its text.

    Args:
        known: names that the host or the run supplies.
        types: type names that are defined elsewhere.

    Raises:
        StackOverflow: the program nests too deeply to be checked.
    """
    from rtfs.check.walk import Checker

    try:
        with run.deep_recursion(DEPTH):
            found = Checker(unit, known, frozenset(types)).check()
    except RecursionError:
        raise errors.StackOverflow("the program nests too deeply to be checked", source=unit.source) from None
    return sorted(found, key=_place)


def _place(problem: Problem) -> tuple[int, int]:
    return (problem.span.line, problem.span.column) if problem.span else (0, 0)
