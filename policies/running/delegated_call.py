"""One delegated call: the chain's instructions carried out.

Before each try of a target, in this order: the hard rules, against the rulebook and the world as they are now;
the effects that the run's context permits; whether the answer is known already; a runner for the target; money,
reserved out of every purse that pays; the target's circuit breaker. Whatever says no, the chain goes on to the
next target; but where money alone is against a target, what it said before may be given. After the try the
money is settled and the breaker told, however it ended.

What a try did cost is what its runner says. Where nobody can say (the runner broke, or the run was stopped in
the middle), what was reserved counts as spent.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import FunctionType
from typing import Final

from policies.errors import NotSent, TargetFailed
from policies.rules.candidates import cost_bound
from policies.rules.purses import purses_for
from policies.running import observe
from policies.running.books import Books
from policies.running.call_report import CallReport, answering
from policies.running.chain import Chain, Event, Failed, Give, Refused, RunBody, Succeeded, Try, time_for_chain
from policies.running.chain_terms import Terms, price_of
from policies.running.health import CAUSES
from policies.running.ledger import Refused as NoMoney
from policies.running.ledger import Reservation
from policies.running.replies import reply_test
from policies.running.results import Question
from policies.running.runner import Allowance, Outcome, Runner, known_of, runner_for
from policies.targets import target_name
from policies.world import USD, MicroUsd, micro_usd
from rtfs import errors
from rtfs.delegation import ExecTarget, LocalModel, RemoteModel
from rtfs.run import Run, charge_delegation, current_run, poll
from rtfs.security import adopt
from rtfs.stdlib.registry import arity, arity_error
from rtfs.values import Value, type_name

#: how delegated calls are called where a context permits effects: `model-call:<id>`
MODEL_CALL: Final = "model-call:"


def stub(terms: Terms, body: Callable[..., Value]) -> FunctionType:
    """A function to stand for `body`: each call of it goes along the targets of the plan."""
    assert isinstance(body, FunctionType)
    least, most = arity(body)

    def delegated(*args: Value) -> Value:
        if len(args) < least or (most is not None and len(args) > most):
            raise arity_error(body, len(args))
        call = DelegatedCall(terms, args)
        answer = call.run()
        if answer is not None:
            return answer.value
        return body(*args) if terms.answers is None else call.answered_by_body(body)

    delegated.__name__ = body.__name__
    return delegated  # type: ignore[return-value]  # every function that `def` makes is a FunctionType


class DelegatedCall:
    """One call of a function whose plan names a target."""

    def __init__(self, terms: Terms, args: tuple[Value, ...]) -> None:
        self._terms = terms
        self._services = terms.services
        self._call = terms.call
        self._plan = terms.plan
        self._args = args
        self._run = _run_under_way()
        self._report = CallReport(terms)

    def run(self) -> Give | None:
        """The answer; None: the function's own body is to be run.

        Raises:
            RtfsError: the function ran elsewhere and failed, or the run is over.
        """
        services, plan = self._services, self._plan
        if self._run is not None:
            charge_delegation()
        clock = services.clock.monotonic
        began = clock()
        chain = self._chain(began)
        attributes: dict[str, observe.Attribute] = {
            "fn_symbol": self._call.fn_symbol,
            "decision": target_name(plan.target),
            "cache_hit": plan.stage in observe.CACHED_STAGES,
        }
        end: Give | RunBody | None = None
        try:
            with services.meter.span(observe.DELEGATE_SPAN, attributes) as span:
                end = self._follow(chain)
                answered_by = answering(end)
                span.attributes["answered_by"] = target_name(answered_by)
                known = known_of(chain.history, answered_by)
                if known is not None:
                    span.attributes.update(cache_hit=True, cache_tier=known.tier)
        finally:
            self._report.over(chain, end, (clock() - began) * 1000)
        if isinstance(end, Give):
            return end
        if services.before_body is not None and not end.planned:
            try:
                services.before_body(self._call.fn_symbol, chain.history)
            except BaseException:
                self._report.audit(None)
                raise
        return None

    def answered_by_body(self, body: Callable[..., Value]) -> Value:
        """The answer of the function's own body, after a `run` that came to none; the audit is told of it.

        Raises:
            RtfsError: whatever the body raises.
        """
        value: Value = None
        try:
            value = body(*self._args)
        finally:
            self._report.audit(value)
        return value

    def _follow(self, chain: Chain) -> Give | RunBody:
        """Carry out what the chain says until it is over."""
        clock = self._services.clock.monotonic
        instruction = chain.start(clock())
        while isinstance(instruction, Try):
            event = self._attempt(chain, instruction)
            instruction = chain.on(event, clock())
            if self._run is not None:
                poll()
        return instruction

    def _chain(self, now: float) -> Chain:
        terms = self._terms.now()
        left_s = None
        if self._run is not None and self._run.deadline is not None:
            left_s = self._run.deadline - now
        return Chain(
            terms.steps,
            now=now,
            timeout_s=time_for_chain(terms.timeout_s, left_s),
            max_cost=terms.max_cost,
            min_confidence=terms.min_confidence,
        )

    # ------------------------------------------------------------ one try

    def _attempt(self, chain: Chain, trial: Try) -> Event:
        """Try a target, unless something forbids it."""
        services, target = self._services, trial.target
        rulebook, world = services.current.rulebook, services.world_now()
        ask: Callable[[], Event] = partial(self._ask, chain, trial)
        veto = rulebook.veto(self._terms.call_under(rulebook), target, world)
        if veto is not None:
            refused = Refused(by=veto.hard or "policy", reason=veto.reason)
            if veto.hard != "budget":  # the last of the hard rules; what is known already costs nothing
                return refused
            ask = partial(_told, refused)
        effect = self._refused_effect(target)
        if effect is not None:
            return Refused(by="effect", reason=f"the context does not permit the effect `{effect}`")
        keeping = self._terms.now().keeping.get(target)
        if services.results is None or keeping is None:
            return ask()
        question = Question(
            call=self._terms.call_under(rulebook),
            args=self._args,
            target=target,
            keeping=keeping,
            timeout_s=trial.timeout_s,
            again=partial(CallAgain, self._terms, self._args, target),
        )
        return services.results.answer(question, ask)

    def _ask(self, chain: Chain, trial: Try) -> Event:
        """Try a target that the hard rules permit."""
        services, target = self._services, trial.target
        rulebook, world, name = services.current.rulebook, services.world_now(), target_name(target)
        runner = runner_for(services.runners, target)
        if runner is None:
            return Refused(by="runner", reason=f"nothing here takes calls to `{name}`")
        left, price = self._money_left(chain, trial), price_of(target, rulebook, world)
        if left is not None and price > left:
            return Refused(by="budget", reason=f"it may cost {price / USD:g} USD now, {left / USD:g} are left")
        settings = rulebook.policy.settings
        purses = purses_for(settings, self._call.facts.runtime, target, world.now)
        money = services.ledger.reserve(purses, price)
        if isinstance(money, NoMoney):
            return Refused(by="budget", reason=str(money))
        services.health.settings = settings.health
        if not services.health.admit(name, world.now):
            services.ledger.release(money)
            state = services.health.record(name)
            return Refused(by="breaker", reason=f"its circuit is {state.circuit}")
        return self._tried(chain, trial, left, name, runner, money)

    def _money_left(self, chain: Chain, trial: Try) -> MicroUsd | None:
        """What the chain may still spend, by the ceiling of now as well; None: no bound."""
        ceiling = self._terms.now().max_cost
        if ceiling is None:
            return trial.max_cost
        left = max(0, ceiling - chain.spent)
        return left if trial.max_cost is None else min(left, trial.max_cost)

    def _refused_effect(self, target: ExecTarget) -> str | None:
        if self._run is None or not isinstance(target, LocalModel | RemoteModel):
            return None
        return self._run.context.refused_effect(MODEL_CALL + target.id)

    def _tried(
        self, chain: Chain, trial: Try, left: MicroUsd | None, name: str, runner: Runner, money: Reservation
    ) -> Event:
        """Carry the try out; money and health are told however it ends."""
        services = self._services
        books = Books(services, name, money)
        allowance = Allowance(
            timeout_s=trial.timeout_s,
            max_cost_usd=None if left is None else left / USD,
            facts=self._call.facts.runtime,
            plan=self._plan,
        )
        began = services.clock.monotonic()

        def took_ms() -> float:
            return (services.clock.monotonic() - began) * 1000

        try:
            outcome = runner.run(self._call.facts.function, self._args, trial.target, allowance)
            latency_ms = took_ms() if outcome.latency_ms is None else outcome.latency_ms
            cost = books.settle(outcome.cost_usd)
            value = self._checked(outcome, name)
        except TargetFailed as failure:
            cost = books.settle(failure.cost_usd)
            if not isinstance(failure, NotSent):
                books.failed(failure.cause, failure.retry_after_s)
            return self._failed(name, failure.cause, failure.detail, cost, took_ms())
        except (errors.LimitError, RecursionError, MemoryError):
            raise  # the run is at its limits, not the target
        except errors.RtfsError as error:
            cost = books.settle(None)
            books.succeeded(took_ms())  # it did what it was asked: the program itself fails
            event = Failed(cause="program-error", detail=error.code, cost=cost, latency_ms=took_ms())
            chain.break_off(event, services.clock.monotonic())
            raise
        except Exception as error:
            # a runner that breaks is no reason for a call to fail: it is one more way for a target to be down
            cost = books.settle(None)
            books.failed("unknown", None)
            return self._failed(name, "unknown", f"{type(error).__name__} in its runner", cost, took_ms())
        else:
            books.succeeded(latency_ms)
            self._report.tried(name, None, cost, latency_ms, outcome.confidence)
            return Succeeded(
                value=value,
                cost=cost,
                latency_ms=latency_ms,
                confidence=outcome.confidence,
                version=outcome.version,
            )
        finally:
            books.close()

    def _checked(self, outcome: Outcome, name: str) -> Value:
        """The answer as an RTFS value of the declared type."""
        function = self._call.facts.function
        try:
            value = adopt(name, outcome.value)
        except errors.HostException as error:
            raise TargetFailed("bad-reply", error.message, cost_usd=outcome.cost_usd) from error
        if not reply_test(function.return_type)(value):
            wanted = f"expected {function.return_type}, got {type_name(value)}"
            raise TargetFailed("bad-reply", wanted, cost_usd=outcome.cost_usd)
        return value

    def _failed(self, name: str, cause: str, detail: str, cost: MicroUsd, latency_ms: float) -> Failed:
        if cause not in CAUSES:  # metrics by cause have no room for a runner's own words
            cause, detail = "unknown", f"{cause}: {detail}" if detail else cause
        self._report.tried(name, cause, cost, latency_ms, None)
        return Failed(cause=cause, detail=detail, cost=cost, latency_ms=latency_ms)


class CallAgain:
    """`policies.running.results.Again`: one try of one target, of which no run and no audit is told."""

    def __init__(self, terms: Terms, args: tuple[Value, ...], target: ExecTarget) -> None:
        self._terms = terms
        self._args = args
        self._target = target

    @property
    def price(self) -> MicroUsd | None:
        """What it may cost now; None: nobody says."""
        services = self._terms.services
        candidate = services.current.rulebook.find(self._target)
        bound = None if candidate is None else cost_bound(candidate, services.world_now())
        return None if bound is None else micro_usd(bound)

    def ask(self, most: MicroUsd) -> Event:
        """Make the call. Raises RtfsError as `Again.ask`."""
        terms, now = self._terms.now(), self._terms.services.clock.monotonic()
        chain = Chain(
            [step for step in terms.steps if step.target == self._target],
            now=now,
            timeout_s=time_for_chain(terms.timeout_s, None),
            max_cost=most if terms.max_cost is None else min(most, terms.max_cost),
        )
        trial = chain.start(now)
        if not isinstance(trial, Try):
            return Refused(by="chain", reason="".join(map(str, chain.history)) or "it is no target now")
        return DelegatedCall(self._terms, self._args)._attempt(chain, trial)


def _told(event: Event) -> Event:
    return event


def _run_under_way() -> Run | None:
    try:
        return current_run()
    except errors.InternalError:  # the function was called by Python code outside any run
        return None
