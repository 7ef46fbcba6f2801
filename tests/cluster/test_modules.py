"""Which modules travel with a program."""

from __future__ import annotations

from pathlib import Path

import pytest

import rtfs
from cluster.modules import modules_of
from rtfs.analyze.environment import MappingModules
from rtfs.program import FileModules

TEXTS = {
    "a.b": "(module a.b (:exports [f]) (import c) (defn f [x] (c/g x)))",
    "c": "(module c (:exports [g]) (defn g [x] (+ x 1)))",
    "lone": "(module lone (:exports [h]) (defn h [] 9))",
    "macros": "(module macros (:exports [twice]) (defmacro twice [x] `(do ~x ~x)))",
    "broken": "(module broken (:exports [f]) (import c) (defn f",
}


@pytest.fixture
def store(tmp_path: Path) -> FileModules:
    for name, text in TEXTS.items():
        file = tmp_path / f"{name.replace('.', '/')}.rtfs"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return FileModules(tmp_path)


@pytest.mark.parametrize(
    ("program", "names"),
    [
        ("(+ 1 2)", set()),
        ("(import a.b) (a.b/f 1)", {"a.b", "c"}),
        ("(import c)", {"c"}),
        ("(defn f [] (import lone) (lone/h)) 1", {"lone"}),
        ("(import macros) (macros/twice 1)", {"macros"}),
        ("(import nowhere)", set()),
        ("(import c) (import broken)", {"c", "broken"}),
        ("(import c) (", set()),
        ("(module own (:exports [f]) (defn f [] 1)) (import own)", set()),
    ],
)
def test_what_a_program_may_load_goes_with_it(program: str, names: set[str], store: FileModules) -> None:
    found = modules_of(program, "plan.rtfs", store)
    assert found == {name: TEXTS[name] for name in names}


def test_with_them_alone_it_runs_as_with_the_files(store: FileModules) -> None:
    program = "(import a.b) (a.b/f 41)"
    modules = MappingModules(modules_of(program, "plan.rtfs", store))
    assert rtfs.evaluate(program, modules=modules) == rtfs.evaluate(program, modules=store) == 42
