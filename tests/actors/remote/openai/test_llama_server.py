"""llama.cpp's own server as a service: another party's HTTP, streams, grammars and errors.

Its model is tiny and its weights are random, so what it says means nothing. What there is of sense in an answer
is the work of the grammar that the server made of our schema.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from tiny_gguf import CHATML, Tiny, write_tiny

from actors.remote.openai.dialects import ServiceKey
from actors.remote.openai.embeddings import OpenAiEmbedder
from policies.errors import TargetFailed
from rtfs.printer import pr_str

pytest.importorskip("llama_cpp.server.app", reason="llama-cpp-python[server] is not installed")

KEY = "sk-local"
#: longest wait for the server to start, seconds
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Server:
    url: str
    log: Path


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of its own process; it ends with the tests of this file."""
    folder = tmp_path_factory.mktemp("llama-server")
    model = write_tiny(folder / "tiny.gguf", Tiny(template=CHATML, n_ctx=2048))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    common = {"model": str(model), "n_ctx": 2048, "n_threads": 1, "n_threads_batch": 1, "verbose": False}
    chat = {**common, "model_alias": "gpt-x"}
    pooled = {
        **common,
        "model_alias": "embedder",
        "embedding": True,
        "kv_overrides": ["llama.pooling_type=int:1"],
    }
    settings = folder / "settings.json"
    settings.write_text(json.dumps({"port": port, "api_key": KEY, "models": [chat, pooled]}))
    command = [sys.executable, "-m", "llama_cpp.server", "--config_file", str(settings)]
    log = folder / "log"
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        server = Server(f"http://127.0.0.1:{port}", log)
        try:
            _wait(server, process)
            yield server
        finally:
            process.terminate()
            process.wait(30)


def _wait(server: Server, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE_S
    while True:
        assert process.poll() is None, server.log.read_text()
        assert time.monotonic() < end, server.log.read_text()
        try:
            httpx.get(f"{server.url}/v1/models", timeout=5.0, trust_env=False)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return


@pytest.fixture
def ours(there: Server, asking: Callable[..., Any]) -> Callable[..., Any]:
    """Makes an `Asking` of the server."""

    def make(more: str = "", key: str = KEY) -> Any:
        keyed = f'api_key_env = "KEY", temperature = 0.7, seed = 3, max_tokens = 300{more}'
        return asking(there, keyed, {"KEY": key})

    return make


TYPES = [
    "int",
    "bool",
    "[:enum :glad :angry]",
    "[:tuple int bool]",
    "[:map [:mood [:enum :a :b]] [:sure bool]]",
]


@pytest.mark.parametrize("stream", ["", ", stream = true"], ids=["whole", "stream"])
@pytest.mark.parametrize("returns", TYPES)
def test_answers_are_of_the_type(ours: Callable[..., Any], returns: str, stream: str):
    """`Asking.ask` raises if they are not; random weights hit none of these types by chance."""
    answer = ours(stream).ask("how is it?", returns=returns, timeout_s=60.0)
    assert answer.text.startswith("{")
    if returns == TYPES[2]:
        assert pr_str(answer.value) in (":glad", ":angry")


def test_the_refusal_of_schemas_is_remembered(ours: Callable[..., Any]):
    """It knows `json_object` alone, with a schema of its own kind, and says so with a 500."""
    ask = ours()
    ask.ask(returns="bool", timeout_s=60.0)
    key = ServiceKey(ask.service.provider.endpoint, "gpt-x")
    assert ask.service.dialects.mode(key, "auto", "bool") == "json-object-schema"


def test_usage_becomes_cost(ours: Callable[..., Any]):
    answer = ours(", input_usd_per_mtok = 1.0, output_usd_per_mtok = 1.0").ask(returns="bool", timeout_s=60.0)
    assert answer.usage["completion_tokens"] > 0
    assert answer.cost_usd == pytest.approx(sum(answer.usage.values()) / 1e6)


def test_probabilities_become_confidence(ours: Callable[..., Any]):
    """This server gives none unless they are asked for."""
    assert ours().ask(returns="bool", timeout_s=60.0).confidence is None


def test_a_wrong_key(ours: Callable[..., Any]):
    with pytest.raises(TargetFailed) as failed:
        ours(key="sk-wrong").ask()
    assert failed.value.cause == "auth"
    assert "sk-wrong" not in str(failed.value)


def test_a_prompt_that_does_not_fit(ours: Callable[..., Any]):
    with pytest.raises(TargetFailed, match="context_length_exceeded") as failed:
        ours(', structured = "json-object"').ask("x " * 20_000, timeout_s=60.0)
    assert failed.value.cause == "bad-request"


def test_an_answer_that_was_cut_off(ours: Callable[..., Any]):
    service = ours()
    with pytest.raises(TargetFailed, match="cut off") as failed:
        service.ask(returns="[:vector string]", options={"max_tokens": 3}, timeout_s=60.0)
    assert failed.value.cause == "bad-reply"


def test_after_time_outs_it_still_answers(ours: Callable[..., Any]):
    service = ours(", stream = true, retries = 0")
    service.ask(returns="bool", timeout_s=60.0)
    with pytest.raises(TargetFailed) as failed:
        service.ask(returns="[:vector string]", timeout_s=0.05, options={"max_tokens": 2000})
    assert failed.value.cause == "timeout"
    assert service.ask(returns="bool", timeout_s=60.0).value in (True, False)


def test_embeddings(ours: Callable[..., Any], there: Server):
    service = ours()
    service._entry = f'endpoint = "{there.url}/v1", model = "embedder"'
    service.change(', api_key_env = "KEY"')
    embedder = OpenAiEmbedder(service.service)
    vectors = embedder.embed(["good morning", "good evening", "good morning"])
    assert vectors.shape == (3, embedder.dimensions)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(vectors[0], vectors[2], atol=1e-3)
    assert abs(float(vectors[0] @ vectors[1])) < 0.9999
