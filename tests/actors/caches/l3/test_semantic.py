"""L3 over its real store, with an embedder, guards and an acceptance that are as simple as can be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.caches.keys import FunctionKey, InferenceCall, ModelKey, Scope, answer_digest
from actors.caches.l2.change import Put
from actors.caches.l2.payload import stored_form
from actors.caches.l2.reader import L2Reader
from actors.caches.l2.writer import CacheWriter
from actors.caches.l3.entry import Vectors
from actors.caches.l3.learnt import Judgement
from actors.caches.l3.question import SemanticQuestion, Served, Unknown, Verdict, Verify
from actors.caches.l3.semantic import SemanticCache
from actors.caches.l3.store import SemanticStore
from actors.caches.layer import CacheConfig, Hit, Origin, Which
from policies.errors import TargetFailed
from rtfs.ir_codec import encode_value
from rtfs.values import Keyword, Value

ORIGIN = Origin("acme", "topic", "local-m", "v1")
BILLING, LOGIN = Keyword.of("billing"), Keyword.of("login")


def embed(text: str) -> Vectors:
    """A text's words, whatever their order: one place of the vector for each of 64 kinds of words."""
    if "broken" in text:
        raise TargetFailed("crashed", "the embedder is gone")
    vector = np.zeros(64, np.float32)
    for word in text.lower().split():
        vector[sum(word.encode()) % 64] += 1.0
    return vector


def refusal(one: str, other: str) -> str | None:
    return "negation" if ("not" in one.split()) != ("not" in other.split()) else None


class AfterTwo:
    """Serves what was right twice and never wrong."""

    def judge(
        self, origin: Origin, evidence: bytes, similarity: float, max_error: float, draw: float
    ) -> Judgement:
        return Judgement(serve=evidence.count(b"+") >= 2 and b"-" not in evidence, error_bound=max_error)

    def learn(self, origin: Origin, evidence: bytes, similarity: float, correct: bool) -> bytes:
        return evidence + (b"+" if correct else b"-")


class Setting:
    def __init__(self, folder: Path) -> None:
        self.answers: dict[bytes, Hit[Value]] = {}
        self.told: list[str] = []
        self.open(folder)

    def open(self, folder: Path, **options: Any) -> None:
        """The store of a folder, and the cache over it."""
        config = CacheConfig(size_entries=1000)
        self.store = SemanticStore(folder, dimensions=64, embedder_version="e", config=config, **options)
        self.read_answers(self.answers.get)

    def read_answers(self, answer: Callable[[bytes], Hit[Value] | None]) -> None:
        """The cache over the store, with another L2."""
        self.cache = SemanticCache(
            self.store,
            embed,
            refusal,
            AfterTwo(),
            answer,
            told=lambda verdict, _: self.told.append(verdict),
        )

    def ask(self, text: str, truth: Keyword, **more: object) -> Verdict:
        """Ask for a text; where the target is to be asked, it answers with the truth, which is kept."""
        question = self.question(text, **more)
        verdict = self.cache.look(question)
        if not isinstance(verdict, Served) and verdict.ticket:
            self.answers[question.key] = Hit(truth, "l2-cold", 1.0, 100.0, ORIGIN)
            self.cache.answered(verdict.ticket, answer_digest(truth))
        return verdict

    def question(self, text: str, **more: object) -> SemanticQuestion:
        key = text.encode()[:32].ljust(32, b"\0")
        question = SemanticQuestion(
            partition=b"p" * 32, texts=(text,), key=key, origin=ORIGIN, max_error=0.01, ttl_s=100.0
        )
        return replace(question, **more)  # type: ignore[arg-type]


@pytest.fixture
def setting(tmp_path: Path) -> Iterator[Setting]:
    made = Setting(tmp_path / "l3")
    yield made
    made.store.close()


def test_what_was_right_often_enough_is_served(setting: Setting) -> None:
    assert isinstance(setting.ask("where is my invoice", BILLING), Unknown)
    assert isinstance(setting.ask("my invoice where is", BILLING), Verify)
    assert isinstance(setting.ask("is my invoice where", BILLING), Verify)
    served = setting.ask("invoice my is where", LOGIN)
    assert isinstance(served, Served)
    assert served.hit.value == BILLING
    assert served.similarity == pytest.approx(1.0)
    assert served.error_bound == 0.01
    assert setting.told == ["unknown", "verify", "right", "verify", "right", "served"]
    assert setting.store.size == 1  # what was verified as the same needs no entry of its own


