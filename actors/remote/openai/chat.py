"""One call of a function as a chat: asked, read, and if need be asked once more.

messages ─▶ attempt ─▶ text ─▶ value of the type
    ▲          │          │
    │          │          └── no value of the type: what is wrong with it is told to the model, once
    │          └── refused for a field: without it, and remembered; a failure that passes: again
    └──────────────────────────────────────────────────────────────────────────────
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from actors.models.inference import InferenceRequest, InferenceResponse, Option
from actors.remote.openai.completion import Completion, CompletionStream, read_completion
from actors.remote.openai.dialects import Mode, ServiceKey, response_format
from actors.remote.openai.replies import repair, value_of, was_ignored
from actors.remote.openai.service import CHAT, Attempts, FieldRefused, Service, as_json
from policies.errors import TargetFailed

if TYPE_CHECKING:
    from actors.models.answers import AnswerSpec

#: parameters of sampling that are sent by these names, from the request or else from the policy
_SAMPLING: Final = ("temperature", "top_p", "top_k", "seed")


class _Unusable(Exception):
    """A whole answer without a value of the type."""

    def __init__(self, text: str, failure: TargetFailed) -> None:
        super().__init__(failure)
        self.text = text
        self.failure = failure


class ChatCall:
    """One call. Used once, by one thread."""

    def __init__(self, service: Service, request: InferenceRequest, spec: AnswerSpec) -> None:
        self._service = service
        self._request = request
        self._spec = spec
        self._attempts = Attempts(service, timeout_s=request.timeout_s, max_cost_usd=request.max_cost_usd)
        #: how the latest attempt asked, and whom
        self._mode: Mode = "prompt"
        self._key = ServiceKey("", "")
        self._body = b""
        self._sent: frozenset[str] = frozenset()
        #: messages about an answer that cannot be used; None: there was none
        self._repair: list[dict[str, Any]] | None = None

    def answer(self) -> InferenceResponse:
        """The model's answer.

        Raises:
            TargetFailed: there is none; it names the model, and what the call did cost.
            LimitError: the run must stop.
        """
        _ = self._service.model  # or nothing is asked
        try:
            return self._answered()
        except TargetFailed as failure:
            raise self._attempts.told(failure) from failure

    def _answered(self) -> InferenceResponse:
        """Attempts until one gives a value. Each turn uses up something of which there is little."""
        while True:
            try:
                return self._attempt()
            except FieldRefused as refused:
                self._without(refused)
            except _Unusable as unusable:
                if self._repair is not None or not self._attempts.has_room(len(self._body)):
                    raise unusable.failure from None
                self._repair = repair(unusable.text, unusable.failure)
            except TargetFailed as failure:
                self._attempts.after(failure)

    def _without(self, refused: FieldRefused) -> None:
        """Note what a service does not take. Raises TargetFailed if there is no other way to ask."""
        dialects, error, key = self._service.dialects, refused.error, refused.service
        if error.refused == "response_format":
            of = self._spec.type_text if error.only_this_schema else None
            other = dialects.lower(key, self._service.provider.structured, self._mode, of)
        else:
            assert error.refused is not None
            dialects.without(key, error.refused)
            other = error.refused in self._sent
        if not other:
            raise error.failure

    # ------------------------------------------------------------ one attempt

    def _attempt(self) -> InferenceResponse:
        completion = self._completion()
        text = completion.usable_text()
        if was_ignored(text, self._mode):
            structured = self._service.provider.structured
            self._service.dialects.lower(self._key, structured, self._mode, None)
        try:
            value = value_of(text, self._spec, self._mode)
        except TargetFailed as failure:
            raise _Unusable(text, failure) from failure
        usage = completion.usage
        return InferenceResponse(
            value,
            text,
            completion.confidence,
            self._attempts.money.spent,
            {} if usage is None else {"prompt_tokens": usage.prompt, "completion_tokens": usage.completion},
        )

    def _completion(self) -> Completion:
        """Ask once; what the answer did cost is counted."""
        attempts = self._attempts
        stream = CompletionStream() if self._service.provider.stream else None
        reply = attempts.send(CHAT, self._bytes, stream)
        try:
            # a service that does not stream answers all the same
            followed = stream is not None and not reply.body
            completion = stream.completion() if followed and stream else read_completion(reply.json())
        except TargetFailed:
            attempts.money.spent += attempts.lost(self._body, stream)
            raise
        attempts.money.spent += attempts.money.prices.cost(completion.usage)
        return completion

    def _bytes(self, key: ServiceKey) -> bytes:
        """The body of a request to one endpoint."""
        self._key = key
        self._mode = self._service.dialects.mode(key, self._service.provider.structured, self._spec.type_text)
        body = self._fields(key)
        data = as_json(body)
        wanted = self._option("max_tokens")
        most = self._attempts.money.most_tokens(len(data), wanted if isinstance(wanted, int) else None)
        if most is not None:
            takes = self._service.dialects.takes(key, "max_tokens")
            body["max_tokens" if takes else "max_completion_tokens"] = most
            data = as_json(body)
        self._body, self._sent = data, frozenset(body)
        return data

    def _fields(self, key: ServiceKey) -> dict[str, Any]:
        """All of it but how long the answer may be."""
        body: dict[str, Any] = {"model": key.model, "messages": self._messages()}
        form = response_format(self._mode, self._spec.object_schema)
        if form is not None:
            body["response_format"] = form
        for name in _SAMPLING:
            value = self._option(name)
            if value is not None:
                body[name] = value
        if self._request.options.get("logprobs"):
            body["logprobs"] = True
        if self._service.provider.stream:
            body["stream"] = True
            if self._service.dialects.takes(key, "stream_options"):
                body["stream_options"] = {"include_usage": True}
        return body

    def _messages(self) -> list[dict[str, Any]]:
        from actors.models.prompt import chat_prompt

        asked = chat_prompt(
            self._request, tell_schema=self._mode != "json-schema", as_object=self._mode != "prompt"
        )
        return [{"role": each.role, "content": each.content} for each in asked] + (self._repair or [])

    def _option(self, name: str) -> Option:
        """A parameter of sampling: the request's, else the policy's; None: as the service sees fit."""
        options: Mapping[str, Option] = self._request.options
        found: Option = options[name] if name in options else getattr(self._service.provider, name)
        return found
