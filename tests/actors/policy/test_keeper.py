"""The keeper of the policy: what is refused, what comes into force, and what outlives the keeper."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from actors.policy.keeper import MOST_KEPT, PolicyKeeper, policy_variables
from actors.policy.state import PolicyState
from actors.service import ConflictError
from policies.errors import PolicyFileError
from policies.running.runner import Observation

PROVIDER = '\n[delegation.remote_providers]\nremote-a = { endpoint = "https://a.example" }\n'


def text(number: int) -> str:
    """A policy; each number is another one."""
    return f"[delegation]\ncache_ttl = {number + 1}\n" + PROVIDER


BAD = "[delegation]\ncache_ttl = -1\nno_such_key = 1\n"


class Setting:
    """A keeper's file, and what keepers tell."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "state" / "policy.json"
        self.told: list[PolicyState] = []

    def keeper(self, start: str = text(0), *, epoch: str = "e", **environ: str) -> PolicyKeeper:
        return PolicyKeeper(
            start, source="p.toml", environ=environ, file=self.file, epoch=epoch, changed=self.told.append
        )

    @property
    def numbers(self) -> list[int]:
        return [state.number for state in self.told]


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    return Setting(tmp_path)


# ---------------------------------------------------------------- coming into force


def test_the_first_policy_is_number_one_and_is_told(setting: Setting) -> None:
    keeper = setting.keeper()
    assert (keeper.state.number, keeper.state.text, keeper.state.source) == (1, text(0), "p.toml")
    assert setting.told == [keeper.state]
    view = keeper.view()
    assert (view.number, view.version, view.text) == (1, keeper.policy.version, text(0))


def test_a_first_policy_that_is_none_is_refused_and_nothing_is_kept(setting: Setting) -> None:
    with pytest.raises(PolicyFileError):
        setting.keeper(BAD)
    assert not setting.file.exists()
    assert setting.told == []


def test_a_new_policy_says_what_it_changes(setting: Setting) -> None:
    keeper = setting.keeper()
    change = keeper.replace(text(1), source="q.toml")
    assert (change.swapped, change.problems) == (True, ())
    assert any("cache_ttl" in line for line in change.changes)
    assert (change.policy.number, change.policy.source, change.policy.text) == (2, "q.toml", text(1))
    assert keeper.policy.settings.cache_ttl == 2
    assert setting.numbers == [1, 2]


def test_the_same_policy_again_is_no_change(setting: Setting) -> None:
    keeper = setting.keeper()
    change = keeper.replace(text(0), source="p.toml")
    assert (change.swapped, change.changes, change.policy.number) == (False, (), 1)
    assert setting.numbers == [1]


def test_a_bad_policy_changes_nothing_and_all_its_problems_are_said(setting: Setting) -> None:
    keeper = setting.keeper()
    before, kept = keeper.view(), setting.file.read_bytes()
    change = keeper.replace(BAD, source="bad.toml")
    assert not change.swapped
    assert len(change.problems) == 2
    assert any("no_such_key" in line for line in change.problems)
    assert any("cache_ttl" in line for line in change.problems)
    assert (change.policy, keeper.view(), setting.file.read_bytes()) == (before, before, kept)


def test_who_expects_another_number_is_told(setting: Setting) -> None:
    keeper = setting.keeper()
    assert keeper.replace(text(1), source="p.toml", expected=1).swapped
    with pytest.raises(ConflictError, match="expected policy number 1, got 2 in force"):
        keeper.replace(text(2), source="p.toml", expected=1)
    with pytest.raises(ConflictError):
        keeper.rollback(expected=1)
    assert keeper.rollback(expected=2).policy.number == 3
    assert setting.numbers == [1, 2, 3]


