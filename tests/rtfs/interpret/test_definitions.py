"""Globals, types, structs, modules and imports."""

from __future__ import annotations

import pytest

from rtfs import errors, ir
from rtfs.interpret import run_unit
from rtfs.namespace import Modules
from rtfs.run import Limits, Run, running
from rtfs.types import model as types
from rtfs.types.model import MapEntry
from rtfs.values import Keyword, Map, Vector

INT = types.Primitive("int")


def const(value):
    return ir.Constant(value)


def unit(*forms, source="a.rtfs"):
    return ir.Unit(source, forms, (), frozenset())


def module(name, exports=(), *body):
    return ir.ModuleForm(name, "Doc.", tuple(exports), (), body)


A = module("a", ["x"], ir.Def("x", const(1)), ir.Def("hidden", const(2)))


def test_def_binds_and_gives_the_value(run):
    assert run(ir.Def("x", const(1))) == 1
    assert run(ir.Def("x", const(1)), ir.Def("x", const(2)), ir.GlobalRef("x")) == 2


def test_def_checks_its_type(run):
    with pytest.raises(errors.TypeValidationError, match="at def x: expected int, got string"):
        run(ir.Def("x", const("a"), INT))


def test_a_type_name_means_what_it_was_last_defined_as(run):
    x = ir.Local(1, "x")
    check = ir.Let((ir.Binding(x, const(1), types.Alias("T")),), ir.LocalRef(x))
    assert run(ir.DefType("T", INT), check) == 1
    with pytest.raises(errors.TypeValidationError):
        run(ir.DefType("T", INT), check, ir.DefType("T", types.Primitive("string")), check)


@pytest.mark.parametrize(("value", "expected"), [(1, True), ("a", False)])
def test_is_type(run, value, expected):
    assert run(ir.IsType(const(value), INT)) is expected


def test_cast(run):
    assert run(ir.Cast(const(1), INT, "x")) == 1
    with pytest.raises(errors.TypeValidationError, match="at x: expected int"):
        run(ir.Cast(const("a"), INT, "x"))


def test_struct(run):
    node = ir.StructOf("Point", (MapEntry("x", INT, False),))
    point = Map({Keyword.of("x"): 1})
    assert run(ir.Apply(node, (const(point),))) is point


def test_module_value(run):
    assert run(A) == Map({"name": "a", "docstring": "Doc.", "exports": Vector.of("x")})


def test_a_module_has_its_own_frame(run):
    with pytest.raises(errors.UndefinedSymbol):
        run(A, ir.GlobalRef("x"))


def test_qualified_and_imported(run):
    assert run(A, ir.QualifiedRef("a", "x")) == 1
    assert run(A, ir.Import("a", (("x", "m/x"),)), ir.GlobalRef("m/x")) == 1
    assert run(A, ir.Import("a", ())) is None


@pytest.mark.parametrize(
    ("forms", "error", "text"),
    [
        ([ir.QualifiedRef("b", "x")], errors.ModuleNotFound, "Module not found: b"),
        ([A, ir.QualifiedRef("a", "y")], errors.SymbolNotFound, "Symbol not found: a/y"),
        ([A, ir.QualifiedRef("a", "hidden")], errors.ModuleError, "Symbol 'hidden' not exported by module 'a'"),
        ([A, ir.Import("a", (("hidden", "h"),))], errors.ModuleError, "Symbol 'hidden' not exported"),
        ([module("a", ["x"])], errors.ModuleError, "exports 'x'"),
    ],
)
def test_module_errors(run, forms, error, text):
    with pytest.raises(error) as caught:
        run(*forms)
    assert text in caught.value.text()


def test_a_module_file_runs_once(run):
    body = ir.Apply(ir.BuiltinRef("throw"), (const("again"),))
    files = {"a": unit(A), "b": unit(module("b", [], body))}
    assert run(ir.QualifiedRef("a", "x"), ir.QualifiedRef("a", "x"), files=files) == 1
    with pytest.raises(errors.ApplicationError) as caught:
        run(ir.Import("b", ()), files=files)
    assert caught.value.text().endswith("again")


def test_circular_modules_are_refused(run):
    files = {
        "a": unit(module("a", [], ir.Import("b", ()))),
        "b": unit(module("b", [], ir.Import("a", ()))),
    }
    with pytest.raises(errors.ModuleError, match="Circular dependency: a -> b -> a"):
        run(ir.Import("a", ()), files=files)


def test_a_file_must_hold_its_module(run):
    with pytest.raises(errors.ModuleError, match=r"a\.rtfs does not define module 'a'"):
        run(ir.Import("a", ()), files={"a": unit(const(1))})


@pytest.mark.parametrize(("name", "function"), [("stdlib", "inc"), ("stdlib", "map")])
def test_the_library_is_a_module(run, name, function):
    assert run(ir.QualifiedRef(name, function)) is run(ir.BuiltinRef(function))


def test_slash_names_live_in_modules(run):
    assert run(ir.Import("tool", (("log", "say"),)), ir.GlobalRef("say")) is run(ir.BuiltinRef("tool/log"))


def test_errors_in_a_module_file_name_that_file(run):
    files = {"a": unit(module("a", [], ir.Apply(ir.BuiltinRef("inc"), (), span=errors.Span(4, 1, 4, 6))))}
    with pytest.raises(errors.ArityMismatch) as caught:
        run(ir.Import("a", ()), files=files)
    assert (caught.value.source, caught.value.span) == ("a.rtfs", errors.Span(4, 1, 4, 6))


def test_a_session_keeps_its_frame():
    from rtfs.host import PureHost
    from rtfs.security import RuntimeContext

    modules = Modules({}.get, run_unit)
    namespace = modules.frame()
    for form, expected in [(ir.Def("x", const(1)), 1), (ir.GlobalRef("x"), 1)]:
        with running(Run(PureHost(), RuntimeContext.pure(), Limits())):
            assert run_unit(unit(form), namespace, modules) == expected
