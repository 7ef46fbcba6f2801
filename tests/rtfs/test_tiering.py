"""Functions become wasm by themselves where it pays, and nothing but time changes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import rtfs
from rtfs import errors
from rtfs.delegation import ByArguments, ExecTarget, FunctionInfo, LocalPure, RemoteModel
from rtfs.runtime_facts import RuntimeFacts
from rtfs.tiering import Function, State, UnitTiers, doors

pytest.importorskip("wasmtime")

from rtfs.sampling import Sampler
from rtfs.tiering import functions as tiering_functions

LIMITS = rtfs.Limits()
LOOK = Sampler.look
SUM = "(defn total [n] (loop [i 0 s 0] (if (< i n) (recur (inc i) (+ s i)) s)))"
FIB = "(defn fib [n : int] : int (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2)))))"
LONG = 20_000


@pytest.fixture(autouse=True)
def nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sampler's thread sees nothing: tests say what is seen."""
    monkeypatch.setattr(Sampler, "look", lambda self, spent_s: False)


def spend(function: Function, values: dict[str, Any], spent_s: float) -> None:
    """As if the sampler had seen that much time spent in it."""
    assert isinstance(function.unit, UnitTiers)
    function.unit.spent_s += spent_s
    function.seen(values, spent_s)


class Measured:
    """A linked program whose functions are tried when the test says that time was spent in them."""

    def __init__(self, source: str, delegate: Any = None) -> None:
        self.linked = rtfs.compile(source).link(delegate)
        self.linked.call("inc", 1, limits=LIMITS)
        link = self.linked._links.get(self.linked._context.facts)
        assert link._loaded is not None
        self.values = link._loaded.values
        assert link._tiers is not None
        self._known = [each for _, each in link._tiers._measured.values()]

    def call(self, name: str, *args: Any) -> Any:
        return self.linked.call(name, *args, limits=LIMITS)

    def function(self, name: str) -> Function:
        measured = self._known[0]
        assert measured is not None
        return next(each for each in measured.tiers().functions if each.name == name)

    def spend(self, name: str) -> State:
        function = self.function(name)
        spend(function, self.values, 1000.0)
        return function.state

    def promote(self, name: str, *args: Any, calls: int = 40) -> State:
        """What becomes of it when it is called like this for a long time."""
        self.spend(name)
        for _ in range(calls):
            self.call(name, *args)
        self.spend(name)
        for _ in range(calls):
            self.call(name, *args)
        return self.function(name).state


def test_a_function_that_pays_becomes_wasm(caplog: pytest.LogCaptureFixture) -> None:
    measured = Measured(SUM)
    wanted = measured.call("total", LONG)
    with caplog.at_level("INFO"):
        assert measured.promote("total", LONG) is State.ON
    assert "total is WebAssembly now" in caplog.text
    function = measured.function("total")
    assert function.wasm_s > 0
    assert measured.call("total", LONG) == wanted
    assert measured.call("total", LONG + 1) == wanted + LONG


def test_it_is_the_same_value_before_and_behind() -> None:
    measured = Measured(f"{SUM} (def kept [total]) (defn same [] (= total (first kept)))")
    before = measured.values["total"]
    assert measured.call("same") is True
    assert measured.promote("total", LONG) is State.ON
    assert measured.values["total"] is before
    assert measured.call("same") is True


def test_steps_on_the_way() -> None:
    measured = Measured(SUM)
    function = measured.function("total")
    assert function.state is State.COUNTING
    spend(function, measured.values, 1e-6)
    assert function.state is State.COUNTING
    assert measured.spend("total") is State.PROBING
    for _ in range(32):
        measured.call("total", LONG)
    assert function.state is State.COMPILING
    own = measured.values["total"].__code__
    assert measured.spend("total") is State.ON
    assert measured.values["total"].__code__ is not own


