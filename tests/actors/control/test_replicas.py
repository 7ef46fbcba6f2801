from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from actors.control.replicas import Replicas
from actors.events.event import News
from actors.models.host import HostStats, ModelHost
from actors.models.registry import local_models, replicas
from actors.models.scaling import CALM_S, FULL_S
from actors.ray_calls import Actors, ModelTransport
from policies.file.load import load_policy
from policies.file.schema import LocalModelEntry

ONE_TO_THREE = '[delegation.local_models]\nm = { kind = "echo", replicas = { min = 1, max = 3 } }\n'
FIXED = '[delegation.local_models]\nm = { kind = "echo", replicas = 2 }\n'
VERSION = "echo-7"
OTHER = ONE_TO_THREE.replace('"echo"', '"echo", latency_ms = 5')


class Runtime:
    """The replicas of a policy's models, and an evaluator that hears of them."""

    def __init__(self, text: str, *there: str) -> None:
        self.replicas = Replicas()
        self.transport = ModelTransport(Actors("none"))
        self.there = set(there)
        self.asked_for_those_there = 0
        self.now = 0.0
        self.follow(text)

    def follow(self, text: str) -> list[News]:
        settings = load_policy(text, source="delegation.toml", environ={}).settings
        entries = local_models(settings, Path())
        names = replicas(settings, Path(), {model: entry.most for model, entry in entries.items()})
        self.replicas.follow(entries, names, self._there)
        self.transport.set_models(replicas(settings, Path()))
        return self.tell()

    def _there(self) -> set[str]:
        self.asked_for_those_there += 1
        return self.there

    def tell(self) -> list[News]:
        news = self.replicas.news()
        for each in news:
            self.transport.heard_of(each.key, each.data["replicas"])
        return news

    def round(self, *names: str, waiting: int = 0, in_flight: int = 0, later_s: float = FULL_S) -> list[News]:
        """These answer their probes, and the number is decided on."""
        self.now += later_s
        for name in names:
            self.replicas.hear(name, answer(waiting=waiting, in_flight=in_flight))
        self.replicas.decide(self.now)
        return self.tell()

    @property
    def wanted(self) -> list[str]:
        return [*self.replicas.wanted]

    @property
    def used(self) -> list[str]:
        return [*self.transport.replicas("m")]


def answer(*, waiting: int, in_flight: int) -> HostStats:
    host = ModelHost("m", LocalModelEntry(kind="echo"))
    return replace(
        host.load(), max_batch=4, concurrency=1, waiting=waiting, in_flight=in_flight, version=VERSION
    )


def names_of(text: str) -> list[str]:
    settings = load_policy(text, source="delegation.toml", environ={}).settings
    return [*replicas(settings, Path(), {"m": 3})["m"]]


A, B, C = names_of(ONE_TO_THREE)


def news_of(replicas: list[str], version: str = VERSION) -> News:
    return News(topic="models", key="m", data={"replicas": replicas, "version": version})


def test_a_fixed_number_is_no_news_once_its_version_is_told() -> None:
    runtime = Runtime(FIXED)
    names = names_of(FIXED)[:2]
    assert (runtime.wanted, runtime.used, runtime.replicas.needed) == (names, names, set(names))
    assert runtime.asked_for_those_there == 0
    assert runtime.round(*names, waiting=100) == [news_of(names)]
    assert [runtime.round(*names, waiting=100) for _ in range(4)] == [[]] * 4
    assert runtime.wanted == names


def test_a_version_is_told_when_all_replicas_have_it() -> None:
    runtime = Runtime(FIXED)
    first, second = names_of(FIXED)[:2]
    assert runtime.round(first) == []
    assert runtime.round(second) == [news_of([first, second])]


