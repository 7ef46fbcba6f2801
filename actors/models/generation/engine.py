"""Answers of several prompts, token by token, in one context of llama.cpp.

    submit ─▶ inbox ─▶ slot ─▶ prompt read in steps ─▶ a token a step ─▶ over

A slot is a sequence of the context. Each step is one call of llama.cpp: the next token of each answer under
way, and as much of the new prompts as a step takes, so that answers go on while prompts are read, and a
prompt begins as soon as a slot is free. Whoever waits for an answer takes the steps, one thread at a time,
for everybody; there is no thread of the engine's own.

A slot whose answer is over keeps what it read. The next prompt goes to the free slot that begins most like
it, and only the rest is read: calls of one function share their instructions. After a failure a slot keeps
nothing.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from actors.models.generation.gbnf import GrammarError
from actors.models.generation.job import Job
from actors.models.generation.session import Session, Tokens
from actors.models.generation.vocabulary import Vocabulary
from actors.models.provider import failure_of
from policies.errors import TargetFailed

_NO_TOKENS: Final = np.empty(0, np.int32)


@dataclass(slots=True, eq=False)
class _Slot:
    """A sequence of the context."""

    number: int
    #: tokens that the context holds for it
    known: Tokens = field(default_factory=lambda: _NO_TOKENS)
    job: Job | None = None
    #: tokens of the prompt that were read
    read: int = 0
    #: tokens of the answer that were read
    said: int = 0
    #: place in the batch after which its next token comes; None: this step gives it none
    place: int | None = None


class Engine:
    """Makes answers. Safe to use from many threads.

    Args:
        model: its name, for failures.
        session: used by nobody else.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        model: str,
        session: Session,
        vocabulary: Vocabulary,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model = model
        self._session = session
        self._vocabulary = vocabulary
        self._clock = clock
        self._slots = [_Slot(number) for number in range(session.parallel)]
        #: guards the inbox and the two flags; told when a job is over and when nobody takes steps any more
        self._changed = threading.Condition()
        self._inbox: deque[Job] = deque()
        self._is_driven = False
        self._is_closed = False

    def run(self, jobs: Sequence[Job]) -> None:
        """Make answers, until all of them are over. Each says itself how it ended."""
        self.submit(jobs)
        try:
            self.advance(lambda: all(job.is_over for job in jobs))
        except BaseException:
            self.give_up(jobs)
            raise

    def submit(self, jobs: Iterable[Job]) -> None:
        """Put jobs into the inbox. Raises TargetFailed if the engine is closed."""
        with self._changed:
            if self._is_closed:
                raise self._closed()
            self._inbox.extend(jobs)

    def advance(self, is_enough: Callable[[], bool]) -> None:
        """Take steps, or wait while another thread does, until it is enough."""
        while True:
            with self._changed:
                while self._is_driven and not is_enough():
                    self._changed.wait()
                if is_enough():
                    return
                self._is_driven = True
            try:
                while not is_enough():
                    self._step()
            except BaseException:
                self._drop_all(TargetFailed("crashed", f"the model `{self._model}` was broken off"))
                raise
            finally:
                with self._changed:
                    self._is_driven = False
                    self._changed.notify_all()

    def give_up(self, jobs: Iterable[Job]) -> None:
        """Nobody waits for these any more; they end with the next step, whoever takes it."""
        for job in jobs:
            job.is_unwanted = True

    def cancel(self, ids: frozenset[str]) -> None:
        """Give up the jobs of these ids."""
        with self._changed:
            waiting = list(self._inbox)
        running = [slot.job for slot in self._slots]
        self.give_up(job for job in (*waiting, *running) if job is not None and job.id and job.id in ids)

    def close(self) -> None:
        """End all jobs as failures, and free the model. Waits for the step that is being taken."""
        with self._changed:
            self._is_closed = True
            while self._is_driven:
                self._changed.wait()
            self._is_driven = True
        try:
            self._drop_all(self._closed())
            self._session.close()
        finally:
            with self._changed:
                self._is_driven = False
                self._changed.notify_all()

    def kept(self) -> list[int]:
        """Tokens that each slot holds in the context, whether in use or not. For tests, while nothing runs."""
        return [self._session.length(slot.number) for slot in self._slots]

    def _closed(self) -> TargetFailed:
        return TargetFailed("connection-lost", f"the model `{self._model}` was closed")

    # ------------------------------------------------------------ a step

    def _step(self) -> None:
        """Take one step for everybody. Only by the thread that drives."""
        if self._is_closed:
            self._drop_all(self._closed())
            return
        self._fill_slots()
        busy = [slot for slot in self._slots if slot.job is not None and not self._is_hopeless(slot)]
        if not busy:
            return
        self._session.begin()
        # answers first: whatever room they leave in the step is for prompts
        for slot in busy:
            self._add_said(slot)
        for slot in busy:
            self._add_prompt(slot)
        wrong = self._session.decode()
        for slot in busy:
            if wrong:
                self._end(slot, TargetFailed("server-error", f"llama.cpp could not go on, code {wrong}"))
            elif slot.place is not None:
                self._take_token(slot, slot.place)

    def _fill_slots(self) -> None:
        free = [slot for slot in self._slots if slot.job is None]
        while free:
            with self._changed:
                if not self._inbox:
                    return
                job = self._inbox.popleft()
            failure = self._why_hopeless(job) or self._constrain(job)
            if failure is not None:
                self._over(job, failure)
                continue
            slot = max(free, key=lambda slot: _common(slot.known, job.prompt))
            free.remove(slot)
            self._begin(slot, job)

    def _constrain(self, job: Job) -> TargetFailed | None:
        try:
            job.constraint = None if job.grammar is None else self._vocabulary.constraint(job.grammar)
        except GrammarError as error:
            return TargetFailed("bad-request", f"the model `{self._model}` cannot answer in this type: {error}")
        return None

    def _begin(self, slot: _Slot, job: Job) -> None:
        # the last token is read again in any case: what comes after it is wanted
        same = min(_common(slot.known, job.prompt), len(job.prompt) - 1)
        if not self._session.forget(slot.number, same):
            self._session.forget(slot.number)
            same = 0
        slot.job, slot.read, slot.said, slot.known = job, same, 0, job.prompt[:same]
        job.reused = same

    def _add_said(self, slot: _Slot) -> None:
        job = slot.job
        slot.place = None
        if job is not None and slot.said < len(job.tokens):
            tokens = np.array(job.tokens[slot.said :], np.int32)
            at = len(job.prompt) + slot.said
            slot.place = self._session.add(slot.number, tokens, at, answers=True)
            slot.said = len(job.tokens)

    def _add_prompt(self, slot: _Slot) -> None:
        job = slot.job
        room = self._session.room
        if job is None or not room or slot.read >= len(job.prompt):
            return
        end = min(len(job.prompt), slot.read + room)
        is_all = end == len(job.prompt)
        place = self._session.add(slot.number, job.prompt[slot.read : end], slot.read, answers=is_all)
        slot.read = end
        slot.place = place if is_all else None

    def _take_token(self, slot: _Slot, place: int) -> None:
        job = slot.job
        assert job is not None
        try:
            allowed = None if job.constraint is None else job.constraint.allowed(job.state)
            token, log_p, is_forced = job.sampler.pick(self._session.logits(place), allowed)
        except Exception as error:
            self._end(slot, failure_of(error, self._model))
            return
        if not is_forced:
            job.choices += 1
            job.log_p += log_p
        if token in self._vocabulary.ends:
            self._end(slot)
            return
        job.tokens.append(token)
        job.text += self._vocabulary.texts[token]
        if job.constraint is not None:
            job.state = job.constraint.after(job.state, token)
            if job.constraint.is_over(job.state):
                self._end(slot)
                return
        if len(job.tokens) >= job.limit:
            job.is_cut = True
            self._end(slot)

    # ------------------------------------------------------------ ends

    def _is_hopeless(self, slot: _Slot) -> bool:
        """Whether the slot's job had to be given up; then it is over."""
        assert slot.job is not None
        failure = self._why_hopeless(slot.job)
        if failure is not None:
            self._end(slot, failure)
        return failure is not None

    def _why_hopeless(self, job: Job) -> TargetFailed | None:
        if job.is_unwanted:
            return TargetFailed("cancelled", "nobody waits for the answer")
        if self._clock() >= job.deadline:
            detail = f"no answer of the model `{self._model}` within {job.timeout_s:g} s"
            return TargetFailed("timeout", detail)
        return None

    def _end(self, slot: _Slot, failure: TargetFailed | None = None) -> None:
        """A slot's job is over."""
        job, slot.job, slot.place = slot.job, None, None
        assert job is not None
        if failure is None:
            slot.known = np.concatenate([job.prompt, np.array(job.tokens[: slot.said], np.int32)])
        else:
            slot.known = _NO_TOKENS
            self._session.forget(slot.number)
        self._over(job, failure)

    def _over(self, job: Job, failure: TargetFailed | None) -> None:
        job.sampler.close()
        with self._changed:
            job.failure = failure
            job.ended = self._clock()
            job.is_over = True
            self._changed.notify_all()

    def _drop_all(self, why: TargetFailed) -> None:
        """End whatever there is, each with a failure of its own."""
        with self._changed:
            waiting = list(self._inbox)
            self._inbox.clear()
        for job in waiting:
            self._over(job, TargetFailed(why.cause, why.detail))
        for slot in self._slots:
            if slot.job is not None:
                self._end(slot, TargetFailed(why.cause, why.detail))


def _common(known: Tokens, prompt: Tokens) -> int:
    """Tokens at the beginning that are the same."""
    shorter = min(len(known), len(prompt))
    differ = np.flatnonzero(known[:shorter] != prompt[:shorter])
    return int(differ[0]) if len(differ) else shorter
