"""What `rtfs doctor` finds, each check in a machine that has the fault."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cluster.cli import checks, place
from cluster.cli.checks import Subject


@pytest.fixture
def subject(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Subject]:
    """A machine in order, with changes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    environ = {"HOME": str(tmp_path), "RTFS_STATE_DIR": str(tmp_path / "state")}

    def made(**changes: Any) -> Subject:
        given: dict[str, Any] = {
            "policy": None,
            "address": None,
            "name": "default",
            "host": "127.0.0.1",
            "port": 0,
            "state_dir": None,
            "tokens": None,
            **changes,
        }
        return Subject(environ={**environ, **given.pop("environ", {})}, **given)

    return made


def told(check: checks.Check, what: Subject) -> list[tuple[str, str]]:
    return [(each.level, each.message) for each in check(what)]


def test_a_machine_in_order(subject: Callable[..., Subject]) -> None:
    found = [each for check in checks.CHECKS for each in check(subject())]
    assert [each for each in found if each.level == "fail"] == []
    assert {"python", "packages", "ray", "state", "port", "tokens", "policy"} <= {each.check for each in found}


def test_a_python_that_is_too_old(subject: Callable[..., Subject], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks.sys, "version_info", (3, 11, 2))
    assert [level for level, _ in told(checks.python, subject())] == ["fail"]


def test_a_package_that_is_missing_or_another(
    subject: Callable[..., Subject], monkeypatch: pytest.MonkeyPatch
) -> None:
    required = ["sly>=9999", "rtfs-has-no-such-package", "not-on-this-system; sys_platform == 'nothing'"]
    monkeypatch.setattr(checks.metadata, "requires", lambda name: required)
    (first, second) = [message for _, message in told(checks.packages, subject())]
    assert first.startswith("sly is ")
    assert second == "rtfs-has-no-such-package is missing"


def test_a_cluster_that_does_not_answer(subject: Callable[..., Subject]) -> None:
    (found,) = checks.cluster(subject(address="127.0.0.1:1"))
    assert found.level == "fail"
    assert "connection refused" in found.message
    (found,) = checks.cluster(subject(environ={"RAY_ADDRESS": "127.0.0.1:1"}))
    assert found.level == "fail"


def test_a_runtime_that_is_served(subject: Callable[..., Subject]) -> None:
    what = subject()
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        there = place.Place(
            pid=os.getpid(), address=address, url="http://127.0.0.1:8700", jobs="", state_dir=""
        )
        place.note("default", what.environ, there)
        (found,) = checks.cluster(what)
        assert found.level == "ok"
        assert f"answers at {address}, with HTTP at http://127.0.0.1:8700" in found.message
        (port,) = checks.ports(subject(port=8700))
        assert (port.level, "that of `rtfs serve`" in port.message) == ("ok", True)


def test_a_token_that_others_can_read(subject: Callable[..., Subject], tmp_path: Path) -> None:
    (tmp_path / ".ray").mkdir()
    file = tmp_path / ".ray" / "auth_token"
    file.write_text("abc", encoding="utf-8")
    file.chmod(0o644)
    (found,) = checks.ray_token(subject())
    assert (found.level, found.advice) == ("warn", f"chmod 600 {file}")
    file.chmod(0o600)
    assert [level for level, _ in told(checks.ray_token, subject())] == ["ok"]


def test_a_state_folder_that_is_a_file(subject: Callable[..., Subject], tmp_path: Path) -> None:
    (tmp_path / "state").write_text("", encoding="utf-8")
    (found,) = checks.state(subject())
    assert found.level == "fail"
    assert "cannot be written to" in found.message
    assert not list(tmp_path.glob("default"))


