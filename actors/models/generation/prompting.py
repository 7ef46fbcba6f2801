"""The tokens of a request's prompt, and what becomes of a prompt that does not fit.

A prompt fits if the context has room for it and for `max_tokens` of an answer, or a quarter of the context if
that is less. With `overflow = "truncate"` the longest argument that is a string loses its middle, as little
of it as is needed, and a note takes its place; its beginning and its end mostly say more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import numpy as np

from actors.models.generation.chat import ChatTemplate
from actors.models.generation.session import Session, Tokens
from actors.models.inference import InferenceRequest
from actors.models.prompt import chat_prompt, completion_prompt
from policies.errors import TargetFailed

#: tokens of an answer that nobody set a bound to
MAX_TOKENS: Final = 1024
#: the share of the context that is kept for the answer at most
_ANSWER_SHARE: Final = 1 / 4


class Prompt(NamedTuple):
    """A prompt."""

    tokens: Tokens
    #: tokens that its answer may have
    limit: int
    #: tokens that were left out of it
    truncated: int


class Prompter:
    """Makes prompts. Safe to use from many threads.

    Args:
        model: its name, for failures.
        session: for its vocabulary only.
        template: None: the prompt is a text that the model goes on with.
        overflow: what becomes of a prompt that does not fit.
    """

    def __init__(
        self,
        model: str,
        session: Session,
        template: ChatTemplate | None,
        overflow: Literal["refuse", "truncate"],
    ) -> None:
        self._model = model
        self._session = session
        self._template = template
        self._overflow = overflow

    def prompt(self, request: InferenceRequest, max_tokens: int | None) -> Prompt:
        """The prompt of a request.

        Raises:
            TargetFailed: it does not fit, `bad-request`.
        """
        n_ctx = self._session.n_ctx
        wanted = max_tokens or MAX_TOKENS
        most = n_ctx - min(wanted, int(n_ctx * _ANSWER_SHARE))
        tokens, whole = self._tokens(request), 0
        if len(tokens) > most:
            whole = len(tokens)
            tokens = self._shortened(request, tokens, most)
        return Prompt(tokens, min(wanted, n_ctx - len(tokens)), max(0, whole - len(tokens)))

    def _tokens(self, request: InferenceRequest) -> Tokens:
        session = self._session
        # the grammar knows the schema; in the prompt it would take as many tokens as all else
        if self._template is None:
            return session.tokens(completion_prompt(request, tell_schema=False), begin=True)
        parts = self._template.parts(chat_prompt(request, tell_schema=False))
        found = [session.tokens(part.text, special=part.is_frame) for part in parts]
        bos = session.bos
        if bos is not None and not (found and len(found[0]) and found[0][0] == bos):
            found.insert(0, np.array([bos], np.int32))
        return np.concatenate(found)

    def _shortened(self, request: InferenceRequest, tokens: Tokens, most: int) -> Tokens:
        """The tokens of the request with as much of its longest string as fits into `most` tokens."""
        refusal = TargetFailed(
            "bad-request",
            f"the prompt has {len(tokens)} tokens, the model `{self._model}` takes {most} beside its answer, "
            f"its context has {self._session.n_ctx}",
        )
        at = _longest(request.args)
        if self._overflow == "refuse" or at is None:
            raise refusal
        text = request.args[at]
        assert isinstance(text, str)
        # a token has at least one byte, so no more characters than that can fit
        best, low, high = None, 0, min(len(text) - 1, most * _LONGEST_TOKEN)
        while low <= high:
            keep = (low + high) // 2
            args = (*request.args[:at], without_middle(text, keep), *request.args[at + 1 :])
            found = self._tokens(request._replace(args=args))
            if len(found) <= most:
                best, low = found, keep + 1
            else:
                high = keep - 1
        if best is None:
            raise refusal
        return best


#: characters that a token stands for, at most, in what is worth trying
_LONGEST_TOKEN: Final = 32


def without_middle(text: str, keep: int) -> str:
    """A text without its middle, of which `keep` characters are left, and a note that says so."""
    head, tail = (keep + 1) // 2, keep // 2
    note = f"[… {len(text) - keep} characters left out …]"
    return f"{text[:head]}{note}{text[len(text) - tail :]}"


def _longest(args: Sequence[object]) -> int | None:
    """The place of the longest argument that is a string; None: there is none."""
    found = [(len(value), -at) for at, value in enumerate(args) if isinstance(value, str)]
    return -max(found)[1] if found else None
