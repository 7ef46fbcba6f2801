"""Delegated calls over the caches of a process: what is asked for, what is kept, and under which version."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import pytest

from actors.caches.layer import CacheConfig, CacheControl, Which
from actors.caches.manager import CacheManager, l2_manager
from actors.caches.results import CachedResults
from policies.context import CallContext, CallFacts
from policies.rules.cache_wish import CacheWish
from policies.running.chain import Event, Failed, Known, Refused, Succeeded
from policies.running.results import Keeping, Question
from rtfs.delegation import ExecTarget, FunctionInfo, LocalModel, RemoteModel
from rtfs.errors import Generic
from rtfs.runtime_facts import RuntimeFacts
from rtfs.values import Keyword, Map, Vector

M = LocalModel("m")


@dataclass
class Versions:
    """Versions that are set by hand."""

    known: dict[ExecTarget, str] = field(default_factory=dict)
    heard: list[tuple[ExecTarget, str]] = field(default_factory=list)

    def of(self, target: ExecTarget) -> str | None:
        return self.known.get(target)

    def told(self, target: ExecTarget, version: str) -> None:
        self.heard.append((target, version))
        self.known[target] = version


def memory(size: int = 1000) -> CacheManager:
    config = CacheConfig(size_entries=size)
    return l2_manager(None, hot=config, cold=config, writer=None)


def function(**changes: Any) -> FunctionInfo:
    fields: dict[str, Any] = {
        "symbol": "f",
        "doc": "What it is.",
        "parameters": ("x",),
        "parameter_types": ("any",),
        "return_type": "any",
        "hint": None,
        "metadata": {},
        "ir_hash": "a" * 64,
    }
    return FunctionInfo(**(fields | changes))


def question(
    *args: Any,
    target: ExecTarget = M,
    tenant: str | None = None,
    labels: frozenset[str] = frozenset(),
    wish: CacheWish = CacheWish(),  # noqa: B008 - frozen
    ttl_s: float = 100.0,
    timeout_s: float = 10.0,
    info: FunctionInfo | None = None,
    **of_function: Any,
) -> Question:
    facts = CallFacts(
        function=info or function(labels=labels, **of_function),
        arg_types=(),
        size=None,
        runtime=RuntimeFacts(tenant=tenant),
    )
    keeping = Keeping(tier="l2", ttl_s=ttl_s, wish=wish)
    call = CallContext.of(facts, metadata=None)
    return Question(call=call, args=args, target=target, keeping=keeping, timeout_s=timeout_s)


class Target:
    """Answers with how often it was asked."""

    def __init__(self, version: str = "", **more: Any) -> None:
        self.asked = 0
        self.version = version
        self.more = more

    def __call__(self) -> Event:
        self.asked += 1
        fields: dict[str, Any] = {"cost": 20_000, "latency_ms": 30.0, **self.more}
        return Succeeded(value=self.asked, version=self.version, **fields)


def tiers(results: CachedResults, asked: Question, target: Target, times: int) -> list[tuple[Any, str | None]]:
    found = []
    for _ in range(times):
        event = results.answer(asked, target)
        assert isinstance(event, Succeeded)
        found.append((event.value, None if event.known is None else event.known.tier))
    return found


@pytest.fixture
def versions() -> Versions:
    return Versions({M: "1"})


@pytest.fixture
def results(versions: Versions) -> CachedResults:
    return CachedResults(memory(), versions)


def test_what_was_answered_once_is_known(results: CachedResults) -> None:
    target = Target("1", confidence=0.7)
    first = results.answer(question(1), target)
    assert first == Succeeded(value=1, version="1", cost=20_000, latency_ms=30.0, confidence=0.7)
    again = results.answer(question(1), target)
    assert isinstance(again, Succeeded)
    assert again.known is not None
    assert (again.value, again.confidence, again.cost, again.latency_ms) == (1, 0.7, 0, 0.0)
    assert again.known == Known(tier="l2-hot", age_s=again.known.age_s, saved=20_000, saved_ms=30.0)
    assert 0 <= again.known.age_s < 60
    assert target.asked == 1


@pytest.mark.parametrize(
    "event", [Failed(cause="timeout", cost=5), Refused(by="breaker"), Refused(by="budget", reason="none left")]
)
def test_what_is_no_answer_is_handed_on_and_not_kept(results: CachedResults, event: Event) -> None:
    assert results.answer(question(1), lambda: event) is event
    assert tiers(results, question(1), Target("1"), 2) == [(1, None), (1, "l2-hot")]


def test_an_error_of_the_program_is_raised_and_not_kept(results: CachedResults) -> None:
    def fails() -> Event:
        raise Generic("no")

    for _ in range(2):
        with pytest.raises(Generic):
            results.answer(question(1), fails)
    assert tiers(results, question(1), Target("1"), 1) == [(1, None)]


def test_no_answer_and_an_empty_answer_differ(results: CachedResults) -> None:
    asked: list[int] = []

    def nil() -> Event:
        asked.append(1)
        return Succeeded(value=None)

    answers = [results.answer(question(1), nil) for _ in range(2)]
    assert [(type(each), each.value) for each in answers] == 2 * [(Succeeded, None)]  # type: ignore[union-attr]
    assert asked == [1]


# ---------------------------------------------------------------- versions


def test_an_unknown_version_is_not_looked_for_but_learnt_from_the_answer(versions: Versions) -> None:
    results, target = CachedResults(memory(), versions), Target("7")
    versions.known.clear()
    assert tiers(results, question(1), target, 3) == [(1, None), (1, "l2-hot"), (1, "l2-hot")]
    assert versions.heard == [(M, "7")]


def test_who_never_says_a_version_is_always_asked(versions: Versions) -> None:
    results, target = CachedResults(memory(), versions), Target()
    versions.known.clear()
    assert tiers(results, question(1), target, 3) == [(1, None), (2, None), (3, None)]


def test_an_answer_of_another_version_is_kept_under_that(results: CachedResults, versions: Versions) -> None:
    target = Target("1")
    assert tiers(results, question(1), target, 2) == [(1, None), (1, "l2-hot")]
    target.version = "2"
    assert tiers(results, question(2), target, 2) == [(2, None), (2, "l2-hot")]
    assert versions.heard == [(M, "2")]
    assert tiers(results, question(1), target, 1) == [(3, None)]  # what version 1 said is out of reach
    versions.known[M] = "1"
    assert tiers(results, question(1), target, 1) == [(1, "l2-hot")]
    # and nothing of version 2 was kept as version 1's
    assert tiers(results, question(2), Target("1"), 1) == [(1, None)]


@pytest.mark.parametrize("told", ["1", "2"])
def test_what_was_invalidated_while_it_was_asked_for_is_not_kept(
    results: CachedResults, versions: Versions, told: str
) -> None:
    def meanwhile() -> Event:
        results.manager.invalidate(Which(model="local-m"))
        return Succeeded(value="stale", version=told)

    assert results.answer(question(1), meanwhile) == Succeeded(value="stale", version=told)
    assert tiers(results, question(1), Target(told), 1) == [(1, None)]


# ---------------------------------------------------------------- what cannot be said


@pytest.mark.parametrize("arg", [print, Generic("x"), Vector([print]), Map({"a": print})])
def test_arguments_without_a_meaning_elsewhere_are_always_asked(results: CachedResults, arg: Any) -> None:
    assert tiers(results, question(arg), Target("1"), 3) == [(1, None), (2, None), (3, None)]


def test_metadata_without_a_meaning_elsewhere_keep_nothing(results: CachedResults) -> None:
    asked = question(1, metadata={"x": print})
    assert tiers(results, asked, Target("1"), 2) == [(1, None), (2, None)]


def test_an_answer_without_a_meaning_elsewhere_is_given_and_not_kept(results: CachedResults) -> None:
    for _ in range(2):
        found = results.answer(question(1), lambda: Succeeded(value=print, version="1"))
        assert isinstance(found, Succeeded)
        assert found.known is None
        assert found.value is print


def test_a_run_whose_context_cannot_be_said_keeps_nothing(versions: Versions) -> None:
    said: list[str | None] = [None]
    results = CachedResults(memory(), versions, context=lambda target: said[0])
    target = Target("1")
    assert tiers(results, question(1), target, 2) == [(1, None), (2, None)]
    said[0] = "program a"
    assert tiers(results, question(1), target, 2) == [(3, None), (3, "l2-hot")]
    said[0] = "program b"
    assert tiers(results, question(1), target, 1) == [(4, None)]


# ---------------------------------------------------------------- what the run and the function want


def wanting(versions: Versions, **control: Any) -> CachedResults:
    return CachedResults(memory(), versions, control=lambda: CacheControl(**control))


WANTS: list[tuple[dict[str, Any], list[tuple[int, str | None]], str | None]] = [
    ({}, [(1, None), (1, "l2-hot")], "l2-hot"),
    ({"bypass": True}, [(1, None), (2, None)], "l2-hot"),
    ({"no_store": True}, [(1, None), (2, None)], None),
    ({"bypass": True, "no_store": True}, [(1, None), (2, None)], None),
]


@pytest.mark.parametrize("by_run", [True, False])
@pytest.mark.parametrize(("wants", "expected", "after"), WANTS)
def test_what_run_or_function_want(
    versions: Versions, wants: dict[str, bool], expected: list[Any], after: str | None, by_run: bool
) -> None:
    results = wanting(versions, **wants) if by_run else wanting(versions)
    asked = question(1) if by_run else question(1, wish=CacheWish(**wants))
    target = Target("1")
    assert tiers(results, asked, target, 2) == expected
    plain = CachedResults(results.manager, versions)
    assert tiers(plain, question(1), target, 1)[0][1] == after


def test_no_store_still_reads(versions: Versions, results: CachedResults) -> None:
    target = Target("1")
    tiers(results, question(1), target, 1)
    reading = CachedResults(results.manager, versions, control=lambda: CacheControl(no_store=True))
    assert tiers(reading, question(1), target, 1) == [(1, "l2-hot")]
    both = CachedResults(results.manager, versions, control=lambda: CacheControl(no_store=True, bypass=True))
    assert tiers(both, question(1), target, 1) == [(2, None)]
    assert tiers(results, question(1), target, 1) == [(1, "l2-hot")]


@pytest.mark.parametrize(("by_run", "by_function"), [(0.0, None), (None, 1e-9), (1000.0, 1e-9), (1e-9, 1000.0)])
def test_the_lower_age_counts(versions: Versions, by_run: float | None, by_function: float | None) -> None:
    results = wanting(versions, max_age_s=by_run)
    asked, target = question(1, wish=CacheWish(max_age_s=by_function)), Target("1")
    assert tiers(results, asked, target, 1) == [(1, None)]
    threading.Event().wait(0.002)
    assert tiers(results, asked, target, 1) == [(2, None)]
    patient = wanting(versions, max_age_s=1000.0)
    asked = question(1, wish=CacheWish(max_age_s=1000.0))
    assert tiers(patient, asked, target, 2)[1][1] == "l2-hot"


def test_the_time_to_live_is_that_of_the_question(results: CachedResults) -> None:
    target = Target("1")
    asked = question(1, ttl_s=0.02)
    assert tiers(results, asked, target, 1) == [(1, None)]
    threading.Event().wait(0.05)
    assert tiers(results, asked, target, 1) == [(2, None)]


# ---------------------------------------------------------------- one flight


def test_who_comes_while_it_is_asked_pays_nothing(results: CachedResults) -> None:
    begun, go_on, target = threading.Event(), threading.Event(), Target("1")

    def slow() -> Event:
        begun.set()
        assert go_on.wait(10)
        return target()

    with ThreadPoolExecutor(2) as pool:
        leading = pool.submit(results.answer, question(1), slow)
        assert begun.wait(10)
        waiting = pool.submit(results.answer, question(1), target)
        while not any(flight.waiting for flight in results.manager.flights._under_way.values()):  # type: ignore[union-attr]
            threading.Event().wait(0.001)
        go_on.set()
        first, second = leading.result(10), waiting.result(10)
    assert target.asked == 1
    assert isinstance(first, Succeeded)
    assert isinstance(second, Succeeded)
    assert (first.known, first.cost) == (None, 20_000)
    assert second == Succeeded(value=1, version="1", known=Known(tier="shared", saved=20_000))


def test_who_waits_for_one_that_fails_asks_itself(results: CachedResults) -> None:
    begun, go_on, target = threading.Event(), threading.Event(), Target("1")

    def failing() -> Event:
        begun.set()
        assert go_on.wait(10)
        return Failed(cause="timeout")

    with ThreadPoolExecutor(2) as pool:
        leading = pool.submit(results.answer, question(1), failing)
        assert begun.wait(10)
        waiting = pool.submit(results.answer, question(1), target)
        go_on.set()
        assert leading.result(10) == Failed(cause="timeout")
        second = waiting.result(10)
    assert isinstance(second, Succeeded)
    assert (second.value, second.known) == (1, None)


# ---------------------------------------------------------------- no two requests share an entry

_TEXTS = ["", "a", "b", "ab", "é", "1", ":a", "local-a"]
_VALUES: list[Any] = [None, True, False, 0, 1, 1.0, 0.0, -0.0, "1", "", "a", Keyword.of("a")]
_COMPOUND: list[Any] = [
    Vector([1]),
    Vector(["1"]),
    Vector([Vector([1])]),
    Map({"a": 1}),
    Map({"a": None}),
    Map({}),
]

_FIELDS: dict[str, Callable[[Random], Any]] = {
    "tenant": lambda random: random.choice([None, *_TEXTS]),
    "labels": lambda random: frozenset(random.sample(_TEXTS, random.randrange(3))),
    "target": lambda random: random.choice([M, LocalModel("n"), RemoteModel("m"), RemoteModel("n")]),
    #: covers file, settings and prompt of a model
    "version": lambda random: random.choice(_TEXTS[1:]),
    "context": lambda random: random.choice(_TEXTS),
    "symbol": lambda random: random.choice(_TEXTS),
    "doc": lambda random: random.choice([None, *_TEXTS]),
    "parameters": lambda random: tuple(random.choice("xyz") for _ in range(random.randrange(3))),
    "parameter_types": lambda random: tuple(random.choice(["any", "int"]) for _ in range(random.randrange(3))),
    "return_type": lambda random: random.choice(["any", "int", "string", "[:vector int]", "T"]),
    "aliases": lambda random: random.choice([{}, {"T": "int"}, {"T": "string"}]),
    "ir_hash": lambda random: random.choice(["a" * 64, "b" * 64, "c" * 64]),
    "metadata": lambda random: random.choice([{}, {"x": 1}, {"x": 1.0}, {"x": "1"}, {"y": 1}]),
    "args": lambda random: tuple(random.choice([*_VALUES, *_COMPOUND]) for _ in range(random.randrange(1, 3))),
}


def _shown(value: Any) -> str:
    """What tells values apart, by another way than keys are made."""
    if isinstance(value, Map):
        return f"M{sorted((_shown(key), _shown(each)) for key, each in value.items())}"
    if isinstance(value, Vector):
        return f"V{[_shown(each) for each in value.to_list()]}"
    if isinstance(value, dict):
        return f"D{sorted((key, _shown(each)) for key, each in value.items())}"
    if isinstance(value, tuple):
        return f"T{[_shown(each) for each in value]}"
    if isinstance(value, frozenset):
        return f"S{sorted(value)}"
    return f"{type(value).__name__}:{value!r}"


def _check_requests(least: int) -> None:
    """Every answer is a request's own identity: a cache that mixes two up gives itself away at once."""
    random, versions, said = Random(11), Versions(), [""]
    manager = memory(50_000)
    results = CachedResults(manager, versions, context=lambda target: said[0])
    cases = known = 0
    request = {name: make(random) for name, make in _FIELDS.items()}
    while cases < least:
        # mostly one difference from the one before, now and then another altogether
        if random.random() < 0.05:
            request = {name: make(random) for name, make in _FIELDS.items()}
        else:
            name = random.choice([*_FIELDS])
            request = request | {name: _FIELDS[name](random)}
        identity = _shown(request)
        rest = {name: value for name, value in request.items() if name not in ("args", "version", "context")}
        versions.known[request["target"]] = request["version"]
        said[0] = request["context"]
        event = results.answer(
            question(*request["args"], **rest),
            lambda told=identity: Succeeded(value=told),  # type: ignore[misc]
        )
        assert isinstance(event, Succeeded)
        assert event.value == identity
        known += event.known is not None
        cases += 1
    assert known > least / 100  # it is a cache all the same