@pytest.mark.parametrize("argument", [LONG, float(LONG)])
def test_it_is_compiled_for_the_arguments_that_come(argument: float) -> None:
    zero = argument * 0
    measured = Measured(f"(defn total [n] (loop [i {zero} s {zero}] (if (< i n) (recur (inc i) (+ s i)) s)))")
    assert measured.promote("total", argument) is State.ON
    artifact = measured.function("total").artifact
    assert artifact is not None
    assert artifact.functions[0].params[0].value == ("int" if type(argument) is int else "float")
    assert measured.call("total", 4 if type(argument) is int else 4.0) == 6


def test_vectors_without_a_declared_type() -> None:
    measured = Measured("(defn squares [v] (reduce + 0 (map (fn [x] (* x x)) v)))")
    numbers = list(range(3000))
    measured.promote("squares", numbers)
    artifact = measured.function("squares").artifact
    assert artifact is not None
    assert artifact.functions[0].params[0].value == "a vector of ints"
    assert measured.call("squares", numbers) == sum(x * x for x in numbers)


def test_strings_without_a_declared_type() -> None:
    measured = Measured("(defn found [s c] (reduce (fn [n x] (if (= x c) (inc n) n)) 0 s))")
    text = "banana " * 500
    measured.promote("found", text, "a")
    artifact = measured.function("found").artifact
    assert artifact is not None
    assert [kind.value for kind in artifact.functions[0].params] == ["string", "string"]
    assert measured.call("found", text, "a") == 1500


def test_calls_that_are_short_stay_with_python() -> None:
    measured = Measured("(defn square [n] (* n n))")
    assert measured.promote("square", 3) is State.COUNTING
    assert measured.function("square").failures > 0
    assert measured.function("square").artifact is None


@pytest.mark.parametrize(
    "source",
    [
        SUM.replace("total [", "^{:tier :python} total ["),
        SUM.replace("(inc i)", "(+ i (count (upper (str 1))))"),
        SUM.replace("(inc i)", "(:a {:a (inc i)})"),
        "(defn total [n] (loop [i 0 v [1 2 3]] (if (< i n) (recur (inc i) (if (assoc v 0 i) v v)) 0)))",
    ],
    ids=["told to", "a builtin", "a map", "copies vectors"],
)
def test_what_cannot_become_wasm_stays(source: str) -> None:
    measured = Measured(source)
    wanted = measured.call("total", 300)
    assert measured.promote("total", 300) is State.OFF
    assert measured.call("total", 300) == wanted


def test_arguments_of_several_kinds_stay_with_python() -> None:
    measured = Measured(SUM)
    measured.spend("total")
    for n in range(32):
        measured.call("total", 300 if n % 2 else 300.5)
    assert measured.function("total").state is State.OFF


def test_what_leaves_wasm_is_python_again() -> None:
    source = (
        "(defn f [n : int] : int\n  (let [t (loop [i 0 s 0] (if (< i 20000) (recur (inc i) (+ s i)) s))]\n"
        "    (* t n)))"
    )
    measured = Measured(source)
    code = measured.values["f"].__code__
    assert measured.promote("f", 1) is State.ON

    def failure() -> errors.RtfsError:
        with pytest.raises(errors.IntegerOverflow) as caught:
            measured.call("f", 2**60)
        return caught.value

    first = failure()
    assert measured.function("f").state is State.COUNTING
    assert measured.values["f"].__code__ is code
    second = failure()
    assert (first.span, first.trace) == (second.span, second.trace)
    assert measured.call("f", 2) == 2 * measured.call("f", 1)


def test_other_arguments_than_before_are_given_to_python() -> None:
    measured = Measured(SUM)
    assert measured.promote("total", LONG) is State.ON
    assert measured.call("total", 10.5) == 55
    assert measured.function("total").state is State.COUNTING
    with pytest.raises(errors.ArityMismatch, match="in total: expected 1, got 2"):
        measured.call("total", 1, 2)


def test_errors_in_functions_that_are_tried_have_their_places() -> None:
    source = f"{FIB}\n(defn g [n : int] : int\n  (/ (fib n) 0))"
    traces = []
    for state in (None, State.PROBING, State.ON):
        measured = Measured(source)
        if state is State.PROBING:
            measured.spend("fib")
        elif state is State.ON:
            assert measured.promote("fib", 15) is State.ON
        with pytest.raises(errors.RtfsError) as caught:
            measured.call("g", 5)
        with pytest.raises(errors.TypeValidationError) as wrong:
            measured.call("fib", "x")
        traces.append((caught.value.span, caught.value.trace, wrong.value.span, str(wrong.value)))
    assert traces[0] == traces[1] == traces[2]


