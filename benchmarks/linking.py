"""What routing by linking costs. `python benchmarks/linking.py [--json]`

Local calls must cost nothing, calls of which the arguments decide little, and a new policy far less than a
first link. Each relinked program sees its new routes for the first time, and runs once: nothing is put off.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import rtfs
from benchmarks.measure import Row, alternate, bound, ratio, report
from policies.engines.standard import standard_engine
from policies.file.load import load_policy
from policies.rules.rulebook import Current, Rulebook
from policies.running.delegate import PolicyDelegate
from policies.running.guard import guard
from policies.running.runner import Clock
from rtfs.delegation import (
    BY_ARGUMENTS,
    ByArguments,
    Delegate,
    ExecTarget,
    FunctionInfo,
    LocalPure,
    RemoteModel,
)
from rtfs.program import LinkedProgram
from rtfs.run import Limits
from rtfs.runtime_facts import RuntimeFacts
from rtfs.values import Value, Vector

FREE = Limits()
ROUNDS = 7
FUNCTIONS = 500

# ---------------------------------------------------------------- calls

CALLS = 1_000_000
INC = f"(defn f [x] (inc x)) (loop [i 0 s 0] (if (< i {CALLS}) (recur (+ i 1) (f 0)) s))"


class Everywhere:
    """A delegate with one answer for all functions; what stands for them goes to their bodies, by a guard."""

    version, sources = "1", None

    def __init__(self, answer: ExecTarget | ByArguments) -> None:
        self._answer = answer

    def target(self, function: FunctionInfo, facts: RuntimeFacts) -> ExecTarget | ByArguments:
        return self._answer

    def bind(
        self,
        function: FunctionInfo,
        target: ExecTarget | ByArguments,
        facts: RuntimeFacts,
        body: Callable[..., Value],
    ) -> Callable[..., Value]:
        return guard(body, lambda types, size: body)


def calls(answer: ExecTarget | ByArguments | None) -> Callable[[], object]:
    linked = rtfs.compile(INC).link(None if answer is None else Everywhere(answer))
    return lambda: linked.run(limits=FREE)


def bytecode(delegate: Delegate | None) -> bytes:
    """That of the function that calls enter."""
    found = rtfs.compile("(defn f [x] (inc x)) [f]").link(delegate).run()
    assert isinstance(found, Vector)
    assert isinstance(found[0], FunctionType)
    return found[0].__code__.co_code


def local_calls() -> Row:
    assert bytecode(Everywhere(LocalPure())) == bytecode(None)
    return ratio(
        "1 000 000 calls of a local function, with an engine",
        calls(LocalPure()),
        calls(None),
        peer_name="without an engine",
        at_most=1.05,
    )


def guarded_calls() -> Row:
    return bound(
        "a call guarded by argument type",
        calls(BY_ARGUMENTS),
        calls(None),
        peer_name="without an engine",
        at_most_s=150e-9,
        repeats=CALLS,
        over_peer=True,
    )


# ---------------------------------------------------------------- links

_KINDS = (
    '(defn f{i} "Adds." [x y] (if (< x y) (+ (f{a} x 1) y) (f{b} y x)))',
    "(defn f{i} [x y] (let [s (f{a} x y) t (f{b} s 2)] (if (> s 10) {{:a s :b t}} [s t])))",
    "(defn f{i} [x : int y] : int (loop [i 0 s 0] (if (< i x) (recur (+ i 1) (+ s (f{a} i s))) s)))",
    "(defn f{i} [xs y] (map (fn [x] (f{a} x y)) (filter (fn [x] (> x (f{b} x 2))) xs)))",
    "(defn f{i} [x n] (if (< n 1) x (f{i} (f{a} x n) (- n 1))))",
)


def text() -> str:
    """Functions of several kinds, each calling earlier ones and the last kind itself, too."""
    functions = ["(defn f0 [x y] (+ x y))"]
    for i in range(1, FUNCTIONS):
        functions.append(_KINDS[i % len(_KINDS)].format(i=i, a=i * 7 % i if i < 7 else i - 7, b=i // 2))
    return "\n".join([*functions, f"(defn entry [] (f{FUNCTIONS - 1} user 1))", "(f0 1 2)"])


class Moving:
    """A delegate that sends a share of the functions elsewhere."""

    sources = None

    def __init__(self, share: int = 0) -> None:
        self.version = "0"
        self._share = share

    def move(self, share: int) -> None:
        self._share = share
        self.version = str(int(self.version) + 1)

    def target(self, function: FunctionInfo, facts: RuntimeFacts) -> ExecTarget:
        name = function.symbol.removeprefix("f")
        far = name.isdigit() and int(name) * 37 % 100 < self._share
        return RemoteModel("far") if far else LocalPure()

    def bind(
        self, function: FunctionInfo, target: object, facts: RuntimeFacts, body: Callable[..., Value]
    ) -> Callable[..., Value]:
        return lambda *args: body(*args)


class Prepared:
    """Programs of which each call of this takes the next and runs it."""

    def __init__(self, made: Callable[[], Callable[[], object]]) -> None:
        self._waiting: Iterator[Callable[[], object]] = iter([made() for _ in range(ROUNDS + 1)])

    def __call__(self) -> object:
        return next(self._waiting)()


def first_link() -> Callable[[], object]:
    program = rtfs.compile(text())
    return lambda: program.link(Moving()).run(limits=FREE)


def linked_with(delegate: Delegate) -> LinkedProgram:
    linked = rtfs.compile(text()).link(delegate)
    linked.run(limits=FREE)
    return linked


def moved(share: int) -> Callable[[], Callable[[], object]]:
    def prepared() -> Callable[[], object]:
        delegate = Moving()
        linked = linked_with(delegate)
        delegate.move(share)
        return lambda: linked.run(limits=FREE)

    return prepared


POLICY = """
[delegation]
default_target = "local-pure"
[delegation.static_routes]
"f1*" = "remote-openai"
[delegation.remote_providers]
"remote-openai" = { endpoint = "https://api.example.com/v1", timeout = SECONDS }
[delegation.security.privacy.personal]
allow = ["local-*"]
[delegation.security.sources]
"context:user" = ["personal"]
"""


def policed() -> Callable[[], object]:
    """A program under the policy engine, for which a new policy is about to come into force."""

    def rulebook(timeout: int) -> Rulebook:
        return Rulebook(load_policy(POLICY.replace("SECONDS", str(timeout)), environ={}))

    current = Current(rulebook(1000))
    clock = Clock(monotonic=time.monotonic, wall=time.time)
    delegate = PolicyDelegate(standard_engine(current), current, {}, clock)
    linked = linked_with(delegate)
    current.rulebook = rulebook(2000)
    return lambda: linked.run(limits=FREE)


def relinks() -> Iterator[Row]:
    what = {
        "the same routes": moved(0),
        "10 % of the functions moved": moved(10),
        "all functions moved": moved(100),
        "the policy engine, with labels": policed,
    }
    for name, prepared in what.items():
        ours, peer = alternate(Prepared(prepared), Prepared(first_link), ROUNDS)
        yield Row(
            f"relink {FUNCTIONS} functions: {name}",
            ours,
            peer,
            "a first link",
            ours,
            "s",
            "<= 20 ms",
            ours <= 20e-3,
        )


def main() -> int:
    return report("Routing by linking", [local_calls(), guarded_calls(), *relinks()])


if __name__ == "__main__":
    raise SystemExit(main())
