"""The four ways of looking for bugs, each a loop over numbered inputs; for the tests and `scripts/fuzz`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

import fuzz_grammar
from fuzz_escapes import ESCAPES, Hostile
from fuzz_mutations import Mutator
from fuzz_outcomes import LEVELS, Outcome, compared, evaluated, outcome

from rtfs import ir
from rtfs.check.unit import check_unit
from rtfs.fmt import format_source
from rtfs.ir_walk import children
from rtfs.printer import pr_str
from rtfs.program import ANALYSIS_DEPTH, compile
from rtfs.reader import read
from rtfs.run import Limits, deep_recursion

ROOT: Final = Path(__file__).parents[2]
#: a text that should not take long, whatever it is
_BRIEF: Final = Limits(deadline_s=1.0, depth=500, allocation_bytes=64 << 20)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that must not be."""

    seed: int
    text: str
    what: str


@dataclass(slots=True)
class Tally:
    """What a campaign saw."""

    inputs: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    #: kinds of nodes and names of builtins that programs had
    reached: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    def note(self, label: str) -> None:
        """One input, and what became of it."""
        self.inputs += 1
        self.outcomes[label] += 1


@cache
def _mutator() -> Mutator:
    texts = [
        path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("**/*.rtfs")) if ".venv" not in path.parts
    ]
    return Mutator(texts)


def _bug(tally: Tally, seed: int, text: str, found: Outcome) -> None:
    tally.note(found.label)
    if found.kind == "bug":
        tally.findings.append(Finding(seed, text, found.text))


# ---------------------------------------------------------------- reader


def _read(text: str) -> str:
    program = read(text)
    for form in program.forms:
        pr_str(form)
    return ""


def read_back(text: str) -> str | None:
    """What is wrong with how the forms of `text` print, read again and are formatted; None: nothing."""
    forms = read(text).forms
    printed = "\n".join(pr_str(form) for form in forms)
    again = "\n".join(pr_str(form) for form in read(printed).forms)
    if printed != again:
        return f"prints as\n{printed}\nwhich reads as\n{again}"
    formatted = format_source(text)
    if format_source(formatted) != formatted:
        return f"formats to\n{formatted}\nwhich formats to\n{format_source(formatted)}"
    if [pr_str(form) for form in read(formatted).forms] != [pr_str(form) for form in forms]:
        return f"formats to something else:\n{formatted}"
    return None


def reader(tally: Tally, seed: int) -> None:
    """Any text through the reader; what it accepts, through printer and formatter too."""
    text = _mutator().text(seed)
    found = outcome(lambda: _read(text))
    _bug(tally, seed, text, found)
    if found.kind == "value" and seed % 4 == 0:
        wrong = outcome(lambda: read_back(text) or "")
        if wrong.text:
            tally.findings.append(Finding(seed, text, wrong.text))


# ---------------------------------------------------------------- programs


def _analysed(text: str) -> str:
    program = compile(text, optimize=False)
    check_unit(program.unit)
    return ""


def programs(tally: Tally, seed: int) -> None:
    """Any text through analysis and checker; some of what is a program runs on both backends."""
    text = _mutator().text(seed)
    found = outcome(lambda: _analysed(text))
    if found.kind != "value":
        _bug(tally, seed, text, found)
        return
    _differ(tally, seed, text)


# ---------------------------------------------------------------- differential


def differential(tally: Tally, seed: int) -> None:
    """A well-formed program on both backends."""
    _differ(tally, seed, fuzz_grammar.program(seed))


def _differ(tally: Tally, seed: int, text: str) -> None:
    found = compared(text, LEVELS[seed % len(LEVELS)], _BRIEF)
    tally.note("limit" if found.is_limited else found.python.label)
    if not found.agrees:
        what = f"interpreter: {found.interpreter.text}\npython:      {found.python.text}"
        tally.findings.append(Finding(seed, text, what))
    if found.program is not None and seed % 10 == 0:
        with deep_recursion(ANALYSIS_DEPTH):
            tally.reached.update(_constructs(found.program.unit))


def disagrees(seed: int) -> Callable[[str], bool]:
    """Whether a text still shows what the differential run of that seed showed, for shrinking."""
    return lambda text: not compared(text, LEVELS[seed % len(LEVELS)], _BRIEF).agrees


def _constructs(unit: ir.Unit) -> Iterator[str]:
    todo = list(unit.forms)
    while todo:
        node = todo.pop()
        yield type(node).__name__
        if isinstance(node, ir.BuiltinRef):
            yield f"({node.name})"
        todo.extend(children(node))


# ---------------------------------------------------------------- escapes

#: what hostile programs run under
HOSTILE_LIMITS: Final = Limits(deadline_s=1.0, allocation_bytes=64 << 20)
#: the same for programs that any limit may end, so that they end sooner
IMPATIENT_LIMITS: Final = Limits(deadline_s=0.2, allocation_bytes=64 << 20)
#: the same for programs that must come to something else, on a machine that is busy
PATIENT_LIMITS: Final = Limits(deadline_s=30.0, allocation_bytes=64 << 20)


def limits_in_tests(hostile: Hostile) -> Limits:
    """What tests run a hostile program under."""
    return IMPATIENT_LIMITS if "limit" in hostile.expected else PATIENT_LIMITS


def wrong(hostile: Hostile, backend: str, limits: Limits = HOSTILE_LIMITS) -> str | None:
    """What is not as expected of a hostile program; None: nothing."""
    found = evaluated(hostile.text, backend, limits)
    if found.label not in hostile.expected:
        return f"{found.label} instead of {', '.join(sorted(hostile.expected))}: {found.text[:2_000]}"
    if found.kind == "value" and hostile.value is not None and found.text != hostile.value:
        return f"value {found.text[:200]} instead of {hostile.value}"
    return None


def escape(tally: Tally, seed: int) -> None:
    """One of the hostile programs on one backend."""
    hostile = ESCAPES[seed % len(ESCAPES)]
    backend = ("python", "interpreter")[seed // len(ESCAPES) % 2]
    what = wrong(hostile, backend)
    tally.note("as expected" if what is None else "wrong")
    if what is not None:
        tally.findings.append(Finding(seed, hostile.text[:500], f"{backend}: {what}"))


CAMPAIGNS: Final[dict[str, Callable[[Tally, int], None]]] = {
    "reader": reader,
    "programs": programs,
    "differential": differential,
    "escape": escape,
}
