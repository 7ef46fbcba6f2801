"""`OpenAiModel`: a service that speaks the OpenAI protocol as a model like any other."""

from __future__ import annotations

import hashlib
from functools import cached_property

from actors.models.errors import ModelError
from actors.models.inference import InferenceRequest, InferenceResponse
from actors.models.provider import ModelProvider, text_request
from actors.remote.openai.chat import ChatCall
from actors.remote.openai.service import Service
from policies.errors import TargetFailed
from rtfs.printer import pr_str


class OpenAiModel(ModelProvider):
    """Asks a service. Any number of threads may wait for its answers at once."""

    concurrency = 512

    def __init__(self, service: Service) -> None:
        super().__init__(service.name)
        self.service = service

    @property
    def version(self) -> str:
        """A hash of the service, its model and how it is asked; what the service changes is not known."""
        return self._version

    @cached_property
    def _version(self) -> str:
        from actors.models.prompt import PROMPT_VERSION

        asked = self.service.provider.model_dump_json(
            include={
                *("endpoint", "model", "structured"),
                *("temperature", "top_p", "top_k", "seed", "max_tokens"),
            }
        )
        return hashlib.sha256(f"openai {PROMPT_VERSION} {asked}".encode()).hexdigest()[:16]

    def infer_text(self, prompt: str) -> str:
        """The answer to a text, as a text. Raises as `infer`."""
        value = self.infer(text_request(prompt)).value
        return value if isinstance(value, str) else pr_str(value)

    def infer(self, request: InferenceRequest) -> InferenceResponse:
        """The service's answer, a value of the function's return type.

        Raises:
            TargetFailed: there is none; what it did cost all the same is `cost_usd`.
            LimitError: the run must stop.
        """
        from actors.models.answers import answer_spec

        try:
            spec = answer_spec(request.function)
        except ModelError as error:
            raise TargetFailed("bad-request", str(error)) from error
        response = ChatCall(self.service, request, spec).answer()
        return response._replace(model_version=self.version)
