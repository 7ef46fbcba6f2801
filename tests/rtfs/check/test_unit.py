"""The static checker: every code by a program that shows it, and programs it must leave alone."""

import pytest

from rtfs import errors, ir
from rtfs.analyze import analyze
from rtfs.check.unit import CODES, Problem, check_unit
from rtfs.errors import Span
from rtfs.reader import read
from rtfs.values import Keyword


def check(text: str, **options) -> list[Problem]:
    return check_unit(analyze(read(text)), **options)


def codes(text: str) -> list[str]:
    return [problem.code for problem in check(text)]


#: program, code, part of the message, text that the span covers (one line only)
FINDINGS = [
    ('(defn f [x :int] x) (f "a")', "type-mismatch", 'argument `x` of `f` must be int, got "a"', '"a"'),
    ('(let [x :int "a"] x)', "type-mismatch", '`x` must be int, got "a"', '"a"'),
    ("(def x : int 2.5)", "type-mismatch", "`x` must be int, got 2.5", "2.5"),
    ('(defn f [] :int "a") (f)', "type-mismatch", 'the value of `f` must be int, got "a"', '"a"'),
    ('((fn [x :int] x) "a")', "type-mismatch", "argument `x` of this function must be int", '"a"'),
    ('(let [f (fn [x :int] x)] (f "a"))', "type-mismatch", "argument `x` of `f`", '"a"'),
    ('(defn f [x & ys :int] x) (f "a" 1 "b")', "type-mismatch", "argument `ys` of `f` must be int", '"b"'),
    ('(defn f [x :[:vector :int]] x) (f [1 "a"])', "type-mismatch", "got [:tuple int string]", '[1 "a"]'),
    ("(defn f [x :[:tuple int int]] x) (f [1])", "type-mismatch", "must be [:tuple int int]", "[1]"),
    ("(defn f [x :[:map [:a int]]] x) (f {:b 1})", "type-mismatch", "must be [:map [:a int]]", "{:b 1}"),
    ("(defn f [x :[:and int [:> 3]]] x) (f 2)", "type-mismatch", "must be [:and int [:> 3]], got 2", "2"),
    ("(defn f [x :[:enum :a :b]] x) (f :c)", "type-mismatch", "must be [:enum :a :b], got :c", ":c"),
    ('(+ 1 "a")', "type-mismatch", 'argument 2 of `+` must be number, got "a"', '"a"'),
    ("(string-upper (count [1]))", "type-mismatch", "must be string, got int", "(count [1])"),
    ("(inc (str 1))", "type-mismatch", "must be number, got string", "(str 1)"),
    ("(map 5 [1])", "possible-type-mismatch", "must be fn, keyword, map, set or vector, got 5", "5"),
    ("(for [x 5] x)", "type-mismatch", "the collection of `for` must be vector, list", "5"),
    ('(defn g [x] "s") (inc (g 1))', "type-mismatch", "must be number, got", "(g 1)"),
    (
        "(deftype T [:union int [:vector T]]) (defn f [x :T] x) (f [1 [:a]])",
        "type-mismatch",
        "must be T",
        "[1 [:a]]",
    ),
    (
        "(defstruct P :x int) (P {:y 1})",
        "type-mismatch",
        "the argument of `P` must be [:map [:x int]]",
        "{:y 1}",
    ),
    ('(defstruct P :x int) (P {:x "a"})', "type-mismatch", "the argument of `P` must be", '{:x "a"}'),
    ('(loop [i :int "a"] i)', "type-mismatch", '`i` must be int, got "a"', '"a"'),
    (
        '(defn f [s] (string-upper (or (re-find "a" s) (re-find "b" s))))',
        "possible-type-mismatch",
        "must be string, may be nil",
        '(or (re-find "a" s) (re-find "b" s))',
    ),
    (
        '(defn f [x :int?] (string-upper (and x "a")))',
        "possible-type-mismatch",
        "must be string, may be nil",
        '(and x "a")',
    ),
    (
        "(defn f [x :int] x) (defn g [y :int?] (f y)) (g 1)",
        "possible-type-mismatch",
        "argument `x` of `f` must be int, may be nil",
        "y",
    ),
    ('(defn f [x :int] x) (f (if (f 1) 2 "a"))', "possible-type-mismatch", 'may be "a"', '(if (f 1) 2 "a")'),
    ("(defn f [x y] x) (f 1)", "arity", "`f` takes 2 arguments, got 1", "(f 1)"),
    ("(defn f [x] x) (f)", "arity", "`f` takes 1 argument, got 0", "(f)"),
    ("(defn f [x & r] x) (f)", "arity", "`f` takes at least 1 argument, got 0", "(f)"),
    ("(defn f ([a] a) ([a b c] b)) (f 1 2)", "arity", "`f` takes 1 or 3 arguments, got 2", "(f 1 2)"),
    ("((fn [] 1) 2)", "arity", "this function takes 0 arguments, got 1", "((fn [] 1) 2)"),
    ("(inc 1 2)", "arity", "`inc` takes 1 argument, got 2", "(inc 1 2)"),
    ("(:k {} 1 2)", "arity", "a keyword as a function takes 1 or 2 arguments, got 3", "(:k {} 1 2)"),
    ("({:a 1})", "arity", "a collection as a function takes 1 or 2 arguments, got 0", "({:a 1})"),
    ("(defstruct P :x int) (P)", "arity", "`P` takes 1 argument, got 0", "(P)"),
    ("(5 1)", "not-callable", "expected a function to call, got 5", "(5 1)"),
    ('(let [f "s"] (f 1))', "not-callable", 'got "s"', "(f 1)"),
    ("(deftype A A)", "circular-type", "type `A` is defined in terms of itself", "(deftype A A)"),
    ("(deftype A [:union int A])", "circular-type", "type `A`", "(deftype A [:union int A])"),
    ("(defn f [x :Pont] x)", "unknown-type", "unknown type `Pont`", None),
    ("(prntln 2)", "undefined-symbol", "undefined symbol `prntln`", "prntln"),
    ("(if true 1 2)", "unreachable-code", "this branch never runs", "2"),
    ("(when false (println 1))", "unreachable-code", "this branch never runs", None),
    ("(let [a 1 b 2] a)", "unused-binding", "`b` is never used", "2"),
    ("(hash-map :a 1 :a 2)", "duplicate-key", "the key :a is given twice", None),
    ("(def inc 3)", "shadowed-builtin", "`inc` hides the builtin", "(def inc 3)"),
]


