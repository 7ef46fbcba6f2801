"""Well-formed programs out of a seed.

`expression(kind)` picks one template of that kind (`fuzz_templates`) and fills its holes with expressions of
their kinds. Mostly the kinds fit, so that programs get far; sometimes they do not, so that errors are compared.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from typing import Final

from fuzz_templates import ANY, DEFINITIONS, LEAVES, TEMPLATES, WILD, Definition

_HOLE: Final = re.compile(r"<([a-z]!|[a-z]@[a-z0-9]+|[a-z]|[a-z0-9]{2,}|\.)>")
#: shares of holes that are filled with any kind, chosen once per program
_NOISE: Final = (0.0, 0.0, 0.01, 0.03, 0.1)
#: how many expressions a program may have, about
_FUEL: Final = (5, 15, 15, 40, 40, 100)
#: nesting of expressions
_DEEPEST: Final = 9


class Generator:
    """Makes one program. The same seed makes the same program."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._noise = self._random.choice(_NOISE)
        self._fuel = self._random.choice(_FUEL)
        self._names = 0
        self._depth = 0
        #: inside `#(…)`, which may not be nested
        self._is_short = False
        #: kind → names in scope
        self._scope: dict[str, list[str]] = {}
        #: templates that the program's own definitions added
        self._own: dict[str, list[str]] = {}

    def program(self) -> str:
        """The text of a whole program."""
        lines = [self._definition(self._random.choice(DEFINITIONS)) for _ in range(self._random.randrange(4))]
        kinds = self._random.choices(ANY, k=self._random.randint(1, 3))
        results = [self.expression(kind) for kind in kinds]
        lines.append(results[0] if len(results) == 1 else f"[{' '.join(results)}]")
        return "\n".join(lines)

    def expression(self, kind: str) -> str:
        """An expression, probably of that kind."""
        pick = self._random
        if kind not in LEAVES:  # a part of the syntax, such as a type
            return self._filled(pick.choice(TEMPLATES[kind]), kind)
        if pick.random() < self._noise or kind == "any":
            kind = pick.choice(ANY)
        self._fuel -= 1
        names = self._scope.get(kind)
        if names and pick.random() < 0.3:
            return pick.choice(names)
        if self._fuel <= 0 or self._depth > _DEEPEST or pick.random() < 0.15:
            return self._filled(pick.choice(LEAVES[kind]), kind)
        return self._filled(self._template(kind), kind)

    def _template(self, kind: str) -> str:
        pick = self._random
        own = self._own.get(kind)
        if own and pick.random() < 0.3:
            return pick.choice(own)
        if pick.random() < self._noise:
            return f"({pick.choice(WILD)}{' <any>' * pick.choice((0, 1, 1, 2, 2, 3, 4))})"
        return pick.choice(TEMPLATES[pick.choice((kind, kind, "."))])

    def _definition(self, definition: Definition) -> str:
        self._names += 1
        names = {"f": f"f{self._names}", "g": f"g{self._names}"}
        text = self._filled(definition.text, "any", names)
        for kind, uses in definition.uses.items():
            made = [use.replace("<f>", names["f"]).replace("<g>", names["g"]) for use in uses]
            self._own.setdefault(kind, []).extend(made)
        return text

    def _filled(self, template: str, kind: str, names: Mapping[str, str] | None = None) -> str:
        is_short = template.startswith("#(")
        if is_short and self._is_short:
            return "identity"
        self._is_short |= is_short
        self._depth += 1
        local = dict(names or {})
        entered: list[str] = []

        def fill(hole: re.Match[str]) -> str:
            what = hole[1]
            if what == ".":
                return self.expression(kind)
            if what.endswith("!"):
                self._names += 1
                local[what[0]] = f"{what[0]}{self._names}"
                return local[what[0]]
            if "@" in what:
                self._scope.setdefault(what[2:], []).append(local[what[0]])
                entered.append(what[2:])
                return ""
            return local[what] if len(what) == 1 else self.expression(what)

        text = _HOLE.sub(fill, template)
        for each in entered:
            self._scope[each].pop()
        self._depth -= 1
        self._is_short &= not is_short
        return text


def program(seed: int) -> str:
    """The program of that seed."""
    return Generator(seed).program()