def test_no_two_different_requests_share_an_entry() -> None:
    _check_requests(5_000)


@pytest.mark.slow
def test_no_two_of_very_many_different_requests_share_an_entry() -> None:
    _check_requests(100_000)


def test_every_difference_alone_is_another_entry(results: CachedResults, versions: Versions) -> None:
    """Each field for itself, with the values that could be taken for each other."""
    versions.known = {M: "1", LocalModel("n"): "1"}
    base = function()
    asked = [
        question(1),
        question(1.0),
        question("1"),
        question(1, tenant="acme"),
        question(1, tenant=""),
        question(1, labels=frozenset({"confidential"})),
        question(1, target=LocalModel("n")),
        *(
            question(1, info=replace(base, **change))
            for change in (
                {"symbol": "g"},
                {"doc": None},
                {"doc": "What it was."},
                {"return_type": "int"},
                {"parameters": ("y",)},
                {"parameter_types": ("int",)},
                {"ir_hash": "b" * 64},
                {"metadata": {"tone": "formal"}},
                {"aliases": {"T": "int"}, "return_type": "T"},
                {"aliases": {"T": "string"}, "return_type": "T"},
            )
        ),
    ]
    for number, each in enumerate(asked):
        found = results.answer(each, lambda number=number: Succeeded(value=number))  # type: ignore[misc]
        assert isinstance(found, Succeeded)
        assert (found.value, found.known) == (number, None)
    for number, each in enumerate(asked):
        found = results.answer(each, lambda: Failed(cause="timeout"))
        assert isinstance(found, Succeeded)
        assert found.value == number