def test_replicas_that_differ_have_no_version() -> None:
    runtime = Runtime(FIXED)
    names = names_of(FIXED)[:2]
    runtime.round(*names)
    runtime.replicas.hear(names[0], replace(answer(waiting=0, in_flight=0), version="echo-8"))
    assert runtime.tell() == [news_of(names, "")]
    runtime.replicas.hear(names[1], replace(answer(waiting=0, in_flight=0), version="echo-8"))
    assert runtime.tell() == [news_of(names, "echo-8")]


def test_one_more_is_told_when_its_model_is_ready() -> None:
    runtime = Runtime(ONE_TO_THREE)
    assert (runtime.wanted, runtime.used) == ([A], [A])
    assert runtime.round(A, waiting=5) == [news_of([A])]
    (news,) = runtime.round(A, waiting=5)
    assert news == news_of([A], "")  # of the one that is wanted now nothing is known yet
    assert (runtime.wanted, runtime.used, runtime.replicas.needed) == ([A, B], [A], {A})
    assert runtime.round(A, waiting=5) == []
    assert runtime.round(A, B) == [news_of([A, B])]
    assert runtime.used == [A, B]


def test_one_that_is_lost_later_is_told_all_the_same() -> None:
    runtime = Runtime(ONE_TO_THREE, A, B)
    assert runtime.round(A) == []
    assert runtime.used == [A, B]


def test_one_less_is_told_at_once() -> None:
    runtime = Runtime(ONE_TO_THREE, A, B)
    runtime.round(A, B)
    (news,) = runtime.round(A, B, later_s=CALM_S)
    assert (news, runtime.wanted, runtime.used) == (news_of([A]), [A], [A])


def test_one_that_comes_back_has_to_be_ready_again() -> None:
    runtime = Runtime(ONE_TO_THREE, A, B)
    runtime.round(A, B)
    runtime.round(A, B, later_s=CALM_S)
    runtime.round(A, waiting=5)
    runtime.round(A, waiting=5)
    assert (runtime.wanted, runtime.used) == ([A, B], [A])


@pytest.mark.parametrize(
    ("there", "expected"), [([], [A]), ([A, B], [A, B]), ([A, C], [A]), ([A, B, C, "policy"], [A, B, C])]
)
def test_those_that_are_there_are_taken_over(there: list[str], expected: list[str]) -> None:
    runtime = Runtime(ONE_TO_THREE, *there)
    assert (runtime.wanted, runtime.used) == (expected, expected)


def test_a_policy_that_leaves_the_model_as_it_is_leaves_its_replicas() -> None:
    runtime = Runtime(ONE_TO_THREE, A, B)
    assert runtime.follow(ONE_TO_THREE + '[delegation.static_routes]\n"x" = "local-m"\n') == []
    assert runtime.used == [A, B]


def test_what_was_told_under_other_settings_does_not_count() -> None:
    runtime = Runtime(ONE_TO_THREE, A, B)
    others = names_of(OTHER)
    (news,) = runtime.follow(OTHER)
    assert (runtime.wanted, runtime.used, news) == (others[:1], others[:1], news_of(others[:1], ""))
    runtime.transport.heard_of("m", [A, B])  # late
    assert runtime.used == others[:1]
    assert runtime.follow(FIXED) == []
    assert runtime.used == names_of(FIXED)[:2]


def test_a_model_that_goes() -> None:
    runtime = Runtime(ONE_TO_THREE)
    assert runtime.follow("") == [News(topic="models", key="m", data={"replicas": []}, ended=True)]
    assert (runtime.wanted, runtime.used) == ([], [])
    assert runtime.follow("") == []


def test_those_with_something_to_do() -> None:
    runtime = Runtime(ONE_TO_THREE, A, B)
    runtime.round(A, in_flight=1)
    assert (runtime.replicas.are_busy({A, B}), runtime.replicas.are_busy({B})) == (True, False)
    runtime.round()
    assert runtime.replicas.are_busy({A})  # as it last answered
    runtime.round(A)
    assert not runtime.replicas.are_busy({A})
    runtime.round(A, waiting=1)
    runtime.replicas.forget({A})
    assert not runtime.replicas.are_busy({A})
