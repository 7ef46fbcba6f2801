"""Which functions, and so which models, are likely to be needed next: what is worth warming up.

Two sources, joined:

- Past calls. How often one function was called after another, in runs that are over: first-order Markov counts,
  discounted, so that one left behind `half_life` times ago counts half.
- The program. `call_order` walks its call graph from the top level, in the order of the text. That a function
  follows another there counts as `PROGRAM` observations, so that it says all about a new program and little
  about one whose runs were seen.

`predict` answers, for each function, how likely it is to be called within the next `steps` calls: the
probability that a walk of the Markov chain passes it. A model is needed if one of its functions is;
`needed_targets` says so under a map from functions to targets, which an engine's plans give. Everything here is
data in, data out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from types import MappingProxyType
from typing import Final, NamedTuple

from immutables import Map

from policies.errors import PolicyError
from rtfs import ir
from rtfs.function_info import functions_of
from rtfs.ir_walk import children

#: stands for the begin of a run, and for its end
EDGE: Final = ""
#: what the program's own order counts for beside what was seen
PROGRAM: Final = 2.0
#: functions that are remembered, and those that may follow each; beyond, the rarest goes
MAX_SYMBOLS: Final = 4096
MAX_FOLLOWERS: Final = 64
#: what is not more likely than this is no prediction
LEAST: Final = 0.01


class Prediction(NamedTuple):
    """Something that may be needed soon: a function's symbol or a target's name, and how likely it is."""

    name: str
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What followed what. Immutable; `after` gives the next one."""

    half_life: float = 200.0
    #: by symbol, `EDGE` for the begin: followers, `EDGE` for the end, and how often, discounted
    followers: Map[str, Mapping[str, float]] = field(default_factory=Map)

    def __post_init__(self) -> None:
        if not self.half_life > 0:
            raise PolicyError(f"expected a half-life above 0, got {self.half_life}")

    def after(self, run: Sequence[str]) -> Habits:
        """What is known after one more run, given as the symbols it called in order."""
        fade = 0.5 ** (1 / self.half_life)
        known = self.followers
        for symbol, follower in pairwise((EDGE, *run, EDGE)):
            counts = {name: count * fade for name, count in known.get(symbol, {}).items()}
            counts[follower] = counts.get(follower, 0.0) + 1.0
            if len(counts) > MAX_FOLLOWERS:
                del counts[min((name for name in counts if name != follower), key=lambda name: counts[name])]
            known = known.set(symbol, MappingProxyType(counts))
        while len(known) > MAX_SYMBOLS:
            known = known.delete(
                min((name for name in known if name != EDGE), key=lambda name: _sum(known[name]))
            )
        return replace(self, followers=known)

    def to_data(self) -> dict[str, object]:
        """JSON-like data that `from_data` reads."""
        return {
            "half_life": self.half_life,
            "followers": {symbol: dict(self.followers[symbol]) for symbol in sorted(self.followers)},
        }

    @classmethod
    def from_data(cls, data: object) -> Habits:
        """The habits in what `to_data` gave.

        Raises:
            PolicyError: it is something else.
        """
        match data:
            case {"half_life": float() | int() as half_life, "followers": dict() as followers}:
                return cls(
                    half_life=float(half_life),
                    followers=Map({_text(symbol): _counts(counts) for symbol, counts in followers.items()}),
                )
        raise PolicyError("expected habits as `to_data` gives them, a map of `half_life` and `followers`")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise PolicyError(f"expected a function's symbol, got `{value}`")
    return value


def _counts(data: object) -> Mapping[str, float]:
    if not isinstance(data, dict):
        raise PolicyError("expected a map from symbols to counts")
    for count in data.values():
        if isinstance(count, bool) or not isinstance(count, int | float) or not 0 <= count < 1e15:
            raise PolicyError(f"expected a count of 0 or more, got `{count}`")
    return MappingProxyType({_text(symbol): float(count) for symbol, count in data.items()})


def _sum(counts: Mapping[str, float]) -> float:
    return sum(counts.values())


# ---------------------------------------------------------------- predicting


def predict(
    habits: Habits, last: str | None = None, *, order: Sequence[str] = (), steps: int = 8, most: int = 32
) -> tuple[Prediction, ...]:
    """The functions that are likely to be called next, the likeliest first, equals by name.

    Args:
        last: the function that was called last, None at the begin of a run.
        order: of the program; see `call_order`.
        steps: calls to look ahead.
        most: predictions at most.
    """
    chain = _Chain(habits, order)
    begin = EDGE if last is None else last
    near = chain.reachable(begin, steps)
    found = [Prediction(name, chain.passes(begin, name, near, steps)) for name in near if name != EDGE]
    found = [each for each in found if each.probability >= LEAST]
    return tuple(sorted(found, key=lambda each: (-each.probability, each.name))[:most])