def test_recursion() -> None:
    measured = Measured(FIB)
    assert measured.promote("fib", 15) is State.ON
    assert measured.call("fib", 20) == 6765


def test_functions_that_run_elsewhere_and_their_callers_stay() -> None:
    class Elsewhere:
        version = "1"
        sources = None

        def target(self, function: FunctionInfo, facts: RuntimeFacts) -> ExecTarget:
            return RemoteModel("m") if function.symbol == "far" else LocalPure()

        def bind(
            self,
            function: FunctionInfo,
            target: ExecTarget | ByArguments,
            facts: RuntimeFacts,
            body: Callable[..., Any],
        ) -> Callable[..., Any]:
            return body if isinstance(target, LocalPure) else lambda *args: 100

    source = f"(defn far [n] n) (defn near [n] (+ (far n) (total n))) {SUM}"
    measured = Measured(source, Elsewhere())
    assert measured.promote("near", LONG) is State.OFF
    assert measured.promote("total", LONG) is State.ON
    assert measured.call("near", 4) == 106
    measured.spend("far")
    assert measured.call("far", 1) == 100


def test_a_later_run_begins_with_wasm() -> None:
    measured = Measured(f"{SUM} (total {LONG})")
    wanted = measured.linked.run(limits=LIMITS)
    assert measured.promote("total", LONG) is State.ON
    function = measured.function("total")
    before = function.wasm_s
    assert measured.linked.run(limits=LIMITS) == wanted
    assert function.wasm_s > before


def test_a_run_with_a_small_limit_of_depth_does_without() -> None:
    measured = Measured(SUM)
    assert measured.promote("total", LONG) is State.ON
    assert measured.linked.call("total", LONG, limits=rtfs.Limits(depth=100)) == sum(range(LONG))
    assert measured.function("total").state is State.ON
    from rtfs.emit_wasm.engine import LEAST_DEPTH

    assert LEAST_DEPTH == doors.LEAST_DEPTH


def test_calls_that_become_short_return_to_python() -> None:
    measured = Measured(SUM)
    function = measured.function("total")
    assert measured.promote("total", LONG) is State.ON
    for _ in range(500):
        function.compare_s = 0.0  # as if the time for it had come
        measured.call("total", 1)
        if function.state is State.COUNTING:
            break
    assert function.state is State.COUNTING


def test_threads_that_call_meanwhile_get_right_values() -> None:
    measured = Measured(FIB)
    stop = threading.Event()

    def calling(n: int) -> set[int]:
        found = set()
        while not stop.is_set():
            found.add(measured.call("fib", 5 + n))
        return found

    with ThreadPoolExecutor(4) as threads:
        futures = [threads.submit(calling, n) for n in range(4)]
        for _ in range(5):
            measured.promote("fib", 12)
            measured.function("fib").fail()
        stop.set()
    assert [future.result() for future in futures] == [{5}, {8}, {13}, {21}]


def test_the_environment_turns_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    from rtfs.tiers import asked_for

    unit = rtfs.compile("(defn ^{:tier :wasm} f [] 1)").unit
    for value, measures, asks in (("python", False, False), ("asked", False, True), ("", True, True)):
        monkeypatch.setenv("RTFS_TIER", value)
        linked = rtfs.compile(SUM).link()
        linked.run(limits=LIMITS)
        link = linked._links.get(linked._context.facts)
        assert link._tiers is not None
        known = [each for _, each in link._tiers._measured.values()]
        assert (known != [None]) is measures
        assert bool(asked_for(unit)) is asks