@pytest.mark.parametrize(("text", "code", "message", "covered"), FINDINGS)
def test_findings(text, code, message, covered):
    (problem,) = check(text)
    assert problem.code == code
    assert problem.severity == CODES[code][0]
    assert message in problem.message
    if covered is not None:
        span = problem.span
        assert text[span.column - 1 : span.end_column - 1] == covered


def test_every_code_is_shown_above():
    assert {code for _, code, _, _ in FINDINGS} == set(CODES)


@pytest.mark.parametrize(
    "text",
    [
        "(defn f [x :int] x) (defn g [y :any] (f y)) (g 1)",
        "(defn f [x :int] x) (f (+ 1 2)) (f (/ 4 2)) (f (first [1]))",
        "(defn f [x :float] x) (f 1) (f 2.5)",
        "(defn f [x :int?] x) (f nil) (f 1)",
        "(defn f [x :int] x) (defn g [y :int?] (if y (f y) 0)) (g 1)",
        "(defn f [x :int] x) (defn g [y :int?] (if (nil? y) 0 (f y))) (g 1)",
        "(defn f [x :int] x) (defn g [y :int?] (and y (f y))) (g 1)",
        '(defn f [s] (string-upper (or (re-find "a" s) "")))',
        '(defn f [x :bool] (string-upper (or (and x "yes") "no")))',
        "(defn f [x :int] x) (defn g [a :int? b :int?] (f (or a b 0))) (g nil 1)",
        '(defn f [x :int] x) (let [y "a"] (if (int? y) (f y) 0))',
        '(defn f [x :int] x) (let [y "a"] (match y (:type int) (f y) _ 0))',
        '(defn f [x :int] x) (let [y "a" z y] (if (int? z) (f y) 0))',
        "(defn f [x :int] x) (defn g [y :[:union int string]] (cond (int? y) (f y) :else 0)) (g 1)",
        '(defn f [x :[:map [:a int]]] x) (f {:a 1 :b 2}) (f {"a" 1}) (f (assoc {} :a 1))',
        "(defn f [x :[:vector :int]] x) (f [1 2]) (f []) (f (map inc [1])) (f (vec '(1)))",
        "(deftype T [:union int [:vector T]]) (defn f [x :T] x) (f [1 [2 [3]]])",
        "(defn f [x :[:and int [:> 3] [:custom]]] x) (f 2)",
        '(defstruct P :x int :y string?) (P {:x 1}) (P {:x 1 :y "a"})',
        "(defn f ([a] a) ([a b & c] b)) (f 1) (f 1 2) (f 1 2 3)",
        "(loop [i 0 acc []] (if (< i 10) (recur (inc i) (conj acc i)) acc))",
        '(loop [x 0] (if (= x 0) (recur "a") (string-upper x)))',
        "(let [ev (fn [n] (if (= n 0) true (od (dec n)))) od (fn [n] (if (= n 0) false (ev (dec n))))] (ev 4))",
        "(for [x [1 2] :let [y 2] :when (odd? x)] (+ x y))",
        "(doseq [[k v] {:a 1}] (println k v))",
        "(let [{:keys [a b] :or {a 5}} {:b 1} [c & d] [1 2]] (+ a b c))",
        "(match [1 2] [a b] (+ a b) {:k v} v (:type int) 3 _ 4)",
        "(cond (= 1 2) 1 :else 2)",
        "(case 5 1 :a :b)",
        "(if-let [x (get {:a 1} :a)] x 0)",
        "(->> [1 2] (map inc) (filter odd?))",
        "(#(+ % 1) 2)",
        "(try (throw {:type :x}) (catch e (getMessage e)) (finally 1))",
        '(step "a" :params {"k" 1} %params)',
        "(let [t (async 1)] (await t))",
        "(let [_unused 1] 2)",
        "(def f 1) (def f (fn [x] x)) (f 1)",
        "(defn f [x] x) (defn f [x y] x) (f 1 2)",
        "(module m (:exports [f]) (defn f [x] x)) (defn f [x y] x) (f 1 2)",
        "(let [f (fn [x] x)] (def f (fn [x y] y)) (f 1 2))",
        "(defn f [x] (if x (f nil) 1)) (+ 1 (f 2))",
        "(get :input)",
    ],
)
def test_sound_programs_are_left_alone(text):
    assert check(text) == []


