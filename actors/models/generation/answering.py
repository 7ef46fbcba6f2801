"""From a request to a job of the engine, and from the job to the reply.

The confidence of an answer is the probability that the model itself gives it among all that its type allows:
the product of the probabilities of its tokens, each among those that the grammar allowed in its place,
whatever the sampling. A token that could be no other is certain, and says nothing. The longer an answer, the
smaller that is through no fault of its own, so of more than `SPAN` uncertain tokens the mean counts, as if
there were `SPAN`:

    confidence = (p_1 · … · p_n) ** min(1, SPAN / n)

The label of an enum mostly has fewer: there it is the probability of this label against all the others.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from actors.models.answers import AnswerSpec, UnsupportedType, answer_spec
from actors.models.generation.engine import Engine
from actors.models.generation.job import Job
from actors.models.generation.prompting import Prompter
from actors.models.generation.sampling import Sampler, SamplingSettings
from actors.models.generation.vocabulary import Vocabulary
from actors.models.inference import InferenceRequest, InferenceResponse, Reply
from actors.models.provider import failure_of
from policies.errors import TargetFailed

#: uncertain tokens of an answer that count in full towards its confidence
SPAN: Final = 8
#: no request waits longer, seconds
_LONGEST_S: Final = 1e6
#: seconds that a first token may take
_FIRST_S: Final = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that an answer is made to."""

    job: Job
    spec: AnswerSpec
    #: tokens that were left out of the prompt
    truncated: int
    #: on the clock
    began: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """A model that is loaded. Safe to use from many threads."""

    model: str
    version: str
    problems: tuple[str, ...]
    #: the module `llama_cpp`
    lib: Any
    engine: Engine
    prompter: Prompter
    vocabulary: Vocabulary
    sampling: SamplingSettings
    #: seconds that never go back
    clock: Callable[[], float] = time.monotonic

    def ask(self, request: InferenceRequest) -> Asked | TargetFailed:
        """The job that a request makes, or why it makes none."""
        began = self.clock()
        try:
            spec = answer_spec(request.function)
            settings = self.sampling.with_options(request.options)
            prompt = self.prompter.prompt(request, settings.max_tokens)
            job = Job(
                prompt=prompt.tokens,
                limit=prompt.limit,
                grammar=spec.grammar,
                sampler=self._sampler(settings),
                deadline=began + _seconds(request.timeout_s),
                timeout_s=request.timeout_s,
                id=request.id,
            )
        except UnsupportedType as error:
            return TargetFailed("bad-request", str(error))
        except Exception as error:
            return failure_of(error, self.model)
        return Asked(job=job, spec=spec, truncated=prompt.truncated, began=began)

    def reply(self, asked: Asked) -> Reply:
        """The reply that a job, which is over, has come to."""
        job = asked.job
        if job.failure is not None:
            return job.failure
        if job.is_cut:
            detail = f"the answer of the model `{self.model}` was cut off after {len(job.tokens)} tokens"
            return TargetFailed("bad-reply", detail)
        try:
            text = job.text.decode()
            value = asked.spec.read(text)
        except UnicodeDecodeError:
            return TargetFailed("bad-reply", f"the answer of the model `{self.model}` is no UTF-8")
        except Exception as error:
            return failure_of(error, self.model)
        usage = {
            "prompt_tokens": len(job.prompt),
            "completion_tokens": len(job.tokens),
            "cached_tokens": job.reused,
        }
        if asked.truncated:
            usage["truncated_tokens"] = asked.truncated
        return InferenceResponse(
            value,
            text,
            confidence(job.log_p, job.choices),
            usage=usage,
            latency_ms=(job.ended - asked.began) * 1000,
            model_version=self.version,
        )

    def first_job(self) -> Job:
        """One that has the model say a single token."""
        return Job(
            prompt=np.zeros(1, np.int32),
            limit=1,
            grammar=None,
            sampler=self._sampler(SamplingSettings()),
            deadline=self.clock() + _FIRST_S,
            timeout_s=_FIRST_S,
        )

    def _sampler(self, settings: SamplingSettings) -> Sampler:
        return Sampler(self.lib, settings, self.vocabulary.room)


def confidence(log_p: float, choices: int) -> float:
    """The confidence of an answer, 0 to 1.

    Args:
        log_p: sum of the logarithms of its uncertain tokens' probabilities.
        choices: how many of its tokens were uncertain.
    """
    return math.exp(log_p * min(1.0, SPAN / choices)) if choices else 1.0


def _seconds(timeout_s: float) -> float:
    return min(timeout_s, _LONGEST_S) if timeout_s > 0 else 0.0
