"""What functions say about keeping their results, and which of rule and function counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

import pytest

from policies.context import CallContext, CallFacts
from policies.rules.cache_wish import CacheWish, cache_wish
from policies.rules.rulebook import Rulebook
from rtfs.delegation import FunctionInfo, LocalModel, LocalPure, RemoteModel
from rtfs.errors import InvalidArgument
from rtfs.reader import read
from rtfs.runtime_facts import RuntimeFacts
from rtfs.values import Keyword, Map


def keyed(values: Mapping[str, Any]) -> Map:
    return Map({Keyword.of(name): value for name, value in values.items()})


def function(said: Any) -> FunctionInfo:
    return FunctionInfo(
        symbol="mail/topic",
        doc=None,
        parameters=("x",),
        parameter_types=("string",),
        return_type="string",
        hint=None,
        metadata={} if said is None else {"cache": said},
        ir_hash="0" * 64,
    )


K = Keyword.of

FORMS: list[tuple[Any, CacheWish]] = [
    (None, CacheWish()),
    (K("none"), CacheWish(tier="none")),
    (K("exact"), CacheWish(tier="l2")),
    (K("semantic"), CacheWish(tier="l3")),
    (keyed({}), CacheWish()),
    (keyed({"by": K("semantic")}), CacheWish(tier="l3")),
    (keyed({"by": K("none")}), CacheWish(tier="none")),
    (keyed({"ttl": 600}), CacheWish(ttl_s=600.0)),
    (keyed({"ttl": 0.5, "max-age": 60}), CacheWish(ttl_s=0.5, max_age_s=60.0)),
    (keyed({"bypass": True}), CacheWish(bypass=True)),
    (keyed({"no-store": True, "bypass": False}), CacheWish(no_store=True)),
    (keyed({"max-error": 1}), CacheWish(max_error=1.0)),
    (
        keyed(
            {
                "by": K("exact"),
                "ttl": 1,
                "max-age": 2,
                "bypass": True,
                "no-store": True,
                "max-error": 0.005,
            }
        ),
        CacheWish(tier="l2", ttl_s=1.0, max_age_s=2.0, bypass=True, no_store=True, max_error=0.005),
    ),
]


@pytest.mark.parametrize(("said", "wish"), FORMS)
def test_all_forms(said: Any, wish: CacheWish) -> None:
    assert cache_wish(function(said)) == wish


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (K("sematic"), "there is no `:sematic`; did you mean `:semantic`?"),
        (K("l7"), "there is no `:l7`; expected `:none`, `:exact`, `:semantic`, or a map"),
        ("exact", 'expected `:none`, `:exact`, `:semantic`, or a map of some of `:by`, .*, got `"exact"`'),
        (True, "expected `:none`, .* got `true`"),
        (keyed({"tll": 5}), "there is no `:tll`; did you mean `:ttl`?"),
        (keyed({"zzzzzz": 5}), "there is no `:zzzzzz`; expected"),
        (Map({1: 5}), "there is no `1`; expected"),
        (keyed({"by": K("exakt")}), "there is no `:exakt`; did you mean `:exact`?"),
        (keyed({"by": 3}), "there is no `3`; expected"),
        (keyed({"ttl": 0}), "expected a number above 0 as `:ttl`, got `0`"),
        (keyed({"ttl": -1.0}), "expected a number above 0 as `:ttl`, got `-1.0`"),
        (keyed({"ttl": True}), "expected a number above 0 as `:ttl`, got `true`"),
        (keyed({"ttl": float("inf")}), "expected a number above 0 as `:ttl`"),
        (keyed({"ttl": float("nan")}), "expected a number above 0 as `:ttl`"),
        (keyed({"max-age": "60"}), "expected a number above 0 as `:max-age`"),
        (keyed({"max-error": 1.01}), "expected a number above 0, at most 1 as `:max-error`, got `1.01`"),
        (keyed({"max-error": 0}), "expected a number above 0, at most 1 as `:max-error`, got `0`"),
        (keyed({"bypass": 1}), "expected `true` or `false` as `:bypass`, got `1`"),
        (keyed({"no-store": K("yes")}), "expected `true` or `false` as `:no-store`, got `:yes`"),
    ],
)
def test_what_is_wrong_is_said(said: Any, text: str) -> None:
    with pytest.raises(InvalidArgument, match=text) as caught:
        cache_wish(function(said))
    assert "`:cache` of `mail/topic`: " in str(caught.value)


def test_metadata_as_it_is_written() -> None:
    (form,) = read("{:by :semantic :ttl 600 :max-age 60 :bypass true :no-store true :max-error 0.005}").forms
    wish = CacheWish(tier="l3", ttl_s=600, max_age_s=60, bypass=True, no_store=True, max_error=0.005)
    assert cache_wish(function(form)) == wish


# ---------------------------------------------------------------- rule and function

CAREFUL = ("none", "l2", "l3")
BY_FUNCTION = {"none": K("none"), "l2": K("exact"), "l3": K("semantic"), None: None}
TARGETS = """
[delegation.remote_providers]
remote-a = { endpoint = "https://a.example.com" }
[delegation.local_models]
tiny = { path = "tiny.gguf" }
"""


def call(said: Any) -> CallContext:
    facts = CallFacts(function=function(said), arg_types=(), size=None, runtime=RuntimeFacts())
    return CallContext.of(facts, metadata=None)


@pytest.mark.parametrize(("by_rule", "by_function"), [*product((*CAREFUL, None), repeat=2)])
def test_the_more_careful_counts(
    book: Callable[[str], Rulebook], by_rule: str | None, by_function: str | None
) -> None:
    rule = "" if by_rule is None else f'[[delegation.rules]]\ncache = {{ tier = "{by_rule}" }}\n'
    said = [tier for tier in (by_rule, by_function) if tier is not None]
    expected = min(said, key=CAREFUL.index, default="l2")
    rulebook, asked = book(TARGETS + rule), call(BY_FUNCTION[by_function])
    for target in (RemoteModel("a"), LocalModel("tiny")):
        assert rulebook.cache_tier(asked, target) == expected
    assert rulebook.cache_tier(asked, LocalPure()) == "none"


@pytest.mark.parametrize(
    ("off", "said", "expected"),
    [
        ("l3", "semantic", "l2"),
        ("l2", "semantic", "none"),
        ("l2", "exact", "none"),
        ("l3", "exact", "l2"),
        ("l3", "none", "none"),
    ],
)
def test_tiers_that_are_switched_off(
    book: Callable[[str], Rulebook], off: str, said: str, expected: str
) -> None:
    rulebook = book(f"{TARGETS}[delegation.caches.{off}]\nenabled = false\n")
    assert rulebook.cache_tier(call(K(said)), RemoteModel("a")) == expected