class _Chain:
    """The Markov chain of habits and a program's order."""

    def __init__(self, habits: Habits, order: Sequence[str]) -> None:
        self._habits = habits
        self._program: dict[str, dict[str, float]] = {}
        if order:
            for symbol, follower in pairwise((EDGE, *order, EDGE)):
                counts = self._program.setdefault(symbol, {})
                counts[follower] = counts.get(follower, 0.0) + 1.0
        self._next: dict[str, tuple[tuple[str, float], ...]] = {}

    def next(self, symbol: str) -> tuple[tuple[str, float], ...]:
        """What may follow, with probabilities that sum to 1; nothing if nothing is known."""
        found = self._next.get(symbol)
        if found is None:
            counts = dict(self._habits.followers.get(symbol, {}))
            program = self._program.get(symbol, {})
            for name, count in program.items():
                counts[name] = counts.get(name, 0.0) + PROGRAM * count / _sum(program)
            whole = _sum(counts)
            found = tuple((name, count / whole) for name, count in counts.items()) if whole else ()
            self._next[symbol] = found
        return found

    def reachable(self, begin: str, steps: int) -> list[str]:
        """Everything that may come within so many steps, nearest first."""
        found: dict[str, None] = {}
        edge = [begin]
        for _ in range(steps):
            edge = [name for symbol in edge for name, _ in self.next(symbol) if name not in found]
            edge = [name for name in dict.fromkeys(edge) if name != EDGE]
            found.update(dict.fromkeys(edge))
        return list(found)

    def passes(self, begin: str, wanted: str, near: Iterable[str], steps: int) -> float:
        """How likely a walk from `begin` comes to `wanted` within so many steps; it ends at `EDGE`."""
        places = dict.fromkeys((begin, *near))
        likely = dict.fromkeys(places, 0.0)
        for _ in range(steps):
            likely = {
                place: sum(
                    share * (1.0 if name == wanted else 0.0 if name == EDGE else likely.get(name, 0.0))
                    for name, share in self.next(place)
                )
                for place in places
            }
        return min(1.0, likely[begin])


def needed_targets(predictions: Iterable[Prediction], targets: Mapping[str, str]) -> tuple[Prediction, ...]:
    """The targets that are likely to be needed, the likeliest first, equals by name.

    Whether one function of a target is called is taken as independent of whether another is.

    Args:
        targets: by symbol, the name of the target where the function runs; those that are missing need none.
    """
    idle: dict[str, float] = {}
    for symbol, probability in predictions:
        target = targets.get(symbol)
        if target is not None:
            idle[target] = idle.get(target, 1.0) * (1 - probability)
    found = [Prediction(target, 1 - chance) for target, chance in idle.items()]
    return tuple(sorted(found, key=lambda each: (-each.probability, each.name)))


# ---------------------------------------------------------------- the program itself


def call_graph(unit: ir.Unit) -> Mapping[str, tuple[str, ...]]:
    """By function, `EDGE` for the top level: the program's own functions that it mentions, in order, each once.

    What is mentioned may be called, now or by somebody else; closures without a name belong to who makes them.
    """
    named = {id(node): info.symbol for node, info in functions_of(unit) if node.name is not None}
    known = frozenset(named.values())
    graph: dict[str, dict[str, None]] = {EDGE: {}}
    todo: list[tuple[ir.Node, str, str | None]] = [(form, EDGE, None) for form in reversed(unit.forms)]
    while todo:
        node, owner, module = todo.pop()
        if isinstance(node, ir.ModuleForm):
            module = node.name
        owner = named.get(id(node), owner)
        mentioned = _mentioned(node, module, known)
        if mentioned is not None:
            graph.setdefault(owner, {})[mentioned] = None
        todo.extend((child, owner, module) for child in reversed(list(children(node))))
    return MappingProxyType({owner: tuple(callees) for owner, callees in graph.items()})


def _mentioned(node: ir.Node, module: str | None, known: frozenset[str]) -> str | None:
    match node:
        case ir.QualifiedRef(module=place, name=name):
            return f"{place}/{name}"
        case ir.GlobalRef(name=name):
            inside = f"{module}/{name}"
            if module and inside in known:
                return inside
            return name if name in known or "/" in name else None
    return None


def call_order(graph: Mapping[str, Sequence[str]], begin: str = EDGE, most: int = 1000) -> tuple[str, ...]:
    """The functions in the order in which a run would first come to them: callers before what they call.

    Args:
        begin: whose calls to follow; all of the program if not given.
        most: functions at most.
    """
    found: dict[str, None] = {}
    todo = list(reversed(graph.get(begin, ())))
    while todo and len(found) < most:
        symbol = todo.pop()
        if symbol not in found:
            found[symbol] = None
            todo.extend(reversed(graph.get(symbol, ())))
    return tuple(found)
