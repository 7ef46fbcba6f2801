from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from actors.models.generation.runtime import llama
from actors.models.generation.sampling import Sampler, SamplingSettings
from actors.models.generation.vocabulary import Allowed
from actors.models.inference import Option
from policies.errors import TargetFailed

#: probabilities 0.5, 0.25, 0.15, 0.1 of tokens 2, 0, 3, 1
LOGITS = np.log(np.array([0.25, 0.1, 0.5, 0.15], np.float32)) + 3


def sampler(settings: SamplingSettings = SamplingSettings()) -> Sampler:  # noqa: B008
    return Sampler(llama(), settings, np.empty((2, 4), np.float32))


def some(*tokens: int) -> Allowed:
    return Allowed(np.array(tokens, np.int32), None, len(tokens))


def row(*tokens: int) -> Allowed:
    bias = np.full(4, -np.inf, np.float32)
    bias[list(tokens)] = 0
    return Allowed(None, bias, len(tokens))


@pytest.mark.parametrize(
    ("allowed", "token", "p"),
    [
        (None, 2, 0.5),
        (some(0, 1, 3), 0, 0.5),
        (row(0, 1, 3), 0, 0.5),
        (some(1, 3), 3, 0.6),
        (row(1, 3), 3, 0.6),
        (some(1), 1, 1.0),
        (row(1), 1, 1.0),
    ],
)
def test_the_likeliest_of_those_allowed_is_taken(allowed: Allowed | None, token: int, p: float) -> None:
    picked = sampler().pick(LOGITS, allowed)
    assert picked.token == token
    assert math.exp(picked.log_p) == pytest.approx(p, rel=1e-5)
    assert picked.is_forced == (allowed is not None and allowed.count == 1)


def counted(settings: SamplingSettings, allowed: Allowed | None, n: int = 4000) -> dict[int, float]:
    one = sampler(settings)
    found = Counter(one.pick(LOGITS, allowed).token for _ in range(n))
    one.close()
    return {token: count / n for token, count in sorted(found.items())}


_ALL = {"top_k": 0, "top_p": 1.0, "min_p": 0.0, "seed": 11}


@pytest.mark.parametrize(
    ("settings", "allowed", "shares"),
    [
        (SamplingSettings(temperature=1.0, **_ALL), None, {0: 0.25, 1: 0.1, 2: 0.5, 3: 0.15}),
        (SamplingSettings(temperature=1.0, **_ALL), some(1, 3), {1: 0.4, 3: 0.6}),
        (SamplingSettings(temperature=1.0, **_ALL), row(1, 3), {1: 0.4, 3: 0.6}),
        # a temperature of 0.5 squares the probabilities
        (SamplingSettings(temperature=0.5, **_ALL), row(0, 2), {0: 0.2, 2: 0.8}),
        (SamplingSettings(temperature=1.0, **{**_ALL, "top_k": 2}), None, {0: 1 / 3, 2: 2 / 3}),
        (SamplingSettings(temperature=1.0, **{**_ALL, "top_p": 0.6}), None, {0: 1 / 3, 2: 2 / 3}),
        (SamplingSettings(temperature=1.0, **{**_ALL, "min_p": 0.4}), None, {0: 1 / 3, 2: 2 / 3}),
    ],
)  # fmt: skip
def test_with_a_temperature_tokens_come_in_their_shares(
    settings: SamplingSettings, allowed: Allowed | None, shares: dict[int, float]
) -> None:
    found = counted(settings, allowed)
    assert found.keys() == shares.keys()
    # five standard deviations of a share of one half
    assert all(abs(found[token] - share) < 5 * 0.5 / math.sqrt(4000) for token, share in shares.items())


def test_a_seed_says_it_all() -> None:
    def drawn(seed: int | None) -> list[int]:
        one = sampler(SamplingSettings(temperature=1.0, seed=seed))
        return [one.pick(LOGITS, None).token for _ in range(40)]

    assert drawn(5) == drawn(5)
    assert drawn(5) != drawn(6)
    assert drawn(None) != drawn(None)


def test_the_probability_told_is_the_models_own_whatever_the_settings() -> None:
    one = sampler(SamplingSettings(temperature=0.1, top_k=1))
    assert math.exp(one.pick(LOGITS, None).log_p) == pytest.approx(0.5, rel=1e-5)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_logits_that_are_no_numbers(wrong: float) -> None:
    logits = LOGITS.copy()
    logits[1] = wrong
    with pytest.raises(TargetFailed, match="server-error: the model's logits are no numbers"):
        sampler().pick(logits, None)


def test_nothing_allowed() -> None:
    with pytest.raises(TargetFailed, match="no token of the model can go on"):
        sampler().pick(LOGITS, some())


def test_options_of_a_request_come_first() -> None:
    settings = SamplingSettings(temperature=0.5, seed=1).with_options(
        {"temperature": 1, "max_tokens": 7, "seed": None, "something": "else"}
    )
    assert settings == SamplingSettings(temperature=1, seed=1, max_tokens=7)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": "hot"}, "`temperature`: expected a number from 0 to 5, got `hot`"),
        ({"temperature": 9.0}, "`temperature`: expected a number from 0 to 5, got `9.0`"),
        ({"temperature": float("nan")}, "`temperature`: expected a number from 0 to 5, got `nan`"),
        ({"top_k": 1.5}, "`top_k`: expected a whole number from 0 to 1.07374e+09, got `1.5`"),
        ({"max_tokens": 0}, "`max_tokens`: expected a whole number from 1 to 1e+06, got `0`"),
        ({"seed": True}, "`seed`: expected a whole number from 0 to 4.61169e+18, got `True`"),
    ],
)
def test_options_that_are_wrong(options: dict[str, Option], message: str) -> None:
    with pytest.raises(TargetFailed) as caught:
        SamplingSettings().with_options(options)
    assert (caught.value.cause, caught.value.detail) == ("bad-request", message)
