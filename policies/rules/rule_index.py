"""Which rules of a policy a call meets, out of a thousand, in microseconds.

Every condition but those on arguments has, for a given symbol, tenant, set of labels and so on, a set of rules
that satisfy it. Such a set is a Python integer, bit n for rule n; a call meets the rules that are in all sets.
Sets are kept by what they were made from, so that for most calls they are a handful of look-ups and a few ANDs.
What is left after that, few rules, is asked about arguments one by one.

Two kinds of doubt, resolved on the safe side:

- A rule may ask for an ambient fact (`when`) that the run does not have. Choosing rules then do not match; hard
  rules (`deny`, `require_locality`, `require_region`, a ceiling without targets) do.
- Types and size of arguments may not be known yet. Choosing rules then do not match *yet*: the rule is noted as
  undecided, and the function's calls decide. Hard rules match.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Final, NamedTuple

from policies.context import CallContext, CallFacts
from policies.file.policy import Policy
from policies.file.schema import FactValue, Rule
from policies.plan import Because
from policies.rules.arguments import ArgumentCondition
from policies.rules.candidates import place
from policies.rules.globs import GlobSet
from rtfs.delegation import Fact, FunctionInfo, RuntimeFacts

#: sets that are kept for each kind of condition
_KEPT: Final = 4096
_RANGE: Final = re.compile(r"(\d{1,18})-(\d{1,18})", re.ASCII)
#: a set of rules
type Bits = int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CompiledRule:
    """A rule of the policy, ready to be asked."""

    position: int
    rule: Rule
    #: how people call it: ``rule `cheap-first` `` or `rule 3`
    label: str
    because: Because
    arguments: ArgumentCondition | None
    has_targets: bool
    #: it has targets or a fallback
    chooses: bool
    #: it says how results are kept
    keeps: bool
    #: its `max_cost_usd` is a hard rule for all that it matches, since it has no targets
    is_ceiling: bool
    #: its `max_latency_ms` or `min_quality` keep targets out
    has_limits: bool
    #: it forbids: by `deny`, by locality or region, or as a ceiling
    is_hard: bool


type _Rules = tuple[CompiledRule, ...]


class Matching(NamedTuple):
    """The rules that one call meets."""

    #: hard rules, undecided ones included
    hard: tuple[CompiledRule, ...]
    #: the first rule with targets that matches for certain
    choosing: CompiledRule | None
    #: rules that would choose, or give the fallback, if the arguments were such
    undecided: tuple[CompiledRule, ...]
    #: hard rules that the arguments may still lift
    undecided_hard: tuple[CompiledRule, ...]
    #: the first rule that says what comes after: `choosing`, or one before it with a fallback only
    fallback: CompiledRule | None
    #: the first rule that says how results are kept
    cache: CompiledRule | None
    #: rules that would say it instead if the arguments were such
    undecided_cache: tuple[CompiledRule, ...]


class RuleIndex:
    """The rules of a policy, found by call. Immutable but for bounded caches."""

    def __init__(self, policy: Policy) -> None:
        every = policy.settings.rules
        self.rules = tuple(_compiled(policy, position, rule) for position, rule in enumerate(every))
        self._symbols = _ByGlob([rule.symbols for rule in every])
        self._namespaces = _ByGlob([rule.namespaces for rule in every])
        self._capabilities = _ByGlob([rule.capabilities for rule in every])
        self._tenants = _ByGlob([rule.tenants for rule in every])
        self._labels = _ByName([rule.privacy for rule in every])
        self._permissions = [(rule.permissions, 1 << at) for at, rule in enumerate(every) if rule.permissions]
        self._when = [
            (compiled.rule.when, 1 << compiled.position) for compiled in self.rules if compiled.rule.when
        ]
        self._hard = _bits(compiled.position for compiled in self.rules if compiled.is_hard)
        self._choose = _bits(compiled.position for compiled in self.rules if compiled.chooses)
        self._keep_results = _bits(compiled.position for compiled in self.rules if compiled.keeps)
        self._on_arguments = _bits(compiled.position for compiled in self.rules if compiled.arguments)
        self._all = (1 << len(every)) - 1
        self._of_symbol: dict[str, Bits] = {}
        self._of_capabilities: dict[frozenset[str], Bits] = {}
        self._of_labels: dict[frozenset[str], Bits] = {}
        self._of_runtime: dict[int, tuple[RuntimeFacts, Bits, Bits]] = {}

    def matching(self, call: CallContext) -> Matching:
        """The rules that `call` meets."""
        facts = call.facts
        certain, possible = self._runtime_bits(call.runtime_context_hash, facts.runtime)
        bits = self._symbol_bits(call.fn_symbol)
        if self._capabilities.any:
            bits &= self._capability_bits(facts.function)
        if self._labels.any:
            bits &= self._label_bits(facts.labels)
        hard, doubtful = self._forbidding(bits & possible & self._hard, facts)
        bits &= certain
        choosing, fallback, undecided = self._choosing(bits & self._choose, facts)
        cache, unkept = self._keeping(bits & self._keep_results, facts)
        return Matching(hard, choosing, tuple(undecided), doubtful, fallback, cache, tuple(unkept))

    def _forbidding(self, bits: Bits, facts: CallFacts) -> tuple[_Rules, _Rules]:
        """The hard rules of a set that arguments do not lift, and those of them that they still may."""
        if not bits:
            return (), ()
        met: list[CompiledRule] = []
        doubtful: list[CompiledRule] = []
        for rule in self._each(bits):
            holds = True if rule.arguments is None else rule.arguments.holds(facts, trust_declared=False)
            if holds is not False:
                met.append(rule)
            if holds is None:
                doubtful.append(rule)
        return tuple(met), tuple(doubtful)

    def _choosing(
        self, bits: Bits, facts: CallFacts
    ) -> tuple[CompiledRule | None, CompiledRule | None, Sequence[CompiledRule]]:
        """The rule that chooses, the one that says what comes after, and those that may yet come before."""
        fallback = None
        undecided: list[CompiledRule] = []
        for rule in self._each(bits):
            holds = True if rule.arguments is None else rule.arguments.holds(facts, trust_declared=True)
            if holds is None:
                undecided.append(rule)
            elif holds:
                fallback = fallback or rule
                if rule.has_targets:
                    return rule, fallback, undecided
        return None, fallback, undecided

    def _keeping(self, bits: Bits, facts: CallFacts) -> tuple[CompiledRule | None, Sequence[CompiledRule]]:
        """The rule that says how results are kept, and those that may yet come before it."""
        if not bits:
            return None, ()
        undecided: list[CompiledRule] = []
        for rule in self._each(bits):
            holds = True if rule.arguments is None else rule.arguments.holds(facts, trust_declared=True)
            if holds:
                return rule, undecided
            if holds is None:
                undecided.append(rule)
        return None, undecided

    def size_bounds(self, symbol: str) -> tuple[int, ...]:
        """Sizes, ascending, after each of which a decision about `symbol` may change."""
        return tuple(sorted({bound for condition in self._conditions(symbol) for bound in condition.bounds}))

    def _conditions(self, symbol: str) -> Iterator[ArgumentCondition]:
        for rule in self._each(self._symbol_bits(symbol) & self._on_arguments):
            if rule.arguments is not None:
                yield rule.arguments

    def _each(self, bits: Bits) -> Iterator[CompiledRule]:
        rules = self.rules
        while bits:
            lowest = bits & -bits
            bits ^= lowest
            yield rules[lowest.bit_length() - 1]

    # ------------------------------------------------------------ sets of rules

    def _symbol_bits(self, symbol: str) -> Bits:
        bits = self._of_symbol.get(symbol)
        if bits is None:
            bits = self._symbols.of(symbol)
            if self._namespaces.any:
                bits &= self._namespaces.of(namespace_of(symbol))
            _keep(self._of_symbol, symbol, bits)
        return bits

    def _capability_bits(self, function: FunctionInfo) -> Bits:
        held = function.capabilities
        bits = self._of_capabilities.get(held)
        if bits is None:
            bits = self._capabilities.of_any(held)
            if "*" in held:  # known only when it runs: it may be any
                bits = self._all
            _keep(self._of_capabilities, held, bits)
        return bits

    def _label_bits(self, labels: frozenset[str]) -> Bits:
        bits = self._of_labels.get(labels)
        return _keep(self._of_labels, labels, self._labels.of_any(labels)) if bits is None else bits

    def _runtime_bits(self, hashed: int, facts: RuntimeFacts) -> tuple[Bits, Bits]:
        """Rules that a run allows for certain, and those that it may allow."""
        known = self._of_runtime.get(hashed)
        if known is not None and (known[0] is facts or known[0] == facts):
            return known[1], known[2]
        certain = self._tenants.of(facts.tenant)
        for needed, bit in self._permissions:
            if not needed <= facts.permissions:
                certain &= ~bit
        possible = certain
        for wanted, bit in self._when:
            holds = when_holds(wanted, facts.ambient)
            if holds is False:
                possible &= ~bit
            if not holds:
                certain &= ~bit
        _keep(self._of_runtime, hashed, (facts, certain, possible))
        return certain, possible


def namespace_of(symbol: str) -> str | None:
    """The module's name in a qualified symbol, None if it has none."""
    module, slash, name = symbol.partition("/")
    return module if slash and module and name else None


