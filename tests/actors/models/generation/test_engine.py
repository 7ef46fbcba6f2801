from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.models.generation.engine import Engine
from actors.models.generation.job import Job
from actors.models.generation.runtime import llama
from actors.models.generation.sampling import Sampler, SamplingSettings
from actors.models.generation.session import Session, SessionSettings
from actors.models.generation.vocabulary import Vocabulary
from policies.errors import TargetFailed

OBJECT = r"""
root ::= "{\"a\":" string ",\"n\":" number "}"
string ::= "\"" [a-zA-Z ]{0,40} "\""
number ::= "-"? ("0" | [1-9] [0-9]{0,8})
"""
LONG = 'root ::= "\\"" [a-z ]{200} "\\""'
LABEL = 'root ::= "\\":spam\\"" | "\\":ham\\""'


class Clock:
    def __init__(self) -> None:
        self.now = 0.0
        self.each = 0.0

    def __call__(self) -> float:
        self.now += self.each
        return self.now


class Bench:
    """An engine, and jobs for it."""

    def __init__(self, path: Path, *, parallel: int = 3, n_ctx: int = 320) -> None:
        self.clock = Clock()
        self.session = Session(
            SessionSettings(path=str(path), n_ctx=n_ctx, parallel=parallel, n_threads=1, gpu_layers=0)
        )
        self.vocabulary = Vocabulary(self.session.texts(), self.session.ends)
        self.engine = Engine("tiny", self.session, self.vocabulary, clock=self.clock)

    def job(self, prompt: str, grammar: str | None = OBJECT, **given: Any) -> Job:
        sampler = Sampler(llama(), given.pop("settings", SamplingSettings()), self.vocabulary.room)
        fields: dict[str, Any] = {"limit": 250, "deadline": 100.0, "timeout_s": 100.0, **given}
        return Job(prompt=self.session.tokens(prompt, begin=True), grammar=grammar, sampler=sampler, **fields)

    def texts(self, *jobs: Job) -> list[str]:
        self.engine.run(jobs)
        assert [job.failure for job in jobs] == [None] * len(jobs)
        return [job.text.decode() for job in jobs]


@pytest.fixture
def bench(tiny_path: Path) -> Iterator[Bench]:
    found = Bench(tiny_path)
    yield found
    found.engine.close()


@pytest.fixture(scope="module")
def llama_cpp_model(tiny_path: Path) -> Any:
    """The same model under llama-cpp-python."""
    import llama_cpp

    return llama_cpp.Llama(str(tiny_path), n_ctx=320, n_threads=1, n_threads_batch=1, verbose=False)


@pytest.fixture(scope="module")
def by_llama(llama_cpp_model: Any) -> Callable[[str, str, int], str]:
    """What it answers to the same."""
    import llama_cpp

    def answer(prompt: str, grammar: str, limit: int) -> str:
        rules = llama_cpp.LlamaGrammar.from_string(grammar, verbose=False)
        tokens = llama_cpp_model.tokenize(prompt.encode())
        found: Any = llama_cpp_model.create_completion(tokens, max_tokens=limit, temperature=0.0, grammar=rules)
        text: str = found["choices"][0]["text"]
        return text

    return answer


PROMPTS = ["hello", "how are you", "a b c d e f g", "tralfin", "{", "日本", "x" * 40]


@pytest.mark.parametrize("grammar", [OBJECT, LONG, LABEL])
def test_answers_are_those_of_llama_cpp_with_the_same_grammar(
    bench: Bench, by_llama: Callable[[str, str, int], str], grammar: str
) -> None:
    jobs = [bench.job(prompt, grammar, limit=120) for prompt in PROMPTS]
    assert bench.texts(*jobs) == [by_llama(prompt, grammar, 120) for prompt in PROMPTS]


def test_without_a_grammar_tokens_are_those_of_llama_cpp(bench: Bench, llama_cpp_model: Any) -> None:
    jobs = [bench.job(prompt, None, limit=30) for prompt in PROMPTS]
    bench.engine.run(jobs)
    for job in jobs:
        tokens = islice(llama_cpp_model.generate(job.prompt.tolist(), temp=0.0), 30)
        assert job.tokens == list(takewhile(lambda token: token not in bench.vocabulary.ends, tokens))


