"""Programs of typed numeric functions, made by chance from a seed, and arguments to call them with.

All of them end. Most of what wasm must do as Python does turns up: overflow, division by zero, NaN, -0.0, sums
of integers and floats, quotients that are integers or not, loops, recursion, closures, `match`, short circuits,
vectors that loops change, and strings of all sorts of characters.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

INTS = [0, 1, -1, 2, 3, 5, 7, 10, 12, -3, 63, 100]
HARD_INTS = [
    2**31, -(2**31), 2**32 + 1, 2**53, 2**53 + 1, -(2**53) - 1, 3037000500, 2**62, 2**63 - 1, -(2**63), 10**18,
]  # fmt: skip
FLOATS = ["0.0", "1.0", "-1.0", "0.5", "1.5", "-2.5", "3.0", "100.25", "0.1", "6.0"]
HARD_FLOATS = [
    "-0.0", "##Inf", "##-Inf", "##NaN", "1.0e308", "-1.0e300", "5.0e-324", "9007199254740992.0",
    "4503599627370497.5", "9223372036854775808.0", "-9223372036854775808.0", "1.0e18", "9223372036854774784.0",
]  # fmt: skip
#: characters of one, two and four bytes, and no character twice as often as it should
TEXTS = ["", "a", "b", "ab", "ba", "aba", "é", "né", "\U0001f600", "a\U0001f600", "z z", "banana", "-1", "true"]
#: of arguments only: surrogates, and the ends of what is a code point
HARD_TEXTS = ["\ud83d", "\ud83d\ude00", "\x00", "\uffff", "\U0010ffff", "ab" * 50, "\U0001f600" * 3 + "b"]
#: kinds of vectors, and of their items
ITEMS = {"ints": "int", "floats": "float"}
TYPES = {"ints": "[:vector :int]", "floats": "[:vector :float]"}
COMPARISONS = ("<", ">", "<=", ">=", "=", "not=", "!=")


@dataclass(frozen=True)
class Function:
    name: str
    params: tuple[str, ...]
    result: str


@dataclass(frozen=True)
class Program:
    source: str
    functions: tuple[Function, ...]


class Maker:
    def __init__(self, seed: int, vectors: float = 0.0, strings: float = 0.0) -> None:
        """`vectors`, `strings`: how often a value is a vector, or a string."""
        self.vectors = vectors
        self.strings = strings
        self.chance = random.Random(seed)
        self.functions: list[Function] = []
        self.serial = 0

    def name(self) -> str:
        self.serial += 1
        return f"v{self.serial}"

    def pick(self, *ways: str) -> str:
        return self.chance.choice(ways)

    def literal(self, kind: str) -> str:
        hard = self.chance.random() < 0.1
        if kind == "int":
            return str(self.chance.choice(HARD_INTS if hard else INTS))
        if kind in ITEMS:
            return f"[{' '.join(self.literal(ITEMS[kind]) for _ in range(self.chance.randrange(1, 4)))}]"
        if kind == "float":
            return self.chance.choice(HARD_FLOATS if hard else FLOATS)
        if kind == "string":
            return f'"{self.chance.choice(TEXTS)}"'
        return self.pick("true", "false")

    def value(self, kind: str, depth: int, scope: dict[str, str]) -> str:
        """An expression of a kind over the variables in `scope` (name → kind)."""
        known = [name for name, its in scope.items() if its == kind]
        if depth <= 0 or self.chance.random() < 0.12:
            return self.chance.choice(known) if known and self.chance.random() < 0.75 else self.literal(kind)
        if self.chance.random() < 0.35:
            return self.form(kind, depth - 1, scope)
        made: str = getattr(self, f"{kind}_of")(depth - 1, scope)
        return made

    # ------------------------------------------------------------ forms of any kind

    def form(self, kind: str, depth: int, scope: dict[str, str]) -> str:
        way = self.pick("if", "let", "loop", "match", "call", "closure", "do", "cond", "local", "case")
        made: str = getattr(self, f"form_{way}")(kind, depth, scope)
        return made

    def form_if(self, kind: str, depth: int, scope: dict[str, str]) -> str:
        test = self.value(self.pick("bool", "bool", "bool", "int"), depth, scope)
        return f"(if {test} {self.value(kind, depth, scope)} {self.value(kind, depth, scope)})"

    def form_cond(self, kind: str, depth: int, scope: dict[str, str]) -> str:
        tests = [f"{self.value('bool', depth, scope)} {self.value(kind, depth, scope)}" for _ in range(2)]
        return f"(cond {' '.join(tests)} :else {self.value(kind, depth, scope)})"

    def form_case(self, kind: str, depth: int, scope: dict[str, str]) -> str:
        if self.has_strings():
            on, texts = self.value("string", depth, scope), self.chance.sample(TEXTS, 3)
            cases = f'"{texts[0]}" {self.value(kind, depth, scope)} '
            cases += f'("{texts[1]}" "{texts[2]}") {self.value(kind, depth, scope)}'
            return f"(case {on} {cases} {self.value(kind, depth, scope)})"
        on = self.value("int", depth, scope)
        cases = f"1 {self.value(kind, depth, scope)} (2 3) {self.value(kind, depth, scope)}"
        return f"(case {on} {cases} {self.value(kind, depth, scope)})"

    def form_do(self, kind: str, depth: int, scope: dict[str, str]) -> str:
        return f"(do {self.value(self.kind(), depth, scope)} {self.value(kind, depth, scope)})"

    def form_let(self, kind: str, depth: int, scope: dict[str, str]) -> str:
        inner = dict(scope)
        bindings = []
        for _ in range(self.chance.randrange(1, 3)):
            its, name = self.kind(), self.name()
            bindings.append(f"{name} {self.value(its, depth, inner)}")
            inner[name] = its
        return f"(let [{' '.join(bindings)}] {self.value(kind, depth, inner)})"

    def form_loop(self, kind: str, depth: int, scope: dict[str, str]) -> str:
        turn, total = self.name(), self.name()
        inner = {**scope, turn: "int", total: kind}
        step = self.value(kind, depth, inner)
        end = self.value(kind, depth, inner)
        first = self.value(kind, depth, scope)
        most = self.chance.randrange(1, 6)
        test = self.pick(
            f"(< {turn} {most})", f"(not (>= {turn} {most}))", f"(and (< {turn} {most}) (not= {turn} 4))"
        )
        return f"(loop [{turn} 0 {total} {first}] (if {test} (recur (inc {turn}) {step}) {end}))"

    def form_match(self, kind: str, depth: int, scope: dict[str, str]) -> str:
        on, name = self.pick("int", "float", "bool"), self.name()
        on = "string" if self.has_strings() else on
        inner = {**scope, name: on}
        clauses = [f"{self.literal(on)} {self.value(kind, depth, scope)}"]
        guard = self.value("bool", depth, inner)
        clauses.append(f"{name} when {guard} {self.value(kind, depth, inner)}")
        last = f"_ {self.value(kind, depth, scope)}" if self.chance.random() < 0.9 else ""
        return f"(match {self.value(on, depth, scope)} {' '.join(clauses)} {last})"

    def form_call(self, kind: str, depth: int, scope: dict[str, str]) -> str:
        fitting = [each for each in self.functions if each.result == kind]
        if not fitting:
            return self.form_if(kind, depth, scope)
        function = self.chance.choice(fitting)
        return f"({function.name} {' '.join(self.value(param, depth, scope) for param in function.params)})"

    def form_closure(self, kind: str, depth: int, scope: dict[str, str]) -> str:
        function, param, its = self.name(), self.name(), self.kind()
        body = self.value(kind, depth, {**scope, param: its})
        calls = f"({function} {self.value(its, depth, scope)})"
        return f"(let [{function} (fn [{param}] {body})] {calls})"

    def form_local(self, kind: str, depth: int, scope: dict[str, str]) -> str:
        """A local function that calls itself, a few times."""
        function, turn, total = self.name(), self.name(), self.name()
        inner = {**scope, turn: "int", total: kind}
        step, end = self.value(kind, depth, inner), self.value(kind, depth, inner)
        again = f"({function} (- {turn} 1) {step})"
        if kind == "int" and self.chance.random() < 0.5:
            again = f"(+ {turn} {again})"
        body = f"(if (< {turn} 1) {end} {again})"
        first = self.value(kind, depth, scope)
        return (
            f"(let [{function} (fn [{turn} {total}] {body})] ({function} {self.chance.randrange(4)} {first}))"
        )

    def has_strings(self) -> bool:
        """Whether it is a string's turn. Programs without strings stay the same."""
        return self.strings > 0 and self.chance.random() < self.strings

    def kind(self) -> str:
        if self.has_strings():
            return "string"
        if self.chance.random() < self.vectors:
            return self.pick("ints", "ints", "floats")
        return self.pick("int", "int", "float", "bool")

    # ------------------------------------------------------------ vectors

    def ints_of(self, depth: int, scope: dict[str, str]) -> str:
        return self.vector("ints", depth, scope)

    def floats_of(self, depth: int, scope: dict[str, str]) -> str:
        return self.vector("floats", depth, scope)

    def given(self, result: str, kinds: list[str], depth: int, scope: dict[str, str]) -> str:
        """A function of values of these kinds."""
        if result == "int" and kinds == ["int"] and self.chance.random() < 0.3:
            return self.pick("inc", "dec", "abs", "-")
        names = [self.name() for _ in kinds]
        body = self.value(result, depth, {**scope, **dict(zip(names, kinds, strict=True))})
        return f"(fn [{' '.join(names)}] {body})"

    def vector(self, kind: str, depth: int, scope: dict[str, str]) -> str:
        item = ITEMS[kind]
        if self.has_strings():
            fn = self.given(item, ["string"], depth, scope)
            return f"(map {fn} {self.value('string', depth, scope)})"
        way = self.chance.randrange(9)
        if way == 0:
            return f"[{' '.join(self.value(item, depth, scope) for _ in range(self.chance.randrange(1, 4)))}]"
        if way == 1 and kind == "ints":
            bounds = [self.pick("0", "1", "4", "-2", "(int 3)") for _ in range(self.chance.randrange(1, 3))]
            return (
                f"(range {' '.join(bounds)})"
                if len(bounds) < 2
                else f"(range {' '.join(bounds)} {self.pick('1', '2', '-1')})"
            )
        if way == 2:
            return f"(repeat {self.pick('0', '2', '3', '-1')} {self.value(item, depth, scope)})"
        if way < 5:
            its = self.pick("ints", "floats")
            more = self.pick("ints", "floats") if self.chance.random() < 0.3 else None
            kinds = [its, *([more] if more else [])]
            fn = self.given(item, [ITEMS[each] for each in kinds], depth, scope)
            return f"(map {fn} {' '.join(self.value(each, depth, scope) for each in kinds)})"
        if way == 5:
            fn = self.given("bool", [item], depth, scope)
            return f"({self.pick('filter', 'remove')} {fn} {self.value(kind, depth, scope)})"
        if way == 6:
            return self.changed(kind, self.value(kind, depth, scope), depth, scope)
        return self.changing_loop(kind, depth, scope)

    def changed(self, kind: str, vector: str, depth: int, scope: dict[str, str]) -> str:
        index = self.pick("0", "0", "0", "1", "1", "2", "(mod 5 2)")
        return f"(assoc {vector} {index} {self.value(ITEMS[kind], depth, scope)})"

    def changing_loop(self, kind: str, depth: int, scope: dict[str, str]) -> str:
        """A loop that may change a vector in place, or must not."""
        turn, vector, other, old = self.name(), self.name(), self.name(), self.name()
        first = self.value(kind, depth, scope)
        second = self.pick(vector, self.value(kind, depth, scope))
        inner = {**scope, turn: "int", vector: kind, other: kind}
        item = f"(nth {self.pick(vector, other)} 0)"
        changed = self.changed(kind, vector, depth, inner)
        w, k = f"w{vector}", f"k{vector}"
        nested = f"(loop [{w} {vector} {k} 0] (if (< {k} 2) (recur (assoc {w} {k} {item}) (inc {k})) {w}))"
        nexts = [self.pick(changed, changed, f"(assoc {changed} 0 {item})", nested, vector, other)]
        nexts.append(
            self.pick(vector, other, other, f"(assoc {other} 0 {item})", self.value(kind, depth, inner))
        )
        step = f"(recur {' '.join(nexts)} (inc {turn}))"
        if self.chance.random() < 0.4:
            nexts = [self.pick(old, vector), self.pick(other, vector, old)]
            newer = self.name()
            if self.chance.random() < 0.4:
                again = self.changed(kind, old, depth, {**inner, old: kind})
                nexts = [self.pick(newer, old), self.pick(other, old, newer)]
                changed = f"{changed} {newer} {again}"
            step = f"(let [{old} {changed}] (recur {' '.join(nexts)} (inc {turn})))"
        end = self.pick(vector, other, f"(map (fn [x] x) {vector})")
        most = self.chance.randrange(3)
        if self.chance.random() < 0.5:
            return f"(loop [{vector} {first} {other} {second} {turn} 0] (if (< {turn} {most}) {step} {end}))"
        # the vector that the loop began with must be as it was
        source = self.name()
        loop = f"(loop [{vector} {source} {other} {second} {turn} 0] (if (< {turn} {most}) {step} {end}))"
        return f"(let [{source} {first}] (map (fn [x y] {self.pick('x', 'y', 'y')}) {loop} {source}))"

    def item_of(self, kind: str, depth: int, scope: dict[str, str]) -> str:
        vectors = "ints" if kind == "int" else "floats"
        vector = self.value(vectors, depth, scope)
        way = self.chance.randrange(6)
        if way == 0:
            return f"({self.pick('first', 'last')} {vector})"
        if way == 1:
            return f"(nth {vector} {self.value('int', depth, scope)} {self.value(kind, depth, scope)})"
        if way == 2:
            index = self.pick("0", "1", "2", self.value("int", depth, scope))
            return f"({self.pick('nth', 'get')} {vector} {index})"
        if way == 3:
            return f"(reduce {self.pick('+', 'max', 'min', '*')} {vector})"
        its = self.pick("ints", "floats")
        fn = self.given(kind, [kind, ITEMS[its]], depth, scope)
        return f"(reduce {fn} {self.value(kind, depth, scope)} {self.value(its, depth, scope)})"

    # ------------------------------------------------------------ strings

    def string_of(self, depth: int, scope: dict[str, str]) -> str:
        def a() -> str:
            return self.value("string", depth, scope)

        def index() -> str:
            return self.pick("0", "1", "1", "2", "-1", self.value("int", depth, scope))

        way = self.chance.randrange(12)
        if way < 2:
            shown = [a(), self.value(self.pick("string", "int", "bool"), depth, scope)]
            self.chance.shuffle(shown)
            return f"(str {' '.join(shown)} {self.pick('', a(), 'nil')})"
        if way == 2:
            return f"(str {self.value(self.pick('int', 'bool', 'string'), depth, scope)})"
        if way == 3:
            return f"(substring {a()} {self.pick('0', '1', index())} {self.pick('1', '2', index())})"
        if way == 4:
            return f"(substring {a()} {index()})"
        if way == 5:
            return f"(nth {a()} {index()})"
        if way == 6:
            return f"(nth {a()} {self.value('int', depth, scope)} {a()})"
        if way == 7:
            return f"({self.pick('take', 'drop')} {index()} {a()})"
        if way == 8:
            return f"({self.pick('first', 'last', 'last')} {a()})"
        if way == 9:
            return f"(rest {a()})"
        return self.spelled(depth, scope)

    def spelled(self, depth: int, scope: dict[str, str]) -> str:
        """A loop over the characters of a string that makes another."""
        text, at, made = self.name(), self.name(), self.name()
        inner = {**scope, text: "string", at: "int", made: "string"}
        item = f"(nth {text} {at})"
        step = self.pick(f"(str {item} {made})", f"(str {made} {self.value('string', depth, inner)})", item)
        test = self.value("bool", depth, inner)
        step = self.pick(step, f"(if {test} {step} {made})")
        return (
            f"(loop [{text} {self.value('string', depth, scope)} {at} 0 {made} {self.literal('string')}] "
            f"(if (< {at} (min 6 (count {text}))) (recur {text} (inc {at}) {step}) {made}))"
        )

    def test_of_strings(self, depth: int, scope: dict[str, str]) -> str:
        def a() -> str:
            return self.value("string", depth, scope)

        way = self.chance.randrange(10)
        if way < 3:
            return f"({self.pick(*COMPARISONS)} {a()} {a()})"
        if way < 6:
            names = ("starts-with?", "ends-with?", "string-contains", "contains?", "string-contains?")
            return f"({self.pick(*names)} {a()} {a()})"
        if way == 6:
            return f"({self.pick('<', '>', '<=', '>=')} {a()} {a()} {a()})"
        if way == 7:
            return f"({self.pick('=', 'not=')} {a()} {self.value(self.pick('int', 'bool'), depth, scope)})"
        if way == 8:
            return f"({self.pick('string?', 'number?', 'nil?')} {a()})"
        return f"(empty? {a()})"

    # ------------------------------------------------------------ operations

    def int_of(self, depth: int, scope: dict[str, str]) -> str:
        def a() -> str:
            return self.value("int", depth, scope)

        if self.has_strings():
            if self.chance.random() < 0.3:
                fn = self.given("int", ["int", "string"], depth, scope)
                return f"(reduce {fn} {a()} {self.value('string', depth, scope)})"
            return f"({self.pick('count', 'length', 'string-length')} {self.value('string', depth, scope)})"

        if self.chance.random() < 1.5 * self.vectors:
            if self.chance.random() < 0.2:
                return f"(count {self.value(self.pick('ints', 'floats'), depth, scope)})"
            return self.item_of("int", depth, scope)
        way = self.chance.randrange(16)
        if way < 6:
            return f"({self.pick('+', '-', '*')} {a()} {a()})"
        if way == 6:
            return f"({self.pick('+', '-', '*', 'max', 'min')} {a()} {a()} {a()})"
        if way < 9:
            return f"({self.pick('mod', 'rem', 'quot')} {a()} {a()})"
        if way < 12:
            return f"({self.pick('inc', 'dec', 'abs', '-')} {a()})"
        if way == 12:
            return f"({self.pick('max', 'min')} {a()} {a()})"
        if way == 13:
            return f"(int {self.value(self.pick('float', 'bool'), depth, scope)})"
        if way == 14:
            return f"({self.pick('int', 'floor', 'ceil', 'round')} {self.quotient(depth, scope)})"
        return f"({self.pick('floor', 'ceil', 'round')} {self.value('float', depth, scope)})"

    def float_of(self, depth: int, scope: dict[str, str]) -> str:
        def a() -> str:
            return self.value("float", depth, scope)

        if self.chance.random() < 1.5 * self.vectors:
            return self.item_of("float", depth, scope)
        way = self.chance.randrange(12)
        if way < 4:
            return f"({self.pick('+', '-', '*')} {a()} {a()})"
        if way < 6:
            mixed = [a(), self.value("int", depth, scope), self.value("int", depth, scope)]
            self.chance.shuffle(mixed)
            return f"({self.pick('+', '-', '*')} {' '.join(mixed[: self.chance.randrange(2, 4)])} {a()})"
        if way < 8:
            return f"({self.pick('inc', 'dec', 'abs', '-', 'sqrt')} {a()})"
        if way == 8:
            return f"({self.pick('max', 'min')} {a()} {a()})"
        if way == 9:
            return f"(quot {a()} {self.value(self.pick('int', 'float'), depth, scope)})"
        if way == 10:
            return f"(+ {a()} {self.quotient(depth, scope)})"
        return f"(float {self.pick(self.quotient(depth, scope), self.value('int', depth, scope))})"

    def quotient(self, depth: int, scope: dict[str, str]) -> str:
        kinds = [self.pick("int", "int", "float") for _ in range(self.chance.choice((2, 2, 2, 3)))]
        return f"(/ {' '.join(self.value(kind, depth, scope) for kind in kinds)})"

    def bool_of(self, depth: int, scope: dict[str, str]) -> str:
        def number() -> str:
            if self.chance.random() < 0.15:
                return self.quotient(depth, scope)
            return self.value(self.pick("int", "int", "float"), depth, scope)

        if self.has_strings():
            return self.test_of_strings(depth, scope)
        way = self.chance.randrange(12)
        if way < 5:
            return f"({self.pick(*COMPARISONS)} {number()} {number()})"
        if way == 5:
            return f"({self.pick('<', '>', '<=', '>=')} {number()} {number()} {number()})"
        if way == 6:
            return f"({self.pick('zero?', 'pos?', 'neg?', 'int?', 'float?', 'number?')} {number()})"
        if way == 7:
            return f"({self.pick('even?', 'odd?')} {self.value('int', depth, scope)})"
        if way == 8:
            return f"(not {self.value(self.kind(), depth, scope)})"
        if way == 9:
            if self.chance.random() < self.vectors:
                return f"(empty? {self.value(self.pick('ints', 'floats'), depth, scope)})"
            its = self.pick("int", "float", "bool")
            return (
                f"({self.pick('=', 'not=')} {self.value(its, depth, scope)} {self.value('bool', depth, scope)})"
            )
        if way == 10:
            return f"({self.pick('true?', 'false?', 'nil?', 'bool?')} {self.value(self.kind(), depth, scope)})"
        items = [self.value("bool", depth, scope) for _ in range(self.chance.randrange(2, 4))]
        return f"({self.pick('and', 'or')} {' '.join(items)})"

    # ------------------------------------------------------------ programs

    def function(self) -> str:
        params = tuple(self.kind() for _ in range(self.chance.randrange(4)))
        result = self.kind()
        function = Function(f"f{len(self.functions)}", params, result)
        scope = {f"p{index}": kind for index, kind in enumerate(params)}
        declared = " ".join(f"{name} : {TYPES.get(kind, kind)}" for name, kind in scope.items())
        quotient = self.chance.random() < 0.05
        body = (
            self.quotient(2, scope) if quotient else self.value(result, self.chance.choice((2, 3, 3, 4)), scope)
        )
        returns = f": {TYPES.get(result, result)} " if self.chance.random() < 0.5 and not quotient else ""
        if not quotient:
            self.functions.append(function)
        else:
            function = Function(f"q{len(self.extra)}", params, "number")
            self.extra.append(function)
        return f"(defn ^{{:tier :wasm}} {function.name} [{declared}] {returns}{body})"

    def program(self, count: int) -> Program:
        self.extra: list[Function] = []
        texts = [self.function() for _ in range(count)]
        return Program("\n".join(texts), (*self.functions, *self.extra))

    def arguments(self, function: Function) -> list[object]:
        return [self.argument(kind) for kind in function.params]

    def argument(self, kind: str) -> object:
        hard = self.chance.random() < 0.2
        if kind in ITEMS:
            return [self.argument(ITEMS[kind]) for _ in range(self.chance.choice((0, 1, 2, 3, 3, 5)))]
        if kind == "bool":
            return self.chance.random() < 0.5
        if kind == "string":
            return self.chance.choice(HARD_TEXTS if hard else TEXTS)
        if kind == "int" or self.chance.random() < 0.05:  # an integer passes for a float
            return self.chance.choice(HARD_INTS if hard else [*INTS, self.chance.randrange(-1000, 1000)])
        if hard:
            text = self.chance.choice(HARD_FLOATS)
            return float(text.replace("##", "").replace("Inf", "inf").replace("NaN", "nan"))
        return self.chance.choice([0.0, 1.0, -1.5, 2.25, self.chance.uniform(-100, 100)])
