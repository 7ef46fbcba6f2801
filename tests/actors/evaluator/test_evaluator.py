"""Runs of programs: what they come to, side by side, stopped at any moment, and whatever they do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from fuzz_campaigns import IMPATIENT_LIMITS, limits_in_tests
from fuzz_escapes import ESCAPES, Hostile

from actors.evaluator import evaluator as module
from actors.evaluator.evaluator import Evaluator, EvaluatorBusy
from actors.requests import DEFAULT_CAPABILITIES, Call, RunReply, RunRequest
from rtfs import errors
from rtfs.run import MIB, Limits
from rtfs.values import Vector

#: longest wait for something that has to happen
PATIENCE_S = 30.0
SPIN = "(loop [] (recur))"


class Gates:
    """Capabilities by which programs wait for the test, and tell it how far they are."""

    def __init__(self) -> None:
        self.reached = threading.Semaphore(0)
        self.open = threading.Event()

    def wait(self) -> None:
        self.reached.release()
        assert self.open.wait(PATIENCE_S)

    def tell(self) -> None:
        self.reached.release()

    def has_reached(self, times: int = 1) -> None:
        for _ in range(times):
            assert self.reached.acquire(timeout=PATIENCE_S)


@pytest.fixture
def gates() -> Gates:
    return Gates()


@pytest.fixture
def evaluator(gates: Gates) -> Evaluator:
    return Evaluator(capabilities={"t.wait": gates.wait, "t.tell": gates.tell})


@pytest.fixture
def start(evaluator: Evaluator, gates: Gates) -> Iterator[Callable[..., Future[RunReply]]]:
    """Runs something on a thread of its own, which ends with the test at the latest."""
    with ThreadPoolExecutor(64) as pool:
        yield pool.submit
        gates.open.set()
        evaluator.cancel_all("the test is over")


def request(source: str, **more: Any) -> RunRequest:
    return RunRequest(source=source, **{"allowed": (*DEFAULT_CAPABILITIES, "t.*"), **more})


# ---------------------------------------------------------------- what a reply says


def test_value_output_and_effects_of_a_run() -> None:
    reply = Evaluator().run(request('(call :ccos.io.println "hello") (* x 2)', args={"x": 21}, run_id="r"))
    assert (reply.run_id, reply.status, reply.value, reply.text) == ("r", "completed", 42, "42")
    assert (reply.output, reply.error, reply.calls, reply.had_effects) == ("hello\n", None, (), False)
    assert reply.took_ms > 0
    assert RunReply.decode(reply.encode()) == reply


def test_a_function_of_the_program_is_called(evaluator: Evaluator) -> None:
    call = Call(function="f", args=(Vector([1, 2]),))
    reply = evaluator.run(request("(defn f [v] (conj v 3)) (def x 1)", call=call))
    assert reply.outcome() == Vector([1, 2, 3])
    missing = evaluator.run(request("(defn f [v] v)", call=Call(function="g")))
    assert isinstance(missing.error, errors.UndefinedSymbol)


FAILURES: list[tuple[str, dict[str, Any], type[errors.RtfsError]]] = [
    ("(/ 1 0)", {}, errors.DivisionByZero),
    ("(+ 1", {}, errors.ReadError),
    (SPIN, {"limits": Limits(deadline_s=0.05)}, errors.BudgetExhausted),
    ("1", {"limits": Limits(deadline_s=0.0)}, errors.BudgetExhausted),
    ("(defn f [n] (+ 1 (f n))) (f 1)", {"limits": Limits(deadline_s=20.0, depth=100)}, errors.StackOverflow),
    ("(range 100000000)", {"limits": Limits(allocation_bytes=MIB)}, errors.BudgetExhausted),
    ('(call :ccos.io.print "12345")', {"limits": Limits(output_bytes=4)}, errors.BudgetExhausted),
    ("(call :t.tell)", {"level": "pure"}, errors.SecurityViolation),
    ("(call :t.tell)", {"allowed": ()}, errors.SecurityViolation),
    ("(call :t.missing)", {}, errors.UnknownCapability),
    ("(call :t.tell 1 2)", {}, errors.HostException),
]


@pytest.mark.parametrize(("source", "more", "error"), FAILURES)
def test_what_ends_a_run(
    evaluator: Evaluator, source: str, more: dict[str, Any], error: type[errors.RtfsError]
) -> None:
    reply = evaluator.run(request(source, **more))
    assert (reply.status, reply.value, reply.portable) == ("failed", None, True)
    assert type(reply.error) is error
    with pytest.raises(error):
        reply.outcome()
    assert type(RunReply.decode(reply.encode()).error) is error
    assert evaluator.stats().failed == 1


@pytest.mark.parametrize("source", ["(fn [x] x)", "[1 {:f inc}]", "(async 1)"])
def test_a_value_that_cannot_leave_its_process(evaluator: Evaluator, source: str) -> None:
    reply = evaluator.run(request(source))
    assert (reply.status, reply.value, reply.portable) == ("completed", None, False)
    assert reply.text.count("#")
    with pytest.raises(errors.Generic, match="cannot leave its run"):
        RunReply.decode(reply.encode()).outcome()


def test_a_small_value_with_an_endless_text_is_stopped_as_the_run_would_be(evaluator: Evaluator) -> None:
    shared = "(loop [i 0 v [1]] (if (= i 60) v (recur (inc i) [v v])))"
    limits = Limits(deadline_s=20.0, allocation_bytes=MIB)
    reply = evaluator.run(request(shared, limits=limits))
    assert (reply.status, reply.value) == ("failed", None)
    assert isinstance(reply.error, errors.BudgetExhausted)
    assert evaluator.stats().running == 0


def test_a_bug_is_an_answer_too(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        @property
        def delegate(self) -> None:
            raise ZeroDivisionError("the delegate is broken")

    evaluator = Evaluator(Broken())  # type: ignore[arg-type]
    reply = evaluator.run(request("1"))
    assert isinstance(reply.error, errors.InternalError)
    assert "the delegate is broken" in reply.error.text()
    assert "met a bug" in caplog.text
    assert evaluator.stats().running == 0


# ---------------------------------------------------------------- cancelling


def test_a_run_is_cancelled_before_it_begins() -> None:
    @contextmanager
    def cancelled(request: RunRequest) -> Iterator[None]:
        assert evaluator.cancel(request.run_id, "nobody waits")
        yield

    evaluator = Evaluator(around=cancelled)
    reply = evaluator.run(request('(call :ccos.io.print "x") 1'))
    assert (reply.status, reply.output) == ("cancelled", "")
    assert isinstance(reply.error, errors.BudgetExhausted)
    assert "nobody waits" in reply.error.text()


def test_a_run_that_is_on_its_way_is_cancelled_when_it_comes(evaluator: Evaluator) -> None:
    request = RunRequest(source="1")
    assert not evaluator.cancel(request.run_id, "nobody waits")
    reply = evaluator.run(request)
    assert (reply.status, evaluator.run(RunRequest(source="1")).status) == ("cancelled", "completed")
    assert "nobody waits" in str(reply.error)


@pytest.mark.parametrize(
    "source", ["(call :t.tell) " + SPIN, "(call :t.tell) (call :ccos.system.sleep-ms 60000)"]
)
def test_a_run_is_cancelled_while_it_goes_on(
    evaluator: Evaluator, gates: Gates, start: Callable[..., Future[RunReply]], source: str
) -> None:
    running = start(evaluator.run, request(source, run_id="r"))
    gates.has_reached()
    assert evaluator.cancel("r")
    reply = running.result(PATIENCE_S)
    assert (reply.status, reply.had_effects) == ("cancelled", True)
    assert not evaluator.cancel("r")


def test_a_run_that_is_over_keeps_its_value_and_is_not_there_to_be_cancelled(evaluator: Evaluator) -> None:
    assert evaluator.run(request("1", run_id="r")).value == 1
    assert not evaluator.cancel("r")
    assert not evaluator.cancel("never")


def test_all_runs_are_cancelled(
    evaluator: Evaluator, gates: Gates, start: Callable[..., Future[RunReply]]
) -> None:
    running = [start(evaluator.run, request("(call :t.tell) " + SPIN)) for _ in range(3)]
    gates.has_reached(3)
    assert evaluator.cancel_all("no memory") == 3
    assert [each.result(PATIENCE_S).status for each in running] == ["cancelled"] * 3
    assert evaluator.cancel_all("no memory") == 0
    assert evaluator.stats().failed == 0  # nobody's program was at fault


# ---------------------------------------------------------------- side by side


def test_more_runs_than_may_are_refused_and_nothing_is_done(
    gates: Gates, start: Callable[..., Future[RunReply]]
) -> None:
    evaluator = Evaluator(capabilities={"t.wait": gates.wait, "t.tell": gates.tell}, most_runs=2)
    running = [start(evaluator.run, request("(call :t.wait) 1")) for _ in range(2)]
    gates.has_reached(2)
    with pytest.raises(EvaluatorBusy, match="2 programs run already"):
        evaluator.run(request("(call :t.tell)"))
    gates.open.set()
    assert [each.result(PATIENCE_S).value for each in running] == [1, 1]
    assert not gates.reached.acquire(blocking=False)
    assert evaluator.run(request("3")).value == 3
    stats = evaluator.stats()
    assert (stats.running, stats.completed, stats.most_runs) == (0, 3, 2)


def test_of_two_runs_with_one_id_the_first_counts(
    evaluator: Evaluator, gates: Gates, start: Callable[..., Future[RunReply]]
) -> None:
    running = start(evaluator.run, request("(call :t.wait) 1", run_id="r"))
    gates.has_reached()
    second = evaluator.run(request("2", run_id="r"))
    assert (second.status, type(second.error)) == ("failed", errors.InvalidArgument)
    assert evaluator.stats().running == 1
    gates.open.set()
    assert running.result(PATIENCE_S).value == 1


def test_a_run_that_spins_neither_delays_others_nor_survives_its_deadline(
    evaluator: Evaluator, gates: Gates, start: Callable[..., Future[RunReply]]
) -> None:
    spinning = start(evaluator.run, request("(call :t.tell) " + SPIN, run_id="spin"))
    brief = start(evaluator.run, request(SPIN, limits=Limits(deadline_s=0.2)))
    gates.has_reached()
    others = [
        start(evaluator.run, request("(reduce + 0 (map inc (range n)))", args={"n": n})) for n in range(40)
    ]
    sums = [each.result(PATIENCE_S).value for each in others]
    assert sums == [n * (n + 1) // 2 for n in range(40)]
    ended = brief.result(PATIENCE_S)
    assert isinstance(ended.error, errors.BudgetExhausted)
    assert "deadline" in ended.error.text()
    assert not spinning.done()
    assert evaluator.cancel("spin")
    assert spinning.result(PATIENCE_S).status == "cancelled"


def test_runs_share_nothing(evaluator: Evaluator, start: Callable[..., Future[RunReply]]) -> None:
    source = "(call :ccos.state.counter.inc {:key 1}) (call :ccos.state.counter.inc {:key 1 :increment n})"
    running = [start(evaluator.run, request(source, args={"n": n})) for n in range(20)]
    assert [each.result(PATIENCE_S).value for each in running] == [n + 1 for n in range(20)]


# ---------------------------------------------------------------- programs that are kept


def test_programs_are_kept_by_text_name_and_modules(
    evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    original = Evaluator._made

    def counted(self: Evaluator, request: RunRequest) -> Any:
        made.append(request.source)
        return original(self, request)

    monkeypatch.setattr(Evaluator, "_made", counted)
    use = "(import m) (m/f)"
    module_1, module_2 = [{"m": f"(module m (:exports [f]) (defn f [] {n}))"} for n in (1, 2)]
    requests = [
        *[request("1")] * 2,
        *[request("1", source_name="other")] * 2,
        *[request(use, modules=module_1)] * 2,
        *[request(use, modules=module_2)] * 2,
    ]
    assert [evaluator.run(each).value for each in requests] == [1, 1, 1, 1, 1, 1, 2, 2]
    assert made == ["1", "1", use, use]
    assert evaluator.stats().programs == 4


def test_only_the_latest_programs_are_kept_and_none_that_is_long(
    evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_PROGRAMS", 2)
    monkeypatch.setattr(module, "LONGEST_KEPT", 10)
    for source in ("1", "2", "1", "3", "(+ 1 2 3 4 5)"):
        assert evaluator.run(request(source)).status == "completed"
    assert [key[0] for key in evaluator._programs] == ["1", "3"]


# ---------------------------------------------------------------- hostile programs

_QUICK = ("python names", "attributes", "texts", "formats", "modules", "host and atoms")
#: of each kind that has killed interpreters of other languages
_DEEP = ("[" * 100_000, "(+ 1 (f x))", "recur (inc i) [v]", "recur (inc i) {:a v}", "comp (repeat")


def _hostile() -> list[Hostile]:
    quick = [each for each in ESCAPES if each.group in _QUICK]
    return quick + [
        next(each for each in ESCAPES if piece in each.text and "limit" in each.expected) for piece in _DEEP
    ]


@pytest.mark.filterwarnings("ignore")
def test_whatever_a_program_does_there_is_a_reply(evaluator: Evaluator) -> None:
    def label(hostile: Hostile) -> str:
        limits = IMPATIENT_LIMITS if hostile.text[:9] == "[" * 9 else limits_in_tests(hostile)
        reply = evaluator.run(RunRequest(source=hostile.text, limits=limits, level="pure"))
        assert RunReply.decode(reply.encode()).status == reply.status
        if reply.error is None:
            return "value"
        return "limit" if isinstance(reply.error, errors.LimitError) else reply.error.category

    hostile = _hostile()
    assert len(hostile) > 250
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(label, hostile))
    wrong = [
        (each.text[:80], what) for each, what in zip(hostile, found, strict=True) if what not in each.expected
    ]
    assert wrong == []
    assert evaluator.stats().running == 0
