"""Which token is taken of those that may come next.

Without a temperature the likeliest. With one, llama.cpp's own samplers choose among what the grammar allows:
the `top_k` likeliest, of these the likeliest that together have `top_p`, of these those with at least `min_p`
times the probability of the first, by chance at that temperature.
"""

from __future__ import annotations

import ctypes
import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from actors.models.generation.vocabulary import Allowed
from actors.models.inference import Option
from policies.errors import TargetFailed

#: as llama.cpp lays out a candidate
_CANDIDATE: Final = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])
_LARGEST_SEED: Final = (1 << 32) - 1
#: option → what it may be
_RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "temperature": (0.0, 5.0),
    "top_p": (0.0, 1.0),
    "min_p": (0.0, 1.0),
    "top_k": (0, 1 << 30),
    "seed": (0, 1 << 62),
    "max_tokens": (1, 1_000_000),
}
_WHOLE: Final = frozenset({"top_k", "seed", "max_tokens"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingSettings:
    """How tokens are taken, and how many."""

    #: 0: always the likeliest
    temperature: float = 0.0
    #: 0: no bound
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    #: None: another one each time
    seed: int | None = None
    #: None: as many as there is room for
    max_tokens: int | None = None

    def with_options(self, options: Mapping[str, Option]) -> SamplingSettings:
        """These settings with those that a request gives in their place; other options are passed over.

        Raises:
            TargetFailed: an option is not what it should be.
        """
        if not options:
            return self
        given = {name: _checked(name, options[name]) for name in _RANGES if options.get(name) is not None}
        return replace(self, **given)


def _checked(name: str, value: Option) -> Any:
    low, high = _RANGES[name]
    kind = int if name in _WHOLE else (int, float)
    if isinstance(value, bool) or not isinstance(value, kind) or not low <= value <= high:
        what = "a whole number" if name in _WHOLE else "a number"
        raise TargetFailed("bad-request", f"`{name}`: expected {what} from {low:g} to {high:g}, got `{value}`")
    return value


class Picked(NamedTuple):
    """A token that was taken."""

    token: int
    #: natural logarithm of its probability among those allowed, whatever the settings
    log_p: float
    #: no other was allowed
    is_forced: bool


class Sampler:
    """Takes the tokens of one answer. `close` frees it; not safe to use from several threads.

    Args:
        lib: the module `llama_cpp`.
        room: where to calculate, float32, shape (2, tokens of the vocabulary).
    """

    def __init__(self, lib: Any, settings: SamplingSettings, room: NDArray[np.float32]) -> None:
        self._lib = lib
        self._room = room
        self._settings = settings
        self._chain: Any = None

    def close(self) -> None:
        """Free it, once or twice."""
        chain, self._chain = self._chain, None
        if chain is not None:
            self._lib.llama_sampler_free(chain)

    def pick(self, logits: NDArray[np.float32], allowed: Allowed | None) -> Picked:
        """Take a token.

        Args:
            logits: float32, shape (tokens of the vocabulary,).
            allowed: None: any.

        Raises:
            TargetFailed: the model's logits are no numbers, or nothing is allowed.
        """
        tokens, found = None, logits
        if allowed is not None:
            if not allowed.count:
                raise TargetFailed("server-error", "no token of the model can go on in the answer's type")
            if allowed.bias is not None:
                # into room that is there: to allocate as much at each token takes longer than to add
                found = np.add(logits, allowed.bias, out=self._room[0])
            else:
                tokens = allowed.tokens
                found = logits[tokens]
        best = int(found.argmax())
        top = float(found[best])
        if not math.isfinite(top):
            raise TargetFailed("server-error", "the model's logits are no numbers")
        at = self._draw(found) if self._settings.temperature > 0 else best
        room = self._room[1, : len(found)]
        np.subtract(found, top, out=room)
        np.exp(room, out=room)
        is_forced = allowed is not None and allowed.count == 1
        log_p = float(found[at]) - top - math.log(float(room.sum()))
        return Picked(at if tokens is None else int(tokens[at]), min(log_p, 0.0), is_forced)

    def _draw(self, logits: NDArray[np.float32]) -> int:
        """The place of the one that llama.cpp's samplers take."""
        places = np.flatnonzero(logits > -np.inf)
        candidates = np.zeros(len(places), _CANDIDATE)
        candidates["id"] = places
        candidates["logit"] = logits[places]
        lib = self._lib
        if self._chain is None:
            self._chain = _chain(lib, self._settings)
        data = ctypes.cast(candidates.ctypes.data, lib.llama_token_data_p)
        row = lib.llama_token_data_array(data, len(candidates), -1, False)
        lib.llama_sampler_apply(self._chain, ctypes.byref(row))
        if not 0 <= row.selected < row.size:
            raise TargetFailed("server-error", "llama.cpp took no token")
        return int(row.data[row.selected].id)


def _chain(lib: Any, settings: SamplingSettings) -> Any:
    chain = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
    seed = random.getrandbits(32) if settings.seed is None else settings.seed & _LARGEST_SEED
    parts = [
        lib.llama_sampler_init_top_k(settings.top_k),
        lib.llama_sampler_init_top_p(settings.top_p, 1),
        lib.llama_sampler_init_min_p(settings.min_p, 1),
        lib.llama_sampler_init_temp(settings.temperature),
        lib.llama_sampler_init_dist(seed),
    ]
    for part in parts:
        lib.llama_sampler_chain_add(chain, part)
    return chain
