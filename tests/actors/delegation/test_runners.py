"""Who takes calls to which target, as the policy says at this moment."""

from __future__ import annotations

from typing import Any

import pytest

from actors.delegation.runners import Runners
from policies.file.load import load_policy
from policies.rules.rulebook import Current, Rulebook
from policies.running.runner import runner_for
from rtfs.delegation import L4CacheHit, LocalModel, LocalPure, RemoteModel

PROVIDERS = """
[delegation.remote_providers]
remote-cluster = { endpoint = "https://c.example", kind = "rtfs" }
plain = { endpoint = "https://p.example", kind = "rtfs" }
remote-chat = { endpoint = "https://o.example" }
"""
MODELS: Any = "the runner of models"
RTFS: Any = "the runner of clusters"


def current(text: str) -> Current:
    return Current(Rulebook(load_policy("[delegation]\n" + text)))


@pytest.fixture
def runners() -> Runners:
    return Runners(current(PROVIDERS), MODELS, {"rtfs": RTFS})


TARGETS = [
    (LocalModel("tiny"), MODELS),
    (RemoteModel("cluster"), RTFS),
    (RemoteModel("plain"), RTFS),
    (RemoteModel("chat"), None),  # nothing here speaks to such a provider
    (RemoteModel("unknown"), None),
    (LocalPure(), None),
    (L4CacheHit("p", "s"), None),
]


@pytest.mark.parametrize(("target", "runner"), TARGETS)
def test_the_runner_of_a_target(runners: Runners, target: Any, runner: Any) -> None:
    assert runner_for(runners, target) is runner


def test_they_can_be_listed(runners: Runners) -> None:
    assert dict(runners) == {"local-model": MODELS, "remote-cluster": RTFS, "remote-plain": RTFS}
    assert len(runners) == 3


def test_without_models_there_is_no_runner_for_them() -> None:
    assert dict(Runners(current(PROVIDERS), None, {})) == {}


def test_a_new_policy_counts_at_once() -> None:
    now = current("")
    runners = Runners(now, MODELS, {"rtfs": RTFS})
    assert runner_for(runners, RemoteModel("plain")) is None
    now.rulebook = current(PROVIDERS).rulebook
    assert runner_for(runners, RemoteModel("plain")) is RTFS
