"""The grammar of generated programs, as tables.

A template is program text with holes: `<int>` an expression of that kind, `<.>` one of the kind that the template
stands for, `<x!>` a new name, `<x>` that name again, `<x@int>` nothing, but the name is in scope from here to the
end of the template. `.` as a key of `TEMPLATES` stands for every kind.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from rtfs.stdlib.table import BUILTINS

#: every kind an expression may have. `ints`: vector of integers; `f1`, `f2`: functions of one and two arguments;
#: `fi`, `fp`: integer to integer and to boolean; `fr`: two integers to one; `fs`: string to string
ANY: Final = (
    "int",
    "num",
    "str",
    "bool",
    "kw",
    "nil",
    "ints",
    "vec",
    "list",
    "map",
    "set",
    "f1",
    "fi",
    "err",
    "sym",
)

LEAVES: Final[dict[str, tuple[str, ...]]] = {
    "any": ("nil", "1"),
    "nil": ("nil", "()", "{}", "[]"),
    "int": (
        *("0", "1", "2", "3", "5", "7", "-1", "-4", "10", "42", "100"),
        *("9223372036854775807", "-9223372036854775808", "4611686018427387904", "3037000500", "1000000007"),
    ),
    "small": ("0", "1", "2", "3", "4", "6"),
    "num": (
        *("0", "1", "2.5", "-0.5", "0.0", "-0.0", "1e-7".replace("1e", "1.0e"), "3.0", "1.0e300", "0.1"),
        *("##Inf", "##-Inf", "##NaN", "9007199254740993", "-7", "9.223372036854775807e18", "100"),
    ),
    "str": (
        *('""', '"a"', '"abc"', '"a,b,,c"', '"héllo"', '"日本語"', '"😀x"', '"e\u0301"', '"12"', '" -3.5 "'),
        *('"A b"', '"line\\nbreak"', '"quote\\"d"', '"tab\\t"', '"{:a 1}"', '"[1, 2.5, null]"', '"ß"', '"İ"'),
    ),
    "bool": ("true", "false"),
    "kw": (":a", ":b", ":c", ":k/x", ":é"),
    "sym": ("'a", "'b/c", "'x#"),
    "ints": ("[]", "[1]", "[1 2 3]", "[3 1 2 3]", "[-1 0 1]", "[5 4 3 2 1 0]"),
    "vec": ("[]", "[nil]", "[1 :a]", '["a" 1.5 nil]', "[[1] [2 3]]", "[:a 1 :b 2]", "[{:a 1} {:a 2 :b 3}]"),
    "list": ("()", "'(1)", "'(1 2 3)", '\'(a (b [c]) "d")', "(list 1 :a)"),
    "map": ("{}", "{:a 1}", "{:a 1 :b 2}", '{"a" 1 2 :b}', "{:a {:b {:c 1}}}", "{1 2 3 4}", "{:b nil :a 0}"),
    "set": ("#{}", "#{1}", "#{1 2 3}", '#{:a "a" 1.0 1 nil}', "#{[1] (list 1) {}}"),
    "f1": ("identity", "str", "type-name", ":a", "inc", "not", "count", "pr-str", "vector", "first", "{:a 1}"),
    "f2": ("vector", "str", "=", "list", "+", "conj", "get"),
    "fi": ("inc", "dec", "#(+ % 1)", "#(* % %)", "abs", "identity"),
    "fp": ("even?", "odd?", "pos?", "#(> % 1)", "nil?", "#{1 2 3}", "int?"),
    "fr": ("+", "-", "*", "max", "min", "#(+ %1 %2)"),
    "fs": ("str", "upper", "string-trim", "lower"),
    "err": ('(ex-info "boom" {:a 1})', '(Exception. "bad")', '(RuntimeError. "worse" 1)'),
    "ticket": ("(async 1)", '(async (throw "t"))'),
}

_EVERYWHERE: Final = (
    "(do <any> <.>)",
    "(if <bool> <.> <.>)",
    "(if <any> <.> <.>)",
    "(if <bool> <.>)",
    "(when <bool> <any> <.>)",
    "(when-not <bool> <.>)",
    "(if-not <bool> <.> <.>)",
    "(if-let [<x!> <any>] (do <x@any><.>) <.>)",
    "(when-let [<x!> <int>] <x@int><.>)",
    "(let [<x!> <int><x@int> <y!> <any><y@any>] <.>)",
    "(let [<x!> <int><x@int> <y!> <int><y@int> <z!> <ints><z@ints>] <.>)",
    "(let [<x!> : <ty>] <.>)".replace("<ty>", "int <int><x@int>"),
    "(let [<x!> <typedint><x@int>] <.>)",
    "(let [<x!> <typedany><x@any>] <.>)",
    "(let [<x!> <.>] <x>)",
    "(let [<f!> (fn [<x!>] <x@int><int>)<f@fi>] <.>)",
    "(let [<f!> <fi><f@fi> <g!> <f1><g@f1>] <.>)",
    "(let [<v!> <vec><v@vec> <m!> <map><m@map> <s!> <str><s@str>] <.>)",
    "(let [[<x!> <y!>] [<int> <str>]<x@int><y@str>] <.>)",
    "(let [[<x!> & <y!>] <ints><x@int><y@ints>] <.>)",
    "(let [[<x!> [<y!> _] & <r!> :as <w!>] [<int> [<str> <any>] <any>]<x@int><y@str><r@vec><w@vec>] <.>)",
    "(let [{:keys [<x!> <y!>]} <map><x@any><y@any>] <.>)",
    "(let [{:keys [a b] :or {a <int>} :as <m!>} <map><m@map>] [a b <.>])",
    '(let [{:a <x!> "a" <y!> <z!> :b :strs [q]} <map><x@any><y@any><z@any>] <.>)',
    "(let [{:a <x!> & <r!>} <map><x@any><r@map>] <.>)",
    "(let [<o!> (fn [n] (if (= n 0) <bool> (<e> (dec n)))) <e!> (fn [n] (if (= n 0) <bool> (<o> (dec n))))] <.>)".replace(
        "(<e> (dec n))", "(even2 (dec n))"
    ).replace("<e!>", "even2"),
    "(letrec [<f!> (fn [n] (if (<= n 0) <int> (<f> (dec n))))<f@fi>] <.>)",
    "(letfn [(<f!> [n] (if (<= n 0) <int> (<f> (- n 2))))<f@fi>] <.>)",
    "(do (def <x!> <int>)<x@int> <.>)",
    "(do (defn <f!> [<x!>] <x@int><f@fi><int>) <.>)",
    "(cond <bool> <.> <any> <.> :else <.>)",
    "(cond <bool> <.>)",
    '(case <any> 1 <.> :a <.> (2 3 "a") <.> <.>)',
    "(case <int> 1 <.> 2 <.>)",
    "(match <any> 1 <.> :a <.> nil <.> [<x!> <y!>] <x@any><y@any><.> _ <.>)",
    "(match <vec> [] <.> [<x!>] <x@any><.> [<x> & <r!>] <r@vec><.>)",
    "(match <map> {:a <x!>} <x@any><.> {:a <y!> :b _} <y@any><.> {:a _ & <r!>} <r@map><.> _ <.>)",
    "(match <any> (:type :int) <.> [:vector :int] <.> [:union :string :keyword] <.> (:type :map) <.> _ <.>)",
    "(match <int> <x!> when (> <x> 3) <x@int><.> (:as <s!> 2) <s@int><.> _ <.>)",
    "(match <any> (:as <x!> [_ _]) <x@any><.> [_ :as <w!>] <w@vec><.> (quote a) <.> _ <.>)",
    '(match <any> "a" <.> 2.5 <.> true <.> {} <.>)',
    "(try <.> (catch <x!> <x@err><.>))",
    "(try <.> (catch Exception <x!> <x@err><.>))",
    "(try <.> (catch TypeError <x!> <.>) (catch :arity-mismatch <x> <.>) (finally <any>))",
    "(try <.> (catch ArithmeticException <x!> <x@err><.>) (catch RuntimeError <y!> <y@err><.>))",
    '(try (throw <any>) (catch :a <x!> <x@err><.>) (catch "abc" <x> <.>) (catch _ <x> <.>))',
    "(try (throw {:type <kw> :message <str> :data <any>}) (catch :a <x!> <x@err><.>) (catch <y!> <y@err><.>))",
    "(try (throw <err>) (catch Oops <x!> <.>) (catch IllegalArgumentException <x> <.>) (catch e <.>))",
    "(try <.> (finally <any>))",
    "(try (try <any> (finally (throw <any>))) (catch <x!> <x@err><.>))",
    "(try (try (throw <any>) (catch <x!> (throw <any>))) (catch <x> <x@err><.>))",
    "(throw <any>)",
    "(error <str>)",
    "(loop [<i!> <small> <r!> <.>] <i@int>(if (<= <i> 0) <r> (recur (dec <i>) <.>)))",
    "(loop [[<i!> & <r!>] <ints>] <i@int><r@ints>(if (empty? <r>) <.> (recur <r>)))",
    "(loop [<i!> 0] <i@int>(cond (> <i> <small>) <.> <bool> (recur (+ <i> 1)) :else (recur (+ <i> 2))))",
    "((fn [<x!>] <x@int><.>) <int>)",
    "((fn [<x!> & <r!>] <x@any><r@list><.>) <any> <any> <any>)",
    "((fn ([] <.>) ([<x!>] <x@any><.>) ([<x> <y!> & <r!>] <y@any><r@list><.>)) <any> <any>)",
    "((fn self [<n!>] (if (<= <n> 0) <.> (self (dec <n>)))) <small>)",
    "((fn self [<n!>] <n@int>(if (<= <n> 0) <.> (do (self (dec <n>))))) <small>)",
    "((fn [<x!> : int] <x@int><.>) <int>)",
    "((fn [<x!> :int <y!> :string] : any <x@int><y@str><.>) <int> <str>)",
    "((fn [{:keys [a]} [<x!> & _]] <x@any><.>) <map> <vec>)",
    "((fn [n] (if (> n 0) (recur (dec n)) <.>)) <small>)",
    "(first (for [<x!> <ints>] <x@int><.>))",
    "(do (doseq [<x!> <vec> :when <any>] <x@any><any>) <.>)",
    "(dotimes [<i!> <small>] <i@int><.>)",
    "(await (async <.>))",
    "(race <.> <any>)",
    "(await <ticket> <small> <.>)",
    '(step "s" <.>)',
    '(step "s" :params {"k" <any>} <.>)',
    "(step-if <any> <.> <.>)",
    "(-> <.> identity)",
    "(->> <.> (identity))",
    "(as-> <.> <x!> (identity <x>))",
    "(some-> <.> identity)",
    "(or <.> <.>)",
    "(and <any> <.>)",
    "(identity <.>)",
    "((constantly <.>) <any>)",
    "(apply (fn [& <r!>] <r@list><.>) <vec>)",
    "(get {:a <.>} :a)",
    "(get <map> <kw> <.>)",
    "(:a {:a <.>} <any>)",
    "(nth [<.> <.>] <small>)",
    "(first [<.> <any>])",
    "(last (list <any> <.>))",
    "(reduce (fn [<x!> <y!>] <x@any><y@int><.>) <.> <ints>)",
    "(process-data <.>)",
    "^{:note <any>} <.>",
    "(second [<any> <.>])",
    "((comp identity (fn [<x!>] <x@any><.>)) <any>)",
    "((partial (fn [<x!> <y!>] <x@any><y@any><.>) <any>) <any>)",
    "((memoize (fn [<x!>] <x@any><.>)) <any>)",
    "(get-in {:a {:b <.>}} [:a :b])",
    "(get-in <map> [:a <any>] <.>)",
)

_OF_KIND: Final[dict[str, str]] = {
    "int": """(+ <int> <int>)|(- <int> <int>)|(* <int> <int>)|(inc <int>)|(dec <int>)|(mod <int> <int>)|(rem <int> <int>)
        (quot <int> <int>)|(abs <int>)|(max <int> <int>)|(min <int> <int> <int>)|(count <vec>)|(count <str>)|(count <map>)
        (length <list>)|(string-length <str>)|(int <num>)|(int <str>)|(parse-int <str>)|(compare <any> <any>)
        (reduce <fr> <ints>)|(reduce <fr> <int> <ints>)|(apply + <ints>)|(apply max <int> <ints>)|(<fi> <int>)|(<fr> <int> <int>)
        (factorial <small>)|(pow <small> <small>)|(pow <int> <small>)|(nth <ints> <int>)|(nth <ints> <small> <int>)|(first <ints>)
        (floor <num>)|(round <num>)|(ceil <num>)|(- <int>)|(/ <int> <int>)|(count <set>)|(some? <fp> <ints>)|(+ <int> <int> <int>)
        (loop [<i!> <small> <s!> <int>] (if (> <i> 0) (recur (- <i> 1) (+ <s> <i>)) <s>))|(* 2 <int>)|(int <bool>)
        (loop [<i!> <small> <s!> 0] <i@int><s@int>(if (< <i> 9) (recur (+ <i> 1) <int>) (* <s> <i>)))|(last <ints>)
        (let [<x!> :int <int><x@int> <y!> :int <int><y@int>] (+ <x> (* <y> <int>)))|(step-loop (< 1 0) <int>)""",
    "num": """(+ <num> <num>)|(- <num> <num>)|(* <num> <num>)|(/ <num> <num>)|(sqrt <num>)|(pow <num> <num>)|(mod <num> <num>)
        (quot <num> <num>)|(float <int>)|(float <str>)|(parse-float <str>)|(max <num> <num>)|(min <num> <num>)|(inc <num>)|(abs <num>)
        (- <num>)|<int>|(/ <num>)|(apply * <ints>)|(floor <num>)|(ceil <num>)|(rem <num> <int>)|(round <num>)|(dec <num>)""",
    "str": """(str <any>)|(str <any> <any> <any>)|(pr-str <any>)|(type-name <any>)|(substring <str> <small>)|(substring <str> <small> <small>)
        (string-upper <str>)|(lower <str>)|(string-trim <str>)|(join <str> <vec>)|(string-join <str> <list>)|(name <kw>)|(namespace <kw>)
        (string-replace <str> <str> <str>)|(re-find <re> <str>)|(first <str>)|(last <str>)|(rest <str>)|(reverse <str>)|(take <small> <str>)
        (getMessage <err>)|(ex-message <err>)|(serialize-json <any>)|(serialize-json-pretty <map>)|(drop <small> <str>)|(<fs> <str>)
        (reduce str <vec>)|(apply str <list>)|(nth <str> <small>)|(str <num>)|(upper <str>)|(string-lower <str>)|(trim <str>)
        (str (ticket-state <ticket>))|(distinct <str>)|(sort <str>)|(read-file <str>)|(ex-message (ex-cause <err>))|(butlast <str>)""",
    "bool": """(= <any> <any>)|(= <int> <int>)|(not= <any> <any>)|(< <num> <num>)|(> <int> <int>)|(<= <int> <int> <int>)|(>= <str> <str>)
        (not <any>)|(even? <int>)|(odd? <num>)|(zero? <num>)|(pos? <num>)|(neg? <int>)|(empty? <any>)|(contains? <vec> <any>)
        (contains? <map> <kw>)|(contains? <set> <any>)|(contains? <str> <str>)|(every? <fp> <ints>)|(some? <fp> <ints>)
        (not-any? <fp> <ints>)|(not-every? <fp> <ints>)|(starts-with? <str> <str>)|(ends-with? <str> <str>)|(string-contains <str> <str>)
        (re-matches <re> <str>)|(int? <any>)|(float? <any>)|(number? <any>)|(string? <any>)|(bool? <any>)|(nil? <any>)|(map? <any>)
        (vector? <any>)|(list? <any>)|(keyword? <any>)|(symbol? <any>)|(fn? <any>)|(set? <any>)|(coll? <any>)|(error? <any>)
        (true? <any>)|(false? <any>)|(boolean? <any>)|(and <bool> <bool>)|(or <bool> <bool>)|(!= <int> <any>)|(= <vec> <list>)
        (< <int> <int>)|(= <str> <str>)|(apply = <vec>)|(string-p <any>)|(string-contains? <str> <str>)|(<fp> <int>)|(= <num> <num> <num>)""",
    "kw": """(keyword <str>)|(ex-type <err>)|(nth [:a :b :c] <small>)|(rand-kw)|(ticket-state <ticket>)|(:type <err>)|(keyword <sym>)""".replace(
        "|(rand-kw)", ""
    ),
    "sym": "(symbol <str>)|(gensym)|(first '(a b))|`x|(symbol <kw>)|(quote <symx>)",
    "nil": "(get <map> :zzz)|(doseq [<x!> <ints>] <x@int><any>)|(re-find <re> nil)|(find <map> :zzz)|(println <any>)|(log <any>)|(get :zzz)|(context/get :q)",
    "ints": """(map <fi> <ints>)|(filter <fp> <ints>)|(remove <fp> <ints>)|(range <small>)|(range <int> <small>)|(range <small> <small> <int>)
        (numbers <small> <small>)|(sort <ints>)|(sort > <ints>)|(sort-by - <ints>)|(reverse <ints>)|(take <small> <ints>)|(drop <small> <ints>)
        (conj <ints> <int>)|(concat <ints> <ints>)|(into <ints> <ints>)|(distinct <ints>)|(cons <int> <ints>)|(subvec <ints> <small>)
        (subvec <ints> <small> <small>)|(vec <ints>)|(rest <ints>)|(next <ints>)|(butlast <ints>)|(assoc <ints> <small> <int>)
        (update <ints> <small> <fi>)|(map <fr> <ints> <ints>)|(map-indexed <fr> <ints>)|(for [<x!> <ints>] <x@int><int>)
        (for [<x!> <ints> <y!> <ints> :when (< <x> <y>)] <x@int><y@int><int>)|(for [<x!> <ints> :let [<y!> (* <x> 2)] :while (< <y> 9)] <y@int><int>)
        [<int> <int>]|[<int> <int> <int>]|(mapcat #(vector % %) <ints>)|(keep <fi> <ints>)|(interleave <ints> <ints>)|(interpose <int> <ints>)
        (repeat <small> <int>)|(flatten <vec>)|(take-while <fp> <ints>)|(drop-while <fp> <ints>)|(vals <map>)|(sort-by <fi> <ints>)
        (loop [<i!> <small> <a!> []] <i@int><a@ints>(if (= <i> 0) <a> (recur (dec <i>) (conj <a> <int>))))|(map (fn [<x!>] <x@int><int>) <ints>)
        (reduce (fn [<a!> <x!>] <a@ints><x@int>(conj <a> <int>)) [] <ints>)|(step-parallel <int> <int>)|(seq <ints>)""",
    "vec": """[<any> <any>]|[<any>]|(vector <any> <any>)|(conj <vec> <any>)|(map <f1> <vec>)|(map <f1> <map>)|(map <f2> <vec> <str>)|(keys <map>)|(vals <map>)
        (split <str> <str>)|(re-seq <re> <str>)|(partition <small> <ints>)|(partition-all <small> <vec>)|(partition-by <fp> <ints>)|(split-at <small> <vec>)
        (split-with <fp> <ints>)|(concat <vec> <list>)|(concat <str> <any>)|(map-indexed vector <vec>)|(vec <map>)|(vec <set>)|(find <map> <kw>)|(sort <vec>)
        (sort (fn [<x!> <y!>] (< (compare <x> <y>) 0)) <vec>)|(into <vec> <map>)|(filter <f1> <vec>)|(flatten <vec>)|(distinct <vec>)|(reverse <vec>)
        ((juxt <f1> <f1>) <any>)|(for [[<k!> <v!>] <map>] <k@any><v@any><any>)|(for [<c!> <str>] <c@str><any>)|`[<uq> ~<any> ~@<vec>]|(seq <map>)
        (assoc-in <vec> [<small> :a] <any>)|(update <vec> <small> <f1>)|(interleave <vec> <list>)|(repeat <small> <any>)|(mapcat identity <vec>)
        (sort-by str <vec>)|(keep <f1> <vec>)|(cons <any> <any>)|[<int> <str> <kw> <map>]|(for [<x!> <vec> <y!> <ints>] <x@any><y@int><any>)
        (remove <f1> <vec>)|(take-while <f1> <vec>)|(vec <any>)|(await (async <vec>))|(parse-json "[1, 2.5, null, \\"a\\", {\\"k\\": []}]")""",
    "list": """(list <any> <any>)|(conj <list> <any>)|(rest <list>)|(reverse <list>)|(take <small> <list>)|(drop <small> <list>)|`(<uq> ~<any> ~@<list>)
        `(a ~(+ <int> 1) [b ~<any>] {:k ~<any>})|'(a b [c {:d e}])|`(x `(y ~(z ~<int>)))|(sort <list>)|(quasiquote (p (unquote <any>)))
        (into '() <vec>)|((fn [& <r!>] <r>) <any> <any>)|(macroexpand '(when a b))|(distinct <list>)|(butlast <list>)|(remove <f1> <list>)""",
    "map": """{:a <any>}|{:a <int> :b <any>}|{<key> <any>}|(assoc <map> <kw> <any>)|(assoc <map> <any> <any>)|(dissoc <map> <kw>)|(merge <map> <map>)|(update <map> <kw> <f1>)
        (update <map> :a (fn [<x!>] <x@any><any>))|(assoc-in <map> [:a :b] <any>)|(update-in <map> [:a] <f1>)|(select-keys <map> [:a <kw>])|(rename-keys <map> {:a :z})
        (zipmap [:a :b] <vec>)|(into <map> [[<kw> <any>]])|(merge-with <f2> <map> <map>)|(group-by <f1> <vec>)|(frequencies <vec>)|(hash-map <kw> <any>)
        (conj <map> [<kw> <any>])|(reduce (fn [<m!> <x!>] <m@map><x@int>(assoc <m> <x> <any>)) {} <ints>)|(ex-data <err>)|(meta <f1>)|(meta ^{:a <int>} (fn [x] x))
        (parse-json (serialize-json <map>))|(let [<k!> <kw>] {"s" <any> <k> <any>})|(into {} (map (fn [<x!>] <x@any>[<kw> <any>]) <ints>))|(group-by <fp> <ints>)
        (update <map> <kw> (fnil <fi> <int>))|(merge)|(dissoc <map> <any> <any>)|(merge-with + {:a <int>} {:a <int>})""",
    "set": """#{<any>}|#{<int> <int>}|(set <vec>)|(set <str>)|(conj <set> <any>)|(disj <set> <any>)|(union <set> <set>)|(intersection <set> <set>)|(difference <set> <set>)
        (into #{} <vec>)|(set <map>)""",
    "f1": "(fn [<x!>] <x@any><any>)|#(vector % <any>)|(comp <f1> <f1>)|(partial <f2> <any>)|(complement <fp>)|(constantly <any>)|(juxt <f1> <f1>)|(memoize <f1>)|<kw>|<map>|(fnil <f1> <any>)|<fi>|<set>",
    "f2": "(fn [<x!> <y!>] <x@any><y@any><any>)|#(list %2 %1)|(fn [<x!> & <r!>] <x@any><r@list><any>)|<fr>",
    "fi": "(fn [<x!>] <x@int><int>)|(fn [<x!> :int] :int <x@int><int>)|#(+ % <int>)|(comp <fi> <fi>)|(partial + <int>)|(partial <fr> <int>)|(fnil <fi> 0)|(memoize <fi>)|(fn self [<n!>] <n@int>(if (<= <n> 0) <int> (self (- (min <n> 9) 1))))|(fn ([<x!>] <x@int><int>) ([<x> <y!>] <int>))",
    "fp": "(fn [<x!>] <x@int><bool>)|#(< % <int>)|(complement <fp>)|(comp not <fp>)|(partial = <int>)",
    "fr": "(fn [<x!> <y!>] <x@int><y@int><int>)|#(- %2 %1)|(fn [<x!> & [<y!>]] <x@int><y@int><int>)",
    "fs": "(fn [<x!>] <x@str><str>)|#(str % <any>)|(comp <fs> <fs>)|(partial str <any>)",
    "small": "(count <ints>)|(min 4 <int>)|(inc 1)|(mod <int> 5)",
    "err": "(ex-info <str> <any>)|(ex-info <str> {:a <any>})|(Exception. <str>)|(try (throw <any>) (catch e e))|(try (/ <int> 0) (catch e e))|(RuntimeError. <str> <any>)|(try <any> (catch <x!> <x>))|(try (nth [] <int>) (catch e e))",
    "ticket": "(async <any>)|(async (await <ticket>))",
    "any": "",
}

#: parts of the syntax that are no expressions
_SYNTAX: Final[dict[str, tuple[str, ...]]] = {
    "typedint": (
        ":int <int>",
        ":number <int>",
        ": float <int>",
        ":[:and :int [:> 0]] <int>",
        ":[:union :int :string] <int>",
        ":[:enum 1 2 3] <int>",
        ":string <int>",
        ":int? <int>",
        ":[:and :int [:in-range 0 10]] <small>",
    ),
    "typedany": (
        *(
            ":[:vector :int] <ints>",
            ":[:map [:a :int]] <map>",
            ":[:map [:a :any] [:b :int ?]] <map>",
            ":[:map-of :keyword :any] <map>",
        ),
        *(
            ":[:tuple :int :string] [<int> <str>]",
            ":[:and :string [:min-length 1]] <str>",
            ':[:and :string [:matches-regex "a"]] <str>',
        ),
        *(
            ":bool <bool>",
            ":any <any>",
            ":never <any>",
            ":[:fn [:int] :int] <fi>",
            ":[:list :any] <list>",
            ":[:set :int] <set>",
            ":error <err>",
        ),
        *(
            ":[:array :int [3]] <ints>",
            ":[:and [:vector :any] [:non-empty]] <vec>",
            ":nil <nil>",
            ":Missing <any>",
            ":[:val 3] <int>",
            ":[:map [:a :int] [:* :string]] <map>",
        ),
    ),
    "re": ('"a"', '"[0-9]+"', '"^a.*c$"', '"(a|b)+"', '"("', '"\\\\w+"', '""', '"(?i)A"'),
    "key": (":a", ":b", '"a"', "7", ":c"),
    "uq": ("a", "b", "1", ":k", "x#", "nil"),
    "symx": ("abc", "a/b", "λ", "+"),
}


def _split(table: str) -> tuple[str, ...]:
    return tuple(part.strip() for line in table.splitlines() for part in _alternatives(line) if part.strip())


def _alternatives(line: str) -> list[str]:
    return line.split("|")


TEMPLATES: Final[dict[str, tuple[str, ...]]] = {
    ".": _EVERYWHERE,
    **{kind: _split(table) or _EVERYWHERE for kind, table in _OF_KIND.items()},
    **_SYNTAX,
}

#: callees for calls with any arguments
WILD: Final = (*sorted(BUILTINS), "<any>", "<f1>", "undefined-name", "get", "or", "and")


@dataclass(frozen=True, slots=True)
class Definition:
    """A top-level form. `uses`: templates that it adds, by kind."""

    text: str
    uses: dict[str, tuple[str, ...]] = field(default_factory=dict)


DEFINITIONS: Final = (
    Definition("(def <f> <int>)", {"int": ("<f>",)}),
    Definition("(def <f> : int <int>)", {"int": ("<f>",)}),
    Definition('(def <f> "doc" <any>)', {"vec": ("[<f>]",)}),
    Definition("(defn <f> [<x!>] <x@int><int>)", {"int": ("(<f> <int>)",), "fi": ("<f>",)}),
    Definition(
        '(defn <f> "doc" [<x!> :int <y!> :int] :int <x@int><y@int><int>)',
        {"int": ("(<f> <int> <int>)",), "fr": ("<f>",)},
    ),
    Definition(
        "(defn <f> [n] (if (<= n 0) <int> (<g> (dec n))))\n(defn <g> [n] (if (<= n 0) <int> (<f> (- n 2))))",
        {"int": ("(<f> <small>)", "(<g> 20)")},
    ),
    Definition(
        "(defn <f> [n] (if (< n 2) n (+ (<f> (- n 1)) (<f> (- n 2)))))", {"int": ("(<f> <small>)", "(<f> 8)")}
    ),
    Definition(
        "(defn <f> ([] <int>) ([<x!>] <x@int><int>) ([<x> <y!> & <r!>] <y@int><r@list><int>))",
        {
            "int": ("(<f>)", "(<f> <int>)", "(<f> <int> <int>)", "(<f> <int> <int> <any>)"),
            "fi": ("<f>",),
            "fr": ("<f>",),
        },
    ),
    Definition(
        "(defn <f> [<x!> & <r!> :int] <x@any><r@list><any>)",
        {"vec": ("[(<f> <any> <int> <int>)]",), "f2": ("<f>",)},
    ),
    Definition(
        "(defn <f> [{:keys [a b] :or {b <int>}} [<x!> & <y!>]] <x@any><y@vec><any>)",
        {"vec": ("[(<f> <map> <vec>)]",)},
    ),
    Definition(
        "(defmacro <f> [c & body] `(if ~c (do ~@body) nil))",
        {"int": ("(<f> <bool> <any> <int>)",), "str": ("(<f> <any> <str>)",)},
    ),
    Definition("(defmacro <f> [x] `(let [v# ~x] [v# v#]))", {"vec": ("(<f> <any>)",)}),
    Definition("(defmacro <f> [& xs] (cons 'vector (reverse xs)))", {"vec": ("(<f> <any> <int>)",)}),
    Definition(
        "(defn <g> [x] (list '+ x <small>))\n(defmacro <f> [x] (<g> x))",
        {"int": ("(<f> <int>)", "(eval-free (<f> <int>))".replace("eval-free", "identity"))},
    ),
    Definition(
        "(deftype <f> [:map [:a :int] [:next <f> ?]])".replace("<f> ?", ":any ?"),
        {"map": ("(let [t :<f> <map>] t)",)},
    ),
    Definition(
        "(deftype <f> [:union :nil [:tuple :int <f>]])", {"vec": ("(let [t :<f> [<int> [<int> nil]]] t)",)}
    ),
    Definition(
        "(defstruct <f> :a Int :b String?)".replace("Int", ":int").replace("String?", ":string?"),
        {"map": ("(<f> {:a <int> :b <str>})", "(<f> <map>)")},
    ),
    Definition(
        "(module m.<f> (:exports [go]) (defn hid [x] <int>) (defn go [x] (+ x (hid x))))",
        {"int": ("(m.<f>/go <int>)", "(m.<f>/hid <int>)")},
    ),
    Definition("(module m.<f> (:exports [v]) (def v <any>))\n(import m.<f> :as <f>)", {"vec": ("[<f>/v]",)}),
    Definition("(defn ^:delegation :local <f> [x] (+ x <int>))", {"int": ("(<f> <int>)",)}),
    Definition(
        "(defn <f> [<x!>] <x@vec>(match <x> [:add a b] (+ a b) [:neg a] (- a) [k & _] [k] _ <any>))",
        {"vec": ("[(<f> [:add <int> <int>]) (<f> <any>)]",)},
    ),
    Definition("(do (def <f> <int>) (def <f> (+ <f> 1)))", {"int": ("<f>",)}),
)
