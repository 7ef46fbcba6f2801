"""Where labels come from, by the policy."""

from __future__ import annotations

import pytest

from policies.file.schema import Security
from policies.rules.privacy_sources import PolicySources

SOURCES = PolicySources(
    Security.model_validate(
        {
            "sources": {
                "context:customer*": ("pii", "internal"),
                "context:customer-id": ("id",),
                "capability:crm.*": ("pii",),
                "capability:ledger.read": ("money",),
            },
            "declassify": ("anonymise/*", "count-of"),
        }
    )
)


@pytest.mark.parametrize(
    ("key", "labels"),
    [
        ("customer-name", {"pii", "internal"}),
        ("customer-id", {"pii", "internal", "id"}),
        ("crm.find", set()),
        ("Customer", set()),
        (None, {"pii", "internal", "id"}),
    ],
)
def test_of_context(key: str | None, labels: set[str]) -> None:
    assert SOURCES.of_context(key) == labels


@pytest.mark.parametrize(
    ("id", "labels"),
    [("crm.find", {"pii"}), ("ledger.read", {"money"}), ("ledger.write", set()), (None, {"pii", "money"})],
)
def test_of_capability(id: str | None, labels: set[str]) -> None:
    assert SOURCES.of_capability(id) == labels


@pytest.mark.parametrize(
    ("symbol", "may"), [("anonymise/all", True), ("count-of", True), ("count-of2", False), ("anonymise", False)]
)
def test_declassifies(symbol: str, may: bool) -> None:
    assert SOURCES.declassifies(symbol) == may


def test_a_policy_that_labels_nothing() -> None:
    empty = PolicySources(Security())
    assert (empty.of_context(None), empty.of_capability(None), empty.declassifies("f")) == (set(), set(), False)