def test_together_or_alone_the_answers_are_the_same(bench: Bench) -> None:
    together = bench.texts(*(bench.job(prompt) for prompt in PROMPTS))
    alone = [bench.texts(bench.job(prompt))[0] for prompt in reversed(PROMPTS)]
    assert together == alone[::-1]


def test_a_prompt_longer_than_a_step_is_read_in_several(tiny_path: Path) -> None:
    bench = Bench(tiny_path, parallel=2, n_ctx=900)
    prompt = "the quick brown fox " * 40
    first, other = bench.job(prompt), bench.job("hello")
    texts = bench.texts(first, other)
    assert len(first.prompt) > 512
    alone = Bench(tiny_path, parallel=1, n_ctx=900)
    assert alone.texts(alone.job(prompt), alone.job("hello")) == texts
    bench.engine.close()
    alone.engine.close()


def test_a_prompt_that_begins_like_another_is_read_from_where_it_differs(bench: Bench) -> None:
    shared = "the same instructions for everybody: "
    first, other = bench.job(shared + "one"), bench.job(shared + "two")
    bench.texts(first)
    (text,) = bench.texts(other)
    assert (first.reused, other.reused) == (0, len(bench.session.tokens(shared, begin=True)))
    fresh = bench.job(shared + "two")
    assert bench.texts(bench.job("a"), bench.job("b"), bench.job("c"), fresh)[-1] == text


def test_the_same_prompt_again_reads_one_token(bench: Bench) -> None:
    first, again = bench.job("just this"), bench.job("just this")
    assert bench.texts(first) == bench.texts(again)
    assert again.reused == len(again.prompt) - 1


def test_an_answer_ends_with_its_grammar(bench: Bench) -> None:
    job = bench.job("hello", LABEL)
    (text,) = bench.texts(job)
    assert text in ('":spam"', '":ham"')
    assert not job.is_cut
    assert 0 < job.choices < len(job.tokens) or job.choices == len(job.tokens)
    assert job.log_p < 0


def test_an_answer_that_may_have_no_more_tokens_is_cut(bench: Bench) -> None:
    job = bench.job("hello", LONG, limit=7)
    bench.texts(job)
    assert job.is_cut
    assert len(job.tokens) == 7


def test_what_is_over_in_time_is_not_late(bench: Bench) -> None:
    bench.clock.now = 5.0
    late = bench.job("hello", deadline=5.0, timeout_s=3.0)
    bench.engine.run([late])
    assert str(late.failure) == "timeout: no answer of the model `tiny` within 3 s"
    assert late.tokens == []


def test_an_answer_is_broken_off_when_its_time_is_over(bench: Bench) -> None:
    bench.clock.each = 1.0
    slow, quick = bench.job("hello", LONG, deadline=30.0), bench.job("hello", LABEL, deadline=1e9)
    bench.engine.run([slow, quick])
    assert slow.failure is not None
    assert slow.failure.cause == "timeout"
    assert 0 < len(slow.tokens) < 100
    assert quick.failure is None


def test_nothing_of_a_failed_answer_stays_in_the_context(bench: Bench) -> None:
    bench.clock.each = 1.0
    bench.engine.run([bench.job("hello", LONG, deadline=30.0)])
    assert bench.engine.kept() == [0, 0, 0]


def test_a_cancelled_answer_ends_while_others_go_on(bench: Bench) -> None:
    gone, stays = bench.job("hello", LONG, id="a"), bench.job("how are you", LONG, id="b")
    bench.engine.submit([gone, stays])
    bench.engine.advance(lambda: len(gone.tokens) > 2)
    bench.engine.cancel(frozenset({"a", ""}))
    bench.engine.advance(lambda: stays.is_over)
    assert gone.failure is not None
    assert gone.failure.cause == "cancelled"
    assert stays.failure is None
    assert len(stays.tokens) > 20


def test_what_waits_can_be_cancelled(bench: Bench) -> None:
    jobs = [bench.job("hello", id=str(number)) for number in range(6)]
    bench.engine.submit(jobs)
    bench.engine.cancel(frozenset({"5"}))
    bench.engine.advance(lambda: all(job.is_over for job in jobs))
    assert [job.failure and job.failure.cause for job in jobs] == [None] * 5 + ["cancelled"]


