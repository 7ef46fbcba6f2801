"""Texts that are no programs, or hardly: noise, and programs with something wrong in them."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from fuzz_grammar import program

_TOKEN: Final = re.compile(r'\s+|"(?:\\.|[^"\\])*"?|#[({|_"]|~@|[()\[\]{}\'`~^@;]|[^\s()\[\]{}"\'`~^@;]+')

#: pieces that mean something to some part of the system
_PIECES: Final = (
    *"( ) [ ] { } #{ #( ' ` ~ ~@ ^ @ #_ #| |# ; \" : :: , & . / % %1 %& -> _ # ## \\ \n".split(" "),
    *":int :as :or :keys :when :while :let :type :delegation".split(),
    *":params :only :exports :map :vector :union".split(),
    *"nil true false fn let if do def defn defmacro loop recur match case cond try catch finally throw".split(),
    *"for doseq step step-if step-loop quote quasiquote unquote module import async race await deftype".split(),
    *"0 -1 1.5 9223372036854775808 1e5 1. .5 ##Inf ##NaN".split(),
    *"2025-01-31T10:20:30Z resource://x a/b a.b/c x#".split(),
    *(
        "\0",
        "\ud800",
        "\u202e",
        "é",
        "λ",
        "\u00a0",
        "\ufeff",
        "😀",
        "\r",
        "\t",
        "\u2028",
        "\x7f",
        '"\\q"',
        "^:x",
        "^{:a 1}",
    ),
    *(
        "(fn [x] x)",
        "[:vector :int]",
        "[& r]",
        "{:keys [a]}",
        "#(+ % 1)",
        "`(a ~b ~@c)",
        "(catch e 1)",
        "(finally 1)",
    ),
)
_BRACKETS: Final = frozenset("()[]{}'`~^@#\"")
#: length of the forms that mutation starts from, characters
_SHORTEST, _LONGEST = 8, 160
#: programs that mutation starts from
_GENERATED: Final = 500
_ALPHABET: Final = "()[]{}'`~@^#\"\\:;,./%&_-+*=<>!?|0123456789abcxyzλé \n\t"


def noise(pick: random.Random) -> str:
    """Text at random: of bytes, of characters, or of pieces."""
    size = pick.choice((1, 2, 5, 10, 30, 100))
    kind = pick.randrange(4)
    if kind == 0:
        return pick.randbytes(size).decode("latin-1")
    if kind == 1:
        return "".join(pick.choices(_ALPHABET, k=size))
    if kind == 2:
        return "".join(chr(pick.randrange(0x11_0000)) for _ in range(size))
    return pick.choice((" ", "")).join(pick.choices(_PIECES, k=size))


def _place(pick: random.Random, tokens: list[str]) -> int:
    """Where to change something: mostly not at a bracket, so that the text is still read."""
    at = pick.randrange(len(tokens))
    for _ in range(5):
        if tokens[at][-1:] not in _BRACKETS or pick.random() < 0.1:
            return at
        at = pick.randrange(len(tokens))
    return at


def _dropped(pick: random.Random, tokens: list[str]) -> None:
    del tokens[_place(pick, tokens)]


def _doubled(pick: random.Random, tokens: list[str]) -> None:
    at = _place(pick, tokens)
    tokens.insert(at, tokens[at])


def _swapped(pick: random.Random, tokens: list[str]) -> None:
    a, b = _place(pick, tokens), _place(pick, tokens)
    tokens[a], tokens[b] = tokens[b], tokens[a]


def _replaced(pick: random.Random, tokens: list[str]) -> None:
    tokens[_place(pick, tokens)] = pick.choice(_PIECES)


def _borrowed(pick: random.Random, tokens: list[str]) -> None:
    """One token becomes another one of the same text."""
    tokens[_place(pick, tokens)] = tokens[_place(pick, tokens)]


def _inserted(pick: random.Random, tokens: list[str]) -> None:
    tokens.insert(pick.randrange(len(tokens) + 1), pick.choice(_PIECES))


def _cut(pick: random.Random, tokens: list[str]) -> None:
    del tokens[pick.randrange(len(tokens)) :]


def _moved(pick: random.Random, tokens: list[str]) -> None:
    start = pick.randrange(len(tokens))
    part = tokens[start : start + pick.randint(1, 8)]
    at = pick.randrange(len(tokens) + 1)
    tokens[at:at] = part


def _bent(pick: random.Random, tokens: list[str]) -> None:
    """One character of a token becomes another."""
    at = pick.randrange(len(tokens))
    text = tokens[at]
    place = pick.randrange(len(text) + 1)
    tokens[at] = text[:place] + pick.choice(_ALPHABET) + text[place + pick.randrange(2) :]


_CHANGES: Final[tuple[Callable[[random.Random, list[str]], None], ...]] = (
    _dropped,
    _dropped,
    _doubled,
    _swapped,
    _swapped,
    _replaced,
    _borrowed,
    _borrowed,
    _inserted,
    _cut,
    _moved,
    _bent,
)


def mutated(pick: random.Random, text: str, donor: str = "") -> str:
    """`text` with one to four changes, perhaps with a part of `donor` in it."""
    tokens = _TOKEN.findall(text)
    if donor and pick.random() < 0.3:
        others = _TOKEN.findall(donor)
        start = pick.randrange(len(others) + 1)
        at = pick.randrange(len(tokens) + 1)
        tokens[at:at] = others[start : start + pick.randint(1, 12)]
    for _ in range(pick.choice((1, 1, 2, 4))):
        if tokens:
            pick.choice(_CHANGES)(pick, tokens)
    return "".join(tokens)


def forms_in(text: str) -> Iterator[str]:
    """The bracketed forms in `text`, inner ones too, that are neither short nor long."""
    open_: list[int] = []
    place = 0
    for token in _TOKEN.findall(text):
        if token[-1] in "([{" and not token.startswith('"'):
            open_.append(place)
        place += len(token)
        if token in ")]}" and open_:
            form = text[open_.pop() : place]
            if _SHORTEST <= len(form) <= _LONGEST:
                yield form


class Mutator:
    """Texts by number: the same number gives the same text.

    Args:
        corpus: programs to start from, besides generated ones.
    """

    def __init__(self, corpus: Sequence[str]) -> None:
        made = [form for seed in range(_GENERATED) for form in forms_in(program(seed))]
        found = [form for text in corpus for form in forms_in(text)]
        self._bases = (found or made, made)

    def text(self, seed: int) -> str:
        """One hostile text."""
        pick = random.Random(seed)
        if pick.random() < 0.15:
            return noise(pick)
        return mutated(pick, self._base(pick), self._base(pick))

    def _base(self, pick: random.Random) -> str:
        return pick.choice(self._bases[pick.random() < 0.6])
