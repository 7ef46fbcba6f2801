"""Expressions of generated programs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

import holds_words as words

#: kinds of expressions: texts, integers, vectors of at least one text, maps with `:k` and `:v`
type Kind = str
#: makes an expression at a depth
type Form = Callable[[Expressions, int], str]

KINDS: Final = ("s", "i", "v", "m")
#: expressions of one program, about
_FUEL: Final = (12, 30, 60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter of a generated function."""

    name: str
    kind: Kind
    type: str | None = None
    labels: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return f"{privacy(self.labels)}{self.name}{f' : {self.type}' if self.type else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """What calls of a function have to know of it."""

    symbol: str
    parameters: tuple[Parameter, ...]
    result: Kind
    labels: tuple[str, ...] = ()
    takes_more: bool = False
    hint: str = ""

    @property
    def annotated(self) -> frozenset[str]:
        """Labels that all its arguments carry, by annotation."""
        own = {label for parameter in self.parameters for label in parameter.labels}
        return frozenset(own | set(self.labels))


def privacy(labels: tuple[str, ...]) -> str:
    """Labels as metadata."""
    if not labels:
        return ""
    if len(labels) == 1:
        return f"^{{:privacy :{labels[0]}}} "
    return "^{:privacy [" + " ".join(f":{label}" for label in labels) + "]} "


def mark(label: str) -> str:
    """A literal with a label."""
    return f'"«label:{label}»"'


class Expressions:
    """Makes expressions out of what is in scope, functions and data."""

    def __init__(self, pick: Random) -> None:
        self.pick = pick
        self.fuel = pick.choice(_FUEL)
        self.labelled = pick.choice((0.0, 0.1, 0.3))
        self.hinted = pick.choice((0.0, 0.0, 0.15, 0.4))
        self.sourced = pick.choice((0.0, 0.1, 0.25))
        self.names = 0
        #: functions that may be called from here
        self.callable: list[Function] = []
        self.scope: list[tuple[str, Kind]] = []

    def name(self, start: str) -> str:
        """A new name."""
        self.names += 1
        return f"{start}{self.names}"

    def expression(self, kind: Kind, depth: int) -> str:
        """An expression of that kind."""
        pick = self.pick
        self.fuel -= 1
        if self.fuel < 0 or depth > 6:
            return self.leaf(kind)
        known = [name for name, each in self.scope if each == kind]
        if known and pick.random() < 0.35:
            return pick.choice(known)
        if pick.random() < self.sourced:
            return self._sourced(kind)
        if pick.random() < 0.4:
            matching = [each for each in self.callable if each.result == kind]
            if matching:
                return self.call_of(pick.choice(matching), depth)
        if pick.random() < 0.15:
            return self.leaf(kind)
        return pick.choice(_FORMS[kind])(self, depth + 1)

    def leaf(self, kind: Kind) -> str:
        """A literal or a name."""
        pick = self.pick
        known = [name for name, each in self.scope if each == kind]
        if known and pick.random() < 0.5:
            return pick.choice(known)
        if kind == "s":
            return f'"{pick.choice(("", "a", "some text", "w" * 30, "long " * 25, "very long " * 40))}"'
        if kind == "i":
            return str(pick.choice((0, 1, 2, 7)))
        if kind == "v":
            return pick.choice(('["a"]', '["one" "two"]', '["a" "b" "c" "d" "e" "f" "g" "h" "i" "j" "k" "l"]'))
        return pick.choice(("{:k 1 :v nil}", '{:k "key" :v 2.5}', "{:k true :v :yes}"))

    def _source(self) -> str:
        pick = self.pick
        key = pick.choice(words.CONTEXT_KEYS)
        capability = pick.choice(words.CAPABILITIES)
        return pick.choice(
            (
                f"(get :{key})",
                f"(context/get :{key})",
                key,
                f"@{key}",
                f'(context/get (str "{key[:2]}" "{key[2:]}"))',
                f"(call :{capability} {self.leaf('s')})",
                f"(call :{capability} {self.leaf('s')})",
                f'(call (str "{capability[:3]}" "{capability[3:]}") 1)',
                *(["known"] if ("known", "s") in self.scope else []),
            )
        )

    def _sourced(self, kind: Kind) -> str:
        source = self._source()
        made: dict[Kind, str] = {
            "s": f"(str {source})",
            "i": f"(count (str {source}))",
            "v": f"[{source}]",
            "m": f"{{:k {source} :v {source}}}",
        }
        return made[kind]

    def call_of(self, function: Function, depth: int = 0) -> str:
        """A call of `function`, directly or by one of the ways of the library."""
        pick = self.pick
        parameters = function.parameters
        arguments = [self._argument(each, depth + 1) for each in parameters]
        if function.takes_more and pick.random() < 0.6:
            arguments += [self.expression(pick.choice(KINDS), depth + 1) for _ in range(pick.randint(1, 2))]
        symbol, text = function.symbol, " ".join(arguments)
        plain = f"({symbol} {text})" if text else f"({symbol})"
        way = pick.random()
        if way < 0.65:
            return plain
        if way < 0.72:
            return f"(apply {symbol} [{text}])"
        if way < 0.78 and arguments:
            return f"((partial {symbol} {arguments[0]}) {' '.join(arguments[1:])})"
        if way < 0.84 and len(arguments) == 1:
            return f"(first (map {symbol} [{arguments[0]}]))"
        if way < 0.88:
            name = self.name("g")
            return f"(let [{name} {symbol}] ({name} {text}))"
        if way < 0.92:
            name = self.name("x")
            return f"((fn [{name}] {plain}) {self.leaf('i')})"
        if way < 0.95:
            return f"((:go {{:go {symbol}}}) {text})"
        if way < 0.98:
            return f"(first (for [{self.name('x')} [1]] {plain}))"
        return f"((comp identity {symbol}) {text})" if arguments else plain

    def _argument(self, parameter: Parameter, depth: int) -> str:
        """An argument; one for a parameter with labels may be marked with one of them."""
        pick = self.pick
        if parameter.labels and pick.random() < 0.6:
            marked = mark(pick.choice(parameter.labels))
            return {"s": marked, "v": f"[{marked}]", "m": f"{{:k {marked} :v 1}}", "i": "3"}[parameter.kind]
        return self.expression(parameter.kind, depth)

    def hint(self) -> str:
        """A hint for a function, or more often none."""
        pick = self.pick
        if pick.random() >= self.hinted:
            return ""
        target = pick.choice((*words.REMOTES, *words.LOCALS, *words.GHOSTS[:1]))
        return pick.choice(
            (
                "^:delegation :local ",
                f'^:delegation :remote "{target}" ',
                f'^:delegation :remote "{pick.choice(words.REMOTES)}" ',
                f'^:delegation :local-model "{pick.choice(words.LOCALS)}" ',
                f'^{{:delegation {{:target "{pick.choice(("remote-", "local-", ""))}{target}"}}}} ',
            )
        )


def _either(make: Expressions, kind: Kind, depth: int) -> str:
    """A branch. Where a labelled value decides, arguments in the branches are marked with its source."""
    pick = make.pick
    unary = [
        f for f in make.callable if f.result == kind and len(f.parameters) == 1 and not f.parameters[0].labels
    ]
    unary = [f for f in unary if f.parameters[0].kind == "s" and f.symbol[:6] != "redact"]
    if unary and pick.random() < make.sourced * 2:
        key = pick.choice(words.CONTEXT_KEYS)
        function = pick.choice(unary)
        marked = f'({function.symbol} "«context:{key}»")'
        other = make.expression(kind, depth)
        return pick.choice(
            (
                f'(if (= (context/get :{key}) "none") {other} {marked})',
                f'(cond (= @{key} "none") {other} :else {marked})',
                f'(match {key} "none" {other} _ {marked})',
                f"(do (when (get :{key}) {marked}) {other})",
            )
        )
    test = f"(> {make.expression('i', depth)} {pick.choice((0, 2, 50))})"
    return f"(if {test} {make.expression(kind, depth)} {make.expression(kind, depth)})"


def _let(make: Expressions, kind: Kind, depth: int) -> str:
    name, of = make.name("a"), make.pick.choice(KINDS)
    value = make.expression(of, depth)
    make.scope.append((name, of))
    body = make.expression(kind, depth)
    make.scope.pop()
    return f"(let [{name} {value}] {body})"


def _lambda(make: Expressions, kind: Kind, depth: int) -> str:
    """A function made on the spot, which may capture what is in scope."""
    name, of = make.name("y"), make.pick.choice(KINDS)
    value = make.expression(of, depth)
    make.scope.append((name, of))
    body = make.expression(kind, depth)
    make.scope.pop()
    hint = make.hint() if make.pick.random() < 0.5 else ""
    return f"((fn {hint}[{name}] {body}) {value})"


def _caught(make: Expressions, kind: Kind, depth: int) -> str:
    if kind == "s":
        thrown = make.expression("s", depth)
        name = make.name("e")
        handled = f"(catch :odd {name} (str (ex-data {name})))"
        return f'(try (throw {{:type :odd :message "odd" :data {thrown}}}) {handled})'
    return f"(try {make.expression(kind, depth)} (catch {make.name('e')} {make.leaf(kind)}))"


def _mapped(make: Expressions, depth: int) -> str:
    """Many calls at once."""
    pick = make.pick
    unary = [f for f in make.callable if len(f.parameters) == 1 and f.parameters[0].kind == "s"]
    vector = make.expression("v", depth)
    name = make.name("z")
    if unary and pick.random() < 0.8:
        symbol = pick.choice(unary).symbol
        return pick.choice(
            (
                f"(vec (map {symbol} {vector}))",
                f"(vec (map (fn [{name}] (str ({symbol} {name}))) {vector}))",
                f"(vec (for [{name} {vector}] ({symbol} {name})))",
                f"(vec (map (comp str {symbol}) {vector}))",
                f"(reduce (fn [so {name}] (conj so (str ({symbol} {name})))) {make.leaf('v')} {vector})",
            )
        )
    return f"(vec (map (fn [{name}] (str {name} {make.leaf('s')})) {vector}))"


def _looped(make: Expressions, depth: int) -> str:
    i, so = make.name("i"), make.name("t")
    start = make.expression("s", depth)
    make.scope += [(so, "s"), (i, "i")]
    step = make.expression("s", depth)
    del make.scope[-2:]
    return f"(loop [{i} 0 {so} {start}] (if (< {i} 2) (recur (inc {i}) {step}) {so}))"


def _two(text: str, kind: Kind, other: Kind | None = None) -> Form:
    """A form around two expressions."""

    def form(make: Expressions, depth: int) -> str:
        return text.replace("<1>", make.expression(kind, depth)).replace(
            "<2>", make.expression(other or kind, depth)
        )

    return form


def _of(make: Callable[[Expressions, Kind, int], str], kind: Kind) -> Form:
    return lambda expressions, depth: make(expressions, kind, depth)


_FORMS: Final[dict[Kind, list[Form]]] = {
    kind: [_of(make, kind) for make in (_either, _let, _lambda, _caught)] for kind in KINDS
}
_FORMS["s"] += [
    _two("(str <1> <2>)", "s"),
    _two("(str <1> <2>)", "s", "m"),
    _two('(join "," <1>)', "v"),
    _two("(first <1>)", "v"),
    _two("(str (:k <1>))", "m"),
    _two("(get {:a <1>} :a)", "s"),
    _two('(str (get-in {"a" [<1>]} ["a" 0]) <2>)', "s"),
    _two("(reduce str <1> <2>)", "s", "v"),
    _looped,
]
_FORMS["i"] += [_two("(count <1>)", "s"), _two("(count <1>)", "v"), _two("(+ <1> <2>)", "i")]
_FORMS["v"] += [
    _mapped,
    _mapped,
    _two("[<1> <2>]", "s"),
    _two("(conj <1> <2>)", "v", "s"),
    _two("(vec (reverse <1>))", "v"),
    _two("[(str <1>)]", "m"),
]
_FORMS["m"] += [
    _two("{:k <1> :v <2>}", "s", "v"),
    _two("(assoc <1> :k <2>)", "m", "s"),
    _two("(merge <1> {:v <2>})", "m", "i"),
]
