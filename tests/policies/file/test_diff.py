from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.file.diff import Change, diff_policies
from policies.file.load import load_policy


def changes(old: str, new: str) -> list[tuple[str, str, Any, Any, int | None, int | None]]:
    found = diff_policies(load_policy(old), load_policy(new))
    return [
        (one.kind, one.key.removeprefix("delegation."), one.old, one.new, one.old_line, one.new_line)
        for one in found
    ]


P = "[delegation.remote_providers.p]\nendpoint = 'e'\n"
Q = "[delegation.remote_providers.q]\nendpoint = 'e'\n"
ROUTES = "[delegation.static_routes]\n"

KEYS = [
    ("", "[delegation]\ncache_ttl = 3600", []),
    ("[delegation]\ncache_ttl = 60", "[delegation]\ncache_ttl = 60.0 # c", []),
    ("[delegation]\ncache_ttl = 60", "[delegation]\n\ncache_ttl = 90",
     [("changed", "cache_ttl", 60, 90, 2, 3)]),
    ("[delegation]\ncache_ttl = 60", "", [("changed", "cache_ttl", 60, 3600, 2, None)]),
    ("", "[delegation]\nmax_cost_usd = 1", [("changed", "max_cost_usd", None, 1, None, 2)]),
    ("", "[delegation]\nfallback = ['local-pure']", [("changed", "fallback", [], ["local-pure"], None, 2)]),
    (P, P + "timeout = 5", [("changed", "remote_providers.p.timeout", 30_000, 5, None, 3)]),
    (P + "permissions = ['a', 'b']", P + "permissions = ['b', 'a']", []),
    (P + "permissions = ['b', 'a']", P + "permissions = ['c']",
     [("changed", "remote_providers.p.permissions", ["a", "b"], ["c"], 3, 3)]),
    (ROUTES + "a = 'local-pure'", ROUTES + "'b*' = 'local-pure'",
     [("added", 'static_routes."b*"', None, "local-pure", None, 2),
      ("removed", "static_routes.a", "local-pure", None, 2, None)]),
    (ROUTES + "a = 'local-pure'\nb = 'local-pure'", ROUTES + "b = 'local-pure'\na = 'local-pure'",
     [("moved", "static_routes.a", 1, 2, 2, 3)]),
    (P + Q, Q + P, [("moved", "remote_providers.p", 1, 2, 1, 3)]),
    ("[delegation.budgets]\na = {scope = 'all', limit_usd = 1}\nb = {scope = 'all', limit_usd = 1}",
     "[delegation.budgets]\nb = {scope = 'all', limit_usd = 1}\na = {scope = 'all', limit_usd = 1}", []),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "expected"), KEYS)
def test_keys(old: str, new: str, expected: list[Any]) -> None:
    assert changes(old, new) == expected


def test_what_is_added_is_told_whole() -> None:
    (added,) = changes("", P)
    assert added[:2] == ("added", "remote_providers.p")
    assert added[3]["endpoint"] == "e"
    (removed,) = changes(P, "")
    assert removed[:2] == ("removed", "remote_providers.p")


def rules(*texts: str) -> str:
    return "".join(f"[[delegation.rules]]\n{text}\n" for text in texts)


A, B, C = "deny = ['a']", "deny = ['b']", "deny = ['c']"
NAMED = "name = 'n'\n"
RULES = [
    (rules(A, B), rules(C, A, B),
     [("added", "rules.0", None, {"deny": ["c"], "choose": "first"}, None, 1)]),
    (rules(C, A, B), rules(A, B),
     [("removed", "rules.0", {"deny": ["c"], "choose": "first"}, None, 1, None)]),
    (rules(A), rules(B), [("changed", "rules.0.deny", ["a"], ["b"], 2, 2)]),
    (rules(A, B), rules(B, A), [("moved", "rules.1", 1, 2, 1, 3)]),
    (rules(NAMED + A, B), rules(B, NAMED + C),
     [("changed", "rules.1.deny", ["a"], ["c"], 3, 5), ("moved", "rules.1", 1, 2, 1, 3)]),
    (rules(NAMED + A), rules("name = 'm'\n" + A),
     [("added", "rules.0", None, {"name": "m", "deny": ["a"], "choose": "first"}, None, 1),
      ("removed", "rules.0", {"name": "n", "deny": ["a"], "choose": "first"}, None, 1, None)]),
    (rules(A, A), rules(A), [("removed", "rules.1", {"deny": ["a"], "choose": "first"}, None, 3, None)]),
    (rules(A + "\ncache = { ttl = 3 }"), rules(A + "\ncache = { ttl = 4 }"),
     [("changed", "rules.0.cache.ttl", 3, 4, 3, 3)]),
    (rules(A), rules(A + "\ncache = {}"),
     [("changed", "rules.0.cache", None, {"tier": "l2", "ttl": None}, None, 3)]),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "expected"), RULES)
def test_rules(old: str, new: str, expected: list[Any]) -> None:
    assert changes(old, new) == expected


def text_of(routes: list[str], rows: list[tuple[str | None, list[str]]], ttl: int) -> str:
    named = [
        (f"name = 'r{at}-{name}'\n" if name else "") + f"deny = {deny}" for at, (name, deny) in enumerate(rows)
    ]
    head = f"[delegation]\ncache_ttl = {ttl}\n{ROUTES}"
    return head + "".join(f"{name} = 'local-pure'\n" for name in routes) + rules(*named)


TEXTS = st.builds(
    text_of,
    st.lists(st.sampled_from("abcd"), unique=True),
    st.lists(
        st.tuples(st.sampled_from([None, "x"]), st.lists(st.sampled_from(["a", "b"]), max_size=1)), max_size=3
    ),
    st.integers(1, 2),
)


@given(TEXTS, TEXTS)
def test_two_policies_differ_if_and_only_if_their_versions_do(old: str, new: str) -> None:
    before, after = load_policy(old), load_policy(new)
    assert bool(diff_policies(before, after)) == (before.version != after.version)
    assert diff_policies(before, before) == ()
    kinds = {"added": "removed", "removed": "added", "changed": "changed"}
    there = [kinds[one.kind] for one in diff_policies(before, after) if one.kind in kinds]
    back = [one.kind for one in diff_policies(after, before) if one.kind in kinds]
    assert sorted(there) == sorted(back)


TOLD = [
    (Change(kind="changed", key="k", old=1, new=[2]), "~ k = 1 → [2]"),
    (Change(kind="added", key="k", new="é"), '+ k = "é"'),
    (Change(kind="removed", key="k", old=True), "- k = true"),
    (Change(kind="moved", key="k", old=1, new=2), "~ k: place 1 → 2"),
]


@pytest.mark.parametrize(("change", "text"), TOLD)
def test_a_change_reads_well(change: Change, text: str) -> None:
    assert str(change) == text
