"""Every hostile program comes to what is expected of it, on both backends and without its process dying."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from fuzz_campaigns import limits_in_tests, wrong
from fuzz_escapes import ESCAPES, Hostile

GROUPS = sorted({hostile.group for hostile in ESCAPES})
#: hostile programs in one test
PART = 25

#: every program of these groups may take until its deadline; `.ci/run` runs all of them on both backends
_LONG = ("brackets", "deep and shared values", "limits", "recursion")

PARTS = [
    pytest.param(
        group, backend, start, marks=[pytest.mark.slow] if group in _LONG and backend == "interpreter" else []
    )
    for group in GROUPS
    for backend in ("python", "interpreter")
    for start in range(0, len([1 for hostile in ESCAPES if hostile.group == group]), PART)
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("group", "backend", "start"), PARTS)
def test_escape(group: str, backend: str, start: int) -> None:
    hostiles = [hostile for hostile in ESCAPES if hostile.group == group][start : start + PART]
    found = {each.text[:200]: wrong(each, backend, limits_in_tests(each)) for each in hostiles}
    assert {text: what for text, what in found.items() if what is not None} == {}


#: what has been known to kill interpreters of other languages: C stacks and C loops
_CRASHING = (
    "[" * 100_000,
    "(do ",
    "(+ 1 (f x))",
    "recur (inc i) [v]",
    "recur (inc i) {:a v}",
    "(sort f [x y])",
    "comp (repeat",
)

_SCRIPT = """
import sys
from fuzz_campaigns import HOSTILE_LIMITS
from fuzz_outcomes import evaluated
text = sys.stdin.read()
print(*[evaluated(text, backend, HOSTILE_LIMITS).label for backend in ("python", "interpreter")])
"""


def _crash_prone() -> list[Hostile]:
    found = [
        next(each for each in ESCAPES if piece in each.text and "limit" in each.expected) for piece in _CRASHING
    ]
    assert len(set(found)) == len(_CRASHING)
    return found


@pytest.mark.parametrize("hostile", _crash_prone(), ids=range(len(_CRASHING)))
def test_the_process_survives(hostile: Hostile) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT],
        input=hostile.text,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-1_000:]
    assert set(done.stdout.split()) <= hostile.expected


def test_the_corpus_is_large_and_says_what_it_expects() -> None:
    assert len(ESCAPES) >= 120
    assert all(hostile.expected for hostile in ESCAPES)
    assert not [each.text[:80] for each in ESCAPES if each.expected & {"bug", "InternalError"}]
