"""`AdaptiveEngine`: the choice among allowed targets follows what their calls turned out to cost and be worth.

Off unless `learning.enabled` is set; then the plan of the engine inside passes unchanged, and outcomes are
ignored.

It has a say only where the policy leaves a choice, and only among targets that the policy's author named for
it:

- a rule with `choose = "best"`: the rule's targets that no hard rule forbids and no ceiling excludes;
- `default_target`: that target and those of `delegation.fallback` that no hard rule forbids.

All other plans pass unchanged, and so do those that run the function's own body: nothing is learnt of that.
A target whose circuit is open is neither chosen nor tried.

The choice is that of `policies.learning.choosing`: of the targets that are good enough the one with the best
score by the rule's weights. Until the target that the policy would take is known by `min_outcomes` outcomes,
its plan stands; no other is taken before it is as well known, but for trials. Trials (exploration) take the
share `learning.exploration` of all outcomes and no more: what is left of that share is counted and may be saved
up, so that a sign of change can be followed at once. Which calls are trials says a hash of seed, version, and
call.

What was learnt is a `LearntState`. Decisions see one that is replaced in steps: when another target becomes the
choice for a kind of task, when the trials are used up, and every `step` outcomes. Each step is a new version;
within one, equal calls have equal plans.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from threading import Lock
from types import MappingProxyType

from policies.context import CallContext
from policies.engines.chaining import behind
from policies.engines.policy import able
from policies.engines.protocol import Decorator, DelegationEngine
from policies.engines.resilient import is_resting
from policies.file.schema import Learning, Weights
from policies.learning.choosing import Choice, Estimate, choose, decided, estimate, is_trial, on_trial
from policies.learning.learnt import NO_KIND, Feedback, Kind, LearntState
from policies.plan import DelegationPlan, Expected, Rejection
from policies.rules.candidates import Candidate, expected_now
from policies.rules.rule_index import CompiledRule
from policies.rules.rulebook import Current
from policies.rules.scoring import beyond_ceilings
from policies.running.runner import Observation
from policies.targets import LOCAL_PURE, target_name
from rtfs.delegation import LocalPure

#: outcomes from one state that decisions see to the next
STEP = 64


class AdaptiveEngine(Decorator):
    """Learns which of the targets that the engine inside may choose among is the best buy.

    Args:
        state: what was learnt before, such as `LearntState.from_data` read it. kind_of: the kind of task of a
        function by its symbol; functions of one kind share what was learnt. None:
            each function is a kind of its own.
        step: outcomes from one version to the next where nothing else calls for one.
    """

    def __init__(
        self,
        inner: DelegationEngine,
        current: Current,
        *,
        state: LearntState | None = None,
        kind_of: Callable[[str], str] | None = None,
        step: int = STEP,
    ) -> None:
        super().__init__(inner)
        self._current = current
        self._kind_of = kind_of or _itself
        self._step = step
        #: what decisions see, and the same with the outcomes since
        self._state = self._draft = state or LearntState()
        self._touched: set[str] = set()
        self._lock = Lock()

    @property
    def version(self) -> str:
        """That of the engine inside and of what was learnt."""
        if not self._learning.enabled:
            return self.inner.version
        return f"{self.inner.version}+a{self._state.version}"

    @property
    def revision(self) -> int:
        """The part of `version` that is this engine's own, without the texts around it."""
        return self._state.version

    @property
    def state(self) -> LearntState:
        """All that was learnt so far, under the version that decisions see."""
        return self._draft

    @property
    def _learning(self) -> Learning:
        return self._current.rulebook.policy.settings.learning

    # ------------------------------------------------------------ deciding

    def plan(self, call: CallContext) -> DelegationPlan:
        """Where `call` runs, and why."""
        plan = self.inner.plan(call)
        if not self._learning.enabled or isinstance(plan.target, LocalPure):
            return plan
        offered, rule, weights = self._offered(call, plan)
        if len(offered) < 2:
            return plan
        state = self._state
        home = target_name(plan.target)
        choice = self._choice(state, call, home, offered, rule, weights)
        tried = self._trial(state, call, home, offered, choice)
        if tried is not None:
            return self._try(plan, call, offered[tried], state)
        return plan if choice is None else self._take(plan, call, offered, choice, state)

    def _offered(
        self, call: CallContext, plan: DelegationPlan
    ) -> tuple[dict[str, Candidate], CompiledRule | None, Weights]:
        """The targets that may be chosen for `call`, and by what rule and weights."""
        rulebook, world = self._current.rulebook, self._current.world
        weights = rulebook.policy.settings.weights
        rule = rulebook.matching(call).choosing
        found: Iterable[Candidate | None] = ()
        if rule is None and plan.stage == "default":
            found = map(rulebook.find, rulebook.permitted(call, (plan.target, *rulebook.fallback), world))
        elif rule is not None and plan.stage == "optimizer":
            found, _ = able(rulebook, rule, call, world)
            weights = rule.rule.weights or weights
        offered = {
            each.name: each
            for each in found
            if each is not None
            and not isinstance(each.target, LocalPure)
            and not is_resting(each.target, world)
        }
        return offered, rule, weights

    def _choice(
        self,
        state: LearntState,
        call: CallContext,
        home: str,
        offered: Mapping[str, Candidate],
        rule: CompiledRule | None,
        weights: Weights,
    ) -> Choice | None:
        """What was learnt for `call`; None as long as too little is known of the policy's own choice."""
        kind, learning = self._kind(state, call), self._learning
        if home in offered and not kind.knows(home, learning.min_outcomes):
            return None
        names: Iterable[str] = offered
        if rule is not None:
            ceilings = rule.rule
            names = [
                name
                for name in offered
                if name in kind.arms
                and beyond_ceilings(ceilings, estimate(state, kind, name, learning.half_life).expected) is None
            ]
        return choose(state, kind, names, learning, weights)

    def _trial(
        self,
        state: LearntState,
        call: CallContext,
        home: str,
        offered: Mapping[str, Candidate],
        choice: Choice | None,
    ) -> str | None:
        """The target that `call` should try, if it is one of the calls that are spent on learning."""
        learning, world = self._learning, self._current.world
        drawn = is_trial(state, self._kind_of(call.fn_symbol), call.fn_symbol, call.task, learning)
        if drawn is None:
            return None
        prices = {name: expected_now(each, world).cost_usd for name, each in offered.items()}
        return on_trial(drawn, state, self._kind(state, call), home, prices, choice, learning)

    def _kind(self, state: LearntState, call: CallContext) -> Kind:
        return state.kinds.get(self._kind_of(call.fn_symbol), NO_KIND)

    # ------------------------------------------------------------ plans

    def _try(
        self, plan: DelegationPlan, call: CallContext, candidate: Candidate, state: LearntState
    ) -> DelegationPlan:
        learning = self._learning
        why = (
            f"`{call.fn_symbol}` tries `{candidate.name}`, to learn: {state.explored} of {state.seen} "
            f"outcomes were spent on that, {learning.exploration:.3g} of all may; otherwise: {plan.reasoning}"
        )
        expected = expected_now(candidate, self._current.world)
        return self._changed(plan, call, candidate, state, why, expected, is_trial=True)

    def _take(
        self,
        plan: DelegationPlan,
        call: CallContext,
        offered: Mapping[str, Candidate],
        choice: Choice,
        state: LearntState,
    ) -> DelegationPlan:
        pick, learning = choice.pick, self._learning
        why = f"`{call.fn_symbol}` goes to {_figures(pick)}"
        if pick.target != choice.best.target:
            share, best = learning.min_quality, _figures(choice.best)
            why += f"; good enough is {choice.bar:.3f}, {share:g} of the best, {best}"
        rejected = tuple(
            Rejection(target=offered[each.target].target, reason=_against(each, choice), because=plan.because)
            for each in choice.known
            if each.target != pick.target
        )
        learnt = self._changed(plan, call, offered[pick.target], state, why, pick.expected, is_trial=False)
        return replace(learnt, rejected=(*plan.rejected, *rejected))

    def _changed(
        self,
        plan: DelegationPlan,
        call: CallContext,
        candidate: Candidate,
        state: LearntState,
        why: str,
        expected: Expected,
        *,
        is_trial: bool,
    ) -> DelegationPlan:
        """The plan with another target, and its own ones as the chain behind it."""
        marks = {"learnt_version": state.version, "is_trial": is_trial}
        return replace(
            plan,
            target=candidate.target,
            stage="adaptive",
            reasoning=why,
            chain=behind(candidate.target, plan),
            expected=expected,
            cache=self._current.rulebook.cache_tier(call, candidate.target),
            metadata=MappingProxyType({**plan.metadata, **marks}),
        )

    # ------------------------------------------------------------ learning

    def observe(self, outcome: Feedback | Observation) -> None:
        """Learn from how one try of a target went. Does nothing while learning is off."""
        learning = self._learning
        if not learning.enabled:
            return
        feedback = outcome if isinstance(outcome, Feedback) else _feedback(outcome)
        weights = self._current.rulebook.policy.settings.weights
        name = self._kind_of(feedback.fn_symbol)
        with self._lock:
            shown = self._state
            task = feedback.task
            explored = (
                task is not None and is_trial(shown, name, feedback.fn_symbol, task, learning) is not None
            )
            draft = self._draft = self._draft.after(name, feedback, learning.half_life, explored=explored)
            self._touched.add(name)
            if self._is_due(shown, draft, name, learning, weights):
                targets = self._current.rulebook.candidates.keys() - {LOCAL_PURE}
                self._state = self._draft = decided(draft, self._touched, learning, weights, targets)
                self._touched.clear()

    def _is_due(
        self, shown: LearntState, draft: LearntState, name: str, learning: Learning, weights: Weights
    ) -> bool:
        """Whether decisions should see the newest state."""
        if draft.seen - shown.seen >= self._step:
            return True
        if draft.credit(learning.exploration) < 1 <= shown.credit(learning.exploration):
            return True
        if draft.seen % 4:
            return False
        kind = draft.kinds[name]
        choice = choose(draft, kind, kind.arms, learning, weights)
        return choice is not None and choice.pick.target != kind.choice


def _itself(fn_symbol: str) -> str:
    return fn_symbol


def _feedback(seen: Observation) -> Feedback:
    return Feedback(
        fn_symbol=seen.fn_symbol,
        target=seen.target,
        success=seen.cause is None,
        cost_usd=seen.cost_usd,
        latency_ms=seen.latency_ms,
        confidence=seen.confidence,
        task=seen.task,
    )


def _figures(each: Estimate) -> str:
    """`` `remote-x` (quality 0.942 ± 0.011, $0.002, 300 ms, by 288 outcomes)``."""
    return (
        f"`{each.target}` (quality {each.quality:.3f} ± {each.error:.3f}, ${each.cost_usd:.3g}, "
        f"{each.latency_ms:.3g} ms, by {each.seen} outcomes)"
    )


def _against(each: Estimate, choice: Choice) -> str:
    score = choice.scores.get(each.target)
    if score is None:
        return f"quality {each.quality:.3f} ± {each.error:.3f}, at least {choice.bar:.3f} is wanted"
    return f"scored {score:.3f}, `{choice.pick.target}` {choice.scores[choice.pick.target]:.3f}"
