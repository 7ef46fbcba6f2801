"""Frames and their hints. Loading of modules is tested with the interpreter."""

from __future__ import annotations

import pytest

from rtfs import errors
from rtfs.namespace import STDLIB, Modules, Namespace, builtins
from rtfs.types import model as types


def test_a_global_hides_the_builtin_of_its_name():
    namespace = Namespace()
    assert namespace.value("inc") is builtins()["inc"].function
    namespace.define("inc", 5)
    assert namespace.value("inc") == 5


def test_an_undefined_name_hints_at_the_nearest():
    namespace = Namespace(values={"triage": 1})
    with pytest.raises(errors.UndefinedSymbol) as caught:
        namespace.value("triag")
    assert caught.value.hint is not None
    assert "triage" in caught.value.hint


def test_metadata_goes_with_the_value():
    namespace = Namespace()
    namespace.define("f", 1, "About f.", (("since", 2),))
    assert namespace.metadata["f"] == {"doc": "About f.", "since": 2}
    namespace.define("f", 2)
    assert "f" not in namespace.metadata


def test_checks_follow_the_types():
    namespace = Namespace()
    alias = types.Alias("T")
    namespace.define_type("T", types.Primitive("int"))
    namespace.check(alias)(1, "x")
    with pytest.raises(errors.TypeValidationError):
        namespace.check(alias)("a", "x")
    namespace.define_type("T", types.Primitive("string"))
    namespace.check(alias)("a", "x")


def test_custom_predicates_are_globals_or_builtins():
    namespace = Namespace()
    find = namespace.type_env.function
    assert find("even?") is builtins()["even?"].function
    assert find("nothing") is None
    namespace.define("even?", 5)
    assert find("even?") is None


def test_frames_get_the_hook_of_their_module():
    asked = []
    modules = Modules({}.get, lambda *_: None, asked.append)
    assert modules.frame("a").bind_function is None
    assert modules.frame().name is None
    assert asked == ["a", None]


def test_unknown_modules_hint_at_known_ones():
    modules = Modules({}.get, lambda *_: None)
    with pytest.raises(errors.ModuleNotFound) as caught:
        modules.load("stdlb")
    assert caught.value.hint == f"did you mean `{STDLIB}`?"


def test_a_module_that_failed_to_load_is_tried_again():
    attempts = []

    def run(unit, namespace, modules):
        attempts.append(unit)
        if len(attempts) == 1:
            raise errors.DivisionByZero
        modules.add(Namespace("a", {"x": 1}, exports=frozenset(["x"])))

    modules = Modules({"a": "unit"}.get, run)
    with pytest.raises(errors.DivisionByZero):
        modules.load("a")
    assert modules.qualified("a", "x") == 1
    assert modules.qualified("a", "x") == 1
    assert len(attempts) == 2


@pytest.mark.parametrize("name", ["__builtins__", "None", "rt·poll", "main·", "·x", "··"])
def test_names_of_generated_code_are_out_of_reach(name):
    """The Python backend keeps names of its own among the globals."""
    reserved = {"__builtins__": {}, "rt·poll": print, "main·": print, "·x": print}
    namespace = Namespace("m", dict(reserved), exports=frozenset([name]))
    assert namespace.names() == []
    assert name not in namespace
    with pytest.raises(errors.UndefinedSymbol):
        namespace.value(name)
    modules = Modules({}.get, lambda *_: None)
    with pytest.raises(errors.ModuleError, match="does not define"):
        modules.add(namespace)
    namespace.define(name, 1)
    assert {key: namespace.values[key] for key in reserved} == reserved
    assert namespace.names() == [name]
    modules.add(namespace)
    assert modules.qualified("m", name) == 1
