"""Modules, imports, and what a unit depends on."""

from __future__ import annotations

from hashlib import sha256

import pytest

from rtfs.analyze import Environment, MappingModules, analyze
from rtfs.reader import read

FILES = {
    "a.b": """(module a.b "says" (:exports [x f twice])
                (def x 1) (def hidden 2) (defn f [y] (+ x y)) (defmacro twice [e] `(do ~e [~e ~e])))""",
    "c1": "(module c1 (:exports [x]) (import c2) (def x c2/y))",
    "c2": "(module c2 (:exports [y]) (import c1) (def y 1))",
    "wrong": "(module other)",
    "empty": "1",
    "bad": "(module bad (:exports [zz]))",
    "top": "(module top (:exports [z]) (import a.b :as q) (def z (q/f 10)))",
    "late1": "(module late1 (:exports [f]) (defn f [] late2/k))",
    "late2": "(module late2 (:exports [k g]) (def k 3) (defn g [] (late1/f)))",
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(import a.b) [a.b/x (a.b/f 2)]", "[1 3]"),
        ("(import a.b :as q) (q/f 1)", "2"),
        ("(import a.b :only [f]) (f 9)", "10"),
        ("(import a.b :refer [f]) (f 9)", "10"),
        ("(import [a.b :as q :refer [f]]) [(q/f 1) (f 2)]", "[2 3]"),
        ("(require '[a.b :as z] '[top :as t]) [(z/f 3) t/z]", "[4 11]"),
        ("a.b/x", "1"),
        ("(late2/g)", "3"),
        ("(import a.b) (a.b/twice 4)", "[4 4]"),
        ("(import a.b :only [twice]) (twice 4)", "[4 4]"),
        ("(import a.b) (defmacro m [] (a.b/f 41)) (m)", "42"),
        ('(module m "doc" (:exports [k]) (def k 1))', '{"name" "m" "docstring" "doc" "exports" ["k"]}'),
        ("(module m (export k) (def k 1)) m/k", "1"),
        ("(module m (:exports [k]) (def k 5)) (import m :as n) n/k", "5"),
        ("(module m (:exports [k]) (defmacro k [] 8)) (import m) (m/k)", "8"),
        ("(module m (:exports [k]) (def k 1)) (module n (:exports [j]) (import m) (def j (inc m/k))) n/j", "2"),
        ("(def k 1) (module m (def k 2)) k", "1"),
        ("(import stdlib :as s) (s/inc 1)", "2"),
        ("(stdlib/inc 1)", "2"),
        ("(import kv :only [assoc!]) (fn? assoc!)", "true"),
        ("(try (import nope) (catch ModuleNotFound e :none))", ":none"),
        ("nope/x", "!ModuleNotFound: Module not found: nope"),
        ("a.b/hidden", "!ModuleError: Symbol 'hidden' not exported by module 'a.b'"),
        ("(import a.b :only [hidden])", "!ModuleError: Symbol 'hidden' not exported by module 'a.b'"),
        ("(import a.b) a.b/nope", "!SymbolNotFound: Symbol not found: a.b/nope"),
        ("(import a.b :as q :only [f])", "!ModuleError: an import takes either :as or :only, not both"),
        ("(import a.b :foo 1)", "!InvalidProgram: an import knows `:as` and `:only`, not `:foo`"),
        ("(import a.b :as)", "!InvalidProgram: `:as` takes a name"),
        ("(import)", "!InvalidProgram: `import` takes the name of a module"),
        ("(import c1)", "!ModuleError: Circular dependency: c1 -> c2 -> c1"),
        ("(import wrong)", "!ModuleError: wrong.rtfs must define module 'wrong', it defines 'other'"),
        ("(import empty)", "!ModuleError: empty.rtfs must define module 'empty', it defines no module"),
        ("(import bad)", "!ModuleError: module 'bad' exports 'zz', which it does not define"),
        ("(export x)", "!InvalidProgram: `export` stands directly in a `module` form"),
        ("(module 5)", "!InvalidProgram: `module` takes a name first"),
    ],
)
def test_outcomes(outcome, text, expected):
    assert outcome(text, modules=FILES) == expected


@pytest.mark.parametrize("text", ["(import top) top/z", "top/z"])
def test_a_unit_depends_on_all_files_read_for_it(text):
    unit = analyze(read(text), Environment(MappingModules(FILES)))
    digests = {name: sha256(FILES[name].encode()).hexdigest() for name in ("top", "a.b")}
    assert dict(unit.dependencies) == digests


def test_modules_are_analysed_once_and_kept():
    environment = Environment(MappingModules(FILES))
    analyze(read("(import a.b) (import a.b :as q)"), environment)
    first = environment.module_unit("a.b")
    assert first is not None
    assert environment.module_unit("a.b") is first
    assert environment.module_unit("nope") is None
