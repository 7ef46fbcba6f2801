"""One service of the policy, and the attempts of one call of it.

An attempt is one request to one endpoint. Whether there is another one after it depends on why it failed, on
the time and the money that the call has left, and on `retries`; a replica that was not asked yet is asked at
once where the one before did nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from urllib.parse import urlsplit, urlunsplit

from actors.remote.bearer import authorization
from actors.remote.faults import NOTHING_DONE
from actors.remote.http import HttpCaller, HttpReply, HttpRequest
from actors.remote.openai.dialects import Dialects, ServiceKey
from actors.remote.openai.money import Money, Prices
from actors.remote.openai.replicas import Replicas
from actors.remote.openai.retrying import pause_s
from actors.remote.openai.service_errors import ServiceError, service_error
from policies.errors import NotSent, TargetFailed
from policies.file.schema import RemoteProvider
from policies.running.runner import Clock
from rtfs.overlap import wait_for

CHAT: Final = "chat/completions"
EMBEDDINGS: Final = "embeddings"
#: longest answer that is read, bytes
_MOST_BYTES: Final = 16 << 20


class StreamSink(Protocol):
    """Takes the pieces of a stream."""

    @property
    def characters(self) -> int:
        """How much of the answer has come."""

    def feed(self, piece: bytes) -> bool:
        """Take some; true: nothing more is wanted."""


class FieldRefused(Exception):
    """A service refused a request for a field that it can do without."""

    def __init__(self, error: ServiceError, service: ServiceKey) -> None:
        super().__init__(error.refused)
        self.error = error
        self.service = service


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A provider of kind `openai`, and what is needed to ask it."""

    #: name of the target
    name: str
    provider: RemoteProvider = field(repr=False)  # its proxy may hold a password
    caller: HttpCaller
    #: where the secret is, by the name that `api_key_env` gives; looked at for each attempt
    environ: Mapping[str, str] = field(repr=False)
    clock: Clock
    replicas: Replicas
    dialects: Dialects
    #: random numbers from 0 to 1
    draw: Callable[[], float]
    #: the whole path of `ca_file`
    ca_file: str | None = None

    @property
    def model(self) -> str:
        """What it calls its model.

        Raises:
            NotSent: the policy does not say.
        """
        if not self.provider.model:
            raise NotSent("bad-request", f"the policy names no `model` for the provider `{self.name}`")
        return self.provider.model

    def post(
        self,
        url: str,
        path: str,
        body: bytes,
        timeout_s: float,
        on_events: Callable[[bytes], bool] | None = None,
    ) -> HttpReply:
        """One request.

        Raises:
            TargetFailed: there was no answer.
            LimitError: the run must stop.
        """
        return self.caller.call(
            HttpRequest(
                provider=self.name,
                url=joined(url, path),
                headers={
                    "content-type": "application/json",
                    "accept": "application/json"
                    if on_events is None
                    else "text/event-stream, application/json",
                    **authorization(self.provider, self.environ),
                },
                body=body,
                timeout_s=timeout_s,
                most_bytes=_MOST_BYTES,
                proxy=self.provider.proxy,
                ca_file=self.ca_file,
                on_events=on_events,
            )
        )


class Attempts:
    """The attempts of one call."""

    def __init__(self, service: Service, *, timeout_s: float, max_cost_usd: float | None) -> None:
        self.service = service
        bounds = [usd for usd in (max_cost_usd, service.provider.max_cost_usd) if usd is not None]
        self.money = Money(prices=Prices.of(service.provider), limit=min(bounds, default=None))
        self._deadline = service.clock.monotonic() + timeout_s
        self._retries = 0
        self._tried: set[str] = set()
        self._last: TargetFailed | None = None

    @property
    def left_s(self) -> float:
        """Time that is left, seconds."""
        return self._deadline - self.service.clock.monotonic()

    def send(
        self, path: str, make_body: Callable[[ServiceKey], bytes], stream: StreamSink | None = None
    ) -> HttpReply:
        """One attempt, and its reply of success. What it did cost is not counted yet.

        Raises:
            FieldRefused: it is worth another attempt without that field.
            TargetFailed: it failed, and what that did cost is counted; or no time or money is left for it.
            LimitError: the run must stop.
        """
        service, model = self.service, self.service.model
        with service.replicas.one(self._tried) as url:
            self._tried.add(url)
            key = ServiceKey(url, model)
            body = make_body(key)
            self._check(len(body))
            try:
                sink = None if stream is None else stream.feed
                reply = service.post(url, path, body, self.left_s, sink)
            except TargetFailed as failure:
                if failure.cause not in NOTHING_DONE:
                    self.money.spent += self.lost(body, stream)
                raise
            error = service_error(reply, service.clock.wall())
            if error is not None and error.refused is not None:
                raise FieldRefused(error, key)
            if error is not None:
                raise error.failure
        return reply

    def lost(self, body: bytes, stream: StreamSink | None = None) -> float:
        """What an attempt costs, as far as anybody knows, whose answer is of no use."""
        return self.money.prices.assumed(len(body), 0 if stream is None else stream.characters)

    def after(self, failure: TargetFailed) -> None:
        """Wait until the next attempt may be made.

        Raises:
            TargetFailed: none is worth making; this is `failure`.
            LimitError: the run must stop.
        """
        if isinstance(failure, NotSent):
            raise self._last or failure
        self._last = failure
        if failure.cause in NOTHING_DONE and self.service.replicas.has_other(self._tried):
            return
        pause = None
        if self._retries < self.service.provider.retries:
            pause = pause_s(failure, self._retries, self.left_s, self.service.draw)
        if pause is None:
            raise failure
        self._retries += 1
        self._tried.clear()
        wait_for(_nothing, pause)

    def has_room(self, prompt_bytes: int) -> bool:
        """Whether there is time and money for one more."""
        return self.left_s > 0 and self.money.lacking(prompt_bytes) is None

    def told(self, failure: TargetFailed) -> TargetFailed:
        """The failure of the whole call: it names the model, and what all attempts did cost."""
        if isinstance(failure, NotSent) and not self.money.spent:
            return NotSent(failure.cause, failure.detail)
        return TargetFailed(
            failure.cause,
            f"the model `{self.service.model}`: {failure.detail}",
            retry_after_s=failure.retry_after_s,
            cost_usd=self.money.spent,
        )

    def _check(self, prompt_bytes: int) -> None:
        """Raise unless there is time and money for an attempt."""
        if self.left_s <= 0:
            raise NotSent("timeout", "no time was left")
        lacking = self.money.lacking(prompt_bytes)
        if lacking is not None:
            raise NotSent("bad-request", lacking)


def joined(endpoint: str, path: str) -> str:
    """The address of `path` below an endpoint; a query of the endpoint stays."""
    parts = urlsplit(endpoint)
    base = parts.path.rstrip("/")
    whole = base if base.endswith(f"/{path}") else f"{base}/{path}"
    return urlunsplit((parts.scheme, parts.netloc, whole, parts.query, ""))


def as_json(body: Mapping[str, Any]) -> bytes:
    """The body of a request.

    Raises:
        TargetFailed: a text in it is no valid Unicode, or a number no JSON (`bad-request`).
    """
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except ValueError as error:
        raise TargetFailed("bad-request", "a value in the request cannot be written as JSON") from error


def _nothing(wake: Callable[[], None]) -> None:
    """Begins nothing: only time passes."""