def test_what_was_wrong_once_is_not_served(setting: Setting) -> None:
    setting.ask("where is my invoice", BILLING)
    assert isinstance(setting.ask("my invoice where is", LOGIN), Verify)
    assert setting.cache.stats.wrong == 1
    assert setting.store.size == 2  # and what was asked now is an entry of its own
    assert isinstance(setting.ask("is my where invoice", BILLING), Verify)


def test_what_a_guard_refuses_is_not_even_verified(setting: Setting) -> None:
    for text in ("pay it", "it pay", "pay it please"):
        setting.ask(text, BILLING)
    verdict = setting.ask("not pay it", BILLING)
    assert isinstance(verdict, Unknown)
    assert verdict.reason == "negation"


def test_calls_of_another_partition_are_not_there(setting: Setting) -> None:
    for text in ("a b c", "b a c", "c a b"):
        setting.ask(text, BILLING)
    assert isinstance(setting.ask("c b a", BILLING), Served)
    assert isinstance(setting.ask("c b a", BILLING, partition=b"q" * 32), Unknown)


def test_what_is_too_old_or_gone_is_not_given(setting: Setting) -> None:
    for text in ("a b c", "b a c", "c a b"):
        setting.ask(text, BILLING)
    assert isinstance(setting.cache.look(setting.question("c b a", max_age_s=0.5)), Unknown)
    assert isinstance(setting.cache.look(setting.question("c b a", max_age_s=2.0)), Served)
    setting.answers.clear()
    assert isinstance(setting.cache.look(setting.question("c b a")), Unknown)
    assert setting.store.size == 1  # its answer may only not be written yet


def test_while_earlier_calls_are_loaded_the_target_is_asked(setting: Setting, tmp_path: Path) -> None:
    for text in ("a b c", "b a c", "c a b"):
        setting.ask(text, BILLING)
    setting.store.close()
    setting.open(tmp_path / "l3", loaded_at_once=0)
    verdict = setting.cache.look(setting.question("c b a"))
    assert isinstance(verdict, Unknown)
    assert verdict.ticket  # its answer may be told
    assert setting.store.settle()
    assert isinstance(setting.cache.look(setting.question("c b a")), Served)


def test_what_is_invalidated_by_its_input_is_not_given_by_meaning(setting: Setting, tmp_path: Path) -> None:
    function = FunctionKey(symbol="topic", ir_hash="a" * 64, parameter_types=("string",))
    model = ModelKey(target="local-m", version="v1")
    call = InferenceCall(function, model, Scope("acme"), ("where is my invoice",))
    with CacheWriter(tmp_path / "l2", CacheConfig(size_entries=10)) as writer:
        reader = L2Reader(tmp_path / "l2")
        setting.read_answers(reader.get)
        flags, stored = stored_form(encode_value(BILLING))
        writer.put([Put(call.key, call.input, ORIGIN, flags, stored, None, 0.0, None, ttl_s=60.0)])
        assert writer.flush()
        for text in (*call.texts, "my invoice where is", "is my invoice where"):
            setting.ask(text, BILLING, key=call.key)
        other = setting.question("invoice my is where", key=b"o" * 32)
        assert isinstance(setting.cache.look(other), Served)
        assert writer.invalidate(Which(input=call.input)) == 1
        assert isinstance(setting.cache.look(other), Unknown)
        reader.close()


def test_the_very_same_texts_are_no_neighbours(setting: Setting) -> None:
    """They are asked for when their answer is too old or not wanted, and would verify themselves."""
    setting.ask("a b c", BILLING)
    assert isinstance(setting.ask("a b c", LOGIN), Unknown)


def test_nothing_is_known_where_the_embedder_fails(setting: Setting) -> None:
    verdict = setting.cache.look(setting.question("broken"))
    assert verdict == Unknown(reason="the embedder is gone") or "embedder is gone" in str(verdict)
    assert setting.cache.stats.failures == 1


def test_another_number_of_texts_is_refused(setting: Setting) -> None:
    setting.ask("a b", BILLING)
    verdict = setting.cache.look(setting.question("", texts=("a", "b")))
    assert isinstance(verdict, Unknown)
    assert verdict.reason == "another number of texts"


def test_an_answer_to_no_question_is_nothing(setting: Setting) -> None:
    setting.cache.answered("none", b"")
    assert setting.store.size == 0


def test_what_is_near_can_be_listed(setting: Setting) -> None:
    setting.ask("pay the bill", BILLING)
    setting.ask("not pay the bill", LOGIN)
    setting.ask("open a door", LOGIN)
    near = setting.cache.similar(b"p" * 32, "the bill pay", 0.5, 10)
    assert [(each.texts, each.refused) for each in near] == [
        (("pay the bill",), ""),
        (("not pay the bill",), "negation"),
    ]
    assert near[0].similarity > near[1].similarity
