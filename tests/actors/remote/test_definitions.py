"""What is cut out of a program for one function, and what is not sent at all."""

from __future__ import annotations

import io

import pytest

import rtfs
from actors.remote.definitions import definitions_of
from policies.errors import TargetFailed
from rtfs.analyze.environment import MappingModules
from rtfs.host import ConsoleHost

PROGRAM = """#!/usr/bin/env rtfs
(def k 5) (def secret "s3cret")
(defn helper [x] (* x k))
(defmacro twice [x] `(+ ~x (doubled ~x)))
(defn doubled [x]
  x)
(deftype Small [:and int [:< 5]])
(def now (current-time-millis))
(println "hello")
^{:doc "of f"}
(defn f [x : Small] (+ (twice x) (helper x) (q/w) y (get :z)))
(defn asks [] now)
(defn again [] 1) (defn again [] 2)
(defn outer [] (let [h (fn inner [x] x)] (h 1)))
(defn clash [] (fn clash [] 1))
(module m (:exports [h]) (defn h [] (hidden)) (defn hidden [] 7))
(import [n :as q])
(defmacro makes [name] `(defn ~name [] 1))
(makes made)
(defn loud [x] (println x))
(defn louder [x] (loud x))
(defn any-call [id] (call id))
(f 1)
"""
MODULES = {
    "n": "(module n (:exports [w]) (import o) (defn w [] (o/a)) (defn private [] 1))",
    "o": "(module o (:exports [a]) (defn a [] zz))",
    "unused": "(module unused (:exports [a]) (defn a [] 1))",
}
PLACES = definitions_of(PROGRAM, "p.rtfs", MODULES)


def kept(symbol: str) -> list[str]:
    return [line for line in PLACES.extract(symbol).source.split("\n") if line.strip()]


def test_only_what_is_needed_is_kept_and_it_stays_in_its_place():
    assert PLACES.extract("helper").source == "\n(def k 5)\n(defn helper [x] (* x k))"
    lines = PLACES.extract("f").source.split("\n")
    for number, line in enumerate(PROGRAM.split("\n")):
        if number < len(lines) and lines[number]:
            assert line.startswith(lines[number])


def test_a_function_brings_macros_what_these_use_metadata_modules_and_free_names():
    found = PLACES.extract("f")
    assert "secret" not in found.source
    assert "hello" not in found.source
    for text in ("(defmacro twice", "(defn doubled [x]\n  x)", "(import [n :as q])", '^{:doc "of f"}\n(defn f'):
        assert text in found.source
    assert found.modules == {"n", "o"}
    assert found.free == {"y", "z", "zz"}
    assert found.capabilities == frozenset()


def test_functions_of_modules():
    inside = PLACES.extract("m/h")
    assert kept("m/h") == [
        "(module m (:exports [h]) (defn h [] (hidden)) (defn hidden [] 7))",
        "(import m)",
    ]
    assert inside.modules == frozenset()
    assert PLACES.extract("n/w").modules == {"n", "o"}
    imported = definitions_of("(import n) (n/w)", "p", MODULES).extract("n/w")
    assert imported.source == "(import n)\n(import n)"
    assert kept("n/w")[-1] == "(import n)"


def test_what_a_macro_defines():
    assert kept("made") == ["(defmacro makes [name] `(defn ~name [] 1))", "(makes made)"]


def test_capabilities_of_all_that_is_needed():
    assert PLACES.extract("louder").capabilities == {"ccos.io.println"}
    assert PLACES.extract("any-call").capabilities == {"*"}


@pytest.mark.parametrize("symbol", ["f", "helper", "outer", "made", "m/h", "n/w", "louder"])
def test_what_is_sent_runs_elsewhere(symbol: str):
    found = PLACES.extract(symbol)
    modules = MappingModules({name: MODULES[name] for name in found.modules})
    host, context = ConsoleHost(io.StringIO()), rtfs.RuntimeContext.full()
    linked = rtfs.compile(found.source, modules=modules).link()
    arguments = {"f": "2", "helper": "2", "louder": "2"}.get(symbol, "")
    whole = rtfs.compile(f"{found.source}\n({symbol} {arguments})", modules=modules).link()
    args = {"y": 1, "z": 0, "zz": 10}
    value = whole.run(args=args, host=host, context=context)
    assert value == {"f": 25, "helper": 10, "outer": 1, "made": 1, "m/h": 7, "n/w": 10, "louder": None}[symbol]
    if not found.free:
        given = [2] if arguments else []
        assert linked.call(symbol, *given, host=host, context=context) == value


@pytest.mark.parametrize(
    ("symbol", "why"),
    [
        ("fn@3:4", "not defined at the top level"),
        ("nowhere", "not defined at the top level"),
        ("inner", "not defined at the top level"),
        ("again", "several functions of this name"),
        ("clash", "several functions of this name"),
        ("k", "makes it as it runs"),
        ("asks", "a definition that it needs asks the host (`current-time-millis`)"),
        ("m/hidden", "no module of the program exports it"),
        ("n/private", "no module of the program exports it"),
        ("elsewhere/f", "no module of the program exports it"),
        ("/", "not defined at the top level"),
    ],
)
def test_what_cannot_be_sent(symbol: str, why: str):
    with pytest.raises(TargetFailed) as refused:
        PLACES.extract(symbol)
    assert refused.value.cause == "bad-request"
    assert why in refused.value.detail
    assert f"`{symbol}`" in refused.value.detail


def test_a_text_that_is_no_program():
    with pytest.raises(TargetFailed) as refused:
        definitions_of("(defn", "p", {})
    assert refused.value.cause == "bad-request"


def test_programs_are_remembered_by_all_that_makes_them():
    assert definitions_of(PROGRAM, "p.rtfs", dict(MODULES)) is PLACES
    assert definitions_of(PROGRAM, "q.rtfs", MODULES) is not PLACES
    assert definitions_of(PROGRAM, "p.rtfs", {**MODULES, "n": MODULES["n"] + " "}) is not PLACES


def test_errors_from_elsewhere_name_places_of_the_program():
    found = definitions_of('(println 1)\n  (defn bad [] (+ 1 "a"))', "p.rtfs", {}).extract("bad")
    with pytest.raises(rtfs.RtfsError) as failed:
        rtfs.compile(found.source, source_name="p.rtfs").link().call("bad")
    assert failed.value.span is not None
    assert failed.value.span[:2] == (2, 21)
