"""What calls of a service cost: by the tokens that they used, else by what the policy expects of a call.

A call may take several attempts, and each may have to be paid for. So what all of them cost adds up, and before
each of them it is looked at whether another one is within the call's money. An attempt of which nobody knows
whether it has to be paid for, one without an answer say, counts as paid for.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Final

from actors.remote.openai.completion import Usage
from policies.file.schema import RemoteProvider

#: bytes of a text in a token, at least, and characters, as expected: English has four, Chinese at least two
BYTES_PER_TOKEN: Final = 2
CHARACTERS_PER_TOKEN: Final = 4
_MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What a service asks for, US dollars."""

    #: for a token of the prompt and one of the answer; None: not known
    prompt: float | None
    completion: float | None
    #: for a call, as expected; None: not known
    call: float | None

    @classmethod
    def of(cls, provider: RemoteProvider) -> Prices:
        """Those of a provider in the policy."""
        by_input, by_output = provider.input_usd_per_mtok, provider.output_usd_per_mtok
        return cls(
            prompt=None if by_input is None else by_input / _MILLION,
            completion=None if by_output is None else by_output / _MILLION,
            call=provider.cost_usd,
        )

    @property
    def by_token(self) -> bool:
        """Whether tokens have a price."""
        return self.prompt is not None or self.completion is not None

    def cost(self, usage: Usage | None) -> float:
        """Of an answer."""
        if usage is None or not self.by_token:
            return self.call or 0.0
        return usage.prompt * (self.prompt or 0.0) + usage.completion * (self.completion or 0.0)

    def assumed(self, prompt_bytes: int, characters: int = 0) -> float:
        """Of an attempt without an answer, after so much of one."""
        if self.call is not None or not self.by_token:
            return self.call or 0.0
        completion = ceil(characters / CHARACTERS_PER_TOKEN)
        return self.prompt_at_most(prompt_bytes) + completion * (self.completion or 0.0)

    def prompt_at_most(self, prompt_bytes: int) -> float:
        """Of a prompt, leaning high."""
        return ceil(prompt_bytes / BYTES_PER_TOKEN) * (self.prompt or 0.0)


@dataclass(slots=True, kw_only=True)
class Money:
    """The money of one call."""

    prices: Prices
    #: US dollars; None: no bound
    limit: float | None
    spent: float = 0.0

    @property
    def left(self) -> float | None:
        """What may still be spent; None: no bound."""
        return None if self.limit is None else max(0.0, self.limit - self.spent)

    def lacking(self, prompt_bytes: int) -> str | None:
        """Why there is not enough for an attempt, None if there is."""
        left = self.left
        if left is None:
            return None
        prices = self.prices
        if prices.by_token:
            least = prices.prompt_at_most(prompt_bytes) + (prices.completion or 0.0)
        else:
            least = prices.call or 0.0
        return None if least <= left else f"an attempt costs {least:g} USD, {left:g} are left"

    def most_tokens(self, prompt_bytes: int, wanted: int | None) -> int | None:
        """How long an answer may be to stay within the money, tokens; None: no bound."""
        left, price = self.left, self.prices.completion
        if left is None or not price:
            return wanted
        affordable = max(1, int((left - self.prices.prompt_at_most(prompt_bytes)) / price))
        return affordable if wanted is None else min(affordable, wanted)