def test_many_threads_get_their_own_answers(bench: Bench) -> None:
    expected = {prompt: bench.texts(bench.job(prompt))[0] for prompt in PROMPTS}
    found: list[tuple[str, str]] = []

    def ask(prompt: str) -> None:
        for _ in range(3):
            found.append((prompt, bench.texts(bench.job(prompt))[0]))

    threads = [threading.Thread(target=ask, args=(prompt,)) for prompt in PROMPTS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3 * len(PROMPTS)
    assert dict(found) == expected
    assert all(expected[prompt] == text for prompt, text in found)


def test_closing_ends_what_is_under_way(tiny_path: Path) -> None:
    bench = Bench(tiny_path)
    jobs = [bench.job("hello", LONG) for _ in range(5)]
    bench.engine.submit(jobs)
    bench.engine.advance(lambda: len(jobs[0].tokens) > 2)
    bench.engine.close()
    assert [str(job.failure) for job in jobs] == ["connection-lost: the model `tiny` was closed"] * 5
    with pytest.raises(TargetFailed, match="connection-lost"):
        bench.engine.run([jobs[0]])
    with pytest.raises(TargetFailed, match="connection-lost"):
        bench.session.tokens("hello")
    bench.engine.close()


def test_closing_from_another_thread_ends_the_wait(tiny_path: Path) -> None:
    bench = Bench(tiny_path)
    jobs = [bench.job("hello", LONG, limit=10_000) for _ in range(4)]
    begun = threading.Event()
    bench.clock = Clock()
    waiting = threading.Thread(target=lambda: (begun.set(), bench.engine.run(jobs)))
    waiting.start()
    begun.wait()
    bench.engine.close()
    waiting.join(30)
    assert not waiting.is_alive()


def test_whatever_breaks_off_a_step_ends_all_answers_and_frees_the_context(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [bench.job("hello"), bench.job("how are you")]

    def interrupted() -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(bench.session, "decode", interrupted)
        with pytest.raises(KeyboardInterrupt):
            bench.engine.run(jobs)
    assert [str(job.failure) for job in jobs] == ["crashed: the model `tiny` was broken off"] * 2
    assert bench.engine.kept() == [0, 0, 0]
    assert bench.texts(bench.job("hello", LABEL))[0].startswith('":')


def test_what_llama_cpp_cannot_do_fails_and_frees_the_context(bench: Bench) -> None:
    # longer than the context
    job = bench.job("x" * 1000, limit=10)
    bench.engine.run([job])
    assert job.failure is not None
    assert job.failure.cause == "server-error"
    assert bench.engine.kept() == [0, 0, 0]


def test_a_grammar_that_cannot_be_used_is_the_failure_of_its_job(bench: Bench) -> None:
    wrong, right = bench.job("hello", "root ::= nothing"), bench.job("hello", LABEL)
    bench.engine.run([wrong, right])
    assert wrong.failure is not None
    assert wrong.failure.cause == "bad-request"
    assert "calls a rule `nothing` that it does not have" in wrong.failure.detail
    assert right.failure is None


def test_sampling_has_its_own_luck_for_each_answer(bench: Bench) -> None:
    def answers() -> list[str]:
        settings = [SamplingSettings(temperature=1.0, seed=seed) for seed in (1, 2, 1)]
        return bench.texts(*(bench.job("hello", settings=each) for each in settings))

    one, two, three = answers()
    assert one == three != two
    assert answers() == [one, two, three]


def test_tokens_of_the_vocabulary_are_as_llama_cpp_says(bench: Bench) -> None:
    tokens = bench.session.tokens("héllo <|im_end|> 日", begin=True)
    assert tokens[0] == bench.session.bos == 1
    assert 4 not in tokens
    assert b"".join(bench.vocabulary.texts[token] for token in tokens[1:]).decode() == " héllo <|im_end|> 日"
    assert 4 in bench.session.tokens("héllo <|im_end|>", special=True)
    assert bench.session.ends == {2, 4}
    assert np.array_equal(bench.session.tokens(""), [])
