"""Results by meaning on a runtime: its actor with MiniLM, what it serves, and what it does without."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from ray_parts import until

from actors import Runtime
from actors.requests import CallSummary

pytest.importorskip("llama_cpp", reason="llama.cpp is not installed")
pytest.importorskip("hnswlib", reason="hnswlib is not installed")

pytestmark = pytest.mark.slow

POLICY = """
[delegation.local_models]
topics = { path = "topics.rules" }

[delegation.static_routes]
"topic" = "local-topics"
"""
RULES = """
default other 0.9
threshold 0.1

[billing]
9 word invoice

[login]
9 word password

[other]
1 word else
"""
SOURCE = """
(defn ^{:cache {:by :semantic :max-error 0.4}} topic
  "What a message is about."
  [text : string] : [:enum :billing :login :other]
  :other)
(topic text)
"""
WAYS = (
    *("send me the invoice for order {}", "please send me the invoice for order {}"),
    *("could you send me the invoice for order {}", "send me the invoice for order {}, please"),
)
#: after which an answer is written, seconds: the writer gathers them, and what is not in L2 serves nobody
WRITTEN_S = 0.2


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    folder = tmp_path_factory.mktemp("semantic")
    (folder / "policy.toml").write_text(POLICY)
    (folder / "topics.rules").write_text(RULES)
    with Runtime.start(folder / "policy.toml", state_dir=folder / "state", evaluators=1) as made:
        ask(made, "hello")  # the first question starts the actor, and is not kept there
        until(lambda: ask_until_kept(made), 60)
        yield made


def ask(runtime: Runtime, text: str) -> tuple[str, CallSummary]:
    reply = runtime.run(SOURCE, args={"text": text})
    assert reply.error is None
    (call,) = reply.calls
    return reply.text, call


def ask_until_kept(runtime: Runtime) -> bool:
    ask(runtime, f"hello {time.time_ns()}")
    return bool(runtime.similar("topic", "hello", at_least=0.0, limit=1))


def test_calls_that_mean_the_same_share_an_answer_and_others_do_not(runtime: Runtime) -> None:
    served: list[CallSummary] = []
    for order in range(100, 108):
        for way in WAYS:
            time.sleep(WRITTEN_S)
            answer, call = ask(runtime, way.format(order))
            assert answer == ":billing"
            if call.tier == "l3":
                served.append(call)
    assert served
    assert all(call.similarity is not None and call.similarity > 0.7 for call in served)
    assert all(call.error_bound is not None and 0 < call.error_bound <= 0.4 for call in served)
    # one number differs, or one word that counts: the target is asked
    for text in ("please send me the invoice for order 999", "please do not send me the invoice for order 100"):
        assert ask(runtime, text)[1].tier != "l3"


def test_the_very_same_call_is_known_exactly(runtime: Runtime) -> None:
    text = "what about my password"
    assert ask(runtime, text)[0] == ":login"
    assert ask(runtime, text)[1].tier == "l2-hot"


def test_what_is_near_can_be_seen(runtime: Runtime) -> None:
    near = runtime.similar("topic", "send me the invoice for order 100", at_least=0.5, limit=3)
    assert near
    assert near[0].symbol == "topic"
    assert any(each.refused for each in runtime.similar("topic", "invoice for order 5", at_least=0.0, limit=50))
