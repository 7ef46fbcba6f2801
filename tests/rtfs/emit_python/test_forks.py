"""Programs whose calls overlap: what begins when, values, errors, effects, and what is compiled for that."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from fuzz_overlap import Target as RandomTarget
from fuzz_overlap import one_by_one, overlapped
from overlap_target import Call, Seen, Target, but, everything, first, last, never, run

import rtfs
from rtfs.delegation import RemoteModel
from rtfs.emit_python import backend, routed
from rtfs.emit_python.artifact import Artifact
from rtfs.host import MemoryHost
from rtfs.overlap import overlapping
from rtfs.run import Limits
from rtfs.security import RuntimeContext
from rtfs.stdlib.table import BUILTINS

PRELUDE = """
(defn slow [x] x)
(defn fast [x] x)
(defn fails [x] (throw (str "failed " x)))
(defn through [x] (+ 1 (slow x)))
(defn local [x] (* 2 x))
"""
FAR = ("slow", "fast", "fails")


def far(answer: Callable[[list[Call]], Iterable[Call]] = everything) -> Target:
    return Target(*FAR, answer=answer)


#: a text, its value, and most calls at a time
OVERLAPPING = [
    ("[(slow 1) (slow 2) (slow 3)]", "[1 2 3]", 3),
    ("(list (slow 1) (local 2) (slow 3))", "(1 4 3)", 2),
    ("{:a (slow 1) :b (slow 2)}", "{:a 1 :b 2}", 2),
    ("(hash-map (slow :a) (slow 1) :b 3)", "{:a 1 :b 3}", 2),
    ("#{(slow 1) (slow 2)}", "#{1 2}", 2),
    ("`(1 ~(slow 2) ~(slow 3))", "(1 2 3)", 2),
    ("(+ (slow 1) (through 2) 3)", "7", 2),
    ("(= (slow 1) (slow 1))", "true", 2),
    ("(if (< (slow 1) (slow 2)) :less :more)", ":less", 2),
    ("(str (slow 1) (str (slow 2) (slow 3)) (slow 4))", '"1234"', 4),
    ("(let [a (slow 1) b (slow 2)] (+ a b))", "3", 2),
    ("(let [a (slow 1) b (local 2) c (slow b) d (slow (+ a c))] [a b c d])", "[1 4 4 5]", 2),
    ("(let [[a b] (slow [1 2]) {c :c} (slow {:c 3})] [a b c])", "[1 2 3]", 2),
    ("(let [a : int (slow 1) b : int (slow 2)] [a b])", "[1 2]", 2),
    ("(let [f (fn [x] (slow x)) a (f 1) b (f 2)] [a b])", "[1 2]", 2),
    ("(map slow [1 2 3])", "[1 2 3]", 3),
    ("(map (fn [x y] (+ (slow x) y)) [1 2] [3 4])", "[4 6]", 2),
    ("(map-indexed (fn [i x] (slow (+ i x))) [1 2])", "[1 3]", 2),
    ("(filter (fn [x] (odd? (slow x))) [1 2 3])", "[1 3]", 3),
    ("(remove (fn [x] (odd? (slow x))) [1 2 3])", "[2]", 3),
    ("(mapcat (fn [x] [x (slow x)]) [1 2])", "[1 1 2 2]", 2),
    ("(keep (fn [x] (if (odd? x) (slow x))) [1 2 3])", "[1 3]", 2),
    ("(group-by (fn [x] (slow :k)) [1 2 3])", "{:k [1 2 3]}", 3),
    ("(for [x [1 2 3]] (slow x))", "[1 2 3]", 3),
    ("(for [x [1 2] :let [y (slow x)] :when (odd? y) z [3 4]] (+ y (slow z)))", "[4 5]", 2),
    ("(for [x [1 2] y [3 4]] (slow (+ x y)))", "[4 5 5 6]", 4),
    ("(doseq [x [1 2 3]] (slow x))", "nil", 3),
    ("(step-parallel (slow 1) (slow 2))", "[1 2]", 2),
    ("(loop [i 0 s 0] (if (< i 2) (recur (+ 1 (slow i)) (+ s (slow i))) s))", "1", 2),
    ("(defn twice [f x] [(f x) (f x)]) (twice slow 1)", "[1 1]", 2),
    ("(defn tree [n] (if (= n 0) (slow 1) (+ (tree (- n 1)) (tree (- n 1))))) (tree 4)", "16", 16),
    ("(defn both ([x] (both x x)) ([x y] [(slow x) (slow y)])) (both 1)", "[1 1]", 2),
    ("(let [t (async (slow 1))] [(slow 2) (await t)])", "[2 1]", 2),
    ("[(await (async (slow 1))) (slow 2)]", "[1 2]", 2),
    ("(race (slow 1) (slow 2))", "1", 2),
    ("(module m (:exports [pair]) (defn near [x] x) (defn pair [f] [(f 1) (f 2)])) (m/pair slow)", "[1 2]", 2),
]


@pytest.mark.parametrize(("text", "value", "most"), OVERLAPPING, ids=[text for text, _, _ in OVERLAPPING])
def test_calls_that_do_not_need_each_other_wait_at_the_same_time(text: str, value: str, most: int) -> None:
    target = far()
    assert run(PRELUDE + text, target) == value
    assert target.most == most
    assert run(PRELUDE + text, far(first)) == value
    if "race" not in text:
        assert run(PRELUDE + text, far(last)) == value
        assert run(PRELUDE + text, None) == value


#: what must come one after another
SEQUENTIAL = [
    ("(do (slow 1) (slow 2))", "2"),
    ("(and (slow 1) (slow 2))", "2"),
    ("(or (slow nil) (slow 2))", "2"),
    ("(if (slow true) (slow 1) (slow 2))", "1"),
    ("(slow (slow 1))", "1"),
    ("(let [a (slow 1) b (slow (+ a 1))] b)", "2"),
    ("(reduce (fn [a x] (+ a (slow x))) 0 [1 2 3])", "6"),
    ("(some? (fn [x] (slow x)) [1 2])", "true"),
    ("(every? (fn [x] (slow x)) [1 2])", "true"),
    ("(take-while (fn [x] (< (slow x) 2)) [1 2 3])", "[1]"),
    ("(for [x [1 2 3] :while (< (slow x) 2)] (slow x))", "[1]"),
    ("[(slow 1) (do (def a 5) (slow a)) a]", "[1 5 5]"),
    ("(defn f [] [(slow 1) (do (def a 5) (slow a))]) (f)", "[1 5]"),
]


@pytest.mark.parametrize(("text", "value"), SEQUENTIAL, ids=[text for text, _ in SEQUENTIAL])
def test_what_needs_an_earlier_value_comes_after_it(text: str, value: str) -> None:
    target = far()
    assert run(PRELUDE + text, target) == value
    assert target.most == 1


def test_a_call_begins_when_what_it_needs_is_there() -> None:
    target = far(but("slow"))
    text = "(let [a (slow 1) b (fast 2) c (fast (+ b 1)) d (fast (+ c 1))] [a b c d])"
    assert run(PRELUDE + text, target) == "[1 2 3 4]"
    begun = "> slow 1 > fast 2 < fast 2 > fast 3 < fast 3 > fast 4 < fast 4 < slow 1"
    assert " ".join(target.log) == begun


def test_the_body_of_a_let_begins_when_all_is_there() -> None:
    target = far(but("slow"))
    assert run(PRELUDE + "(let [a (slow 1) b (fast 2)] (fast 3))", target) == "3"
    assert target.log[-3:] == ["< slow 1", "> fast 3", "< fast 3"]


def test_the_first_error_in_the_program_counts() -> None:
    assert (
        run(PRELUDE + "[(slow 1) (fails 2) (fails 3)]", far(last))
        == "ApplicationError: Application error (error): failed 2"
    )
    target = far(but("slow"))
    assert (
        run(PRELUDE + "[(slow 1) (fails 2) (slow 3)]", target)
        == "ApplicationError: Application error (error): failed 2"
    )
    assert target.log[-2:] == ["x slow 3", "< slow 1"]


def test_an_error_can_be_caught_around_a_fork_and_inside_a_part() -> None:
    text = """[(try [(slow 1) (fails 2)] (catch e (getMessage e)))
               (try [(fails 3) (slow 4)] (catch e (getMessage e)) (finally (println :finally)))]"""
    for answer in (everything, first, last):
        seen = Seen()
        assert run(PRELUDE + text, far(answer), seen) == '["failed 2" "failed 3"]'
        assert seen == [":finally"]


def test_a_type_error_of_a_binding_stands_where_it_does_one_after_another() -> None:
    text = '(let [a : int (slow "x") b (fails 2)] a)'
    for answer in (first, last):
        assert run(PRELUDE + text, far(answer)).startswith(
            "TypeValidationError: Type validation error: Type mismatch at let a"
        )


def test_effects_come_in_the_order_of_the_program() -> None:
    text = """(defn noisy [x] (println :before x) (let [y (slow x)] (println :after y) y))
              [(noisy 1) (map noisy [2 3]) (do (println (gensym)) (noisy 4))
               (let [a (noisy 5) b (context/set :k a) c (noisy 6)] (context/get :k))]"""
    wanted = one_by_one(PRELUDE + text)
    for seed in range(10):
        target = RandomTarget(seed, share=1.0)
        assert overlapped(PRELUDE + text, target) == wanted


def test_effects_behind_an_error_do_not_happen() -> None:
    seen = Seen()
    text = "[(do (println 1) (slow 1)) (fails 2) (do (println (slow 3)) 3)]"
    assert run(PRELUDE + text, far(last), seen) == "ApplicationError: Application error (error): failed 2"
    assert seen == ["1"]


def test_steps_begin_and_end_as_one_after_another() -> None:
    text = '[(step "a" (slow 1)) (step "b" (+ (slow 2) (slow 3)))]'
    wanted = one_by_one(PRELUDE + text)
    for seed in range(5):
        assert overlapped(PRELUDE + text, RandomTarget(seed, share=1.0)) == wanted


def test_a_module_is_loaded_once_whoever_needs_it_first() -> None:
    class Store:
        def find(self, name: str) -> tuple[str, str] | None:
            text = (
                "(module m (:exports [a]) (defn slow [x] x) (println :loading) (def b (slow 1)) (defn a [] b))"
            )
            return (text, "m.rtfs") if name == "m" else None

    seen = Seen()
    target = Target("m/slow", "slow")
    program = rtfs.compile("(defn slow [x] x) [(do (slow 1) (m/a)) (do (slow 2) (m/a)) (m/a)]", modules=Store())
    linked = program.link(target)
    context = RuntimeContext.full()
    value = overlapping(lambda: linked.run(host=seen.host(), context=context))
    assert rtfs.pr_str(value) == "[1 1 1]"
    assert seen == [":loading"]


def test_five_thousand_items() -> None:
    target = far()
    assert run(PRELUDE + "(reduce + (map slow (range 5000)))", target) == "12497500"
    assert target.most > 1_000
    assert run(PRELUDE + "(count (for [x (range 500)] (through x)))", target) == "500"


def test_a_stopped_run_ends_all_that_waits() -> None:
    target = far(never)
    text = PRELUDE + "[(slow 1) (map slow [2 3]) (await (async (slow 4))) (race (slow 5) (slow 6))]"
    found = run(text, target, limits=Limits(deadline_s=0.3))
    assert found == "BudgetExhausted: Resource budget exhausted: deadline (policy: 0.3 s)"
    assert sorted(line for line in target.log if line[0] == "x") == [f"x slow {n}" for n in range(1, 7)]


def test_a_call_from_outside_overlaps_too() -> None:
    target = far()
    linked = rtfs.compile(PRELUDE + "(defn pair [x] [(slow x) (slow x)])").link(target)
    assert rtfs.pr_str(overlapping(lambda: linked.call("pair", 3))) == "[3 3]"
    assert target.most == 2


def test_a_stepper_has_no_hub() -> None:
    linked = rtfs.compile(PRELUDE + "(map slow [1 2])").link(target := far())

    def entry() -> object:
        from rtfs.overlap import in_hub

        assert in_hub()
        stepper = linked.step(host=MemoryHost())
        return stepper.start()

    answered = 0

    def at_once(calls: list[Call]) -> Iterable[Call]:
        nonlocal answered
        answered += 1
        return list(calls)

    target._answer = at_once
    assert rtfs.pr_str(overlapping(entry).value) == "[1 2]"  # type: ignore[attr-defined]
    assert target.most == 1
    assert answered == 2


def test_deep_recursion_through_forks_ends_as_it_does_without() -> None:
    text = PRELUDE + "(defn down [n] (if (= n 0) 0 (+ (slow 1) (down (- n 1))))) "
    assert run(text + "(down 300)", far(), limits=Limits(depth=5_000)) == "300"
    endless = PRELUDE + "(defn down [n] (+ (slow 1) (down n))) (down 1)"
    assert run(endless, far(), limits=Limits(depth=300)).startswith("StackOverflow")


# ---------------------------------------------------------------- tickets


def test_unfinished_tickets_are_cancelled_with_the_run() -> None:
    target = far(never)
    assert run(PRELUDE + "(let [t (async (slow 1))] (ticket-state t))", target) == ":working"
    assert target.log == ["> slow 1", "x slow 1"]


def test_a_ticket_may_be_awaited_by_several_and_for_a_time() -> None:
    target = far(but("slow"))
    text = "(let [t (async (slow 1))] [(await t 1 :late) (await t) (+ (fast 2) (await t)) (ticket-state t)])"
    assert run(PRELUDE + text, target).startswith("[")
    assert run(
        PRELUDE + "(let [t (async (fails 1))] [(try (await t) (catch e 1)) (ticket-state t)])", far()
    ) == ("[1 :failed]")


def test_what_exceeds_a_limit_in_a_ticket_ends_the_run() -> None:
    text = "(defn down [n] (+ 1 (down n))) (let [t (async (down (slow 1)))] [(slow 2) (slow 3) (await t)])"
    assert run(PRELUDE + text, far(), limits=Limits(depth=500)).startswith("StackOverflow")


def test_endless_tickets_end() -> None:
    text = "(defn more [n] (async (+ 1 (more n)))) (more 1)"
    assert run(PRELUDE + text, far(), limits=Limits(depth=500)).startswith("StackOverflow")


def test_a_race_cancels_the_slower() -> None:
    target = far(but("slow"))
    assert run(PRELUDE + "(race (slow 1) (fast 2))", target) == "2"
    assert target.log == ["> slow 1", "> fast 2", "< fast 2", "x slow 1"]
    assert run(PRELUDE + "(race (fails 1) (slow 2))", far()) == "2"
    assert (
        run(PRELUDE + "(race (fails 1) (fails 2))", far(last))
        == "ApplicationError: Application error (error): failed 1"
    )


def test_tickets_overlap_in_the_interpreter_too() -> None:
    text = (
        PRELUDE + "(let [t (async (slow 1)) u (async (slow 2))] [(await t) (await u) (race (slow 3) (fast 4))])"
    )
    target = far(but("slow 3"))
    linked = rtfs.compile(text).link(target, backend="interpreter")
    assert rtfs.pr_str(overlapping(linked.run)) == "[1 2 4]"
    assert target.most == 2
    assert target.log[-1] == "x slow 3"
    target = far()
    linked = rtfs.compile(PRELUDE + "[(slow 1) (map slow [1 2])]").link(target, backend="interpreter")
    overlapping(linked.run)
    assert target.most == 1


# ---------------------------------------------------------------- what is compiled


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """The index of each form that was compiled by itself."""
    found: list[int | None] = []

    def compile_frame(*args: object, **options: object) -> Artifact | None:
        found.append(options.get("only"))  # type: ignore[arg-type]
        return backend.compile_frame(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(routed, "compile_frame", compile_frame)
    return found


PROGRAM = """(defn slow [x] x)
             (defn other [x] x)
             (defn pair [x] [(slow x) (slow x)])
             (defn mapped [xs] (map slow xs))
             (defn plain [x] [(inc x) (dec x)])
             (pair 1)"""


def test_only_forms_with_forks_are_compiled_anew_and_once(compiled: list[int | None]) -> None:
    program = rtfs.compile(PROGRAM)
    for target in (Target("slow"), Target("slow"), Target("slow", "other")):
        overlapping(program.link(target).run)
    assert compiled == [None, 2]


def test_where_nothing_runs_elsewhere_nothing_is_compiled_anew(compiled: list[int | None]) -> None:
    program = rtfs.compile(PROGRAM)
    overlapping(program.link(Target()).run)
    overlapping(program.link().run)
    assert compiled == [None]


def test_where_nothing_that_is_called_twice_runs_elsewhere_nothing_is_compiled_anew(
    compiled: list[int | None],
) -> None:
    overlapping(rtfs.compile(PROGRAM).link(Target("other")).run)
    assert compiled == [None]


def test_the_body_of_a_delegated_function_has_its_forks(compiled: list[int | None]) -> None:
    program = rtfs.compile("(defn slow [x] x) (defn pair [x] [(slow x) (slow x)]) (pair 1)")
    target = Target("slow", "pair")
    overlapping(program.link(target).run)
    assert compiled == [None, 1]
    assert target.most == 2


def test_a_hint_counts_only_with_a_delegate() -> None:
    text = '(defn slow ^:delegation :remote "m" [x] x) [(slow 1) (slow 2)]'
    target = Target()
    assert target.target is not None
    assert RemoteModel("m") == RemoteModel("m")
    assert run(text, target) == "[1 2]"
    assert target.most == 2
    assert run(text, None) == "[1 2]"


def test_what_python_cannot_express_with_forks_runs_without() -> None:
    deep = "(slow 1)"
    for _ in range(60):
        deep = f"[{deep} (slow 2)]"
    target = far()
    assert run(PRELUDE + f"(count {deep})", target) == "2"


@pytest.mark.parametrize("name", ["map", "map-indexed", "filter", "remove", "mapcat", "keep", "group-by"])
def test_builtins_answer_the_same_where_calls_may_overlap(name: str) -> None:
    """All examples of the library, with a function delegated so that calls of these builtins may overlap."""
    for left, right in BUILTINS[name].examples:
        if not right.startswith("!"):
            text = f"(defn far-one [x] x) (far-one 1) {left}"
            assert run(text, Target("far-one")) == run(right, None)
