"""A model decides, among the targets that are allowed, where calls run that no rule decides.

The port `ask` is the owner's: it knows how to reach `model_choice.target` and pays for it. Whatever goes wrong
with a question, the inner engine's plan stands, and its metadata says why under `model_choice`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from threading import Lock
from typing import Final

from cachetools import LRUCache

from policies.context import CallContext
from policies.engines.asking import LIMIT, Ask, Asker, AskFailedError
from policies.engines.chaining import behind
from policies.engines.metadata import with_metadata
from policies.engines.protocol import Decorator, DelegationEngine
from policies.errors import PolicyError
from policies.file.schema import ModelChoice
from policies.plan import DelegationPlan
from policies.rules.candidates import DISTANCE_NAMES, Candidate, expected_now
from policies.rules.rulebook import Current, Rulebook
from policies.targets import parse_target
from policies.world import World
from rtfs.spell import nearest

#: seconds, on the world's clock, before a question that failed is asked again
RETRY_S: Final = 30.0
#: decisions, and failures, remembered at most
REMEMBERED: Final = 10_000
#: characters of a reply that are looked at, and of a doc text that is shown
_LONGEST_REPLY: Final = 4_096
_LONGEST_DOC: Final = 2_000
_MOST_PARAMETERS: Final = 64

type Question = tuple[str, tuple[str, ...], CallContext]


class ModelEngine(Decorator):
    """Off unless `model_choice.target` is set. Asks only where the inner plan is the default's.

    A choice holds for the version of the policy, the call and the set of allowed targets; a failure holds until
    the world is `retry_s` older. The model that is asked must itself be allowed for the call: the prompt goes
    there, though it holds no value of an argument.
    """

    def __init__(
        self,
        inner: DelegationEngine,
        current: Current,
        ask: Ask,
        *,
        limit: int = LIMIT,
        retry_s: float = RETRY_S,
    ) -> None:
        super().__init__(inner)
        self._current = current
        self._asker = Asker(ask, limit=limit)
        self._retry_s = retry_s
        self._choices: LRUCache[Question, str] = LRUCache(REMEMBERED)
        self._failures: LRUCache[Question, tuple[float, str]] = LRUCache(REMEMBERED)
        self._lock = Lock()

    def plan(self, call: CallContext) -> DelegationPlan:
        """Where `call` runs, and why."""
        plan = self.inner.plan(call)
        rulebook, world = self._current.rulebook, self._current.world
        choice = rulebook.policy.settings.model_choice
        if choice.target is None or plan.stage != "default":
            return plan
        allowed = _choosable(rulebook.allowed(call, world), choice)
        if len(allowed) < 2:
            return plan
        refused = _refuses_to_ask(rulebook, world, call, choice.target)
        try:
            if refused is not None:
                raise AskFailedError(refused)
            name = self._choose(call, rulebook, world, allowed)
        except AskFailedError as failure:
            return with_metadata(plan, {"model_choice": f"not followed: {failure}"})
        return _chosen(call, rulebook, world, allowed[name], plan)

    def _choose(
        self, call: CallContext, rulebook: Rulebook, world: World, allowed: dict[str, Candidate]
    ) -> str:
        """The name that the model chose, now or before."""
        question = (rulebook.policy.version, tuple(allowed), call)
        with self._lock:
            known = self._choices.get(question)
            failed_at, reason = self._failures.get(question, (0.0, ""))
        if known is not None:
            return known
        if reason and 0 <= world.now - failed_at < self._retry_s:
            raise AskFailedError(reason)
        choice = rulebook.policy.settings.model_choice
        try:
            prompt = prompt_for(call, allowed.values(), world)
            reply = self._asker.ask(prompt, question[1], choice.timeout_ms / 1000)
            name = chosen_name(reply, question[1])
        except AskFailedError as failure:
            with self._lock:
                self._failures[question] = (world.now, str(failure))
            raise
        with self._lock:
            return self._choices.setdefault(question, name)


def _choosable(allowed: Iterable[Candidate], choice: ModelChoice) -> dict[str, Candidate]:
    """The allowed targets that the model may choose from, by name."""
    named = frozenset(choice.candidates)
    return {each.name: each for each in allowed if not named or each.name in named}


def _refuses_to_ask(rulebook: Rulebook, world: World, call: CallContext, model: str) -> str | None:
    """Why `model` must not be asked about `call`."""
    try:
        veto = rulebook.veto(call, parse_target(model), world)
    except PolicyError as error:
        return str(error)
    return None if veto is None else f"`{model}` may not be asked: {veto.reason}"


def _chosen(
    call: CallContext, rulebook: Rulebook, world: World, candidate: Candidate, plan: DelegationPlan
) -> DelegationPlan:
    model = rulebook.policy.settings.model_choice.target
    return replace(
        plan,
        target=candidate.target,
        stage="model",
        reasoning=f"`{model}` chose `{candidate.name}` for `{call.fn_symbol}`, which no rule decides",
        because=rulebook.policy.because(f"model `{model}`", "model_choice.target"),
        chain=behind(candidate.target, plan),
        expected=expected_now(candidate, world),
        cache=rulebook.cache_tier(call, candidate.target),
        created_at=world.now,
    )


def prompt_for(call: CallContext, candidates: Iterable[Candidate], world: World) -> str:
    """The question: what the function is and where it may run. Never a value of an argument."""
    function, facts = call.facts.function, call.facts
    given = (*facts.arg_types, *[None] * len(function.parameters))
    parameters = [
        f"{name}: {actual or declared}"
        for name, declared, actual in zip(
            function.parameters[:_MOST_PARAMETERS], function.parameter_types, given, strict=False
        )
    ]
    lines = [
        "Choose where calls of a function run. Answer with exactly one of the names listed under `targets`.",
        f"function: {function.symbol}",
        f"doc: {json.dumps((function.doc or '')[:_LONGEST_DOC], ensure_ascii=False)}",
        f"parameters: {', '.join(parameters) or 'none'}",
        f"result: {function.return_type}",
        f"privacy labels: {', '.join(sorted(facts.labels)) or 'none'}",
        "targets:",
        *(f"- {each.name} ({_figures(each, world)})" for each in candidates),
    ]
    return "\n".join(lines)


def _figures(candidate: Candidate, world: World) -> str:
    expected = expected_now(candidate, world)
    known = {
        "cost in USD": expected.cost_usd,
        "latency in ms": expected.latency_ms,
        "quality": expected.quality,
    }
    figures = [f"{what} {figure:g}" for what, figure in known.items() if figure is not None]
    return ", ".join((*figures, DISTANCE_NAMES[candidate.distance]))


def chosen_name(reply: object, allowed: tuple[str, ...]) -> str:
    """The allowed name that `reply` is: the name, perhaps quoted, or a JSON object with it as `target`.

    Raises:
        AskFailedError: it is anything else.
    """
    if not isinstance(reply, str):
        raise AskFailedError(f"expected a text as reply, got a value of type {type(reply).__name__}")
    if len(reply) > _LONGEST_REPLY:
        raise AskFailedError(f"expected a name as reply, got {len(reply)} characters")
    text = reply.strip()
    if text.startswith("{"):
        text = _target_of(text)
    name = text.strip().strip("\"'`").strip()
    if name in allowed:
        return name
    near = nearest(name, allowed)
    hint = f", which is like `{near}`" if near else ""
    raise AskFailedError(f"expected one of {', '.join(allowed)} as reply, got `{name[:100]}`{hint}")


def _target_of(text: str) -> str:
    """The `target` of a JSON object."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise AskFailedError(f"expected a JSON object as reply: {error}") from error
    target = value.get("target") if isinstance(value, dict) else None
    if not isinstance(target, str):
        raise AskFailedError("expected a JSON object with a text as `target`")
    return target
