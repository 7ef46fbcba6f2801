"""Modules by what their functions are for, with the embedder that comes along."""

from __future__ import annotations

from pathlib import Path

import pytest
from publishing_node import Node

from actors.caches.l4.meaning import Meaning
from actors.models.embedding.minilm import what_minilm_lacks
from policies.file.load import load_policy

POLICY = "[delegation]\n[delegation.caches.l4]\nsimilar_at_least = 0.6\n"

needs_minilm = pytest.mark.skipif(what_minilm_lacks() is not None, reason="MiniLM is not installed")


@needs_minilm
def test_a_function_that_means_the_same_is_found(tmp_path: Path) -> None:
    meaning, node = Meaning(lambda: load_policy(POLICY)), Node(tmp_path, POLICY)
    node.index._embed = meaning
    node.publish(
        '(defn with-tax "The price of an item with sales tax." [p : float] : float (* p 1.2))', embed=meaning
    )
    node.publish(
        '(defn fahrenheit "Degrees Fahrenheit for degrees Celsius." [c : float] : float (+ 32.0 (* 1.8 c)))',
        embed=meaning,
    )
    text = '(defn gross "%s" [p : float] : float 0.0) (gross 10.0)'
    assert node.run(text % "The price of an article with the sales tax.") == 12.0
    assert node.run(text % "How many letters the name of a city has.") == 0.0
    meaning.close()
    node.close()


def test_without_an_embedder_nothing_has_a_meaning(caplog: pytest.LogCaptureFixture) -> None:
    policy = load_policy('[delegation]\n[delegation.caches.l3]\nembedder = "no-such-model"\n')
    meaning = Meaning(lambda: policy)
    assert meaning("anything") == ("", b"")
    assert "modules are not found by meaning" in caplog.text
    meaning.close()
