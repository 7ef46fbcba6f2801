"""Programs that pass data around, with secrets in them.

Each template is a way by which information may move. A hole is `v` for an expression, `f` for a function, `n`
for a new name; `v@n` and `f@n` are under the new name. A program uses few of the templates, else there would
always be some way by which a secret gets everywhere; and most are made so that nothing in them is an error.
"""

from __future__ import annotations

import random
import re
from typing import Final

_HOLE: Final = re.compile(r"<([vfn]|[vf]@n)>")

_USUAL: Final = ("(str <v> <v>)", "(let [<n> <v>] <v@n>)", "(<f> <v>)", "(do <v> <v>)", "(<f> <v> <v>)")
_WAYS: Final = (
    "[<v> <v>]",
    "(:k {:k <v> :l <v>})",
    "(= <v> <v>)",
    "(if <v> <v> <v>)",
    "(when <v> <v> <v>)",
    "(and <v> <v>)",
    "(or <v> <v>)",
    "(cond <v> <v> <v> <v> :else <v>)",
    "(match <v> 1 <v> [1 <n>] <v@n> _ <v>)",
    "(case <v> 1 <v> true <v> <v>)",
    "(let [<n> <f>] <v@n>)",
    "(let [<n> (fn [& _] <v>)] [(n) <v@n>])",
    "(let [<n> 1] (when <v> (def n <v>)) <v@n>)",
    "(let [{:keys [<n>] :or {n <v>}} {:a <v>}] <v@n>)",
    "(letfn [(<n> [& _] <v>)] <v@n>)",
    "(map <f> [<v> <v>])",
    "(filter <f> [<v> <v>])",
    "(reduce <f> <v> [<v> <v>])",
    "(apply <f> <v> [<v>])",
    "(some? <f> [<v> <v>])",
    "(sort-by (comp str <f>) [<v> <v>])",
    "(update {:k <v>} :k <f>)",
    "((comp <f> <f>) <v>)",
    "((partial <f> <v>) <v>)",
    "((juxt <f> <f>) <v>)",
    "((memoize <f>) <v>)",
    "((get {1 <f>} <v> <f>) <v>)",
    "((if <v> <f> <f>) <v>)",
    "(for [<n> [<v> <v>]] <v@n>)",
    "(for [<n> [1 2] :when <v>] <v@n>)",
    "(doseq [<n> [1 2] :while (= n <v>)] <v@n>)",
    "(for [<n> (if <v> [1] [1 2])] <v@n>)",
    "(dotimes [<n> (count (str <v>))] <v@n>)",
    "(loop [<n> 0] <v@n> (if (< n (count (str <v>))) (recur (inc n)) <v@n>))",
    "(loop [<n> <v> turn 0] (if (< turn 2) (recur <v@n> (inc turn)) n))",
    "((fn [<n> & _] (if (= n 0) <v> (recur 0 <v>))) 1)",
    "(try <v> (finally <v>))",
    "(try (throw <v>) (catch <n> (ex-data n)))",
    "(try (do (when <v> (throw 1)) <v>) (catch e <v>))",
    "(try (/ 1 (if <v> 0 1)) (catch e <v>))",
    "(try (throw {:data <f>}) (catch e ((ex-data e) <v>)))",
    "(try (let [<n> : int <v>] <v@n>) (catch e <v>))",
    "(try (let [n : [:and any [f0]] <v>] <v>) (catch e <v>))",
    "(await (async <v>))",
    "(ticket-state (async (do <v> (/ 1 (if <v> 0 1)))))",
    "(race <v> <v>)",
    '(step "s" :params {"k" <v>} <v> (get %params "k"))',
    "(context/set :a <v>)",
    "(context/get :a)",
    "[(context/set :b <f>) ((context/get :b) <v>)]",
    "(call :kv.put :a <v>)",
    "(call :kv.get :a)",
    "(call :run <f> <v>)",
    "(gensym)",
)
#: ways that are errors for many values
_RISKY: Final = ("(+ 1 <v>)", "(nth [1] <v>)", "(<v> <v>)", "(count <v>)", "(f0)", "(let [[<n>] <v>] <v@n>)")
_SECRETS: Final = ("secret", "@secret", "(call :vault)", "(context/get :secret)", "(get :secret)")
_LEAVES: Final = ("1", "2", "0", "nil", "true", "false", '"a"', "other")
#: stands for a leaf until it is chosen which of them are secrets
_LEAF: Final = "?"


class Flows:
    """Makes one program. The same seed makes the same program."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._risky = self._random.random() < 0.3
        ways = self._random.choices(_WAYS, k=self._random.randint(1, 6))
        self._ways = [*_USUAL, *ways, *(_RISKY if self._risky else ())]
        self._fuel = 0
        self._count = 0
        #: in scope: names of values, and of functions
        self._names: list[str] = []
        self._functions: list[str] = []

    def program(self) -> str:
        """The text of a whole program."""
        lines = []
        for index in range(self._random.randint(1, 5)):
            lines.append(self._definition(index))
            if self._random.random() < 0.3:
                lines.append(f"(def g{index} {self._top(3)})")
                self._names.append(f"g{index}")
        lines += [self._top(4) for _ in range(self._random.randint(2, 6))]
        return self._with_secrets("\n".join(lines))

    def _definition(self, index: int) -> str:
        name = self._new()
        params = f"{name}" if self._risky else f"& {name}"
        self._fuel = 12
        text = f"(defn f{index} [{params}] {self._under(name, 'v', 4)})"
        self._functions.append(f"f{index}")
        return text

    def _top(self, depth: int) -> str:
        self._fuel = self._random.choice((8, 15, 30))
        text = self._value(depth)
        return f"(try {text} (catch e 1))" if self._risky and self._random.random() < 0.5 else text

    def _with_secrets(self, text: str) -> str:
        places = [at for at, char in enumerate(text) if char == _LEAF]
        chosen = set(self._random.sample(places, min(len(places), self._random.choice((1, 1, 1, 2, 3)))))
        leaves = [self._random.choice(_SECRETS if at in chosen else _LEAVES) for at in places]
        parts = text.split(_LEAF)
        return parts[0] + "".join(leaf + part for leaf, part in zip(leaves, parts[1:], strict=True))

    def _new(self) -> str:
        self._count += 1
        return f"x{self._count}"

    def _under(self, name: str, kind: str, depth: int) -> str:
        self._names.append(name)
        made = self._value(depth) if kind == "v" else self._function(depth)
        self._names.pop()
        return made

    def _value(self, depth: int) -> str:
        self._fuel -= 1
        if depth <= 0 or self._fuel <= 0 or self._random.random() < 0.1:
            return self._random.choice([*self._names, _LEAF, _LEAF])
        return self._filled(self._random.choice(self._ways), depth - 1)

    def _filled(self, template: str, depth: int) -> str:
        name = self._new()
        template = re.sub(r"\bn\b(?![>@])", name, template) if "<n>" in template else template

        def fill(hole: re.Match[str]) -> str:
            kind, _, scope = hole[1].partition("@")
            if kind == "n":
                return name
            if scope:
                return self._under(name, kind, depth)
            return self._value(depth) if kind == "v" else self._function(depth)

        return _HOLE.sub(fill, template)

    def _function(self, depth: int) -> str:
        if self._functions and self._random.random() < 0.6:
            return self._random.choice(self._functions)
        if self._random.random() < 0.2:
            return self._random.choice(("str", "vector", "list"))
        name = self._new()
        return f"(fn [& {name}] {self._under(name, 'v', depth)})"
