"""Programs whose functions run elsewhere, in any order: what can be observed is what the interpreter gives.

`program` writes programs that call functions in every place where parts may overlap, with effects and errors
among them. `overlapped` runs a text with some of its functions delegated to a target that answers in an order
drawn at random, once everything waits; `one_by_one` runs it by the interpreter, which overlaps nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import FunctionType
from typing import override

import rtfs
from rtfs.delegation import ByArguments, ExecTarget, FunctionInfo, LocalPure, RemoteModel
from rtfs.errors import LimitError, RtfsError
from rtfs.host import DictHost
from rtfs.overlap import overlapping, wait, when_idle
from rtfs.program import BackendName
from rtfs.run import Limits
from rtfs.runtime_facts import RuntimeFacts
from rtfs.security import RuntimeContext
from rtfs.stdlib.registry import arity, arity_error
from rtfs.values import Value

_LIMITS = Limits(deadline_s=20.0, depth=2_000)


@dataclass(frozen=True, slots=True)
class Observed:
    """What can be seen of a run."""

    value: str
    effects: tuple[str, ...]


@dataclass(slots=True)
class Target:
    """A delegate that sends functions away by a draw. Its answers come when everything waits, in any order."""

    seed: int
    share: float = 0.6
    version: str = "1"
    sources: None = None
    #: calls under way, most at a time, all
    under_way: int = 0
    most: int = 0
    calls: int = 0
    cancelled: int = 0
    _random: random.Random = field(init=False)
    _waiting: list[Callable[[], None]] = field(default_factory=list)
    _asked: bool = False

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def target(self, function: FunctionInfo, facts: RuntimeFacts) -> ExecTarget:
        draw = random.Random(f"{self.seed} {function.symbol}")
        return RemoteModel("far") if draw.random() < self.share else LocalPure()

    def bind(
        self,
        function: FunctionInfo,
        target: ExecTarget | ByArguments,
        facts: RuntimeFacts,
        body: Callable[..., Value],
    ) -> Callable[..., Value]:
        assert isinstance(body, FunctionType)
        least, most = arity(body)

        def stub(*args: Value) -> Value:
            if len(args) < least or (most is not None and len(args) > most):
                raise arity_error(body, len(args))
            self._call()
            return body(*args)

        stub.__name__ = body.__name__
        return stub

    def _call(self) -> None:
        self.calls += 1
        for _ in range(self._random.randrange(3)):
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            try:
                wait(self._start)
            finally:
                self.under_way -= 1
                self._answer_later()

    def _start(self, wake: Callable[[], None]) -> Callable[[], None]:
        self._waiting.append(wake)
        self._answer_later()

        def cancel() -> None:
            self.cancelled += 1
            self._waiting.remove(wake)

        return cancel

    def _answer_later(self) -> None:
        if self._waiting and not self._asked:
            self._asked = True
            when_idle(self._answer)

    def _answer(self) -> None:
        """Some of the answers come, in any order."""
        self._asked = False
        self._random.shuffle(self._waiting)
        count = self._random.randint(1, len(self._waiting)) if self._waiting else 0
        now, self._waiting[:] = self._waiting[:count], self._waiting[count:]
        for wake in now:
            wake()


def overlapped(text: str, target: Target, limits: Limits = _LIMITS) -> Observed:
    """What is seen of `text` where calls that `target` sends away overlap."""
    return overlapping(lambda: _seen(text, target, "python", limits))


def one_by_one(text: str, limits: Limits = _LIMITS) -> Observed:
    """What is seen of `text` by the interpreter."""
    return _seen(text, None, "interpreter", limits)


def _seen(text: str, target: Target | None, backend: BackendName, limits: Limits) -> Observed:
    effects: list[str] = []

    def note(*values: Value) -> None:
        effects.append(" ".join(map(rtfs.pr_str, values)))

    host = _Noting(effects, {"ccos.io.println": note, "ccos.io.log": note})
    context = RuntimeContext.full()
    try:
        linked = rtfs.compile(text).link(target, context, backend)
        value = rtfs.pr_str(linked.run(host=host, context=context, limits=limits))
    except LimitError as error:
        value = error.category
    except RtfsError as error:
        causes = [each.text() for each in _causes(error)]
        value = f"{error.category}: {error.text()} at {error.span} of {causes}"
    return Observed(value, tuple(effects))


def _causes(error: RtfsError | None) -> Iterator[RtfsError]:
    while error is not None and error.cause is not None:
        error = error.cause
        yield error


class _Noting(DictHost):
    """Notes what it is told."""

    def __init__(self, effects: list[str], capabilities: Mapping[str, Callable[..., Value]]) -> None:
        super().__init__(capabilities)
        self._effects = effects

    @override
    def notify_step_started(self, name: str) -> str:
        self._effects.append(f"started {name} under {self.causal_context()}")
        return super().notify_step_started(name)

    @override
    def notify_step_completed(self, step_id: str, value: Value) -> None:
        self._effects.append(f"completed {step_id} {rtfs.pr_str(value)}")
        super().notify_step_completed(step_id, value)

    @override
    def notify_step_failed(self, step_id: str, message: str) -> None:
        self._effects.append(f"failed {step_id}")  # messages differ between the backends for some errors
        super().notify_step_failed(step_id, message)

    @override
    def set_step_context_value(self, key: str, value: Value) -> None:
        self._effects.append(f"set {key} {rtfs.pr_str(value)}")
        super().set_step_context_value(key, value)


# ---------------------------------------------------------------- programs


def program(seed: int) -> str:
    """A program. Most come to a value; some fail in the middle."""
    return _Writer(random.Random(seed)).program()


class _Writer:
    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        self._functions: list[tuple[str, int]] = []
        self._names = 0

    def program(self) -> str:
        forms = [self._function() for _ in range(self._draw.randint(2, 5))]
        forms += [self._expression(4, ()) for _ in range(self._draw.randint(1, 2))]
        return "\n".join(forms)

    def _function(self) -> str:
        name = f"f{len(self._functions)}"
        params = [self._name() for _ in range(self._draw.randint(1, 2))]
        body = self._expression(2, tuple(params))
        self._functions.append((name, len(params)))
        returns = self._draw.choice(["", "", " : int"])
        return f"(defn {name} [{' '.join(params)}]{returns} {body})"

    def _name(self) -> str:
        self._names += 1
        return f"v{self._names}"

    def _expression(self, depth: int, names: tuple[str, ...]) -> str:
        if depth <= 0 or self._draw.random() < 0.05:
            if depth > -1 and self._functions and self._draw.random() < 0.35:
                return self._call(-2, names)
            return self._small(names)
        writers: list[tuple[int, Callable[[int, tuple[str, ...]], str]]] = [
            (16, self._call),
            (4, self._operation),
            (7, self._let),
            (4, self._collection),
            (5, self._iteration),
            (3, self._effect),
            (2, self._choice),
            (2, self._try),
            (1, self._failure),
            (1, self._ticket),
            (1, self._step),
            (1, self._loop),
        ]
        weights = [weight for weight, _ in writers]
        write = self._draw.choices([each for _, each in writers], weights)[0]
        return write(depth - 1, names)

    def _small(self, names: tuple[str, ...]) -> str:
        if names and self._draw.random() < 0.7:
            return self._draw.choice(names)
        return str(self._draw.randint(-3, 9))

    def _several(self, depth: int, names: tuple[str, ...], least: int = 2) -> str:
        return " ".join(self._expression(depth, names) for _ in range(self._draw.randint(least, 4)))

    def _call(self, depth: int, names: tuple[str, ...]) -> str:
        if not self._functions:
            return self._operation(depth, names)
        name, count = self._draw.choice(self._functions)
        return f"({name} {' '.join(self._expression(depth, names) for _ in range(count))})"

    def _operation(self, depth: int, names: tuple[str, ...]) -> str:
        return f"({self._draw.choice('+ - * max'.split())} {self._several(depth, names)})"

    def _let(self, depth: int, names: tuple[str, ...]) -> str:
        bindings: list[str] = []
        for _ in range(self._draw.randint(1, 4)):
            if self._draw.random() < 0.2:
                one, two = self._name(), self._name()
                bindings.append(f"[{one} {two}] [{self._several(depth, names)}]")
                names = (*names, one, two)
            elif self._draw.random() < 0.1:
                name = self._name()
                bindings.append(f"{name} ((fn [x] {self._expression(depth, (*names, 'x'))}) 1)")
                names = (*names, name)
            else:
                name = self._name()
                typed = self._draw.choice(["", "", "", " : int"])
                bindings.append(f"{name}{typed} {self._expression(depth, names)}")
                names = (*names, name)
        return f"(let [{' '.join(bindings)}] {self._expression(depth, names)})"

    def _collection(self, depth: int, names: tuple[str, ...]) -> str:
        items = self._several(depth, names)
        kind = self._draw.randrange(4)
        if kind == 0:
            return f"(count [{items}])"
        if kind == 1:
            return f"(reduce + 0 (list {items}))"
        if kind == 2:
            return f"(count #{{{items}}})"
        one, two = self._expression(depth, names), self._expression(depth, names)
        return f"(:b {{:a {one} :b {two}}})"

    def _iteration(self, depth: int, names: tuple[str, ...]) -> str:
        x = self._name()
        body = self._expression(depth, (*names, x))
        test = f"(> {self._expression(depth - 1, (*names, x))} 2)"
        kind = self._draw.randrange(8)
        if kind == 0 and self._functions:
            return f"(reduce + 0 (map {self._draw.choice(self._functions)[0]} (range 3)))"
        if kind == 1:
            return f"(count (filter (fn [{x}] {test}) (range 4)))"
        if kind == 2:
            return f"(reduce + 0 (mapcat (fn [{x}] [{body} {x}]) (range 2)))"
        if kind == 3:
            y = self._name()
            inner = self._expression(depth - 1, (*names, x, y))
            return f"(reduce + 0 (for [{x} (range 2) :when {test} {y} (range 2)] (+ {inner} {body})))"
        if kind == 4:
            return f"(reduce + 0 (for [{x} (range 3) :while {test}] {body}))"
        if kind == 5:
            return f"(do (doseq [{x} (range 3)] {body}) 1)"
        if kind == 6:
            y = self._name()
            bound = f":let [{y} {body}]"
            return f"(reduce + 0 (for [{x} (range 3) {bound}] {self._expression(depth, (*names, x, y))}))"
        return f"(reduce + 0 (map (fn [{x}] {body}) (range 3)))"

    def _effect(self, depth: int, names: tuple[str, ...]) -> str:
        value, rest = self._expression(depth, names), self._expression(depth, names)
        kind = self._draw.randrange(4)
        if kind == 0:
            return f"(do (context/set :k {value}) {rest})"
        if kind == 1:
            return f"(do (println (context/get :k)) {rest})"
        if kind == 2:
            return f'(do (println (str (gensym "g"))) {rest})'
        return f"(do (println {value}) {rest})"

    def _choice(self, depth: int, names: tuple[str, ...]) -> str:
        test = f"(< {self._expression(depth, names)} {self._expression(depth, names)})"
        if self._draw.random() < 0.3:
            return f"(if (and {test} (println :and)) 1 {self._expression(depth, names)})"
        return f"(if {test} {self._expression(depth, names)} {self._expression(depth, names)})"

    def _try(self, depth: int, names: tuple[str, ...]) -> str:
        body, handler = self._expression(depth, names), self._expression(depth, names)
        final = (
            f" (finally (println {self._expression(depth - 1, names)}))" if self._draw.random() < 0.3 else ""
        )
        return f"(try {body} (catch e (do (println (getMessage e)) {handler})){final})"

    def _failure(self, depth: int, names: tuple[str, ...]) -> str:
        if self._draw.random() < 0.7:  # or few programs would come to a value
            return self._call(depth, names)
        return self._draw.choice(
            [
                f"(/ {self._small(names)} 0)",
                '(throw "failed")',
                "(+ 1 nil)",
                "nobody",
                f"(f0 {self._small(names)} 2 3)",
            ]
        )

    def _ticket(self, depth: int, names: tuple[str, ...]) -> str:
        body = _Writer.pure(self, depth, names)
        if self._draw.random() < 0.2:
            return f"(race {body})"
        return f"(await (async {body}))"

    def pure(self, depth: int, names: tuple[str, ...]) -> str:
        """Without effects of its own: nobody knows when these of an `async` come."""
        return f"(+ {self._small(names)} {self._small(names)})"

    def _step(self, depth: int, names: tuple[str, ...]) -> str:
        if self._draw.random() < 0.5:
            return f'(step "s{self._draw.randrange(9)}" {self._expression(depth, names)})'
        return f"(count (step-parallel {self._several(depth, names)}))"

    def _loop(self, depth: int, names: tuple[str, ...]) -> str:
        turn, sum_ = self._name(), self._name()
        value = self._expression(depth, (*names, turn, sum_))
        return f"(loop [{turn} 0 {sum_} 0] (if (< {turn} 2) (recur (+ {turn} 1) (+ {sum_} {value})) {sum_}))"