def test_of_writers_with_the_same_expectation_one_wins(setting: Setting) -> None:
    keeper = setting.keeper()
    won: list[int] = []
    begin = threading.Barrier(8)

    def write(number: int) -> None:
        begin.wait()
        try:
            won.append(keeper.replace(text(number), source="p.toml", expected=1).policy.number)
        except ConflictError:
            pass

    threads = [threading.Thread(target=write, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won == [2]
    assert keeper.view().version == keeper.state.version


# ---------------------------------------------------------------- going back


def test_going_back_counts_on_and_goes_no_further_than_the_first(setting: Setting) -> None:
    keeper = setting.keeper()
    keeper.replace(text(1), source="p.toml")
    keeper.replace(text(2), source="p.toml")
    for wanted, number in ((1, 4), (0, 5)):
        change = keeper.rollback()
        assert change.swapped
        assert change.changes
        assert (change.policy.text, change.policy.number) == (text(wanted), number)
    with pytest.raises(ConflictError, match="no earlier policy is kept"):
        keeper.rollback()
    assert setting.numbers == [1, 2, 3, 4, 5]


def test_only_so_many_are_kept(setting: Setting) -> None:
    keeper = setting.keeper()
    for number in range(1, MOST_KEPT + 5):
        keeper.replace(text(number), source="p.toml")
    for _ in range(MOST_KEPT):
        keeper.rollback()
    with pytest.raises(ConflictError):
        keeper.rollback()
    assert keeper.state.text == text(4)


# ---------------------------------------------------------------- outliving the keeper


def test_a_keeper_that_was_killed_goes_on_where_it_stood(setting: Setting) -> None:
    first = setting.keeper()
    first.replace(text(1), source="q.toml")
    again = setting.keeper()  # it is given the first policy, but knows better
    assert again.state == first.state
    assert again.view() == first.view()
    assert again.rollback().policy.text == text(0)
    assert again.state.number == 3


def test_the_keeper_of_another_runtime_begins_with_its_own_policy_and_counts_on(setting: Setting) -> None:
    setting.keeper().replace(text(1), source="p.toml")
    other = setting.keeper(text(5), epoch="later")
    assert (other.state.text, other.state.number) == (text(5), 3)
    assert other.rollback().policy.text == text(1)  # history survives
    assert setting.keeper(text(7), epoch="later").state == other.state


DAMAGED = [
    "",
    "{",
    "[]",
    "null",
    '{"epoch": "e"}',
    '{"epoch": "e", "history": [{"source": "x"}]}',
    '{"epoch": "e", "history": [{"text": 1, "source": "x", "overrides": {}, "number": 1, "version": "v"}]}',
    '{"epoch": "e", "history": [{"text": "", "source": "x", "overrides": {}, "number": "9", "version": "v"}]}',
    '{"epoch": "e", "history": [{"text": "", "source": "x", "overrides": [], "number": 1, "version": "v"}]}',
    '{"epoch": "e", "history": [{"text": "", "source": "x", "unheard": 1}]}',
    "[" * 100_000,
]


@pytest.mark.parametrize("damaged", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_file_is_kept_aside(setting: Setting, damaged: str, caplog: pytest.LogCaptureFixture) -> None:
    setting.file.parent.mkdir(parents=True)
    setting.file.write_text(damaged)
    keeper = setting.keeper()
    assert keeper.state.number == 1
    assert setting.file.with_suffix(".damaged").read_text() == damaged
    assert "is damaged" in caplog.text
    assert setting.keeper().state == keeper.state


def test_an_empty_history_is_no_history(setting: Setting) -> None:
    setting.file.parent.mkdir(parents=True)
    setting.file.write_text('{"epoch": "e", "history": []}')
    assert setting.keeper().state.number == 1


def test_what_cannot_be_kept_does_not_come_into_force(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = setting.keeper()
    keeper.replace(text(1), source="p.toml")
    before = keeper.view()

    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("actors.policy.keeper.replace_file", full)
        with pytest.raises(OSError, match="No space left"):
            keeper.replace(text(2), source="p.toml")
        with pytest.raises(OSError, match="No space left"):
            keeper.rollback()
    assert keeper.view() == before
    assert keeper.policy.settings.cache_ttl == 2
    assert setting.numbers == [1, 2]
    assert keeper.rollback().policy.text == text(0)  # nothing of the history was lost


# ---------------------------------------------------------------- the environment, and outcomes


def test_overrides_go_along_and_secrets_stay(setting: Setting) -> None:
    environ = {
        "RTFS_DELEGATION__CACHE_TTL": "77",
        "RTFS_LOCAL_MODEL_PATH": "",
        "OPENAI_API_KEY": "sk-secret",
    }
    keeper = setting.keeper(**environ)
    assert keeper.policy.settings.cache_ttl == 77
    assert keeper.state.overrides == policy_variables(environ)
    assert set(keeper.state.overrides) == {"RTFS_DELEGATION__CACHE_TTL", "RTFS_LOCAL_MODEL_PATH"}
    assert "sk-secret" not in setting.file.read_text()
    assert json.loads(setting.file.read_text())["history"][0]["overrides"]


def test_outcomes_are_counted_by_target(setting: Setting) -> None:
    def tried(target: str, cause: str | None, latency_ms: float, cost_usd: float) -> Observation:
        return Observation(
            fn_symbol="f",
            task=1,
            target=target,
            cause=cause,
            cost_usd=cost_usd,
            latency_ms=latency_ms,
            confidence=None,
        )

    keeper = setting.keeper()
    assert keeper.totals() == {}
    keeper.report([tried("a", None, 1.5, 0.01), tried("a", "timeout", 2.0, 0.0)])
    keeper.report([tried("b", None, 0.25, 0.5), tried("b", None, float("inf"), float("nan"))])
    totals = keeper.totals()
    assert (totals["a"].calls, totals["a"].failures, totals["a"].latency_ms) == (2, 1, 3.5)
    assert totals["a"].cost_usd == 0.01
    assert (totals["b"].calls, totals["b"].latency_ms, totals["b"].cost_usd) == (2, 0.25, 0.5)
