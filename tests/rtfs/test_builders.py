"""Definitions made in Python read back as what was meant, whatever strings are in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtfs import errors
from rtfs.builders import (
    CapabilityBuilder,
    FunctionBuilder,
    ModuleBuilder,
    PlanBuilder,
    call,
    do,
    fn,
    if_,
    kw,
    let,
    quote,
    source,
    sym,
)
from rtfs.delegation import DelegationHint
from rtfs.expressions import Expression, same_forms
from rtfs.reader import read
from rtfs.values import List, Map, Set, Symbol, Timestamp, Vector


def assert_reads_as(built, text):
    """The source of `built` means the same as `text`, which is laid out by hand."""
    got, wanted = read(built.source()).forms, read(text).forms
    assert same_forms(List(got), List(wanted)), built.source()


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (call("+", sym("x"), 1), "(+ x 1)"),
        (call(kw("k"), {"a": 1}), '(:k {"a" 1})'),
        (call(fn(["x"], sym("x")), 1.5), "((fn [x] x) 1.5)"),
        (let({"y": call("inc", 1)}, sym("y")), "(let [y (inc 1)] y)"),
        (let([("y", 1), ("y", kw("a"))], None), "(let [y 1 y :a] nil)"),
        (if_(True, "yes"), '(if true "yes" nil)'),
        (do(), "(do)"),
        (quote([sym("a"), "b"]), '(quote [a "b"])'),
        (source(' (str "x") ; why not'), '(str "x")'),
        (call("f", (1, [2]), {1}), "(f [1 [2]] #{1})"),
        (Expression(float("inf")), "##Inf"),
        (call("f", float("nan"), -0.0), "(f ##NaN -0.0)"),
        (call("a.b/f", Timestamp("2025-01-31T10:20:30Z")), "(a.b/f 2025-01-31T10:20:30Z)"),
    ],
)
def test_expressions(expression, text):
    assert_reads_as(expression, text)


FULL = (
    FunctionBuilder("f")
    .doc('Says "hi"')
    .param("x", "int")
    .param("v", "[:vector :int]?")
    .param("any")
    .rest("more", "string")
    .returns("[:map [:k :int]]")
    .body(1, sym("x"))
)


@pytest.mark.parametrize(
    ("built", "text"),
    [
        (FunctionBuilder("f").body(None), "(defn f [] nil)"),
        (FunctionBuilder("f").doc("d").body("b"), '(defn f "d" [] "b")'),
        (FunctionBuilder("f").returns("keyword").body(kw("foo")), "(defn f [] : keyword :foo)"),
        (
            FULL,
            '(defn f "Says \\"hi\\"" [x : int v : [:vector int] ? any & more : string] : [:map [:k int]] 1 x)',
        ),
        (FunctionBuilder("f").meta("pure").meta("n", 2).body(1), "(defn ^{:pure true :n 2} f [] 1)"),
        (
            FunctionBuilder("f").with_delegation_hint(DelegationHint("local")).body(1),
            "(defn ^:delegation :local f [] 1)",
        ),
        (
            FunctionBuilder("f").with_delegation_hint(DelegationHint("local-model", "tiny")).body(1),
            '(defn ^:delegation :local-model "tiny" f [] 1)',
        ),
        (
            FunctionBuilder("f").with_delegation_hint(DelegationHint("remote", 'a"b')).meta("k").body(1),
            '(defn ^:delegation :remote "a\\"b" ^:k f [] 1)',
        ),
        (
            FunctionBuilder("f").with_delegation_hint(DelegationHint("target", "local-pure")).body(1),
            '(defn ^:delegation {:target "local-pure"} f [] 1)',
        ),
        (ModuleBuilder("a"), "(module a)"),
        (
            ModuleBuilder("a.b")
            .doc("d")
            .export("f", "pi")
            .import_("c")
            .import_("c", as_="k")
            .import_("c", only=["x"])
            .value("pi", 3)
            .define(FunctionBuilder("f").body(1)),
            '(module a.b "d" (:exports [f pi]) (import c) (import c :as k) (import c :only [x])'
            " (def pi 3) (defn f [] 1))",
        ),
        (
            CapabilityBuilder("c")
            .doc("d")
            .input("[:map [:k :int]]")
            .output("[:vector :int]?")
            .effects(":network", "io")
            .implementation(sym("f"))
            .doc("e"),
            '(capability "c" :description "e" :input-schema (quote [:map [:k int]])'
            " :output-schema (quote [:union [:vector int] nil]) :effects [:network :io] :implementation f)",
        ),
        (
            PlanBuilder("p")
            .doc("d")
            .param("t", "string")
            .define(FunctionBuilder("f").body(1))
            .step("one", call("f"), expose_context=True, context_keys=["a"], params={"k": sym("t")})
            .step("two"),
            '(defn f [] 1) (plan "p" :description "d" :body (fn [t : string]'
            ' (step "one" :expose-context true :params {"k" t} :context-keys ["a"] (f)) (step "two")))',
        ),
    ],
)
def test_definitions(built, text):
    assert_reads_as(built, text)


def test_a_plan_as_a_program_runs_its_steps():
    plan = PlanBuilder("p").define(FunctionBuilder("f").body(1)).step("one", call("f")).step("two", 2)
    assert same_forms(
        List(read(plan.program()).forms), List(read('(defn f [] 1) (step "one" (f)) (step "two" 2)').forms)
    )


def test_builders_are_values():
    first = FunctionBuilder("f").param("x")
    second = first.param("y")
    assert [len(each.parameters) for each in (first, second)] == [1, 2]


# ---------------------------------------------------------------- nothing breaks out


BAD_NAMES = [
    "",
    " ",
    "a b",
    "a)",
    "(",
    "1",
    "-5",
    "true",
    "nil",
    ":k",
    "a;b",
    '"',
    "a\n",
    "@x",
    "'x",
    "a,b",
    "#x",
]


@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize(
    "make",
    [
        sym,
        call,
        FunctionBuilder,
        ModuleBuilder,
        FunctionBuilder("f").param,
        FunctionBuilder("f").rest,
        ModuleBuilder("m").export,
        ModuleBuilder("m").import_,
        PlanBuilder("p").param,
        lambda name: let({name: 1}, 2),
        lambda name: fn([name], 2),
        lambda name: ModuleBuilder("m").value(name, 1),
        lambda name: ModuleBuilder("m").import_("c", as_=name),
        lambda name: call("f", Symbol.of(name)),
        lambda name: call("f", Vector.of(List.of(Symbol.of(name)))),
    ],
)
def test_names_that_are_none_are_refused_at_once(make, name):
    with pytest.raises(ValueError, match="is no symbol that RTFS can read"):
        make(name)


@pytest.mark.parametrize(
    "make",
    [
        FunctionBuilder,
        FunctionBuilder("f").param,
        FunctionBuilder("f").rest,
        PlanBuilder("p").param,
        lambda name: let({name: 1}, 2),
        lambda name: fn([name], 2),
        lambda name: ModuleBuilder("m").value(name, 1),
    ],
)
def test_the_rest_marker_is_no_name(make):
    with pytest.raises(ValueError, match="`&` is no name to bind"):
        make("&")


@pytest.mark.parametrize("name", ["", "a b", "a)", ' "', ":", "a;", "{"])
@pytest.mark.parametrize(
    "make", [kw, FunctionBuilder("f").meta, lambda name: CapabilityBuilder("c").entry(name, 1)]
)
def test_keywords_that_are_none_are_refused(make, name):
    with pytest.raises(ValueError, match="is no keyword that RTFS can read"):
        make(name)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: call("f", object()), "no RTFS expression can be made of a Python object"),
        (lambda: call("f", b""), "a Python bytes"),
        (lambda: call("f", 2**63), "an integer of RTFS has 64 bits"),
        (lambda: call("f", {1.5: 1}), "a map key must be a string, keyword or integer, got a float"),
        (lambda: source("1 2"), "expected the text of one form, got 2"),
        (lambda: source("; nothing"), "expected the text of one form, got 0"),
        (lambda: let({"x": 1}), "`let` needs a body"),
        (lambda: fn([]), "`fn` needs a body"),
        (lambda: FunctionBuilder("f").source(), "the function `f` has no body"),
        (lambda: PlanBuilder("p").source(), "the plan 'p' has no steps"),
        (lambda: PlanBuilder("p").entry("body", 1), "the body of a plan is its steps"),
        (lambda: ModuleBuilder("m").import_("c", as_="x", only=["y"]), "either as another name"),
        (lambda: FunctionBuilder("f").with_delegation_hint(DelegationHint("remote")), "has an id"),
        (lambda: FunctionBuilder("f").with_delegation_hint(DelegationHint("target", "")), "has an id"),
        (lambda: FunctionBuilder("f").with_delegation_hint(DelegationHint("local", "x")), "has no id"),
        (lambda: Expression(Timestamp("1) (evil")).source(), "no text that"),
    ],
)
def test_other_mistakes(make, text):
    with pytest.raises(ValueError, match=text):
        make()


@pytest.mark.parametrize("text", ["(", '"', ")", "(evil) )"])
def test_source_must_be_whole(text):
    with pytest.raises(errors.ReadError):
        source(text)


@pytest.mark.parametrize("type_", ["int) (evil)", "[:vector", "", "int int", "[:vektor :int]"])
def test_types_are_checked(type_):
    with pytest.raises((errors.RtfsError, ValueError)):
        FunctionBuilder("f").param("x", type_)


HOSTILE = st.text() | st.sampled_from(
    ['")', '\\")', '" (evil) "', "\\", "\0", "|#", "#_", "\ud800", "~@x", "\r\n"]
)


@given(HOSTILE)
def test_no_string_breaks_out(text):
    hint = DelegationHint("remote", text or "x")
    function = (
        FunctionBuilder("f").doc(text).meta("m", text).with_delegation_hint(hint).body(text, {text: text})
    )
    capability = CapabilityBuilder(text).doc(text).entry("k", [text])
    plan = PlanBuilder(text).step(text, text, context_keys=[text], params={text: text})
    [form] = read(function.source()).forms
    assert form[1].hint == hint
    assert form.to_list()[2] == form.to_list()[4] == text
    assert form.to_list()[5] == Map({text: text})
    [form] = read(capability.source()).forms
    assert (form[1], form[3]) == (text, text)
    [form] = read(plan.program()).forms
    assert (form[1], form.to_list()[-1]) == (text, text)
    assert read(plan.source()).forms[0][1] == text


@given(HOSTILE)
def test_no_name_breaks_out(name):
    """Each text is refused as a name, or is the whole name."""
    try:
        form = call(name, sym(name)).form
    except ValueError:
        return
    assert form.to_list() == [Symbol.of(name)] * 2
    assert same_forms(read(Expression(form).source()).forms[0], form)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text()
    | st.sampled_from([kw("a"), sym("x"), call("f", 1)]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.integers(-9, 9), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(VALUES)
def test_any_data_reads_back(data):
    form = quote(data).form
    assert same_forms(read(Expression(form).source()).forms[0], form)


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("f", "f", True),
        ("f", "g", False),
        ("(f 1)", "[f 1]", False),
        ("1", "1.0", False),
        ("0", "false", False),
        ("##NaN", "##NaN", True),
        ("(f)", "(f f)", False),
        ("{:a 1}", "{:a 2}", False),
        ("^:k f", "^:j f", False),
        ("^:k f", "^:k f", True),
        ("^:delegation :local f", "f", False),
    ],
)
def test_same_forms(a, b, same):
    assert same_forms(read(a).forms[0], read(b).forms[0]) is same


def test_same_forms_of_deep_data():
    deep = Vector.of()
    for _ in range(100_000):
        deep = Vector.of(deep)
    assert same_forms(deep, Vector.of(*deep))
    assert not same_forms(deep, Set.of(1))
