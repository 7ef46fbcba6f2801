"""Programs out of a seed: functions that call each other, with labels, hints, types, sources and closures.

Marks. A text `«label:pii»`, `«context:customer-name»` or `«capability:crm.find»` stands for data with that
label or from that source. It gets into a program only where the label does: as what the host answers, as an
argument of a parameter with the label, as the result of a function with the label, or as an argument in a
branch that such data decided on. So wherever a mark turns up among the arguments of a call, these carry what
the mark says. Declassifying functions keep no text of what they are given.

Calls form no circles but for counted ones, and most programs come to a value.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Final

import holds_words as words
from holds_forms import KINDS, Expressions, Function, Kind, Parameter, mark, privacy

DECLARED: Final[dict[Kind, str]] = {"s": "string", "i": "int", "v": "[:vector any]", "m": "any"}
_DEFAULTS: Final[dict[Kind, str]] = {"s": '"default"', "i": "1", "v": '["default"]', "m": "{:k 1 :v 2}"}
_OFTEN_TEXTS: Final[tuple[Kind, ...]] = ("s", "s", "s", "i", "v", "m")


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """A program, and what was written into it."""

    text: str
    modules: dict[str, str]
    functions: dict[str, Function] = field(default_factory=dict)


class Programs(Expressions):
    """Makes one program."""

    def program(self) -> Generated:
        """Definitions, perhaps a module, and a vector of calls and other expressions."""
        pick = self.pick
        lines = [self._define(name) for name in pick.sample(words.SYMBOLS, pick.randint(2, 6))]
        module = self._module() if pick.random() < 0.5 else ""
        if pick.random() < 0.3:
            lines.append(f"(def ^{{:privacy :pii}} known {mark('pii')})")
            self.scope.append(("known", "s"))
        self.fuel = max(self.fuel, 8)
        functions = {each.symbol: each for each in self.callable}
        results = [self.expression(pick.choice(KINDS), 0) for _ in range(pick.randint(1, 3))]
        results += [self.call_of(each) for each in pick.sample(self.callable, min(len(self.callable), 2))]
        pick.shuffle(results)
        lines.append(f"[{' '.join(results)}]")
        if not module:
            return Generated(text="\n".join(lines), modules={}, functions=functions)
        lines.insert(0, f"(import {words.MODULE})")
        if pick.random() < 0.5:
            return Generated(text="\n".join(lines), modules={words.MODULE: module}, functions=functions)
        return Generated(text="\n".join([module, *lines]), modules={}, functions=functions)

    def _module(self) -> str:
        """A module whose functions call each other, and may be called from then on."""
        own, self.callable = self.callable, []
        names = self.pick.sample(words.MODULE_NAMES, 2)
        lines = [self._define(name, prefix=f"{words.MODULE}/") for name in names]
        self.callable = [*own, *self.callable]
        return f"(module {words.MODULE} (:exports [{' '.join(names)}])\n" + "\n".join(lines) + ")"

    def _labels(self) -> tuple[str, ...]:
        pick = self.pick
        if pick.random() >= self.labelled:
            return ()
        return tuple(pick.sample(words.LABELS, pick.choice((1, 1, 2))))

    def _define(self, name: str, prefix: str = "") -> str:
        pick = self.pick
        function = Function(
            symbol=prefix + name,
            parameters=tuple(map(self._parameter, range(pick.choice((0, 1, 1, 1, 2, 2, 3, 5))))),
            result=pick.choice(_OFTEN_TEXTS),
            labels=self._labels(),
            takes_more=pick.random() < 0.15,
            hint=self.hint(),
        )
        outer, self.scope = self.scope, [(each.name, each.kind) for each in function.parameters]
        body = self._body(function)
        self.scope = outer
        returns = f": {DECLARED[function.result]} " if pick.random() < 0.3 else ""
        listed = " ".join(each.text for each in function.parameters)
        doc = '"Does something." ' if pick.random() < 0.3 else ""
        start = f"(defn {function.hint}{privacy(function.labels)}{name} {doc}"
        self.callable.append(function)
        if function.takes_more:
            return f"{start}[{listed} & more] {returns}{body})"
        if function.parameters and not returns and pick.random() < 0.2:
            return f"{start}([{listed}] {body}) {_other_arity(name, function)})"
        return f"{start}[{listed}] {returns}{body})"

    def _parameter(self, place: int) -> Parameter:
        kind = self.pick.choice(_OFTEN_TEXTS)
        declared = DECLARED[kind] if self.pick.random() < 0.3 else None
        return Parameter(name=f"p{place}", kind=kind, type=declared, labels=self._labels())

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


def _other_arity(name: str, function: Function) -> str:
    """One that sends its argument on to the first, if that takes more than one."""
    one, *others = function.parameters
    if not others:
        return "([] nil)"
    defaults = " ".join(_DEFAULTS[each.kind] for each in others)
    return f"([{one.text}] ({name} {one.name} {defaults}))"


def program(pick: Random) -> Generated:
    """A program."""
    return Programs(pick).program()
