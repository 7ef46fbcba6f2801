"""What became of a text: a value, an error of the language, a limit, or a bug.

A bug is what no text may bring about: an exception that is no `RtfsError`, or an `InternalError`, which is how
the library reports its own mistakes.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from rtfs import errors, ir
from rtfs.passes import delegation
from rtfs.passes.optimize import optimize
from rtfs.printer import pr_str
from rtfs.program import ANALYSIS_DEPTH, Program, compile, evaluate, new_run
from rtfs.run import Limits, deep_recursion, running

type Kind = Literal["value", "error", "limit", "bug"]

#: for programs that are expected to be small
SMALL: Final = Limits(deadline_s=1.0, depth=300, allocation_bytes=64 << 20)


@dataclass(frozen=True, slots=True)
class Outcome:
    """`text` is the printed value, or category and message of the error."""

    kind: Kind
    text: str

    @property
    def label(self) -> str:
        """The category of an error, else the kind."""
        return self.text.partition(":")[0] if self.kind == "error" else self.kind


def outcome(action: Callable[[], str]) -> Outcome:
    """What became of `action`. Interrupts pass through."""
    try:
        return Outcome("value", action())
    except errors.InternalError as error:
        shown = error.__cause__ or error
        return Outcome("bug", "".join(traceback.format_exception(shown)))
    except errors.LimitError as error:
        return Outcome("limit", f"{error.category}: {error.text()}")
    except errors.RtfsError as error:
        return Outcome("error", f"{error.category}: {error.text()} / {error.caught_message()}")
    except Exception as error:  # the point of the exercise: nothing else may ever come out
        return Outcome("bug", "".join(traceback.format_exception(error)))


def ran(program: Program, backend: str, limits: Limits = SMALL) -> Outcome:
    """What a compiled program comes to on one backend."""
    linked = program.link(backend=backend)  # type: ignore[arg-type]

    def action() -> str:
        value = linked.run(limits=limits)
        with running(new_run(None, None, limits, None)):
            return pr_str(value)

    return outcome(action)


def evaluated(text: str, backend: str, limits: Limits = SMALL) -> Outcome:
    """What a text comes to on one backend, reading and analysis included."""

    def action() -> str:
        value = evaluate(text, backend=backend, limits=limits)  # type: ignore[arg-type]
        with running(new_run(None, None, limits, None)):
            return pr_str(value)

    return outcome(action)


def optimized(program: Program, level: str) -> Program:
    """`program`, which was compiled without optimisation, optimised."""
    with deep_recursion(ANALYSIS_DEPTH):
        unit: ir.Unit = delegation.mark(optimize(program.unit, level))  # type: ignore[arg-type]
    return Program(unit, program.text, program._environment)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One program on both backends. The interpreter runs it as analysed, the other one optimised."""

    interpreter: Outcome
    python: Outcome
    #: None if the text could not be analysed
    program: Program | None

    @property
    def is_limited(self) -> bool:
        """Whether a limit ended it, so that there is nothing to compare."""
        return "limit" in (self.interpreter.kind, self.python.kind)

    @property
    def agrees(self) -> bool:
        """Whether both gave the same, and no bug showed."""
        if "bug" in (self.interpreter.kind, self.python.kind):
            return False
        return self.is_limited or self.interpreter == self.python


LEVELS: Final = ("basic", "aggressive", "none")


def compared(text: str, level: str = "basic", limits: Limits = SMALL) -> Comparison:
    """Run `text` on both backends."""
    made: list[Program] = []
    failed = outcome(lambda: made.append(compile(text, optimize=False)) or "")  # type: ignore[func-returns-value]
    if not made:
        return Comparison(failed, failed, None)
    program = made[0]
    return Comparison(
        ran(program, "interpreter", limits), ran(optimized(program, level), "python", limits), program
    )
