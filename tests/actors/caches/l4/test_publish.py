"""What becomes a module, and what does not."""

from __future__ import annotations

from typing import Any

import pytest
from publishing_node import KEY, Node

import rtfs
from actors.caches.l4.publish import publish
from actors.caches.l4.signing import SigningKey
from policies.engines.l4 import interface_hash
from rtfs import backends
from rtfs.backends import Loaded

PLAN = """
(defn square "The number times itself." [n : int] : int (* n n))
(defn shout [text : string] : string (str (upper text) "!"))
(defn fetch [n] (call :web.get n))
(module geo (:exports [area]) (defn half [n] (/ n 2)) (defn area [a b] (half (* a b))))
(square 3)
"""


def test_all_functions_that_can_be(node: Node) -> None:
    done = node.publish(PLAN)
    kinds = {each.manifest.symbol: each.manifest.kind for each in done.modules}
    assert kinds == {
        "square": "WasmBytecode", "shout": "IrBinary", "geo/half": "WasmBytecode", "geo/area": "WasmBytecode",
    }  # fmt: skip
    assert [(each.name, each.why) for each in done.refused] == [("fetch", "`fetch` calls `web.get`")]
    assert done.refused[0].span is not None
    assert done.refused[0].span.line == 4


def test_the_manifest_says_what_the_linker_says(node: Node) -> None:
    program = rtfs.compile(PLAN)
    info = next(info for _, info in program.functions(program.unit) if info.symbol == "square")
    manifest = node.publish(PLAN, names=["square"], not_after=5000.0, source="here").modules[0].manifest
    assert manifest.interface_hash == interface_hash(info)
    assert manifest.body_hash == info.body_hash != ""
    assert (manifest.parameter_types, manifest.return_type) == (("int",), "int")
    assert (manifest.description, manifest.source) == ("The number times itself.", "here")
    assert (manifest.version, manifest.created_at, manifest.not_after) == (1, node.now, 5000.0)
    assert manifest.trials == 32


@pytest.mark.parametrize("kind", backends.FORMS)
def test_in_the_form_that_is_wanted(node: Node, kind: Any) -> None:
    done = node.publish(PLAN, names=["square"], kind=kind)
    assert [each.manifest.kind for each in done.modules] == [kind]


def test_what_has_not_that_form_is_refused(node: Node) -> None:
    done = node.publish(PLAN, kind="WasmBytecode")
    assert [each.manifest.symbol for each in done.modules] == ["square", "geo/half", "geo/area"]
    assert {each.name for each in done.refused} == {"shout", "fetch"}


def test_a_name_that_is_none(node: Node) -> None:
    done = node.publish(PLAN, names=["sqare"])
    assert not done.modules
    assert done.refused[0].why == "the program defines no function of this name; did you mean `square`?"


def test_the_same_is_published_once_and_what_changed_as_a_new_version(node: Node) -> None:
    first = node.publish(PLAN, names=["square"]).modules[0]
    node.now += 10
    assert node.publish(PLAN, names=["square"]).modules[0] == first
    changed = node.publish(PLAN.replace("(* n n)", "(* 1 n n)"), names=["square"]).modules[0]
    assert changed.manifest.version == 2
    assert changed.manifest.interface_hash == first.manifest.interface_hash
    assert changed.manifest.body_hash != first.manifest.body_hash
    other = node.publish(PLAN, SigningKey.new(), names=["square"]).modules[0]
    assert (other.manifest.version, other.manifest.content_hash) == (3, first.manifest.content_hash)


def test_what_a_compiler_gets_wrong_is_not_signed(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    right = backends.IrExecutor()

    class Wrong:
        """Adds one to every answer."""

        def load(self, data: bytes, symbol: str) -> Loaded:
            loaded = right.load(data, symbol)

            def wrong(*args: Any) -> Any:
                return loaded.function(*args) + 1

            return Loaded(function=wrong, body_hash=loaded.body_hash)  # type: ignore[arg-type]

    form = backends.Form(backend=backends.IrBackend(), executor=Wrong())
    monkeypatch.setitem(backends.FORMS, "IrBinary", form)  # type: ignore[arg-type]
    done = node.publish(PLAN, names=["square"], kind="IrBinary")
    assert not done.modules
    assert "the interpreter" in done.refused[0].why
    assert not node.store.all()


DEFINITIONS = [
    ("(defn f [n] (g n)) (defn g [n] n) (def g 3)", "`g` is defined more than once"),
    ("(defn c [] true) (if (c) (def g 1)) (defn f [n] (+ n g))", "`g` is defined inside another form"),
    ("(defn f [n] (+ n limit))", "`limit` comes from outside"),
    ('(defn f [n] (step "s" n))', "steps and what overlaps belong to a run"),
    ('(defn f [n] (g n)) (defn ^:delegation :remote "a" g [n] n)', "`g` is delegated"),
]


@pytest.mark.parametrize(("text", "why"), DEFINITIONS)
def test_functions_that_cannot_stand_by_themselves(node: Node, text: str, why: str) -> None:
    done = node.publish(text, names=["f"])
    assert [each.why for each in done.refused] == [why]


def test_a_function_that_cannot_be_of_its_type(node: Node) -> None:
    done = node.publish("(defn f [n : int] : int\n  (str n))\n(defn g [n : int] : int n)")
    assert [each.manifest.symbol for each in done.modules] == ["g"]
    (refused,) = done.refused
    assert refused.why == "the value of `f` must be int, got string"
    assert refused.span is not None
    assert refused.span.line == 2


def test_a_function_that_never_ends_for_what_it_is_tried_with(node: Node) -> None:
    text = "(defn f [n : string] (if (= n n) (f n) n))"
    program = rtfs.compile(text)
    assert len(publish(program, KEY, node.store, now=1.0).modules) == 1
