"""Programs out of a seed: functions that call each other, with labels, hints, types, sources and closures.

Marks. A text `«label:pii»`, `«context:customer-name»` or `«capability:crm.find»` stands for data with that label
or from that source. It gets into a program only where the label does: as what the host answers, as an argument
of a parameter with the label, as the result of a function with the label, or as an argument in a branch that
such data decided on. So wherever a mark turns up among the arguments of a call, the call's arguments carry
what the mark says. Declassifying functions keep no text of what they are given.

Calls form no circles but for counted ones, and most programs come to a value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Final

import holds_words as words

#: kinds of expressions: texts, integers, non-empty vectors of texts, maps with `:k` and `:v`, anything
type Kind = str

KINDS: Final = ("s", "i", "v", "m")
DECLARED: Final = {"s": "string", "i": "int", "v": "[:vector any]", "m": "any"}
#: expressions of one program, about
_FUEL: Final = (12, 30, 60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    name: str
    kind: Kind
    type: str | None = None
    labels: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return f"{_privacy(self.labels)}{self.name}{f' : {self.type}' if self.type else ''}"


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


@dataclass(slots=True, kw_only=True)
class Generated:
    """A program, and what was written into it."""

    text: str
    modules: dict[str, str]
    functions: dict[str, Function] = field(default_factory=dict)


def _privacy(labels: tuple[str, ...]) -> str:
    if not labels:
        return ""
    if len(labels) == 1:
        return f"^{{:privacy :{labels[0]}}} "
    return "^{:privacy [" + " ".join(f":{label}" for label in labels) + "]} "


def mark(label: str) -> str:
    """A literal with a label."""
    return f'"«label:{label}»"'


class Programs:
    """Makes one program."""

    def __init__(self, pick: Random) -> None:
        self.pick = pick
        self.fuel = pick.choice(_FUEL)
        self.labelled = pick.choice((0.0, 0.1, 0.3))
        self.hinted = pick.choice((0.0, 0.0, 0.15, 0.4))
        self.sourced = pick.choice((0.0, 0.1, 0.25))
        self.names = 0
        self.depth = 0
        #: functions that may be called from here
        self.callable: list[Function] = []
        self.scope: list[tuple[str, Kind]] = []

    # ------------------------------------------------------------ definitions

    def program(self) -> Generated:
        pick = self.pick
        symbols = pick.sample(words.SYMBOLS, pick.randint(2, 6))
        definitions = [self._define(symbol) for symbol in symbols]
        made = list(self.callable)
        inside: list[str] = []
        module = pick.random()
        if module < 0.5:
            own, self.callable = self.callable, []
            inside = [
                self._define(name, prefix=f"{words.MODULE}/") for name in pick.sample(words.MODULE_NAMES, 2)
            ]
            made += self.callable
            self.callable += own
            self.callable = [*own, *(f for f in made if f not in own)]
        if pick.random() < 0.3:
            definitions.append(f"(def ^{{:privacy :pii}} known {mark('pii')})")
            self.scope.append(("known", "s"))
        self.fuel = max(self.fuel, 8)
        results = [self.expression(pick.choice(KINDS), 0) for _ in range(pick.randint(1, 3))]
        results += [self._call_of(function) for function in pick.sample(made, min(len(made), 2))]
        pick.shuffle(results)
        modules = {}
        text = "\n".join([*definitions, f"[{' '.join(results)}]"])
        if inside:
            names = " ".join(f.symbol.partition("/")[2] for f in made if "/" in f.symbol)
            body = f"(module {words.MODULE} (:exports [{names}])\n" + "\n".join(inside) + ")"
            if module < 0.25:
                modules[words.MODULE] = body
                text = f"(import {words.MODULE})\n{text}"
            else:
                text = f"{body}\n(import {words.MODULE})\n{text}"
        return Generated(text=text, modules=modules, functions={each.symbol: each for each in made})

    def _labels(self) -> tuple[str, ...]:
        pick = self.pick
        if pick.random() >= self.labelled:
            return ()
        return tuple(pick.sample(words.LABELS, pick.choice((1, 1, 2))))

    def _define(self, name: str, prefix: str = "") -> str:
        pick = self.pick
        count = pick.choice((0, 1, 1, 1, 2, 2, 3, 5))
        kinds = [pick.choice(("s", "s", "s", "i", "v", "m")) for _ in range(count)]
        parameters = tuple(
            Parameter(
                name=f"p{place}",
                kind=kind,
                type=DECLARED[kind] if pick.random() < 0.3 else None,
                labels=self._labels(),
            )
            for place, kind in enumerate(kinds)
        )
        result = pick.choice(("s", "s", "s", "i", "v", "m"))
        function = Function(
            symbol=prefix + name,
            parameters=parameters,
            result=result,
            labels=self._labels(),
            takes_more=pick.random() < 0.15,
            hint=self._hint(),
        )
        outer, self.scope = self.scope, [(each.name, each.kind) for each in parameters]
        body = self._body(function)
        self.scope = outer
        returns = f": {DECLARED[result]} " if pick.random() < 0.3 else ""
        listed = " ".join(each.text for each in parameters) + (" & more" if function.takes_more else "")
        doc = '"Does something." ' if pick.random() < 0.3 else ""
        head = f"{function.hint}{_privacy(function.labels)}"
        if (
            parameters
            and not function.takes_more
            and not returns
            and not parameters[0].type
            and pick.random() < 0.1
        ):
            # another arity, which sends its argument on
            defaults = " ".join(_DEFAULTS[each.kind] for each in parameters[1:])
            one = parameters[0]
            again = f"([{one.text}] ({name} {one.name} {defaults}))" if len(parameters) > 1 else "([] nil)"
            text = f"(defn {head}{name} {doc}([{listed}] {body}) {again})"
        else:
            text = f"(defn {head}{name} {doc}[{listed}] {returns}{body})"
        self.callable.append(function)
        return text

    def _hint(self) -> str:
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

    def _body(self, function: Function) -> str:
        pick = self.pick
        if function.symbol.startswith("redact"):
            kept = " ".join(f"(count (str {name}))" for name, _ in self.scope) or "0"
            total = f"(+ 0 {kept})"
            return {
                "s": f'(str "kept " {total})',
                "i": total,
                "v": f'["kept" (str {total})]',
                "m": f'{{:k "kept" :v {total}}}',
            }[function.result]
        body = self.expression(function.result, 1)
        if function.labels and pick.random() < 0.6:
            marks = mark(pick.choice(function.labels))
            body = {
                "s": f"(str {body} {marks})",
                "v": f"(conj {body} {marks})",
                "m": f"(assoc {body} :k {marks})",
            }.get(function.result, body)
        if function.takes_more and function.result == "s" and pick.random() < 0.5:
            body = f"(str {body} more)"
        return body

    # ------------------------------------------------------------ expressions

    def name(self, start: str) -> str:
        self.names += 1
        return f"{start}{self.names}"

    def expression(self, kind: Kind, depth: int) -> str:
        """An expression of that kind."""
        pick = self.pick
        self.fuel -= 1
        if self.fuel < 0 or depth > 6:
            return self._leaf(kind)
        known = [name for name, each in self.scope if each == kind]
        if known and pick.random() < 0.35:
            return pick.choice(known)
        if pick.random() < self.sourced:
            return self._sourced(kind)
        if pick.random() < 0.4:
            matching = [each for each in self.callable if each.result == kind]
            if matching:
                return self._call_of(pick.choice(matching), depth)
        if pick.random() < 0.15:
            return self._leaf(kind)
        return pick.choice(_FORMS[kind])(self, depth + 1)

    def _leaf(self, kind: Kind) -> str:
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
                f"(call :{capability} {self._leaf('s')})",
                f"(call :{capability} {self._leaf('s')})",
                f'(call (str "{capability[:3]}" "{capability[3:]}") 1)',
                *(["known"] if ("known", "s") in self.scope else []),
            )
        )

    def _sourced(self, kind: Kind) -> str:
        source = self._source()
        return {
            "s": f"(str {source})",
            "i": f"(count (str {source}))",
            "v": f"[{source}]",
            "m": f"{{:k {source} :v {source}}}",
        }[kind]

    def _call_of(self, function: Function, depth: int = 0) -> str:
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
            return f"((fn [{name}] {plain}) {self._leaf('i')})"
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


def _either(make: Programs, kind: Kind, depth: int) -> str:
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


def _let(make: Programs, kind: Kind, depth: int) -> str:
    name, of = make.name("a"), make.pick.choice(KINDS)
    value = make.expression(of, depth)
    make.scope.append((name, of))
    body = make.expression(kind, depth)
    make.scope.pop()
    return f"(let [{name} {value}] {body})"


def _lambda(make: Programs, kind: Kind, depth: int) -> str:
    """A function made on the spot, which may capture what is in scope."""
    name, of = make.name("y"), make.pick.choice(KINDS)
    value = make.expression(of, depth)
    make.scope.append((name, of))
    body = make.expression(kind, depth)
    make.scope.pop()
    hint = make._hint() if make.pick.random() < 0.5 else ""
    return f"((fn {hint}[{name}] {body}) {value})"


def _caught(make: Programs, kind: Kind, depth: int) -> str:
    if kind == "s":
        thrown = make.expression("s", depth)
        name = make.name("e")
        return f'(try (throw {{:type :odd :message "odd" :data {thrown}}}) (catch :odd {name} (str (ex-data {name}))))'
    return f"(try {make.expression(kind, depth)} (catch {make.name('e')} {make._leaf(kind)}))"


def _mapped(make: Programs, depth: int) -> str:
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
                f"(reduce (fn [so {name}] (conj so (str ({symbol} {name})))) {make._leaf('v')} {vector})",
            )
        )
    return f"(vec (map (fn [{name}] (str {name} {make._leaf('s')})) {vector}))"


def _looped(make: Programs, depth: int) -> str:
    i, so = make.name("i"), make.name("t")
    start = make.expression("s", depth)
    make.scope += [(so, "s"), (i, "i")]
    step = make.expression("s", depth)
    del make.scope[-2:]
    return f"(loop [{i} 0 {so} {start}] (if (< {i} 2) (recur (inc {i}) {step}) {so}))"


def _two(text: str, kind: Kind, other: Kind | None = None):
    """A form around two expressions."""

    def form(make: Programs, depth: int) -> str:
        return text.replace("<1>", make.expression(kind, depth)).replace(
            "<2>", make.expression(other or kind, depth)
        )

    return form


_DEFAULTS: Final = {"s": '"default"', "i": "1", "v": '["default"]', "m": "{:k 1 :v 2}"}


def _forms() -> Iterator[tuple[Kind, list]]:
    for kind in KINDS:
        yield (
            kind,
            [
                lambda make, depth, kind=kind: _either(make, kind, depth),
                lambda make, depth, kind=kind: _let(make, kind, depth),
                lambda make, depth, kind=kind: _lambda(make, kind, depth),
                lambda make, depth, kind=kind: _caught(make, kind, depth),
            ],
        )


_FORMS: Final = dict(_forms())
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


def program(pick: Random) -> Generated:
    """A program."""
    return Programs(pick).program()
