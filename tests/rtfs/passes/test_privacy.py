"""Which labels the arguments of functions may carry.

In the programs here `@secret` (and any context value of that beginning) carries `s`, answers of `crm.*` carry
`p`, and `redact` declassifies. `f` is the function that is looked at, or those that are named.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import product

import pytest

from rtfs import errors
from rtfs.analyze import analyze
from rtfs.analyze.environment import Environment, MappingModules
from rtfs.function_info import functions_of
from rtfs.host import MemoryHost
from rtfs.passes.callers import CALLERS
from rtfs.passes.optimize import optimize
from rtfs.passes.privacy import argument_labels
from rtfs.passes.privacy.library import ALL, CAPABILITIES, MAKERS
from rtfs.program import new_run
from rtfs.reader import read
from rtfs.run import deep_recursion, running
from rtfs.security import RuntimeContext
from rtfs.stdlib.table import BUILTINS
from rtfs.values import Keyword, Map, Vector, is_function


class Sources:
    """Labels by the beginning of a name."""

    def __init__(self, context=None, capabilities=None, declassified=("redact", "tools/redact")):
        self.context = {"secret": "s"} if context is None else context
        self.capabilities = {"crm.": "p"} if capabilities is None else capabilities
        self.declassified = declassified

    def of_context(self, key):
        return self._of(self.context, key)

    def of_capability(self, id):
        return self._of(self.capabilities, id)

    def _of(self, labels, name):
        return frozenset(label for start, label in labels.items() if name is None or name.startswith(start))

    def declassifies(self, symbol):
        return symbol in self.declassified


NO_SOURCES = Sources({}, {})


def labels_by_symbol(text, sources=None, run_labels=frozenset(), modules=None):
    """Symbol of each function → its labels as text, `s`, `p s` or nothing."""
    store = MappingModules(modules or {})
    environment = Environment(store)
    unit = analyze(read(text), environment)
    units = [unit, *[environment.module_unit(name) for name in modules or {}]]
    found = argument_labels(units, Sources() if sources is None else sources, run_labels)
    return {
        info.symbol: " ".join(sorted(found.get(id(node), ())))
        for each in units
        for node, info in functions_of(each)
    }


F = "(defn f [x & more] x) "

# ---------------------------------------------------------------- explicit flow


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(f 1)", ""),
        ("(f @secret)", "s"),
        ("(f secret)", "s"),
        ("(f (get :secret))", "s"),
        ("(f @:secret)", "s"),
        ("(f (context/get :secret))", "s"),
        ('(f (context/get "secret"))', "s"),
        ("(f (context/get 'secret))", "s"),
        ('(f (context/get (keyword (str "sec" "ret"))))', "s"),
        ("(f other)", ""),
        ("(f (context/get :other))", ""),
        ("(f (context/get (call :crm.get)))", "p s"),
        ("(f (call :crm.get 7))", "p"),
        ('(f (call "crm.get" 7))', "p"),
        ("(f (call :weather.get 7))", ""),
        ('(f (call (str "cr" "m.get") 7))', "p"),
        ("(f (call @secret))", "p s"),
        ("(f @secret (call :crm.get))", "p s"),
        ("(f 1 2 3 @secret)", "s"),
        ("(str @secret) (f 1)", ""),
        ("(defn f [x] x) (f)", ""),
        ("(defn g [x] x) (g 1 @secret) (f (g 1))", "s"),
        # through operations and data
        ("(f (+ 1 (count (str @secret))))", "s"),
        ("(f {:a [#{(list @secret)}]})", "s"),
        ("(f (:k {:k @secret}))", "s"),
        ("(f ({:k @secret} :k))", "s"),
        ("(f ([1 2] @secret))", "s"),
        ("(f `(1 ~@secret))", "s"),
        ("(f (get-in {:a {:b @secret}} [:a :b]))", "s"),
        ("(f (update {:a @secret} :a inc))", "s"),
        ("(f (assoc {} @secret 1))", "s"),
        # through names
        ("(let [a @secret b a] (f b))", "s"),
        ("(let [a @secret b 1] (f b))", ""),
        ("(let [[a b] [1 @secret]] (f a))", "s"),
        ("(let [{:keys [a] :or {a @secret}} {}] (f a))", "s"),
        ("(let [{a :a & r} {:b @secret}] (f r))", "s"),
        ("(def g @secret) (f g)", "s"),
        ("(def g 1) (def g @secret) (f g)", "s"),
        ("(f (def g @secret))", "s"),
        ("(defn h [] (f (def g @secret))) (h)", "s"),
        ("(f ^{:runtime.x 1} (identity @secret))", "s"),
        ("(defn h [] (def v @secret) (f v))", "s"),
        ("(let [a 1] (def a @secret) (f a))", "s"),
        ("(as-> @secret it (str it) (f it))", "s"),
        ("(-> @secret str f)", "s"),
        ("(some-> @secret f)", "s"),
        ("(if-let [a @secret] (f a) 1)", "s"),
        ("(for [a @secret] (f a))", "s"),
        ("(doseq [a [1] :let [b @secret]] (f b))", "s"),
        ("(dotimes [i @secret] (f i))", "s"),
        ("(loop [a 0 b @secret] (if (< a 3) (recur (inc a) b) (f b)))", "s"),
        ("(loop [a 0 b 1] (if (< a 3) (recur (inc a) @secret) (f b)))", "s"),
        ("(loop [a 0 b 1] (if (< a 3) (recur (inc a) 2) (f b)))", ""),
        ("(match @secret {:k v} (f v) _ 1)", "s"),
        ("(match @secret [a & r] (f r) _ 1)", "s"),
        ("(case @secret 1 (f 1) 2)", "s"),
        ('(step "a" :params {"k" @secret} (f (get %params "k")))', "s"),
        ('(step "a" (f @secret))', "s"),
        ("(step-parallel (f 1) (str @secret))", ""),
        ("(f (await (async @secret)))", "s"),
        ("(f (race 1 @secret))", "s"),
        ('(f (plan "n" :k @secret))', "s"),
        # through functions
        ("(defn id [x] x) (f (id @secret))", "s"),
        ("(defn id [x] x) (id @secret) (f (id 1))", "s"),  # callers are not told apart
        ("(defn load [] (call :crm.get)) (f (load))", "p"),
        ("(defn pair [a b] (f b)) (pair @secret 1)", ""),
        ("(defn pair [a b] (f b)) (pair 1 @secret)", "s"),
        ("(defn over ([a] (f a)) ([a b] a)) (over @secret 1) (over 1)", ""),
        ("(defn over ([a] a) ([a & r] (f r))) (over 1 @secret) (over 1)", "s"),
        ("(defn rec [n x] (if (= n 0) (f x) (rec (dec n) (str x)))) (rec 3 @secret)", "s"),
        ("(defn rec [n x] (if (= n 0) (f x) (recur (dec n) @secret))) (rec 3 1)", "s"),
        ("(defn one [x] (two x)) (defn two [x] (one (f x))) (one @secret)", "s"),
        ("((fn [x] (f x)) @secret)", "s"),
        ("((fn self [n x] (if n (self nil @secret) (f x))) 1 2)", "s"),
        ("(let [g (fn [x] (f x))] (g @secret))", "s"),
        ("(letfn [(g [x] (h x)) (h [x] (f x))] (g @secret))", "s"),
        ("(defn g [{:keys [a]}] (f a)) (g {:a @secret})", "s"),
        # whoever runs a function may answer with what it was given
        ("(defn g [x] 1) (f (g @secret))", "s"),
        ("(defn g [x] 1) (g @secret) (f (str 1))", ""),
        # macros are gone before
        ("(defmacro give [g] `(~g @secret)) (give f)", "s"),
        ("(defmacro sneak [] (list 'f 'secret)) (sneak)", "s"),
    ],
)
def test_explicit(text, expected):
    assert labels_by_symbol(F + text)["f"] == expected


# ---------------------------------------------------------------- functions as values


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(map f [1])", ""),
        ("(map f [@secret])", "s"),
        ("(map f [1] [@secret])", "s"),
        ("(map (fn [x] (f x)) @secret)", "s"),
        ("(map #(f %) @secret)", "s"),
        ("(map str @secret) (map f [1])", ""),
        ("(map (fn [y] y) @secret) (map f [1])", ""),
        ("(f (map (fn [y] 1) @secret))", "s"),
        ("(map (fn [y] (f 1)) @secret)", "s"),  # how often
        ("(filter f @secret)", "s"),
        ("(reduce f @secret [1])", "s"),
        ("(reduce (fn [a b] (f a) b) 0 [1 @secret])", "s"),
        ("(apply f @secret)", "s"),
        ("(apply f 1 [2 @secret])", "s"),
        ("(apply apply [f [@secret]])", "s"),
        ("(sort-by f @secret)", "s"),
        ("(sort (fn [a b] (f a)) @secret)", "s"),
        ("(update {:k @secret} :k f)", "s"),
        ('(update {:k @secret} :k "f")', "s"),
        ("(update-in {:k {:l @secret}} [:k :l] f)", "s"),
        ("(merge-with f {:a 1} {:a @secret})", "s"),
        ("((comp f str) @secret)", "s"),
        ("((comp str f) @secret)", "s"),
        ("((comp f (fn [y] (call :crm.get y))) 1)", "p"),
        ("((partial f 1) @secret)", "s"),
        ("((partial f @secret))", "s"),
        ("(let [g (partial f @secret)] (g))", "s"),
        ("((juxt str f) @secret)", "s"),
        ("((memoize f) @secret)", "s"),
        ("((fnil f 1) @secret)", "s"),
        ("((fnil f @secret) nil)", "s"),
        ("((complement f) @secret)", "s"),
        ("(f ((constantly @secret) 1))", "s"),
        ("(((fn [g] (partial g 1)) f) @secret)", "s"),
        # user-made higher-order functions, escapes
        ("(defn call-it [g x] (g x)) (call-it f @secret)", "s"),
        ("(defn call-it [g x] (g x)) (call-it str @secret) (f 1)", ""),
        ("(defn twice [g] (fn [x] (g (g x)))) ((twice f) @secret)", "s"),
        ("(let [g f] (g @secret))", "s"),
        ("(def g f) (g @secret)", "s"),
        ("(map (def g f) @secret)", "s"),
        ("(map (def g (fn [x] (f x))) @secret)", "s"),
        ("(def g (if other f str)) (g @secret)", "s"),
        ("({:k f} :k) (let [{g :k} {:k f}] (g @secret))", "s"),
        ("((:k {:k f}) @secret)", "s"),
        ("((get-in {:a [f]} [:a 0]) @secret)", "s"),
        ("((first (filter fn? [1 f])) @secret)", "s"),
        ("((nth (sort-by str [f]) 0) @secret)", "s"),
        ("((map {:a f} [:a]) @secret)", "s"),
        ("(let [m map] (m f @secret))", "s"),
        ("(let [a apply] (a map [f [@secret]]))", "s"),
        ("(reduce (fn [g h] (comp g h)) [f str]) ((reduce comp [f str]) @secret)", "s"),
        ("(map partial [f]) ((first (map partial [f])) @secret)", "s"),
        ("(f ((first [call]) :crm.get))", "p"),
        ("(f (apply call [:crm.get]))", "p"),
        ("(f (map call [:crm.get]))", "p"),
        ("(f (map context/get [:secret]))", "s"),
        ("(f (map context/get [(call :crm.get)]))", "p s"),
        ('(f (update {:a :crm.get} :a (str "ca" "ll")))', "p s"),
        ('(def how "call") (f (update {:a :crm.get} :a how))', "p s"),
        ("(defn how [x] x) (f (update {:a :crm.get} :a how))", ""),
        ('(f (apply update [{:a :crm.get} :a "call"]))', "p s"),
        ("(defn hof [g] (map g [1])) (hof f) (hof (fn [y] @secret))", "s"),
        ("((try (throw {:type :t :g f}) (catch :t e (:g (ex-data e)))) @secret)", "s"),
        ("(try (throw f) (catch e ((ex-data e) @secret)))", "s"),
        ('((ex-data (ex-info "m" {:g f})) @secret)', "s"),
        ("(race ((await (async f)) @secret))", "s"),
        ("(call :any.store f) ((call :any.load) @secret)", "s"),
        ("(context/set :g f) ((context/get :g) @secret)", "s"),
        ("(context/set :g f) (g @secret)", "s"),
        ('(kv/assoc! "t" :g f) ((:g (kv/conj! "t" 1)) @secret)', "s"),
        ("(call :any.run f @secret)", "s"),  # the host may call what it is given
        ("(call :any.run f) (call :any.other @secret)", "s"),
    ],
)
def test_functions_as_values(text, expected):
    assert labels_by_symbol(F + text)["f"] == expected


# ---------------------------------------------------------------- captured data


@pytest.mark.parametrize(
    ("text", "function", "expected"),
    [
        ("(defn g [] @secret)", "g", "s"),
        ("(defn g [] (get :secret))", "g", "s"),
        ("(defn g [] (context/get :secret))", "g", "s"),
        ("(defn g [] (call :crm.get))", "g", ""),
        ("(def data @secret) (defn g [] data)", "g", "s"),
        ("(def data @secret) (defn h [] data) (defn g [] (h))", "g", "s"),
        ("(def data @secret) (defn h [] data) (defn g [] (map h []))", "g", "s"),
        ("(def data @secret) (defn h [] data) (defn g [] h)", "g", "s"),
        ("(def data @secret) (defn g [] ((fn inner [] data)))", "g", "s"),
        ("(def data @secret) (defn g [] 1)", "g", ""),
        ("(let [data @secret] (fn g [] data))", "g", "s"),
        ("(let [data @secret] (fn g [] (fn inner [] data)))", "g", "s"),
        ("(let [data @secret] (fn g [] (let [h (fn inner [] data)] h)))", "inner", "s"),
        # what is made inside is not captured
        ("(defn g [] (let [data (call :crm.get)] (fn inner [] data)))", "inner", "p"),
        ("(defn g [] (let [data (call :crm.get)] (fn inner [] data)))", "g", ""),
        ("(let [data @secret g (fn g [] data)] (f g))", "f", "s"),
        ("(defn g [] (def later (call :crm.get)) (fn inner [] later))", "inner", "p"),
        ("(defn g [] (let [k (fn inner [] (later))] (def later (fn [] (call :crm.get))) k))", "g", ""),
        ("(def g (let [n (call :crm.get)] (fn counting [] n)))", "counting", "p"),
    ],
)
def test_captured(text, function, expected):
    assert labels_by_symbol(F + text)[function] == expected


def test_captured_through_many_levels():
    depth = 100
    text = "(let [data @secret] " + "(fn [] " * depth + "data" + ")" * depth + ")"
    found = argument_labels([analyze(read(text))], Sources())
    assert list(found.values()) == [frozenset("s")] * depth


# ---------------------------------------------------------------- implicit flow


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(if @secret (f 1) 2)", "s"),
        ("(if @secret 1 (f 2))", "s"),
        ("(if (f 1) @secret 2)", ""),
        ("(when (= @secret 3) (f 1))", "s"),
        ("(if-not @secret 1 (f 2))", "s"),
        ("(cond other 1 @secret 2 :else (f 3))", "s"),
        ("(cond (f 1) 2 @secret 3)", ""),
        ("(and @secret (f 1))", "s"),
        ("(and (f 1) @secret)", ""),
        ("(or 1 @secret (f 2))", "s"),
        ("(f (if @secret 1 2))", "s"),
        ("(f (and @secret 1))", "s"),
        ("(let [a (if @secret 1 2)] (f a))", "s"),
        ("(match @secret 1 (f 2) _ 3)", "s"),
        ("(match @secret (:type int) (f 2) _ 3)", "s"),
        ("(match @secret [:vector :int] (f 2) _ 3)", "s"),
        ("(match [1 2] [a b] when (= a @secret) (f 1) _ 3)", "s"),
        ("(case 1 1 2 @secret) (case @secret 1 2 (f 1))", "s"),
        ("(for [a @secret] (f 1))", "s"),
        ("(for [a [1] :when @secret] (f 1))", "s"),
        ("(for [a [1] :while @secret] (f 1))", "s"),
        ("(for [a [(f 1)] :when @secret] 1)", ""),
        ("(dotimes [_ @secret] (f 1))", "s"),
        ("(f (for [a [1 2] :when (= a @secret)] 1))", "s"),
        ("(loop [i 0] (f 1) (if (< i @secret) (recur (inc i)) 1))", "s"),
        ("(loop [i 0] (if (< i @secret) (recur (inc i)) (f 1)))", "s"),
        ("(f (loop [i 0] (if (< i @secret) (recur (inc i)) i)))", "s"),
        ("(step-loop (< (f 1) @secret) 1)", "s"),
        ("(step-if @secret (f 1) 2)", "s"),
        ("(defn count-to [i] (f 1) (if (< i @secret) (recur (inc i)) 1)) (count-to 0)", "s"),
        ("(defn count-to [i] (f 1) (if (< i @secret) (count-to (inc i)) 1)) (count-to 0)", "s"),
        # in called functions
        ("(defn g [] (f 1)) (if @secret (g) 2)", "s"),
        ("(defn h [] (f 1)) (defn g [] (h)) (when @secret (g))", "s"),
        ("(defn g [] (f 1)) (if @secret 1 2) (g)", ""),
        ("(let [g (fn [] (f 1))] (when @secret (g)))", "s"),
        ("(when @secret (map (fn [x] (f 1)) [1]))", "s"),
        ("(defn run [g] (g)) (when @secret (run (fn [] (f 1))))", "s"),
        ("((if @secret f str) 1)", "s"),
        ("((if @secret (fn [] (f 1)) (fn [] 2)))", "s"),
        ("((get {1 (fn [] (f 1))} @secret str))", "s"),
        ("(some? (fn [x] (f 1) (= x @secret)) [1 2 3])", "s"),
        ("(every? (fn [x] (= x @secret)) [(f 1)])", ""),
        ("(take-while (fn [x] (f 1)) @secret)", "s"),
        ("(def data @secret) (defn g [] (f 1) data) (g)", ""),  # that it captures data decides nothing
        ("(defn g [] (str @secret) (f 1)) (g)", ""),
        # definitions under a condition
        ("(if @secret (defn g [] 1) 2) (f (try (g) (catch e 2)))", "s"),
        ("(if @secret (defn g [] (f 1)) 2) (try (g) (catch e 2))", "s"),
        ("(if @secret (defn g [] 1) 2) (try (do (g) (f 1)) (catch e 2))", "s"),
        ("(def flag false) (if @secret (def flag true) 1) (f flag)", "s"),
        ("(defn g [] (def v 1) (when @secret (def v 2)) (f v)) (g)", "s"),
        ("(if @secret (defn g [] 1) (defn g [] 2)) (f (g))", "s"),
        # errors
        ("(try (throw @secret) (catch e (f e)))", "s"),
        ("(try (throw @secret) (catch e (f 1)))", "s"),
        ("(try (/ 1 @secret) (catch e (f 1)))", "s"),
        ("(try (str 1) (catch e (f e)))", ""),
        ("(f (try (/ 1 @secret) 1 (catch e 2)))", "s"),
        ("(defn g [] (when @secret (throw 1))) (try (g) (catch e (f 1)))", "s"),
        ("(defn h [] (/ 1 @secret)) (defn g [] (h)) (try (g) (catch e (f 1)))", "s"),
        ("(defn g [x] (nth [1] x)) (try (g @secret) (catch e (f 1)))", "s"),
        ("(try (call :crm.get) (catch e (f 1)))", "p"),
        ("(try (map (fn [x] (/ 1 x)) @secret) (catch e (f 1)))", "s"),
        ("(try (let [a : int @secret] 1) (catch e (f 1)))", "s"),
        ("(try (let [[a b] @secret] 1) (catch e (f 1)))", "s"),
        ("(try (@secret) (catch e (f 1)))", "s"),
        ("(try {secret 1} (catch e (f 1)))", "s"),
        ("(let [a @secret] (try (/ 1 a) (catch e (f 1))))", "s"),
        ("(let [a @secret] (try (a) (catch e (f 1))))", "s"),
        ("(let [a @secret] (try [a] (catch e (f 1))))", "s"),
        ("(let [a @secret] (try (do (def b : int a) 1) (catch e (f 1))))", "s"),
        ("(let [a @secret] (try (do (str a) (f 1)) (catch e 2)))", "s"),
        ("(let [a @secret] (try (let [[b c] a] (f 1)) (catch e 2)))", "s"),
        ("(let [a @secret] (try (let [b : int a] (f 1)) (catch e 2)))", "s"),
        ("(let [a @secret] (try (f 1) (catch e a)))", ""),
        ("(let [a @secret] (f (try 1 (catch e a))))", "s"),
        ("(defn g [x] : int x) (try (g @secret) (catch e (f 1)))", "s"),
        ("(try (throw {:data @secret}) (catch e (f (ex-data e))))", "s"),
        ("(try (try (throw @secret) (catch e (/ 1 0))) (catch e (f (ex-cause e))))", "s"),
        ("(try (throw @secret) (finally (f 1)))", ""),
        ("(f (try @secret (finally 1)))", "s"),
        ("(try 1 (catch e 2) (finally (f @secret)))", "s"),
        # what an error ends shows, if the error is caught
        ("(try (when @secret (throw 1)) (f 1) (catch e 2))", "s"),
        ("(try (/ 1 @secret) (f 1) (catch e 2))", "s"),
        ("(defn g [] (when @secret (throw 1)) (f 1)) (try (g) (catch e 2))", "s"),
        ("(defn g [] (/ 1 @secret)) (defn h [] (g) (f 1)) (try (h) (catch e 2))", "s"),
        ("(when @secret (throw 1)) (f 1)", ""),  # the run ends: not covered
        ("(async (do (when @secret (throw 1)) (f 1)))", "s"),
        ("(race (do (when @secret (throw 1)) (f 1)) 2)", "s"),
        ("(f (ticket-state (async (/ 1 @secret))))", "s"),
        ("(try (f 1) (catch e @secret))", ""),
        # one bit at a time
        (
            """(defn bit [n] (mod (quot @secret n) 2))
               (for [n [1 2 4 8]] (try (do (/ 1 (bit n)) (f n)) (catch e 0)))""",
            "s",
        ),
        ("(doseq [c [1 2 3]] (if (= c (count (str @secret))) (f c) nil))", "s"),
        ("(loop [n 0] (if (= n (count (str @secret))) (f n) (recur (inc n))))", "s"),
        ("(f (first (filter (fn [n] (= n @secret)) (range 100))))", "s"),
        ("(f (count (take-while (fn [n] (< n @secret)) (range 100))))", "s"),
        ("(f (index-of [1 2] @secret))", "s"),
        ("(f (contains? #{1 2} @secret))", "s"),
        # through types that ask functions
        ("(defn ask [v] (f v) true) (deftype T [:and any [ask]]) (let [x : T @secret] 1)", "s"),
        ("(defn ask [v] (f v) true) (let [x : [:and any [ask]] @secret] 1)", "s"),
        ("(defn ask [v] (f v) true) (def v : [:and any [ask]] @secret)", "s"),
        ("(defn ask [v] (f v) true) (defn g [] (def v : [:and any [ask]] @secret))", "s"),
        ("(defn ask [v] (f v) true) (loop [v : [:and any [ask]] @secret] 1)", "s"),
        ("(defn ask [v] (f v) true) (defn g [x : [:vector [:and any [ask]]]] 1) (g @secret)", "s"),
        ("(defn ask [v] (f v) true) (defn g [] : [:and any [ask]] @secret) (g)", "s"),
        ("(defn ask [v] (f v) true) (match @secret [:and any [ask]] 1 _ 2)", "s"),
        ("(defn ask [v] (f v) true) (defstruct P :k [:and any [ask]]) (P {:k @secret})", "s"),
        ("(defn ask [v] (f 1) true) (when @secret (let [x : [:and any [ask]] 1] 1))", "s"),
        ("(defn ask [v] (= v @secret)) (f (match 1 [:and any [ask]] 1 _ 2))", "s"),
        ("(defn ask [v] (= v @secret)) (try (let [x : [:and any [ask]] 1] (f 1)) (catch e 2))", "s"),
        # through the host
        ("(call :any.put @secret) (f (call :any.get))", "s"),
        ("(call :any.put @secret) (f (call :different.get))", "s"),
        ("(call :any.put (call :crm.get)) (f other)", "p"),
        ("(when @secret (call :any.put 1)) (f (call :any.get))", "s"),
        ("(call (if @secret :a.b :a.c)) (f (call :a.get))", "s"),
        ("(context/set :k @secret) (f (context/get :k))", "s"),
        ("(context/set :k @secret) (f k)", "s"),
        ("(context/set :k @secret) (f @k)", "s"),
        ("(when @secret (context/set :k 1)) (f (get :k))", "s"),
        ("(context/set (str @secret) 1) (f (context/get :k))", "s"),
        ("(ccos.context/set :k @secret) (f (context/get :k))", "s"),
        ('(kv/assoc! "t" :k @secret) (f (kv/conj! "t" 1))', "s"),
        ('(kv/assoc! @secret :k 1) (f (call :ccos.state.kv.get "t"))', "s"),
        ("(map (fn [x] (context/set :k x)) @secret) (f k)", "s"),
        ("((first [context/set]) :k @secret) (f k)", "s"),
        ("^{:runtime.x @secret} (str 1) (f (call :any.get))", "s"),
        ('(step "a" :context-keys [@secret] 1) (f (call :any.get))', "s"),
        ("(println @secret) (log @secret) (f (call :any.get))", ""),
        ("(println (call :crm.get)) (f (current-time-millis))", ""),
        ("(f (println @secret))", "s"),
        ("(f (gensym @secret))", "s"),
        ("(dotimes [_ @secret] (gensym)) (f (gensym))", "s"),
        ('(f (llm-execute "echo-model" @secret))', "s"),
        # names that are not here
        ("(f (far.away/get))", "p s"),
        ("(far.away/give f) ", "p s"),
        ("(far.away/keep @secret) (f (call :any.get))", "s"),
        ("(other @secret) (f (call :any.get))", "s"),
        ("(call :any.put @secret) (f (other))", "s"),
    ],
)
def test_implicit(text, expected):
    assert labels_by_symbol(F + text)["f"] == expected


# ---------------------------------------------------------------- annotations


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(defn ^{:privacy :a} g [x] x)", {"g": "a"}),
        ("(defn g ^{:privacy :a} [x] x)", {"g": "a"}),
        ("^{:privacy :a} (defn g [x] x)", {"g": "a"}),
        ("(def ^{:privacy :a} g (fn [x] x))", {"g": "a"}),
        ("(def g ^{:privacy :a} (fn [x] x))", {"g": "a"}),
        ("(def ^{:privacy :a} g ^{:privacy :b} (fn [x] x))", {"g": "a b"}),
        ("(defn ^{:privacy :a} g ^{:privacy :b} [x] x)", {"g": "a b"}),
        ("(defn g ([x] x) (^{:privacy :a} [x y] x))", {"g": "a"}),
        ("(letfn [(g ^{:privacy :a} [x] x)] 1)", {"g": "a"}),
        ('(defn ^{:privacy "a"} g [x] x)', {"g": "a"}),
        ("(defn ^{:privacy a} g [x] x)", {"g": "a"}),
        ('(defn ^{:privacy [:a #{:b "c"}]} g [x] x)', {"g": "a b c"}),
        ("(defn ^{:privacy 7} g [x] x)", {"g": "7"}),
        ("(defn ^:privacy g [x] x)", {"g": "true"}),
        ("(defn ^{:privacy []} g [x] x)", {"g": ""}),
        ("(defn ^{:other :a} g [x] x)", {"g": ""}),
        # what goes in and what comes out carries it
        ("(defn ^{:privacy :a} g [] 1) (f (g))", {"f": "a"}),
        ("(defn ^{:privacy :a} g [x] (f x)) (g 1)", {"f": "a"}),
        ("(defn ^{:privacy :a} g [x] (f 1)) (g 1)", {"f": ""}),
        ("(defn ^{:privacy :a} g [] 1) (map f (map g [1]))", {"f": "a"}),
        ("((fn ^{:privacy :a} [x] (f x)) 1)", {"f": "a"}),
        # parameters
        ("(defn g [^{:privacy :a} x y] (f x)) (g 1 2)", {"f": "a", "g": "a"}),
        ("(defn g [^{:privacy :a} x y] (f y)) (g 1 2)", {"f": "", "g": "a"}),
        ("(defn g [x & ^{:privacy :a} r] (f r)) (g 1)", {"f": "a", "g": "a"}),
        ("(defn g [^{:privacy :a} x : int] (f x)) (g 1)", {"f": "a", "g": "a"}),
        ("(defn g [^{:privacy :a} {:keys [k]}] (f k)) (g {:k 1})", {"f": "a", "g": "a"}),
        ("(defn g [{:k ^{:privacy :a} k}] (f k)) (g {:k 1})", {"f": "a", "g": "a"}),
        ("(defn g [[^{:privacy :a} k]] (f k)) (g [1])", {"f": "a", "g": "a"}),
        ("((fn [^{:privacy :a} x] (f x)) 1)", {"f": "a"}),
        # data
        ("(def ^{:privacy :a} data 1) (f data)", {"f": "a"}),
        # made by macros
        ("(defmacro m [] `(defn ^{:privacy :a} g [x#] x#)) (m)", {"g": "a"}),
    ],
)
def test_annotations(text, expected):
    found = labels_by_symbol(F + text, NO_SOURCES)
    assert {name: found[name] for name in expected} == expected


def test_the_optimiser_keeps_annotations():
    unit = optimize(analyze(read(F + "((fn [^{:privacy :a} x] (f x)) 1) ((fn ^{:privacy :b} [x] (f x)) 1)")))
    found = argument_labels([unit], NO_SOURCES)
    assert {info.symbol: found[id(node)] for node, info in functions_of(unit)}["f"] == {"a", "b"}


# ---------------------------------------------------------------- declassification


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(defn redact [x] (count x)) (f (redact @secret))", ""),
        ("(defn redact [x] (count @secret)) (f (redact 1))", ""),
        ("(defn redact [x] x) (redact @secret) (f 1)", ""),
        ("(defn redact [x] (f x)) (redact @secret)", "s"),
        ("(defn redact [x] x) (if (redact @secret) (f 1) 2)", ""),
        ("(defn redact [x] x) (if @secret (f (redact 1)) 2)", "s"),
        ("(defn redact [x] x) (when @secret (context/set :k (redact 1))) (f k)", "s"),
        ("(def redact (fn [x] x)) (f (redact @secret))", ""),
        # whether it ends with an error is no result
        ("(defn redact [x] (/ 1 x)) (try (redact @secret) (f 1) (catch e 2))", "s"),
        ("(defn redact [] (/ 1 @secret)) (try (redact) (catch e (f 1)))", "s"),
        # not by its name, not for sure that function, or not that function at all
        ("(defn redact [x] x) (f (map redact @secret))", "s"),
        ("(defn redact [x] x) (let [g redact] (f (g @secret)))", "s"),
        ("(defn redact [x] 1) (defn redact [x] x) (f (redact @secret))", "s"),
        ("(defn redact [x] 1) (if other (def redact str) 2) (f (redact @secret))", "s"),
        ("(let [redact (fn [x] x)] (f (redact @secret)))", "s"),
        ("(f ((fn redact [x] x) @secret))", "s"),
        ("(defn g [] (defn redact [x] x) (f (redact @secret))) (g)", "s"),
        ("(def redact (fn other [x] x)) (f (redact @secret))", "s"),
        ("(def other (fn redact [x] x)) (f (other @secret))", "s"),
        ("(defn other [x] x) (f (other @secret))", "s"),
        ("(defn ^:redact other [x] x) (f (other @secret))", "s"),
        # a function it makes is still known
        ("(defn redact [x] (fn [y] (f y))) ((redact 1) @secret)", "s"),
    ],
)
def test_declassification(text, expected):
    assert labels_by_symbol(F + text)["f"] == expected


# ---------------------------------------------------------------- modules, runs, sessions


MODULES = {
    "m": """(module m (:exports [give data put later id redact])
        (import n)
        (def data @secret)
        (defn give [] @secret)
        (defn put [x] (hidden x))
        (defn hidden [x] x)
        (defn later [g] (g @secret))
        (defn id [x] (n/id x))
        (defn redact [x] 1))""",
    "n": "(module n (:exports [id]) (defn id [x] x))",
    "noisy": "(module noisy (:exports [x g]) (defn told [x] x) (def x (told 1)) (defn g [] 1))",
    "tools": "(module tools (:exports [redact]) (defn redact [x] 1))",
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(import m) (f (m/give))", {"f": "s"}),
        ("(import m :as k) (f (k/give))", {"f": "s"}),
        ("(import m :only [give]) (f (give))", {"f": "s"}),
        ("(f (m/give))", {"f": "s"}),
        ("(import m :only [data]) (f data)", {"f": "s"}),
        ("(import m :only [put]) (map (fn [g] (g @secret)) [put])", {"m/put": "s"}),
        ("(if @secret (import n :only [id]) 1) (f (try (id 1) (catch e 2)))", {"f": "s"}),
        ("(f m/data)", {"f": "s"}),
        ("(m/put @secret)", {"m/put": "s", "m/hidden": "s", "f": ""}),
        ("(m/put 1)", {"m/put": "", "m/hidden": ""}),
        ("(map m/put @secret)", {"m/put": "s"}),
        ("(apply m/put [@secret])", {"m/put": "s"}),
        ("(m/later f)", {"f": "s"}),
        ("(f (m/id @secret))", {"f": "s", "m/id": "s", "n/id": "s"}),
        ("(m/put m/hidden)", {"m/hidden": ""}),
        ("(if @secret noisy/x 1)", {"noisy/told": "s"}),
        ("(if @secret (noisy/g) 1)", {"noisy/told": "s"}),
        ("(if @secret (map noisy/g []) 1)", {"noisy/told": "s"}),
        ("(if @secret (import noisy) 1)", {"noisy/told": "s"}),
        ("(import noisy) (if @secret (f 1) 1)", {"noisy/told": "", "f": "s"}),
        ("(f (tools/redact @secret))", {"f": ""}),
        ("(import tools :only [redact]) (f (redact @secret))", {"f": ""}),
        ("(f (m/redact @secret))", {"f": "s"}),
        # in the text itself
        ("(module k (:exports [g]) (defn g [x] x)) (import k) (k/g @secret)", {"k/g": "s", "f": ""}),
        ("(module k (:exports [g]) (defn f [x] x) (defn g [x] (f x))) (k/g @secret)", {"k/f": "s", "f": ""}),
        (
            "(module tools (:exports [redact]) (defn redact [x] 1) (def redact str)) (f (tools/redact secret))",
            {"f": "s"},
        ),
    ],
)
def test_modules(text, expected):
    found = labels_by_symbol(F + text, modules=MODULES)
    assert {name: found[name] for name in expected} == expected


def test_labels_of_the_run():
    text = F + "(f @secret) (fn g [x] x)"
    assert labels_by_symbol(text, run_labels=frozenset("r")) == {"f": "r s", "g": "r"}
    assert labels_by_symbol(text, NO_SOURCES, frozenset("r")) == {"f": "r", "g": "r"}
    assert labels_by_symbol("(fn ^{:privacy :a} g [x] x)", NO_SOURCES, frozenset("r")) == {"g": "a r"}


def test_nothing_to_find():
    unit = analyze(read(F + "(map (fn [x] (f x)) @secret)"))
    assert argument_labels([unit], NO_SOURCES, frozenset()) == {}
    assert argument_labels([], Sources(), frozenset("r")) == {}


def test_inputs_of_a_session_share_their_globals():
    environment = Environment()
    inputs = [F, "(def data @secret)", "(defn g [] (f data))"]
    units = [analyze(read(text), environment) for text in inputs]
    found = argument_labels(units, Sources())
    lambdas = [node for unit in units for node, _ in functions_of(unit)]
    assert [found[id(node)] for node in lambdas] == [frozenset("s")] * 2


# ---------------------------------------------------------------- the library

#: the clock of the host is all there is to their effect
WAITING = {"await", "ticket-state"}


def test_all_effects_are_known():
    effects = {entry.name for entry in BUILTINS.values() if entry.effect}
    known = {BUILTINS[name].name for name in CAPABILITIES}
    assert effects == {*known, *WAITING, "context/get", "context/set"}


@pytest.mark.parametrize("name", sorted(name for name, ids in CAPABILITIES.items() if ids is not None))
def test_capabilities_of_builtins(name):
    asked = set()

    class Asking(MemoryHost):
        def execute_capability(self, capability_id, args):
            asked.add(capability_id)

    with running(new_run(Asking(), RuntimeContext.full(), None, None)):
        for count in range(4):
            for sample in ("a", Keyword.of("a"), 1):
                with suppress(errors.RtfsError, TypeError):
                    BUILTINS[name].function(*[sample] * count)
    assert asked
    assert asked <= CAPABILITIES[name]


SAMPLES = (1, "ab", Keyword.of("k"), Vector([Vector([1, 2])]), Map({"a": 1, Keyword.of("k"): Vector([1, 2])}))


@pytest.mark.parametrize("name", sorted({entry.name for entry in BUILTINS.values() if not entry.effect}))
def test_functions_that_builtins_call(name):
    """A builtin calls functions only where the tables say so, and never functions inside of its arguments."""
    positions = CALLERS.get(name, MAKERS.get(name, ())) if name in CALLERS or name in MAKERS else ()
    called = set()
    made = False

    def spy(at):
        def called_at(*args):
            called.add(at)
            return args[0] if args else None

        return called_at

    with running(new_run(None, None, None, None)):
        for count in range(1, 4):
            for at in range(count):
                for others in product(SAMPLES, repeat=count - 1):
                    for kind, value in ((at, spy(at)), ("inside", Vector([spy("inside")]))):
                        args = [*others[:at], value, *others[at:]]
                        with suppress(errors.RtfsError, TypeError):
                            answer = BUILTINS[name].function(*args)
                            if name not in MAKERS:
                                assert not is_function(answer) or answer is value or kind == "inside"
                                continue
                            made = made or is_function(answer)
                            with suppress(errors.RtfsError, TypeError):
                                answer(1)
    assert made == (name in MAKERS)
    assert called <= ({0, 1, 2} if positions is ALL else set(positions))
    if positions is not ALL:
        assert called or not positions or name == "update-in"


# ---------------------------------------------------------------- size


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ("(fn [] ", ")"),
        ("(f ", ")"),
        ("(if other 1 ", ")"),
        ("(let [a 1] ", ")"),
        ("(try ", " (catch e 1))"),
        ("[", "]"),
        ("(map (fn [x] x) ", ")"),
        ("(for [x [1]] ", ")"),
        ("(do 1 ", ")"),
    ],
)
def test_deep_programs(opening, closing):
    depth = 3_000
    with deep_recursion(100_000):
        unit = analyze(read(F + opening * depth + "(f @secret)" + closing * depth))
    found = argument_labels([unit], Sources())
    assert found[id(unit.forms[0].value)] == {"s"}


def test_many_functions_and_calls_of_unknown_ones():
    """So many that all functions are taken for one."""
    functions = " ".join(f"(fn [x] (g{i} x))" for i in range(700))
    calls = " ".join("((first [h]) 1)" for _ in range(700))
    found = labels_by_symbol(
        f"{F} (defn hidden [x] x) (let [h [{functions}]] {calls} ((second h) @secret) ((nth [f] 0) 1))"
    )
    assert found == {**dict.fromkeys(found, "s"), "hidden": ""}