def when_holds(
    wanted: Mapping[str, FactValue | tuple[FactValue, ...]], ambient: Mapping[str, Fact]
) -> bool | None:
    """Whether all facts are as wanted; None if one is missing and no other is wrong."""
    answer: bool | None = True
    for name, value in wanted.items():
        fact = ambient.get(name)
        if fact is None:
            answer = None
        elif not any(_is(one, fact) for one in (value if isinstance(value, tuple) else (value,))):
            return False
    return answer


def _is(wanted: FactValue, fact: Fact) -> bool:
    """Whether a fact is as wanted. `"22-6"` stands for the integers from 22 on and up to 6, both included."""
    if type(wanted) is str and type(fact) is int:
        limits = _RANGE.fullmatch(wanted)
        if limits is None:
            return False
        low, high = int(limits[1]), int(limits[2])
        return low <= fact <= high if low <= high else fact >= low or fact <= high
    return type(wanted) is type(fact) and wanted == fact


class _ByGlob:
    """Rules by globs over one text. A rule without globs takes every text, and none at all."""

    def __init__(self, globs_of: list[tuple[str, ...]]) -> None:
        owned = [(glob, 1 << position) for position, globs in enumerate(globs_of) for glob in globs]
        self.any = bool(owned)
        self._free = _bits(position for position, globs in enumerate(globs_of) if not globs)
        self._globs = GlobSet(glob for glob, _ in owned)
        self._bit = [bit for _, bit in owned]

    def of(self, text: str | None) -> Bits:
        bits = self._free
        if text is not None:
            for position in self._globs.positions(text):
                bits |= self._bit[position]
        return bits

    def of_any(self, texts: Iterable[str]) -> Bits:
        bits = self._free
        for text in texts:
            bits |= self.of(text)
        return bits


