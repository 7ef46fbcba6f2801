"""Results that are known already, for delegated calls: `policies.running.results` over the caches of a process.

    DelegatedCall ─▶ CachedResults ─▶ CacheManager ─▶ l2-hot ─▶ l2-cold ─▶ (one flight) ─▶ the target

A call is looked for under the version of whatever would answer it now (`Versions`). Where that is not known,
nothing is looked for, and its answer is kept under the version that it says itself. So a model that changes,
its file, its settings or how it is asked, makes all earlier answers unreachable.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Final, Protocol

from actors.caches.errors import NotCacheable
from actors.caches.keys import FunctionKey, InferenceCall, ModelKey, Scope, answer_digest
from actors.caches.l3.question import SemanticPort, SemanticQuestion, Served, Unknown, Verdict
from actors.caches.layer import CacheControl, Hit, Item
from actors.caches.manager import CacheManager
from actors.caches.meters import MEANING
from actors.caches.prewarming.prewarmer import Prewarmer
from actors.models.inference import FunctionFacts
from policies.running.chain import Event, Known, Succeeded
from policies.running.results import Question
from policies.targets import target_name
from policies.world import USD, MicroUsd, micro_usd
from rtfs.delegation import ExecTarget, FunctionInfo
from rtfs.errors import StorageError
from rtfs.values import Value

#: of what another call, under way at the same time, was told
SHARED: Final = "shared"


class Versions(Protocol):
    """What would answer calls of a target now."""

    def of(self, target: ExecTarget) -> str | None:
        """Its version: all that its answers depend on beside the call. None: not known."""

    def told(self, target: ExecTarget, version: str) -> None:
        """An answer said that it is of this version."""


class NoAnswer(Exception):
    """The target was asked, and there is nothing to keep."""

    def __init__(self, event: Event) -> None:
        super().__init__(type(event).__name__)
        self.event = event


class CachedResults:
    """Results that are known already. Safe to use from many threads.

    Args:
        control: what the run under way wants of caches.
        context: what else answers of a target may depend on in the run under way, as a text; None: this cannot
            be said, and nothing is kept.
        semantic: L3; None: only the very same call is known again.
        max_error: share of the answers by meaning that may be wrong, where the function does not say.
    """

    def __init__(
        self,
        manager: CacheManager,
        versions: Versions,
        *,
        control: Callable[[], CacheControl] = CacheControl,
        context: Callable[[ExecTarget], str | None] = lambda target: "",
        semantic: SemanticPort | None = None,
        max_error: Callable[[], float] = lambda: 0.01,
    ) -> None:
        self.manager = manager
        self._versions = versions
        self._control = control
        self._context = context
        self._semantic = semantic
        self._max_error = max_error
        #: asks likely calls beforehand; None: nobody does
        self.prewarmer: Prewarmer | None = None

    def answer(self, question: Question, ask: Callable[[], Event]) -> Event:
        """What is known, else what `ask` comes to. Raises what `ask` raises, or LimitError."""
        control = self._control_of(question)
        call = self._call(question, self._versions.of(question.target))
        if call is None or (control.bypass and control.no_store):
            return self._asked(question, ask, control)
        prewarmer = self.prewarmer
        if prewarmer is None or control.bypass or control.no_store or self._context(question.target):
            return self._answer(question, call, ask, control)
        return prewarmer.watch(question, call, lambda: self._answer(question, call, ask, control))

    def _answer(
        self, question: Question, call: InferenceCall, ask: Callable[[], Event], control: CacheControl
    ) -> Event:
        """The same, of a call whose key is known."""
        asked: list[Event] = []

        def item() -> Item:
            verdict = self._look(question, call, control)
            if isinstance(verdict, Served):  # not an answer to this very call, so not to be kept as one
                raise NoAnswer(_of_meaning(verdict))
            epoch = self.manager.epoch()
            event = ask()
            asked.append(event)
            if not isinstance(event, Succeeded):
                raise NoAnswer(event)
            made = self._item(question, call, event, epoch)
            self._told(verdict, event, control)
            return made

        try:
            found = self.manager.answer(call, item, timeout_s=question.timeout_s, control=control)
        except NoAnswer as none:
            return none.event
        if asked:
            return asked[0]
        if found.hit is not None:
            return _of_hit(found.hit)
        assert found.item is not None
        return _of_another(found.item)

    def _look(self, question: Question, call: InferenceCall, control: CacheControl) -> Verdict:
        """What L3 knows of a call."""
        texts = call.texts
        if self._semantic is None or question.keeping.tier != "l3" or control.bypass or not texts:
            return Unknown()
        wish, began = question.keeping.wish, time.perf_counter()
        verdict = self._semantic.look(
            SemanticQuestion(
                partition=call.partition,
                texts=texts,
                key=call.key,
                origin=call.origin,
                max_error=self._max_error() if wish.max_error is None else wish.max_error,
                ttl_s=question.keeping.ttl_s,
                max_age_s=control.max_age_s,
            )
        )
        if self.manager.times is not None:
            self.manager.times.took(MEANING, (time.perf_counter() - began) * 1000)
        return verdict

    def _told(self, verdict: Verdict, event: Succeeded, control: CacheControl) -> None:
        """Tell L3 what the target said."""
        if self._semantic is None or isinstance(verdict, Served) or not verdict.ticket or control.no_store:
            return
        with suppress(NotCacheable):
            self._semantic.answered(verdict.ticket, answer_digest(event.value))

    def _asked(self, question: Question, ask: Callable[[], Event], control: CacheControl) -> Event:
        """Ask without a look; keep the answer under the version that it says."""
        epoch = self.manager.epoch()
        event = ask()
        if isinstance(event, Succeeded) and event.version and not control.no_store:
            self._versions.told(question.target, event.version)
            call = self._call(question, event.version)
            if call is not None:
                item = replace(_made(call, event), epoch=epoch)
                self.manager.put(call, item, control)
        return event

    def _item(self, question: Question, call: InferenceCall, event: Succeeded, epoch: int) -> Item:
        """The answer to be kept. Raises NoAnswer if it is of another version than was thought."""
        if event.version and event.version != call.model.version:
            self._versions.told(question.target, event.version)
            other = self._call(question, event.version)
            if other is not None:
                item = replace(_made(other, event), epoch=epoch)
                self.manager.put(other, item, self._control_of(question))
            raise NoAnswer(event)
        return _made(call, event)

    def _control_of(self, question: Question) -> CacheControl:
        """What the run, the function and the policy want, taken together."""
        control, wish = self._control(), question.keeping.wish
        ages = [age for age in (control.max_age_s, wish.max_age_s) if age is not None]
        return replace(
            control,
            bypass=control.bypass or wish.bypass,
            no_store=control.no_store or wish.no_store,
            max_age_s=min(ages, default=None),
            ttl_s=question.keeping.ttl_s,
        )

    def _call(self, question: Question, version: str | None) -> InferenceCall | None:
        """What the answer depends on; None: not to be said, so that nothing can be kept."""
        context = None if version is None else self._context(question.target)
        if version is None or context is None:
            return None
        facts = question.call.facts
        try:
            function = _function_key(facts.function, context)
            model = _model_key(target_name(question.target), version)
            return InferenceCall(function, model, Scope(facts.runtime.tenant, facts.labels), question.args)
        except NotCacheable:
            return None


def _made(call: InferenceCall, event: Succeeded) -> Item:
    return Item(
        value=event.value,
        origin=call.origin,
        confidence=event.confidence,
        cost_usd=event.cost / USD,
        latency_ms=event.latency_ms,
    )


def _of_hit(hit: Hit[Value]) -> Succeeded:
    known = Known(tier=hit.tier, age_s=hit.age_s, saved=_money(hit.cost_usd), saved_ms=hit.latency_ms or 0.0)
    return Succeeded(value=hit.value, confidence=hit.confidence, known=known, version=hit.origin.version)


def _of_meaning(served: Served) -> Succeeded:
    event = _of_hit(served.hit)
    assert event.known is not None
    known = replace(event.known, tier="l3", similarity=served.similarity, error_bound=served.error_bound)
    return replace(event, known=known)


def _of_another(item: Item) -> Succeeded:
    """What another call that was under way was told: it is paid for there, and was waited for here as well."""
    known = Known(tier=SHARED, saved=_money(item.cost_usd))
    return Succeeded(value=item.value, confidence=item.confidence, known=known, version=item.origin.version)


def _money(usd: float) -> MicroUsd:
    return micro_usd(usd)


#: keys of models that are kept, by target and version
_KEPT: Final = 1024
_of_models: Final[dict[tuple[str, str], ModelKey]] = {}


def _model_key(target: str, version: str) -> ModelKey:
    """The same object for the same model: its digest is made once."""
    found = _of_models.get((target, version))
    if found is None:
        if len(_of_models) >= _KEPT:
            _of_models.clear()
        found = _of_models[target, version] = ModelKey(target=target, version=version)
    return found


#: id of a function's description → it, which keeps the id its own, and a text of what targets are told of it
_interfaces: Final[dict[int, tuple[FunctionInfo, str]]] = {}


def _function_key(function: FunctionInfo, context: str) -> FunctionKey:
    """What all calls of the function share.

    Raises:
        NotCacheable: its metadata have no meaning outside its program.
    """
    known = _interfaces.get(id(function))
    if known is None or known[0] is not function:
        try:
            encoded = FunctionFacts.of(function).encoded
        except StorageError as error:
            raise NotCacheable(error.text()) from error
        if len(_interfaces) >= _KEPT:
            _interfaces.clear()
        known = _interfaces[id(function)] = function, hashlib.sha256(encoded).hexdigest()
    return FunctionKey.of(function, known[1] + context)
