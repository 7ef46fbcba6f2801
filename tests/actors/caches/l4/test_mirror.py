"""Copies of modules on other nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from publishing_node import Node

from actors.caches.l4 import mirror
from actors.caches.l4.store import ModuleStore

OURS = "(defn f [n : int] : int (+ n 1)) (defn g [s : string] : string (str s s))"


def asking(store: ModuleStore, **instead: Any) -> mirror.Ask:
    methods = {
        "modules": lambda known: mirror.listed(store, known),
        "module": lambda id: mirror.fetched(store, id),
    }

    def ask(method: str, *args: Any) -> Any:
        return (methods | instead)[method](*args)

    return ask


def test_a_copy_follows(node: Node, tmp_path: Path) -> None:
    copy = ModuleStore(tmp_path / "other")
    first = node.publish(OURS).modules
    known = mirror.mirror(copy, asking(node.store), -1)
    assert [each.id for each in copy.all()] == [each.id for each in node.store.all()]
    for each in first:
        hash = each.manifest.content_hash
        assert copy.blob(hash) == node.store.blob(hash) is not None
    node.store.remove([first[0].id])
    again = mirror.mirror(copy, asking(node.store), known)
    assert again != known
    assert [each.id for each in copy.all()] == [first[1].id]
    copy.close()


def test_nothing_is_asked_for_while_nothing_changes(node: Node, tmp_path: Path) -> None:
    node.publish(OURS)
    copy = ModuleStore(tmp_path / "other")
    known = mirror.mirror(copy, asking(node.store), -1)

    def fails(id: str) -> None:
        raise AssertionError(id)

    assert mirror.mirror(copy, asking(node.store, module=fails), known) == known
    assert len(copy.all()) == 2
    copy.close()


def test_one_that_goes_meanwhile_is_left_out(node: Node, tmp_path: Path) -> None:
    node.publish(OURS)
    copy = ModuleStore(tmp_path / "other")
    mirror.mirror(copy, asking(node.store, module=lambda id: None), -1)
    assert copy.all() == []
    copy.close()


def test_another_module_than_was_asked_for_is_not_kept(node: Node, tmp_path: Path) -> None:
    first, second = node.publish(OURS).modules
    swapped = {first.id: second.id, second.id: first.id}
    copy = ModuleStore(tmp_path / "other")
    mirror.mirror(copy, asking(node.store, module=lambda id: mirror.fetched(node.store, swapped[id])), -1)
    assert copy.all() == []
    copy.close()


def test_what_is_no_module_is_an_error(node: Node, tmp_path: Path) -> None:
    from actors.caches.l4.errors import ModuleRefused

    node.publish(OURS)
    copy = ModuleStore(tmp_path / "other")
    for answer in ((b"nonsense", b""), (b"", b"")):
        with pytest.raises(ModuleRefused, match="damaged"):
            mirror.mirror(copy, asking(node.store, module=lambda id, answer=answer: answer), -1)
    copy.close()