def test_inside_a_try_that_catches_errors_are_warnings():
    (problem,) = check('(try (inc "a") (catch e 1))')
    assert (problem.severity, problem.code) == ("warning", "type-mismatch")
    (problem,) = check('(try (inc "a") (finally 1))')
    assert problem.severity == "error"


def test_hints_name_the_nearest():
    assert check("(prntln 2)")[0].hint == "did you mean `println`?"
    assert check("(deftype Point int) (defn f [x :Pont] x)")[0].hint == "did you mean `Point`?"


def test_names_supplied_from_outside_are_known():
    assert check("(+ lines 1)", known={"lines"}) == []
    assert check("(defn f [x :Point] x)", types={"Point"}) == []


def test_problems_come_in_the_order_of_the_text():
    found = check("(let [a 1] (foo))\n(inc)\n(bar)")
    assert [problem.span.line for problem in found] == [1, 1, 2, 3]


def test_map_keys_given_twice_by_a_macro():
    key = ir.Constant(Keyword.of("a"))
    node = ir.MapOf(((key, ir.Constant(1)), (key, ir.Constant(2))), span=Span(1, 1, 1, 9))
    (problem,) = check_unit(ir.Unit("x", (node,), (), frozenset()))
    assert (problem.code, problem.span) == ("duplicate-key", Span(1, 1, 1, 9))


def test_deep_programs_are_checked_and_endless_ones_refused():
    def nested(depth):
        node = ir.Constant(1)
        for _ in range(depth):
            node = ir.Apply(ir.BuiltinRef("inc"), (node,))
        return ir.Unit("x", (node,), (), frozenset())

    assert check_unit(nested(10_000)) == []
    with pytest.raises(errors.StackOverflow):
        check_unit(nested(150_000))


def test_deeply_nested_literals_stay_small():
    node = ir.Constant(1)
    for _ in range(3_000):
        node = ir.VectorOf((node, ir.Constant("a")))
    call = ir.Apply(ir.BuiltinRef("inc"), (node,))
    (problem,) = check_unit(ir.Unit("x", (call,), (), frozenset()))
    assert problem.message == "the argument of `inc` must be number, got [:tuple [:tuple vector string] string]"
