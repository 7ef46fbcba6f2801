"""Requests of many callers on their way to one model, which works on a few batches at once.

    answer ─▶ queue ─▶ batch ─▶ model

A caller's thread puts its requests into the queue and then works: while some of them wait, it takes what is
there, its own requests or others', up to the model's `max_batch` and fairly among tenants, and runs that as one
batch. If as many batches run as the model's `concurrency` allows, it waits until others have answered its
requests. So batches form by themselves while the model is busy, and cost nothing while it is not: a single
request runs at once, in the thread that brought it. Where the model could take a further batch and no caller is
free to run it, a thread of a small pool does; there are such threads only once they are needed.

What waits is bounded: requests that would make more than `queue_bound` wait are refused together, `overloaded`.
A request whose time is over is answered `timeout`, wherever it is. Whatever the model raises is the failure of
the requests that it had, and of nothing else.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from actors.models.fair_queue import FairQueue
from actors.models.inference import InferenceRequest, Reply
from actors.models.provider import ModelProvider, failure_of
from policies.errors import TargetFailed

#: threads that run batches beside those of callers
_MOST_HELPERS: Final = 64
#: no request waits longer, seconds
_LONGEST_S: Final = 1e6
#: a request that waited longer is told how much of its time is left, seconds; below, the difference is noise
_WORTH_TELLING_S: Final = 0.001


class Counts(NamedTuple):
    """What waits and runs now, and what was since the beginning."""

    waiting: int = 0
    #: requests that the model has
    in_flight: int = 0
    requests: int = 0
    batches: int = 0
    #: requests in those batches
    batched: int = 0
    #: requests that found the queue full
    refused: int = 0
    timed_out: int = 0


@dataclass(slots=True, eq=False)
class _Call:
    """Requests that one caller brought together."""

    replies: list[Reply | None]
    #: requests without a reply, and those of them that are in the queue
    open: int
    queued: int
    done: threading.Event = field(default_factory=threading.Event)


@dataclass(slots=True, eq=False)
class _Item:
    """One request of a call."""

    request: InferenceRequest
    call: _Call
    place: int
    since: float
    deadline: float


@dataclass(slots=True, eq=False)
class _Serving:
    """A model, and how busy it is."""

    provider: ModelProvider
    #: batches that it has
    running: int = 0
    #: to be closed when it has none any more
    retired: bool = False


class Dispatcher:
    """Gives requests to a model, which may be replaced. Safe to use from many threads.

    Args:
        name: of the model.
        queue_bound: requests that may wait.
        clock: seconds that never go back.
        told: told of each batch that the model has answered: its size, and how many seconds it took.
    """

    def __init__(
        self,
        name: str,
        queue_bound: int,
        clock: Callable[[], float],
        told: Callable[[int, float], None] = lambda size, took_s: None,
    ) -> None:
        self._name = name
        self._tell = told
        self._queue_bound = queue_bound
        self._clock = clock
        #: guards all that follows
        self._lock = threading.Lock()
        self._serving: _Serving | None = None
        #: why no request is taken while there is no model
        self._refusal = TargetFailed("connection-refused", f"the model `{name}` is not loaded")
        self._queue: FairQueue[_Item] = FairQueue()
        self._helpers: ThreadPoolExecutor | None = None
        #: a helper was called and has not begun
        self._help_comes = False
        self._in_flight = self._requests = self._batches = self._batched = self._refused = self._timed_out = 0

    @property
    def counts(self) -> Counts:
        """What waits, runs and was."""
        with self._lock:
            return Counts(
                waiting=len(self._queue),
                in_flight=self._in_flight,
                requests=self._requests,
                batches=self._batches,
                batched=self._batched,
                refused=self._refused,
                timed_out=self._timed_out,
            )

    def serve(self, model: ModelProvider | None, refusal: TargetFailed | None = None) -> None:
        """Give requests to `model` from now on; the one before is closed when it has answered its last batch.

        Args:
            model: None: there is none, and what waits is refused.
            refusal: why there is none.
        """
        with self._lock:
            old, self._serving = self._serving, None if model is None else _Serving(model)
            self._refusal = refusal or self._refusal
            if model is None:
                self._drop(lambda item: True, self._refusal)
            is_over = False
            if old is not None:
                old.retired = True
                is_over = not old.running
            self._call_help()
        if old is not None and is_over:
            close(old.provider)

    def shut_down(self) -> None:
        """End the helpers, when they have run what they are running."""
        with self._lock:
            helpers, self._helpers = self._helpers, None
        if helpers is not None:
            helpers.shutdown()

    # ------------------------------------------------------------ requests

    def answer(self, requests: Sequence[InferenceRequest]) -> list[Reply]:
        """A reply to each of the requests, in their order."""
        now = self._clock()
        call = _Call([None] * len(requests), len(requests), 0)
        items = [
            _Item(request, call, place, now, now + seconds(request.timeout_s))
            for place, request in enumerate(requests)
        ]
        refusal = self._enqueue(call, items)
        if refusal is not None:
            return [copy(refusal) for _ in requests]
        self._work(call)
        while call.open:
            self._wait(call, items)
        return [reply for reply in call.replies if reply is not None]

    def cancel(self, ids: frozenset[str]) -> None:
        """Nobody waits for these requests any more: the queue drops them, the model is told of all."""
        with self._lock:
            dropped = TargetFailed("cancelled", "nobody waits for the answer")
            self._drop(lambda item: item.request.id in ids, dropped)
            serving = self._serving
        if serving is not None:
            serving.provider.cancel(ids)

    def _enqueue(self, call: _Call, items: Sequence[_Item]) -> TargetFailed | None:
        """Put the items into the queue, all or, for a reason, none."""
        with self._lock:
            if self._serving is None:
                return self._refusal
            waiting = len(self._queue)
            if waiting + len(items) > self._queue_bound:
                self._refused += len(items)
                detail = (
                    f"{waiting} requests wait for the model `{self._name}`, at most {self._queue_bound} may"
                )
                return TargetFailed("overloaded", detail)
            for item in items:
                self._queue.put(item.request.tenant, item)
            call.queued = len(items)
            self._requests += len(items)
            return None

    def _wait(self, call: _Call, items: Sequence[_Item]) -> None:
        """Wait until others have answered the call, or the time of one of its requests is over."""
        unanswered = [item for item in items if call.replies[item.place] is None]
        if not unanswered:
            return
        first = min(item.deadline for item in unanswered)
        if call.done.wait(max(0.0, first - self._clock())):
            return
        now = self._clock()
        with self._lock:
            for item in unanswered:
                if item.deadline <= now:
                    self._time_out(item)
            removed = self._queue.remove(
                lambda item: item.call is call and call.replies[item.place] is not None
            )
            call.queued -= len(removed)

    def _reply(self, item: _Item, reply: Reply) -> None:
        """Give a request its reply, unless it has one. Called with the lock."""
        call = item.call
        if call.replies[item.place] is None:
            call.replies[item.place] = reply
            call.open -= 1
            if not call.open:
                call.done.set()

    def _time_out(self, item: _Item) -> None:
        if item.call.replies[item.place] is None:
            self._timed_out += 1
            detail = f"no answer of the model `{self._name}` within {item.request.timeout_s:g} s"
            self._reply(item, TargetFailed("timeout", detail))

    def _drop(self, unwanted: Callable[[_Item], bool], why: TargetFailed) -> None:
        """Answer what waits and is unwanted with a failure. Called with the lock."""
        for item in self._queue.remove(unwanted):
            item.call.queued -= 1
            self._reply(item, copy(why))

    # ------------------------------------------------------------ batches

    def _work(self, call: _Call | None = None) -> None:
        """Run batches: a caller's thread while its requests wait, a helper as long as there is work."""
        while True:
            with self._lock:
                serving, batch = self._take() if call is None or call.queued else (None, [])
                self._call_help()
            if serving is None:
                return
            try:
                self._run(serving, batch)
            except BaseException:  # this thread goes, its work does not
                with self._lock:
                    self._call_help()
                raise

    def _take(self) -> tuple[_Serving | None, list[_Item]]:
        """The model and the next batch for it, if there is one and the model is free. Called with the lock."""
        serving = self._serving
        if serving is None or serving.running >= serving.provider.concurrency:
            return None, []
        while items := self._queue.take(serving.provider.max_batch):
            now = self._clock()
            batch = []
            for item in items:
                item.call.queued -= 1
                if item.deadline <= now:
                    self._time_out(item)
                else:
                    batch.append(item)
            if batch:
                serving.running += 1
                self._in_flight += len(batch)
                self._batches += 1
                self._batched += len(batch)
                return serving, batch
        return None, []

    def _call_help(self) -> None:
        """Have a helper run what the model could take now. One at a time: it calls the next. With the lock."""
        serving = self._serving
        if self._help_comes or not self._queue or serving is None:
            return
        if serving.running < serving.provider.concurrency:
            if self._helpers is None:
                self._helpers = ThreadPoolExecutor(_MOST_HELPERS, thread_name_prefix=f"model-{self._name}")
            self._help_comes = True
            self._helpers.submit(self._help)

    def _help(self) -> None:
        with self._lock:
            self._help_comes = False
        self._work()

    def _run(self, serving: _Serving, batch: Sequence[_Item]) -> None:
        """Have the model answer a batch, and hand the replies on."""
        began = self._clock()
        replies: Sequence[Reply] = ()
        missing = TargetFailed("crashed", f"the model `{self._name}` was broken off")
        try:
            replies = serving.provider.infer_batch(self._told(batch))
            if len(replies) != len(batch):
                detail = f"{len(replies)} replies of the model `{self._name}` to {len(batch)} requests"
                replies, missing = (), TargetFailed("unknown", detail)
        except Exception as error:
            missing = failure_of(error, self._name)
        finally:  # whatever ended the batch, nobody waits for it for ever
            with self._lock:
                for at, item in enumerate(batch):
                    self._reply(item, replies[at] if replies else copy(missing))
                self._in_flight -= len(batch)
                serving.running -= 1
                is_over = serving.retired and not serving.running
            if is_over:
                close(serving.provider)
            self._tell(len(batch), self._clock() - began)

    def _told(self, batch: Sequence[_Item]) -> list[InferenceRequest]:
        """The requests, with the time that each of them has left."""
        now = self._clock()
        return [
            item.request._replace(timeout_s=item.deadline - now)
            if now - item.since > _WORTH_TELLING_S
            else item.request
            for item in batch
        ]


def close(provider: ModelProvider) -> None:
    """Close a model that nobody needs any more; that it fails to is logged and concerns nobody else."""
    try:
        provider.close()
    except Exception as error:
        failure_of(error, provider.id)


def seconds(timeout_s: float) -> float:
    """A time to wait that can be waited for."""
    return min(timeout_s, _LONGEST_S) if timeout_s > 0 else 0.0


def copy(failure: TargetFailed) -> TargetFailed:
    """Another one: an exception that is raised in several places collects all their tracebacks."""
    return TargetFailed(
        failure.cause, failure.detail, retry_after_s=failure.retry_after_s, cost_usd=failure.cost_usd
    )