def test_a_program_from_disk(tmp_path: Any) -> None:
    from rtfs.code_cache import CachedProgram, load_or_compile
    from rtfs.program import FileModules

    text = f"{SUM} (total {LONG})"
    for _ in range(2):
        program = load_or_compile(text, "a.rtfs", FileModules(), tmp_path)
        wanted = program.run(limits=LIMITS)
    assert isinstance(program, CachedProgram)
    assert program._measured is not None
    (function,) = program._measured.tiers().functions
    for _ in range(2):
        spend(function, {}, 1000.0)
        for _ in range(40):
            assert program.run(limits=LIMITS) == wanted
    assert function.state is State.ON
    assert program._measured.wasm() == ["total"]


def test_the_sampler_sees_a_program_that_runs() -> None:
    from rtfs.program import new_run
    from rtfs.run import cancel, running

    linked = rtfs.compile(f"{SUM} (total {10**12})").link()
    run = new_run(None, None, LIMITS, None)

    def work() -> None:
        with pytest.raises(errors.BudgetExhausted), running(run):
            linked._links.get(linked._context.facts).start()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        sampler = Sampler()
        function = None
        for _ in range(10_000):
            if LOOK(sampler, 0.01):
                link = linked._links.get(linked._context.facts)
                assert link._tiers is not None
                ((_, measured),) = link._tiers._measured.values()
                assert measured is not None
                (function,) = measured.tiers().functions
                if function.spent_s:
                    break
    finally:
        cancel(run)
        thread.join()
    assert function is not None
    assert function.spent_s > 0


def test_compiling_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    import rtfs.emit_wasm
    from rtfs.run import poll

    def compile_unit(*args: object, **more: object) -> object:
        while True:
            poll()

    monkeypatch.setattr(rtfs.emit_wasm, "compile_unit", compile_unit)
    measured = Measured(SUM)
    function = measured.function("total")
    spend(function, measured.values, 0.5)
    for _ in range(32):
        measured.call("total", LONG)
    assert function.state is State.COMPILING
    spend(function, measured.values, 4.0)
    assert function.state is State.COUNTING
    assert function.failures == 1


def test_functions_that_call_each_other_pay_together(monkeypatch: pytest.MonkeyPatch) -> None:
    import rtfs.emit_wasm

    asked = []

    def compile_unit(*args: object, wanted: Any, **more: object) -> Any:
        asked.append(wanted)
        raise MemoryError

    monkeypatch.setattr(rtfs.emit_wasm, "compile_unit", compile_unit)
    measured = Measured(f"{SUM} (defn outer [n] (total n))")
    for name in ("total", "outer"):
        measured.function(name).seen(measured.values, 1000.0)
    for _ in range(32):
        measured.call("outer", LONG)
        measured.call("total", LONG)
    for name in ("total", "outer"):
        assert measured.function(name).state is State.COMPILING
        measured.function(name).seen(measured.values, 1000.0)
    assert asked == []  # the unit itself was not seen to spend any time
    unit = measured.function("total").unit
    assert isinstance(unit, UnitTiers)
    unit.spent_s = 2 * 25 * (tiering_functions.LOADING_S + tiering_functions.COMPILING_S)
    measured.function("total").seen(measured.values, 1.0)
    assert asked == [("total",)]
    assert measured.function("total").state is State.OFF
    unit.paid_s = 1.0
    measured.function("outer").seen(measured.values, 1.0)
    assert asked == [("total",)]


def test_where_there_is_no_memory_for_it_python_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from rtfs.emit_wasm.execute import Executor

    def load(*args: object, **more: object) -> Any:
        raise ValueError("the module cannot be instantiated")

    monkeypatch.setattr(Executor, "load", load)
    measured = Measured(SUM)
    assert measured.promote("total", LONG) is State.OFF
    assert measured.call("total", 4) == 6
    asking = SUM.replace("total [", "^{:tier :wasm} total [")
    assert Measured(asking).call("total", 4) == 6


def test_without_wasmtime_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from rtfs import sampling

    measured = Measured(SUM)
    known = measured._known[0]
    assert known is not None
    monkeypatch.setattr(sampling, "_can_run", lambda: False)
    known.seen(sys._getframe(), 1.0)
    assert known.wasm() == []
    assert known._tiers is None
    monkeypatch.setattr(sampling, "_can_run", lambda: True)
    known.seen(sys._getframe(), 1.0)
    assert known.tiers().spent_s == 1.0
