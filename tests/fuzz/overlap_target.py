"""A target for tests of what overlaps: when every part of a program waits, it answers the calls that it likes.

There is no time in it and no other thread, so that what it has seen is the same on each run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from rtfs.delegation import ByArguments, ExecTarget, FunctionInfo, LocalPure, RemoteModel
from rtfs.errors import RtfsError
from rtfs.host import DictHost
from rtfs.overlap import overlapping, wait, when_idle
from rtfs.printer import pr_str
from rtfs.program import compile
from rtfs.run import Limits
from rtfs.runtime_facts import RuntimeFacts
from rtfs.security import RuntimeContext
from rtfs.values import Value


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """A call under way, as `name arg…`."""

    text: str
    wake: Callable[[], None]


def everything(calls: list[Call]) -> Iterable[Call]:
    """Answer all calls."""
    return list(calls)


def first(calls: list[Call]) -> Iterable[Call]:
    """Answer one call after the other."""
    return calls[:1]


def last(calls: list[Call]) -> Iterable[Call]:
    """Answer first what was asked last."""
    return calls[-1:]


def but(*slow: str) -> Callable[[list[Call]], Iterable[Call]]:
    """Answer all others before those that begin with one of `slow`."""

    def choose(calls: list[Call]) -> Iterable[Call]:
        return [call for call in calls if not call.text.startswith(slow)] or list(calls)

    return choose


def never(calls: list[Call]) -> Iterable[Call]:
    """Answer nothing."""
    return ()


class Target:
    """A delegate that sends the functions of some names away. Their bodies run when the answer has come.

    Args:
        answer: which of the calls under way are answered when everything waits.
    """

    version = "1"
    sources = None

    def __init__(self, *names: str, answer: Callable[[list[Call]], Iterable[Call]] = everything) -> None:
        self._names = names
        self._answer = answer
        self._calls: list[Call] = []
        self._asked = False
        #: what happened: `> call` begun, `< call` answered, `x call` cancelled
        self.log: list[str] = []
        #: most calls under way at a time
        self.most = 0

    def target(self, function: FunctionInfo, facts: RuntimeFacts) -> ExecTarget:
        return RemoteModel("far") if function.symbol in self._names else LocalPure()

    def bind(
        self,
        function: FunctionInfo,
        target: ExecTarget | ByArguments,
        facts: RuntimeFacts,
        body: Callable[..., Value],
    ) -> Callable[..., Value]:
        def stub(*args: Value) -> Value:
            self._wait(" ".join([function.symbol, *map(pr_str, args)]))
            return body(*args)

        return stub

    def _wait(self, text: str) -> None:
        self.log.append(f"> {text}")
        try:
            wait(lambda wake: self._begin(Call(text, wake)))
        finally:
            self._answer_later()
        self.log.append(f"< {text}")

    def _begin(self, call: Call) -> Callable[[], None]:
        self._calls.append(call)
        self.most = max(self.most, len(self._calls))
        self._answer_later()

        def cancel() -> None:
            self._calls.remove(call)
            self.log.append(f"x {call.text}")

        return cancel

    def _answer_later(self) -> None:
        if self._calls and not self._asked:
            self._asked = True
            when_idle(self._answer_some)

    def _answer_some(self) -> None:
        self._asked = False
        for call in self._answer(self._calls):
            self._calls.remove(call)
            call.wake()

    def begun(self) -> list[str]:
        """The calls in the order in which they began."""
        return [line[2:] for line in self.log if line.startswith(">")]


class Seen(list[str]):
    """What a host was told by `println`."""

    def host(self) -> DictHost:
        return DictHost({"ccos.io.println": lambda *values: self.append(" ".join(map(pr_str, values)))})


def run(text: str, target: Target | None, seen: Seen | None = None, limits: Limits | None = None) -> str:
    """The printed value of `text`, or the category of its error, where calls overlap."""
    linked = compile(text).link(target)
    context = RuntimeContext.full()
    host = (Seen() if seen is None else seen).host()
    try:
        return overlapping(lambda: pr_str(linked.run(host=host, context=context, limits=limits)))
    except RtfsError as error:
        return f"{error.category}: {error.text()}"
