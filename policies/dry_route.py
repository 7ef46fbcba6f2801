"""Where the functions of a program would run: routed as linking routes them, with nothing run.

Functions come from the linker, labels and all, and are asked about as it asks; so what is said here is what a
run under the same policy, world and facts then does.

A function whose rules look at types or size of arguments has no single route. For it the kinds of arguments
that the rules tell apart are tried one by one: for each parameter the types that some rule names, and one that
none does; and each class of sizes. That is what its guard would find out call by call.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import Final

from policies.context import CallContext, CallFacts
from policies.engines.l4 import SignedModuleStore
from policies.engines.standard import standard_engine
from policies.explain import Explanation, explained
from policies.file.policy import Policy
from policies.plan import DelegationPlan
from policies.rules.arguments import ANY, declared_names
from policies.rules.rulebook import Current, Rulebook
from policies.running.delegate import PolicyDelegate
from policies.running.runner import Clock
from rtfs.delegation import BY_ARGUMENTS, FunctionInfo, LocalPure
from rtfs.errors import Span
from rtfs.linking import functions_told
from rtfs.program import Program
from rtfs.runtime_facts import RuntimeFacts
from rtfs.values import TYPE_NAMES

#: kinds of arguments that are tried for one function
MOST_CASES: Final = 256
#: stands for all types that no rule names
OTHER: Final = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The route of calls whose arguments are of some kind."""

    #: by position, `any` where the type does not matter and `other` for all that no rule names
    types: tuple[str, ...]
    #: from … to …, both included; None: any size, or no upper end
    sizes: tuple[int, int | None] | None
    explanation: Explanation

    def __str__(self) -> str:
        types = f"({', '.join(self.types)})" if any(one != ANY for one in self.types) else ""
        if self.sizes is None:
            return types or "any arguments"
        low, high = self.sizes
        size = (
            f"size over {low - 1}" if high is None else f"size {low} to {high}" if low else f"size up to {high}"
        )
        return f"{types}, {size}" if types else size


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionRoute:
    """Where one function would run, and why."""

    function: FunctionInfo
    #: name of its text, and where it stands there
    source: str
    span: Span | None
    #: of a function with `cases`, what holds as long as nothing is known of the arguments
    explanation: Explanation
    #: what becomes of its calls by kind of arguments; empty if the route is the same for all
    cases: tuple[Case, ...] = ()

    @property
    def plans(self) -> tuple[DelegationPlan, ...]:
        """Those that calls of it may follow."""
        return tuple(case.explanation.plan for case in self.cases) or (self.explanation.plan,)


def dry_delegate(policy: Policy, modules: SignedModuleStore | None = None) -> PolicyDelegate:
    """The delegate of a run under `policy` in which nothing has happened yet, for questions alone.

    Args:
        modules: which signed modules there are; None: none.
    """
    current = Current(Rulebook(policy))
    engine = standard_engine(current, l4=modules)
    return PolicyDelegate(engine, current, {}, Clock(monotonic=_no_time, wall=_no_time))


def _no_time() -> float:
    return 0.0


def dry_routes(program: Program, delegate: PolicyDelegate, facts: RuntimeFacts) -> Iterator[FunctionRoute]:
    """The routes of all functions that a run of `program` may reach, in order of the text, modules last."""
    for unit, node, function in functions_told(program, delegate, facts):
        explanation, cases = route(delegate, function, facts)
        yield FunctionRoute(
            function=function, source=unit.source, span=node.span, explanation=explanation, cases=cases
        )


def route(
    delegate: PolicyDelegate, function: FunctionInfo, facts: RuntimeFacts
) -> tuple[Explanation, tuple[Case, ...]]:
    """Where `function`, as linking describes it, would run, and by kind of arguments if these decide."""
    call = CallContext.of(CallFacts(function=function, runtime=facts))
    rulebook = delegate.services.current.rulebook
    if function.hint is None:
        by_arguments = delegate.target(function, facts) is BY_ARGUMENTS
    else:
        matching = rulebook.matching(call)
        is_local = isinstance(function.hint.to_exec_target(), LocalPure)
        by_arguments = not is_local and bool(matching.undecided or matching.undecided_hard)
    if not by_arguments:
        return _explained(delegate, call), ()
    cases = tuple(_merged(_cases(delegate, call)))
    alike = all(_go_alike(cases[0], case) for case in cases) and len(cases) < MOST_CASES
    if alike and not function.variadic:  # calls with more or fewer arguments are not among the cases
        return cases[0].explanation, ()
    return _explained(delegate, call), cases


def _explained(delegate: PolicyDelegate, call: CallContext) -> Explanation:
    hint, engine = call.facts.function.hint, delegate.engine
    plan = engine.plan(call) if hint is None else engine.plan_for(call, hint.to_exec_target())
    return explained(plan, delegate.services.current, call)


# ---------------------------------------------------------------- kinds of arguments


def _cases(delegate: PolicyDelegate, call: CallContext) -> Iterator[Case]:
    rulebook = delegate.services.current.rulebook
    bounds = rulebook.size_bounds(call.fn_symbol)
    for types in islice(_kinds(rulebook, call), MOST_CASES):
        for sizes, size in _sizes(bounds):
            facts = replace(call.facts, arg_types=tuple(actual for actual, _ in types), size=size)
            explanation = _explained(delegate, CallContext.of(facts))
            yield Case(types=tuple(shown for _, shown in types), sizes=sizes, explanation=explanation)


def _kinds(rulebook: Rulebook, call: CallContext) -> Iterator[tuple[tuple[str, str], ...]]:
    """For each parameter a type, and how it is shown; every combination."""
    matching = rulebook.matching(call)
    rules = (*matching.undecided, *matching.undecided_hard)
    patterns = [rule.arguments.types for rule in rules if rule.arguments and rule.arguments.types]
    declared = call.facts.function.parameter_types
    return product(*(_tried(position, text, patterns) for position, text in enumerate(declared)))


def _tried(position: int, declared: str, patterns: Iterable[tuple[str, ...]]) -> Sequence[tuple[str, str]]:
    """The types that are tried for one parameter."""
    named = {types[position] for types in patterns if position < len(types)} - {ANY}
    possible = declared_names(declared) or frozenset(TYPE_NAMES.values())
    found = [(name, name) for name in sorted(named & possible)]
    others = sorted(possible - named)
    if others:
        return [*found, (others[0], OTHER if found else ANY)]
    return found if len(found) > 1 else [(name, ANY) for name, _ in found]


def _sizes(bounds: Sequence[int]) -> Iterator[tuple[tuple[int, int | None] | None, int | None]]:
    """Each class of sizes, and the size that stands for it."""
    if not bounds:
        yield None, None
        return
    low = 0
    for bound in bounds:
        yield (low, bound), bound
        low = bound + 1
    yield (low, None), low


def _merged(cases: Iterable[Case]) -> Iterator[Case]:
    """Neighbours that differ in nothing but their size become one."""
    held: Case | None = None
    for case in cases:
        if (
            held is not None
            and held.types == case.types
            and held.sizes
            and case.sizes
            and _go_alike(held, case)
        ):
            held = replace(held, sizes=(held.sizes[0], case.sizes[1]))
            continue
        if held is not None:
            yield _of_any_size(held)
        held = case
    if held is not None:
        yield _of_any_size(held)


def _of_any_size(case: Case) -> Case:
    return replace(case, sizes=None) if case.sizes == (0, None) else case


def _go_alike(one: Case, other: Case) -> bool:
    a, b = one.explanation.plan, other.explanation.plan
    return (a.target, a.chain, a.because) == (b.target, b.chain, b.because)
