"""What is known about a function by itself."""

from __future__ import annotations

import pytest

import rtfs
from rtfs.capabilities import BUILTIN_CAPABILITIES
from rtfs.errors import RtfsError
from rtfs.function_info import functions_of, loaded_by
from rtfs.host import MemoryHost
from rtfs.stdlib.table import BUILTINS
from rtfs.values import Value

#: body of a function → ids of the capabilities that it may call
CAPABILITIES: list[tuple[str, set[str]]] = [
    ("(+ x 1)", set()),
    ("(call :a.b x)", {"a.b"}),
    ('(call "a.b" x)', {"a.b"}),
    ("(do (call :a x) (if x (call :b x)))", {"a", "b"}),
    ("(call x)", {"*"}),
    ("(call (keyword x))", {"*"}),
    ("(call)", {"*"}),
    ("(map call x)", {"*"}),
    ("(let [c call] (c :a))", {"*"}),
    ("(call :a (call :b x))", {"a", "b"}),
    ("(call :a call)", {"a", "*"}),
    ("(println x)", {"ccos.io.println"}),
    ("(tool/log x)", {"ccos.io.log"}),
    ("(map println x)", {"ccos.io.println"}),
    ("(llm-execute x x)", {"ccos.ai.llm-execute"}),
    ("(kv/conj! x x)", {"ccos.state.kv.get", "ccos.state.kv.put"}),
    ("(stdlib/println x)", {"ccos.io.println"}),
    # what is called by functions made in it counts, what is called by those that it calls does not
    ("(map (fn [y] (call :a y)) x)", {"a"}),
    ("(other x)", set()),
    ('(step "s" (call :a))', {"a"}),
    ("(try (call :a) (catch e (call :b)) (finally (call :c)))", {"a", "b", "c"}),
]


@pytest.mark.parametrize(
    ("text", "types", "returns", "variadic"),
    [
        ("(defn f [x : int] : string x)", ("int",), "string", False),
        ("(defn f [] 1)", (), "any", False),
        ("(defn f [x : int & more] : string x)", ("int", "any"), "string", True),
        ("(defn f ([x : int] : string x) ([x y] : string y))", ("int",), "string", True),
        ("(defn f ([x : int] : string x) ([x y] : int y))", ("int",), "any", True),
        ("(defn f ([x : int] : string x) ([] 1))", (), "any", True),
    ],
)
def test_types_of_several_arities(text: str, types: tuple[str, ...], returns: str, variadic: bool) -> None:
    ((_, info),) = functions_of(rtfs.compile(text).unit)
    assert (info.parameter_types, info.return_type, info.variadic) == (types, returns, variadic)


@pytest.mark.parametrize(
    ("text", "aliases"),
    [
        ("(deftype Mood [:enum :a :b]) (defn f [] : Mood :a)", {"Mood": "[:enum :a :b]"}),
        ("(defn f [] : Mood :a) (deftype Mood [:enum :a :b])", {"Mood": "[:enum :a :b]"}),
        ("(deftype A int) (deftype B string) (defn f [x : A] : int x)", {"A": "int"}),
        (
            "(deftype A [:vector B]) (deftype B [:map [:a A ?]]) (defn f [x : A] x)",
            {"A": "[:vector B]", "B": "[:map [:a A ?]]"},
        ),
        (
            "(defstruct Point :x int :y int?) (defn f [] : Point (Point {:x 1}))",
            {"Point": "[:map [:x int] [:y int? ?]]"},
        ),
        ("(defn f [x : Nowhere] : int 1)", {}),
        ("(deftype A int) (deftype A string) (defn f [x : A] : int 1)", {}),
        ("(deftype A int) (deftype A int) (defn f [x : A] : int 1)", {"A": "int"}),
        ("(deftype A int) (module m (:exports [f]) (defn f [x : A] : int 1))", {}),
        ("(deftype A string) (module m (:exports [f]) (deftype A int) (defn f [x : A] : int 1))", {"A": "int"}),
        ("(deftype A int) (defn f ([x : A] : A x) ([x y] : A y))", {"A": "int"}),
    ],
)
def test_names_of_types_that_a_function_reaches(text: str, aliases: dict[str, str]) -> None:
    infos = {info.symbol.rpartition("/")[2]: info for _, info in functions_of(rtfs.compile(text).unit)}
    assert infos["f"].aliases == aliases


def capabilities(text: str) -> dict[str, set[str]]:
    return {info.symbol: set(info.capabilities) for _, info in functions_of(rtfs.compile(text).unit)}


@pytest.mark.parametrize(("body", "expected"), CAPABILITIES)
def test_capabilities(body: str, expected: set[str]) -> None:
    assert capabilities(f"(defn other [x] (call :other)) (defn f [x] {body})")["f"] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(import stdlib :as s) (defn f [x] (s/println x))", {"ccos.io.println"}),
        ("(import stdlib :only [println]) (defn f [x] (println x))", {"ccos.io.println"}),
        ("(import stdlib :as s) (defn f [x] (s/call x))", {"*"}),
        # until the program's own function is defined its name means the builtin
        ("(defn f [x] (println x)) (defn println [x] x)", {"ccos.io.println"}),
        ("(module f (defn g [x] (call :a)))", None),
    ],
)
def test_capabilities_by_other_names(text: str, expected: set[str] | None) -> None:
    found = capabilities(text)
    assert found.get("f") == expected
    if expected is None:
        assert found == {"f/g": {"a"}}


def test_functions_inside_functions_have_their_own() -> None:
    found = capabilities("(defn f [x] (call :a) (map (fn g [y] (call :b)) x) (fn h [] 1))")
    assert found == {"f": {"a", "b"}, "g": {"b"}, "h": set()}


class Noting(MemoryHost):
    def __init__(self) -> None:
        super().__init__()
        self.called: set[str] = set()

    def execute_capability(self, capability_id: str, args: list[Value]) -> Value:
        self.called.add(capability_id)
        return None


#: arguments that make a builtin call its capabilities, for those that one string does not make
_ARGUMENTS = {
    "current-time-millis": "",
    "tool/time-ms": "",
    "tool.time-ms": "",
    "kv/assoc!": '"k" :a 1',
    "kv/dissoc!": '"k" :a',
    "kv/conj!": '"k" 1',
    "llm-execute": '"m" "p"',
}


@pytest.mark.parametrize("name", sorted(name for name, entry in BUILTINS.items() if entry.effect))
def test_the_table_of_capabilities_is_that_of_the_builtins(name: str) -> None:
    host = Noting()
    text = f"(apply {name} [{_ARGUMENTS.get(name, '"x"')}])"
    try:
        rtfs.evaluate(text, host=host, context=rtfs.RuntimeContext.full())
    except RtfsError:
        assert not host.called  # `await` and such refuse a string
    if name == "call":
        assert host.called == {"x"}
    else:
        assert BUILTIN_CAPABILITIES.get(name, frozenset()) == host.called


def test_no_builtin_without_effects_is_in_the_table() -> None:
    assert all(BUILTINS[name].effect for name in BUILTIN_CAPABILITIES)


@pytest.mark.parametrize(
    ("text", "modules"),
    [
        ("(import a) (defn f [] (b/g 1)) (fn [] (c/h))", {"a", "b", "c"}),
        ("(module m (import a) (defn f [] (b/g 1))) (import m) (m/f)", {"a", "b"}),
        ("(defn f [] (stdlib/inc 1)) (kv/conj! 1 2)", set()),
    ],
)
def test_modules_that_a_unit_may_load(text: str, modules: set[str]) -> None:
    assert loaded_by(rtfs.compile(text).unit) == modules
