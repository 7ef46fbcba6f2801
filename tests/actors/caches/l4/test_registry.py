"""Module files are published while programs that import them are compiled."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from publishing_node import KEY, Node

import rtfs
from actors.caches.errors import StoreError
from actors.caches.l4.registry import PublishingModules
from rtfs.program import FileModules

GEO = """(module geo (:exports [area shout])
  (defn area [a : int b : int] : int (* a b))
  (defn shout [x] (println x)))"""
USES = "(import [geo :as g]) (g/area 2 3)"


@pytest.fixture
def files(tmp_path: Path) -> FileModules:
    (tmp_path / "geo.rtfs").write_text(GEO, "utf-8")
    return FileModules(tmp_path)


def test_what_is_imported_is_published_and_found_again(node: Node, files: FileModules) -> None:
    with PublishingModules(files, KEY, node.store) as modules:
        for _ in range(2):
            assert rtfs.compile(USES, modules=modules).link().run() == 6
    (module,) = node.store.all()
    assert module.manifest.symbol == "geo/area"
    assert module.manifest.source.endswith("geo.rtfs")
    program = rtfs.compile(USES, modules=files)
    unit = program.module_unit("geo")
    assert unit is not None
    info = next(info for _, info in program.functions(unit) if info.symbol == "geo/area")
    assert node.index.find(module.manifest.interface_hash, info.body_hash) is not None


def test_a_changed_text_is_another_version(node: Node, files: FileModules, tmp_path: Path) -> None:
    with PublishingModules(files, KEY, node.store) as modules:
        rtfs.compile(USES, modules=modules)
        modules.close()
        (tmp_path / "geo.rtfs").write_text(GEO.replace("(* a b)", "(* 1 a b)"), "utf-8")
        rtfs.compile(USES, modules=modules)
    assert sorted(each.manifest.version for each in node.store.all()) == [1, 2]


def test_what_goes_wrong_does_not_reach_the_program(
    node: Node, files: FileModules, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(node.store, "put", full)
    with caplog.at_level(logging.WARNING), PublishingModules(files, KEY, node.store) as modules:
        assert rtfs.compile(USES, modules=modules).link().run() == 6
    assert "`geo` is not published: the disk is full" in caplog.text


def test_a_module_that_is_not_there(node: Node, files: FileModules) -> None:
    with PublishingModules(files, KEY, node.store) as modules:
        assert modules.find("nope") is None
    assert node.store.all() == []
