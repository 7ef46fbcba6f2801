"""`rtfs models test`, with real models and a real service on this machine."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scripted_openai import says
from scripted_server import ScriptedServer, answers

from cluster.cli import model_choice, model_trial
from rtfs.cli.console import Console, Output
from rtfs.cli.main import main

type Said = pytest.CaptureFixture[str]

POLICY = """\
[delegation.local_models]
mood = { path = "./mood.rules" }
echoes = { kind = "echo" }
failing = { kind = "echo", fail_rate = 1.0 }
gone = { path = "./gone.rules" }
topics = { path = "minilm", kind = "classifier" }
tiny = { path = "./tiny.gguf", device = "cpu:1", max_tokens = 12 }
"""
LABELS = "[:enum :calm :cross]"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rules = "default calm 0.5\n[calm]\n1 word ok fine\n[cross]\n3 word bad awful\n"
    Path("mood.rules").write_text(rules, encoding="utf-8")
    Path("delegation.toml").write_text(POLICY, encoding="utf-8")
    return tmp_path


@pytest.fixture
def tiny(here: Path) -> Path:
    pytest.importorskip("llama_cpp", reason="llama.cpp is not installed")
    from tiny_gguf import Tiny, write_tiny

    return write_tiny(here / "tiny.gguf", Tiny(n_ctx=2048))


def asked(capsys: Said, *words: str) -> Any:
    assert main(["models", "test", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


# ---------------------------------------------------------------- test


@pytest.mark.usefixtures("here")
def test_an_answer_and_how_sure_it_is(capsys: Said) -> None:
    assert main(["models", "test", "mood", "a bad day"]) == 0
    said = capsys.readouterr()
    assert said.out == ":cross\n"
    assert said.err.startswith("confidence 0.750, ")
    assert "loaded in" in said.err
    found = asked(capsys, "local-mood", "a bad day", "--type", '[:enum "calm" "cross"]')
    assert (found["value"], found["text"], found["confidence"]) == ("cross", '"cross"', 0.75)
    assert (found["model"], found["kind"], found["usage"], found["cost_usd"]) == (
        "local-mood",
        "rules",
        {},
        0.0,
    )


@pytest.mark.usefixtures("here")
def test_the_text_may_come_from_stdin(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("schön\n".encode())))
    assert asked(capsys, "echoes", "-")["value"] == "schön\n"


@pytest.mark.usefixtures("tiny")
def test_a_generator_keeps_to_the_type(capsys: Said) -> None:
    found = asked(capsys, "tiny", "hello", "--type", LABELS, "--doc", "How somebody feels.", "--name", "mood")
    assert found["text"] in (":calm", ":cross")
    assert 0 < found["confidence"] <= 1
    assert found["usage"]["prompt_tokens"] > 50
    assert found["latency_ms"] > 0
    assert found["load_ms"] > 0


@pytest.mark.usefixtures("tiny")
def test_what_is_not_as_the_policy_says(capsys: Said) -> None:
    text = (
        Path("delegation.toml")
        .read_text(encoding="utf-8")
        .replace("max_tokens", "context_length = 4000, max_tokens")
    )
    Path("delegation.toml").write_text(text, encoding="utf-8")
    assert main(["models", "test", "tiny", "x", "--type", LABELS]) == 0
    assert "warning: `context_length` is 4000, the model was made for 2048" in capsys.readouterr().err
    assert len(asked(capsys, "tiny", "x", "--type", LABELS)["problems"]) == 1


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.usefixtures("tiny")
def test_on_a_terminal_the_answer_comes_piece_by_piece() -> None:
    out, err = Terminal(), io.StringIO()
    console = Console(Output(out), Output(err), "models")
    options = model_trial.parse(["tiny", "hello", "--type", LABELS])
    options.action = "test"
    assert model_trial.execute(options, console) == 0
    assert out.getvalue() in ('":calm"\n', '":cross"\n')
    assert "tokens written" in err.getvalue()


@pytest.mark.usefixtures("here")
def test_vectors_are_shown_by_how_they_begin() -> None:
    from rtfs.values import Vector

    assert model_trial._shown(Vector([0.5] * 384)) == "[0.5 0.5 0.5 0.5 …]  ; 384 numbers"
    assert model_trial._shown(Vector([1, 2])) == "[1 2]"


@pytest.mark.usefixtures("here")
def test_no_answer_is_exit_code_1(capsys: Said) -> None:
    assert main(["models", "test", "failing", "x"]) == 1
    said = capsys.readouterr()
    assert (said.out, said.err[:32]) == ("", "`local-failing` gave no answer: ")
    assert said.err.endswith("(server-error)\n")
    assert main(["models", "test", "gone", "x", "--json"]) == 1
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["code"], "gone.rules" in error["message"]) == ("unusable", True)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("moood", "x"), "did you mean `local-mood`?"),
        (("local-tinny", "x"), "did you mean `local-tiny`?"),
        (("zzz", "x"), "there are `local-mood`, "),
        (("mood", "x", "--type", "[:enum"), "--type: "),
        (("topics", "x"), "expected --type"),
        (("mood", "x", "--timeout", "0"), "expected a number of seconds above 0"),
    ],
)
def test_what_cannot_be_asked(capsys: Said, words: tuple[str, ...], message: str) -> None:
    assert main(["models", "test", *words]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_where_llama_cpp_is_missing(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_choice, "has_llama", lambda: False)
    for action in (["test", "tiny", "x"], ["bench", "tiny"]):
        assert main(["models", *action]) == 2
        assert 'pip install "rtfs[models]"' in capsys.readouterr().err


# ---------------------------------------------------------------- services


@pytest.fixture
def service(here: Path) -> Iterator[ScriptedServer]:
    server = ScriptedServer(answers(500, ""))
    server.start()
    Path("delegation.toml").write_text(
        f'[delegation.remote_providers.large]\nendpoint = "{server.url}/v1"\nmodel = "large-2"\n'
        'api_key_env = "LARGE_KEY"\nretries = 0\n'
        f'[delegation.remote_providers.other]\nendpoint = "{server.url}"\nkind = "rtfs"\n',
        encoding="utf-8",
    )
    yield server
    server.stop()


def test_a_service_is_asked_once(
    service: ScriptedServer, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LARGE_KEY", "secret-value")
    service.behaviour = says('{"value": ":calm"}', usage=(30, 4))
    found = asked(capsys, "large", "a fine day", "--type", LABELS)
    assert (found["text"], found["usage"]["completion_tokens"]) == (":calm", 4)
    assert len(service.received) == 1


def test_a_service_that_does_not_answer(
    service: ScriptedServer, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["models", "test", "large", "x"]) == 1
    assert "(auth)" in capsys.readouterr().err
    monkeypatch.setenv("LARGE_KEY", "secret-value")
    assert main(["models", "test", "large", "x"]) == 1
    said = capsys.readouterr()
    assert "(server-error)" in said.err
    assert "secret-value" not in said.err


@pytest.mark.usefixtures("service")
def test_clusters_are_not_asked_and_services_not_measured(capsys: Said) -> None:
    assert main(["models", "test", "other", "x"]) == 2
    assert "is another RTFS cluster" in capsys.readouterr().err
    assert main(["models", "bench", "large"]) == 2
    assert "each of its answers may cost" in capsys.readouterr().err
