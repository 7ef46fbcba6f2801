"""Real models behind functions of a program: llama.cpp in actors, and llama.cpp's own server as a service."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import ray
from ray_parts import until
from tiny_gguf import Tiny, write_tiny, write_truncated

from actors import Runtime
from actors.models.actor import CONTROL
from actors.models.batches import decode_replies, encode_requests
from actors.models.inference import FunctionFacts, InferenceRequest, InferenceResponse
from actors.ray_calls import Actors, ModelTransport
from policies.errors import TargetFailed

pytest.importorskip("llama_cpp", reason="llama.cpp is not installed")

POLICY = """
[delegation.local_models]
tiny = { path = "tiny.gguf", parallel = 2, seed = 1 }
broken = { path = "broken.gguf" }
tone = { kind = "classifier", path = "minilm" }
near = { kind = "embedder", path = "minilm" }

[delegation.remote_providers.served]
endpoint = "ENDPOINT/v1"
model = "tiny"
max_tokens = 200

[delegation.static_routes]
"tiny-*" = "local-tiny"
"broken-*" = "local-broken"
"tone-*" = "local-tone"
"near-*" = "local-near"
"served-*" = "remote-served"

[delegation.health]
cool_down_s = { crashed = 0.5, connection-lost = 0.5 }
max_cool_down_s = 2
"""
TONES = '(defn {name} "Tone of a message." [text : string] : [:enum :positive :negative] :negative)'


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    tiny = write_tiny(folder / "tiny.gguf", Tiny(n_ctx=1024))
    write_truncated(folder / "broken.gguf", tiny)
    return folder


@pytest.fixture(scope="module")
def server(files: Path) -> Iterator[str]:
    """The address of llama.cpp's own server."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [sys.executable, "-m", "llama_cpp.server", "--model", str(files / "tiny.gguf"), "--n_ctx", "1024"]
    with subprocess.Popen(
        [*command, "--port", str(port), "--model_alias", "tiny"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            address = f"http://127.0.0.1:{port}"
            until(lambda: is_up(address))
            yield address
        finally:
            process.terminate()


def is_up(address: str) -> bool:
    try:
        return httpx.get(f"{address}/v1/models").status_code == 200
    except httpx.HTTPError:
        time.sleep(0.1)
        return False


@pytest.fixture(scope="module")
def modelled(runtime: Runtime, files: Path, server: str) -> Iterator[Runtime]:
    """A runtime of its own, on the Ray of all."""
    policy = files / "delegation.toml"
    policy.write_text(POLICY.replace("ENDPOINT", server), encoding="utf-8")
    with Runtime.start(policy, name="models", state_dir=files, evaluators=1) as started:
        yield started


def answered_by(runtime: Runtime, source: str) -> tuple[str, set[str | None]]:
    reply = runtime.run(source)
    assert reply.status == "completed", reply.error
    return str(reply.value), {call.answered_by for call in reply.calls}


@pytest.mark.parametrize(("name", "target"), [("tiny", "local-tiny"), ("served", "remote-served")])
def test_a_model_that_knows_nothing_answers_with_values_of_the_type(
    modelled: Runtime, name: str, target: str
) -> None:
    source = f'{TONES.format(name=f"{name}-tone")} (map {name}-tone ["a" "b" "c"])'
    reply = modelled.run(source)
    assert reply.status == "completed", reply.error
    assert {str(each) for each in reply.value} <= {":positive", ":negative"}
    assert [(call.calls, call.answered_by) for call in reply.calls] == [(3, target)], reply.calls


def test_the_classifier_and_the_embedder(modelled: Runtime) -> None:
    source = TONES.format(name="tone-of") + ' (tone-of "thank you, that is wonderful, great work")'
    assert answered_by(modelled, source) == (":positive", {"local-tone"})
    source = '(defn near-by [text : string] : [:vector float] []) (count (near-by "a sentence"))'
    assert answered_by(modelled, source) == ("384", {"local-near"})


def test_a_file_that_is_cut_off_costs_only_its_own_calls(modelled: Runtime) -> None:
    source = TONES.format(name="broken-tone") + ' (broken-tone "x")'
    assert answered_by(modelled, source) == (":negative", {"local-pure"})
    broken = next(state for name, state in modelled.status().parts.items() if "broken" in name)
    assert broken in ("up", "starting") or "broken.gguf" in broken


def test_a_model_that_dies_takes_no_evaluator_with_it(modelled: Runtime) -> None:
    name = next(part for part in modelled.status().parts if part.startswith("model-tiny"))
    source = TONES.format(name="tiny-tone") + ' (tiny-tone "x")'
    old = process_of(modelled, name)
    os.kill(old, signal.SIGKILL)
    assert modelled.run(source).status == "completed"  # by the model or by the body
    until(lambda: answered_by(modelled, source)[1] == {"local-tiny"})
    assert process_of(modelled, name) != old


def test_single_calls_take_the_socket_and_find_an_actor_that_is_back(modelled: Runtime) -> None:
    name = next(part for part in modelled.status().parts if part.startswith("model-near"))
    asked = InferenceRequest(FunctionFacts(symbol="near-by", return_type="[:vector float]"), ("a sentence",))
    actors = Actors(modelled.spec.namespace)
    transport = ModelTransport(actors)

    def answer() -> Any:
        found = transport.exchange(name, encode_requests([asked]), 30.0)
        return found if isinstance(found, TargetFailed) else decode_replies(found)[0]

    def by_socket_alone() -> Any:
        transport._actors = Actors("nowhere")  # by Ray nothing is found
        try:
            return answer()
        finally:
            transport._actors = actors

    first = answer()
    until(lambda: isinstance(by_socket_alone(), InferenceResponse))
    assert by_socket_alone().value == first.value
    os.kill(process_of(modelled, name), signal.SIGKILL)
    until(lambda: isinstance(answer(), InferenceResponse))
    until(lambda: isinstance(by_socket_alone(), InferenceResponse))


def process_of(runtime: Runtime, name: str) -> int:
    handle: Any = ray.get_actor(name, namespace=runtime.spec.namespace)
    return int(ray.get(handle.process.options(concurrency_group=CONTROL).remote(), timeout=30))
