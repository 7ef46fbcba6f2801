"""Modules of a runtime take no more room than they may."""

from __future__ import annotations

import logging

import pytest
from publishing_node import Node

from actors.caches.l4.room import keep_within

PLAN = "(defn f [n : int] : int (+ n 1)) (defn g [s : string] : string (str s s))"


def test_all_that_is_pinned_stays(node: Node) -> None:
    first, second = node.publish(PLAN).modules
    assert keep_within(node.store, node.trust_path, 1 << 20, node.now) == 0
    node.trusting(lambda trust: trust.pinning(first.manifest.interface_hash, first.id))
    assert keep_within(node.store, node.trust_path, 0, node.now) == 1
    assert [each.id for each in node.store.all()] == [first.id]
    assert node.store.blob(second.manifest.content_hash) is None


def test_nothing_goes_while_it_is_not_known_what_is_pinned(
    node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    node.publish(PLAN)
    node.trust_path.write_text("{", "utf-8")
    with caplog.at_level(logging.WARNING):
        assert keep_within(node.store, node.trust_path, 0, node.now) == 0
    assert "modules are not collected" in caplog.text
    assert len(node.store.all()) == 2
