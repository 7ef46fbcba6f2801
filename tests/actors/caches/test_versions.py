"""Versions of what would answer now."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from actors.caches.versions import ModelVersions, TargetVersions
from policies.file.load import load_policy
from policies.rules.rulebook import Current, Rulebook
from rtfs.delegation import L4CacheHit, LocalModel, LocalPure, RemoteModel


class Replica:
    """Says the versions of models, and counts who asks."""

    def __init__(self, **known: str) -> None:
        self.known = known
        self.asked: list[str] = []

    def __call__(self, model: str) -> str | None:
        self.asked.append(model)
        return self.known.get(model)


class Timer:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_replica_is_asked_once() -> None:
    replica = Replica(m="1")
    versions = ModelVersions(replica)
    assert [versions.of("m") for _ in range(3)] == ["1"] * 3
    assert replica.asked == ["m"]


def test_many_threads_ask_once() -> None:
    replica, begun = Replica(m="1"), threading.Barrier(8)

    def slow(model: str) -> str | None:
        threading.Event().wait(0.02)
        return replica(model)

    versions = ModelVersions(slow)

    def one(_: int) -> str | None:
        begun.wait(10)
        return versions.of("m")

    with ThreadPoolExecutor(8) as pool:
        assert [*pool.map(one, range(8))] == ["1"] * 8
    assert replica.asked == ["m"]


def test_who_does_not_say_it_is_left_alone_for_a_while() -> None:
    replica, timer = Replica(), Timer()
    versions = ModelVersions(replica, timer=timer)
    assert [versions.of("m") for _ in range(3)] == [None] * 3
    assert replica.asked == ["m"]
    replica.known["m"] = "1"
    timer.now = 3.0
    assert versions.of("m") == "1"
    assert replica.asked == ["m", "m"]


def test_what_is_told_counts_at_once_and_nothing_told_is_not_known() -> None:
    replica = Replica(m="3")
    versions = ModelVersions(replica)
    versions.told("m", "1")
    versions.told("m", "2")
    assert (versions.of("m"), replica.asked) == ("2", [])
    versions.told("m", "")
    assert (versions.of("m"), replica.asked) == ("3", ["m"])


def test_other_settings_are_another_version() -> None:
    replica = Replica(m="1", n="1")
    versions = ModelVersions(replica)
    versions.follow({"m": ("m-0",), "n": ("n-0",)})
    assert (versions.of("m"), versions.of("n")) == ("1", "1")
    replica.known["m"] = "2"
    versions.follow({"m": ("m-1",), "n": ("n-0",)})
    assert (versions.of("m"), versions.of("n")) == ("2", "1")
    assert replica.asked == ["m", "n", "m"]


def test_what_was_asked_for_under_other_settings_does_not_count() -> None:
    def meanwhile(model: str) -> str:
        versions.follow({"m": ("m-1",)})
        return "old"

    versions = ModelVersions(meanwhile)
    versions.follow({"m": ("m-0",)})
    assert versions.of("m") is None


# ---------------------------------------------------------------- targets

POLICY = """
[delegation.remote_providers]
remote-a = { endpoint = "https://a.example", cost_usd = 0.01 }
remote-b = { endpoint = "https://a.example", cost_usd = 0.01 }
[delegation.local_models]
m = { kind = "echo" }
"""


def of(text: str) -> tuple[Current, TargetVersions]:
    current = Current(Rulebook(load_policy(text)))
    return current, TargetVersions(current, ModelVersions(Replica(m="1")))


def test_who_has_a_version() -> None:
    _, versions = of(POLICY)
    assert versions.of(LocalModel("m")) == "1"
    assert versions.of(LocalModel("other")) is None
    assert versions.of(RemoteModel("a"))
    assert versions.of(RemoteModel("nobody")) is None
    assert versions.of(LocalPure()) is None
    assert versions.of(L4CacheHit("p", "s")) is None


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ('endpoint = "https://b.example"', True),
        ('kind = "rtfs"', True),
        ('endpoint = "https://a.example", model = "large"', True),
        ('endpoint = "https://a.example", cost_usd = 0.5', False),
        ('endpoint = "https://a.example", latency_ms = 5', False),
        ('endpoint = "https://a.example", timeout = 5', False),
        ('endpoint = "https://a.example", tenants = ["acme"]', False),
        ('endpoint = "https://a.example", api_key_env = "OTHER_KEY"', False),
    ],
)
def test_a_service_is_another_if_its_answers_may_be(change: str, differs: bool) -> None:
    if "endpoint" not in change:
        change = f'endpoint = "https://a.example", {change}'
    current, versions = of(POLICY)
    before = versions.of(RemoteModel("a"))
    current.rulebook = Rulebook(
        load_policy(f"[delegation.remote_providers]\nremote-a = {{ {change} }}", environ={"OTHER_KEY": "x"})
    )
    assert (versions.of(RemoteModel("a")) != before) is differs


def test_an_answer_says_the_version_of_a_model_and_not_of_a_service() -> None:
    _, versions = of(POLICY)
    before = versions.of(RemoteModel("a"))
    versions.told(LocalModel("m"), "9")
    versions.told(RemoteModel("a"), "9")
    assert (versions.of(LocalModel("m")), versions.of(RemoteModel("a"))) == ("9", before)
