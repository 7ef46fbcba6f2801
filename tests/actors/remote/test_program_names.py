"""Names that forms define and mention."""

from __future__ import annotations

import pytest

import rtfs
from actors.remote.program_names import defined, mentioned, nodes_of, outside_functions, referred
from rtfs import ir
from rtfs.analyze.environment import MappingModules

MODULES = MappingModules({"n": "(module n (:exports [w]) (defn w [] 1))"})


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("(def a 1)", {"a"}),
        ("(defstruct P :x int)", {"P"}),
        ("(deftype T int)", {"T"}),
        ("(do (def a 1) (let [x 1] (def b 2)))", {"a"}),
        ("(defn f [] (def g 1))", {"f"}),
        ("(defmacro ^:private m [] 1)", {"m"}),
        ("(module mm (:exports [h]) (defn h [] 1))", {"mm/"}),
        ("(import n)", {"n/", "n/w"}),
        ("(import [n :as q])", {"n/", "q/", "q/w"}),
        ("(import [n :refer [w]])", {"n/", "w"}),
        ("(println 1)", set()),
    ],
)
def test_defined(text: str, names: set[str]):
    form = rtfs.read(text).forms[0]
    node = rtfs.compile(text, modules=MODULES, optimize=False).unit.forms[0]
    assert set(defined(form, node)) == names


def test_mentioned_and_referred():
    form = rtfs.read('^{:k v} (a [b/c {:d #{e}}] "no" 1)').forms[0]
    assert set(mentioned(form)) == {"k", "v", "a", "b/c", "b/", "d", "e"}
    unit = rtfs.compile("(def a 1) (defn f [] [a (n/w)])", modules=MODULES, optimize=False).unit
    assert set(referred(unit.forms[1])) == {"a", "n/"}


def test_what_runs_when_a_form_does():
    unit = rtfs.compile("(def f (if true (fn [] (println 1)) 2))", optimize=False).unit
    assert any(isinstance(node, ir.Apply) for node in nodes_of(unit.forms))
    assert not any(isinstance(node, ir.Apply) for node in outside_functions(unit.forms[0]))