class _ByName:
    """Rules by names, one of which must be there. A rule without names asks for none."""

    def __init__(self, names_of: list[frozenset[str]]) -> None:
        self._free = _bits(position for position, names in enumerate(names_of) if not names)
        self._named: dict[str, Bits] = {}
        for position, names in enumerate(names_of):
            for name in names:
                self._named[name] = self._named.get(name, 0) | 1 << position
        self.any = bool(self._named)

    def of_any(self, names: Set[str]) -> Bits:
        bits = self._free
        for name in names:
            bits |= self._named.get(name, 0)
        return bits


def _bits(positions: Iterable[int]) -> Bits:
    bits = 0
    for position in positions:
        bits |= 1 << position
    return bits


def _keep[K, V](cache: dict[K, V], key: K, value: V) -> V:
    if len(cache) >= _KEPT:
        cache.clear()
    cache[key] = value
    return value


def _compiled(policy: Policy, position: int, rule: Rule) -> CompiledRule:
    label = f"rule {position + 1}" if rule.name is None else f"rule `{rule.name}`"
    is_ceiling = rule.max_cost_usd is not None and not rule.targets
    return CompiledRule(
        position=position,
        rule=rule,
        label=label,
        because=place(policy, label, "rules", str(position)),
        arguments=ArgumentCondition.of(rule),
        has_targets=bool(rule.targets),
        chooses=bool(rule.targets or rule.fallback),
        keeps=rule.cache is not None,
        is_ceiling=is_ceiling,
        has_limits=rule.max_latency_ms is not None or rule.min_quality is not None,
        is_hard=bool(rule.deny or rule.require_locality or rule.require_region or is_ceiling),
    )