def test_a_disk_that_is_full(subject: Callable[..., Subject], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_LEAST_DISK", 1 << 62)
    assert [level for level, _ in told(checks.state, subject())] == ["warn"]


def test_a_port_that_is_taken(subject: Callable[..., Subject]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        (found,) = checks.ports(subject(port=port))
        assert found.level == "fail"
        assert f"port {port} of 127.0.0.1 is taken" in found.message


def test_little_memory_and_few_files(subject: Callable[..., Subject], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_LEAST_SHM", 1 << 62)
    monkeypatch.setattr(checks, "_LEAST_FILES", 1 << 30)
    for check in (checks.shared_memory, checks.open_files):
        (found,) = check(subject())
        assert found.level == "warn"
        assert found.advice


def test_tokens_that_cannot_be_read(subject: Callable[..., Subject], tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("{", encoding="utf-8")
    (found,) = checks.tokens(subject(tokens=str(tmp_path / "tokens")))
    assert found.level == "fail"
    assert "tokens:1: no token" in found.message


def test_llama_cpp_is_there_and_loads(subject: Callable[..., Subject]) -> None:
    pytest.importorskip("llama_cpp", reason="llama.cpp is not installed")
    (found,) = checks.llama(subject())
    assert (found.level, found.message[:17]) == ("ok", "llama-cpp-python ")
    assert found.message.endswith("GPU support")


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("import os; os.kill(os.getpid(), 4)", "it does not load: its process ended by signal 4"),
        ("raise OSError('libggml.so: cannot open')", "it does not load: OSError: libggml.so: cannot open"),
        ("import time; time.sleep(60)", "it did not load within 1 s"),
    ],
    ids=["signal", "error", "time"],
)
def test_llama_cpp_that_does_not_load(
    subject: Callable[..., Subject], monkeypatch: pytest.MonkeyPatch, program: str, told: str
) -> None:
    monkeypatch.setattr(checks, "has_llama", lambda: True)
    monkeypatch.setattr(checks, "_TRY_LLAMA", program)
    monkeypatch.setattr(checks, "_LLAMA_S", 1.0 if "sleep" in program else 30.0)
    (found,) = checks.llama(subject())
    assert (found.level, found.message) == ("fail", told)
    assert "llama-cpp-python" in found.advice


def test_llama_cpp_that_is_not_installed(
    subject: Callable[..., Subject], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "has_llama", lambda: False)
    (found,) = checks.llama(subject())
    assert (found.level, "is not installed" in found.message) == ("ok", True)


# ---------------------------------------------------------------- the policy


def policy_of(text: str, subject: Callable[..., Subject], **environ: str) -> list[tuple[str, str, str]]:
    Path("delegation.toml").write_text(text, encoding="utf-8")
    return [(each.level, each.check, each.message) for each in checks.policy(subject(environ=environ))]


def test_a_policy_with_a_mistake(subject: Callable[..., Subject], monkeypatch: pytest.MonkeyPatch) -> None:
    ((level, _, message),) = policy_of("[delegation]\ncache_tl = 3\n", subject)
    assert level == "fail"
    assert "delegation.toml:2" in message
    assert "cache_ttl" in message


def test_a_policy_that_there_is_not(subject: Callable[..., Subject]) -> None:
    (found,) = checks.policy(subject(policy="nowhere.toml"))
    assert (found.level, found.message) == ("fail", "no such file: nowhere.toml")


def test_models_whose_files_are_missing_or_of_no_known_kind(subject: Callable[..., Subject]) -> None:
    Path("there.rules").write_text("default calm\n[calm]\n1 word ok\n", encoding="utf-8")
    Path("odd.rules").write_text("", encoding="utf-8")
    Path("there.xyz").write_text("", encoding="utf-8")
    text = (
        '[delegation.local_models]\ngone = { path = "gone.rules" }\nthere = { path = "there.rules" }\n'
        'odd = { path = "there.xyz" }\nempty = { path = "odd.rules" }\nechoes = { kind = "echo" }\n'
    )
    found = {
        message.partition(":")[0]: level
        for level, check, message in policy_of(text, subject)
        if check == "model"
    }
    assert found == {
        "`local-gone`": "fail",
        "`local-there`": "ok",
        "`local-odd`": "fail",
        "`local-empty`": "fail",
        "`local-echoes`": "ok",
    }


PROVIDERS = """
[delegation.remote_providers]
used = { endpoint = "https://used.example", api_key_env = "USED_KEY" }
spare = { endpoint = "https://spare.example", api_key_env = "SPARE_KEY" }
[delegation.static_routes]
"f" = "remote-used"
"""


def test_secrets_that_routes_need(subject: Callable[..., Subject]) -> None:
    found = [each for each in policy_of(PROVIDERS, subject) if each[1] == "secret"]
    assert [(level, "USED_KEY" in message) for level, _, message in found] == [("fail", True), ("ok", False)]
    found = [each for each in policy_of(PROVIDERS, subject, USED_KEY="secret-value") if each[1] == "secret"]
    assert [level for level, _, _ in found] == ["ok", "ok"]
    assert "secret-value" not in str(found)
