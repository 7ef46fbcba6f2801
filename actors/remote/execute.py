"""The capability `remote-rtfs.execute`: a step of a plan that runs on another RTFS runtime.

    (call :remote-rtfs.execute
      {:source "(summarise text 3)"      ; the program; its value is the value of the call
       :args {:text text}                ; values that it finds under these names
       :call {:function "f" :args [1]}   ; call this function of it instead
       :provider "remote-x"              ; default: the first provider of kind `rtfs`
       :timeout-ms 500                   ; default: that of the provider
       :fallback :local})                ; if the target does not answer: run it here

The call goes the way of every delegated call (`policies.running.delegated_call`): hard rules, effects, money,
circuit breaker, and the audit of all that. A target that a hard rule forbids is a SecurityViolation. A target
that does not answer is not: then `:fallback` says what becomes of the call. `:local`, the default, runs the
program here, in the same context, within what is left of the limits; `:error` raises a NetworkError; anything
else is the value.

The arguments of a capability carry no privacy labels of their own that anybody could know here. So what may go
where is judged by the labels of the run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, override

from actors.remote.evaluation import Evaluation, with_call
from actors.remote.runtimes import RemoteRuntimes
from actors.requests import RunRequest
from policies.context import CallContext, CallFacts
from policies.plan import Because, DelegationPlan
from policies.rules.candidates import Candidate, expected_now
from policies.rules.rulebook import Rulebook
from policies.running.chain_terms import Terms
from policies.running.delegated_call import DelegatedCall
from policies.running.runner import Allowance, CallRecord, Outcome
from policies.running.services import Services
from rtfs import errors
from rtfs.capabilities import Capability
from rtfs.delegation import Delegate, ExecTarget, FunctionInfo
from rtfs.host_protocol import ForwardingHost
from rtfs.printer import quoted
from rtfs.program import compile
from rtfs.reader.literals import is_symbol
from rtfs.run import Limits, Run, current_run
from rtfs.spell import nearest
from rtfs.values import Keyword, Map, Symbol, Value, type_name

if TYPE_CHECKING:
    from rtfs.types.model import Type

ID: Final = "remote-rtfs.execute"
#: what the program of a step is called in errors
SOURCE_NAME: Final = f"<{ID}>"
#: what a run may not do that may not use the network
_NETWORK: Final = "ccos.network.http-fetch"
_LOCAL: Final = Keyword.of("local")
_ERROR: Final = Keyword.of("error")


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteExecution:
    """All that the capability works with."""

    #: those of the delegate that the run is linked with; what they say of runners is not looked at
    services: Services
    runtimes: RemoteRuntimes
    #: the request of the run under way
    program_of: Callable[[], RunRequest]
    #: decides where functions of the program run if it runs here after all; None: here
    delegate: Delegate | None = None

    def capability(self) -> Capability:
        """The capability, for a host that offers it under `ID`."""
        return Capability(
            function=self.execute,
            input_schema=_schema(),
            tags=frozenset({"remote"}),
            doc="Run a program on another RTFS runtime.",
        )

    def execute(self, request: Map) -> Value:
        """Carry one call out.

        Raises:
            SecurityViolation: a hard rule forbids the target, or the run may not use the network.
            InvalidArgument: the request names no such provider, or cannot be read.
            NetworkError: the target did not answer, and `:fallback` is `:error`.
            RtfsError: the program's own error.
        """
        step = _Step.of(request)
        run, rulebook = current_run(), self.services.current.rulebook
        target = _candidate(rulebook, step.provider)
        call = CallContext.of(CallFacts(function=_FUNCTION, arg_types=("map",), runtime=run.context.facts))
        _authorize(run, rulebook, call, target, self.services)
        reason: list[str] = []
        services = self._services(step, reason)
        terms = Terms(services, call, _plan(target, services), rulebook)
        answer = DelegatedCall(terms, (request,)).run()
        if answer is not None:
            return answer.value
        if step.fallback is _LOCAL:
            return _run_here(step, run, self.delegate)
        if step.fallback is _ERROR:
            raise errors.NetworkError(f"`{target.name}` did not run the step: {reason[-1]}")
        return step.fallback

    def _services(self, step: _Step, reason: list[str]) -> Services:
        """Services of which the runner sends the step, and that note why it was not answered."""
        services = self.services

        def audit(record: CallRecord) -> None:
            reason.append(record.reason)
            if services.audit is not None:
                services.audit(record)

        return replace(
            services,
            runners={"remote": _StepRunner(step, self.runtimes, self.program_of)},
            audit=audit,
            # a step that says what is to become of it does not wait for its target
            before_body=None if step.has_fallback else services.before_body,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """What a program asks for."""

    source: str
    args: Mapping[str, Value]
    call: tuple[str, tuple[Value, ...]] | None
    provider: str | None
    timeout_s: float | None
    fallback: Value
    has_fallback: bool

    @classmethod
    def of(cls, request: Map) -> _Step:
        """The request, which has passed the schema."""
        source: str = _field(request, "source")
        args: Mapping[str, Value] = _named(_field(request, "args") or Map({}))
        call, timeout_ms = _call(_field(request, "call")), _field(request, "timeout-ms")
        if args and call is not None:
            source, args = with_call(source, args, *call)
            call = None
        if timeout_ms is not None and not timeout_ms > 0:
            raise errors.InvalidArgument(f"{ID}: expected :timeout-ms to be more than 0, got {timeout_ms}")
        return cls(
            source=source,
            args=args,
            call=call,
            provider=_field(request, "provider"),
            timeout_s=None if timeout_ms is None else timeout_ms / 1000,
            fallback=_field(request, "fallback", _LOCAL),
            has_fallback=Keyword.of("fallback") in request or "fallback" in request,
        )


class _StepRunner:
    """Sends one step, whatever function it is asked to run."""

    def __init__(self, step: _Step, runtimes: RemoteRuntimes, program_of: Callable[[], RunRequest]) -> None:
        self._step = step
        self._runtimes = runtimes
        self._program_of = program_of

    def run(
        self, function: FunctionInfo, args: tuple[Value, ...], target: ExecTarget, allowance: Allowance
    ) -> Outcome:
        """As `policies.running.runner.Runner.run`."""
        step, timeout_s = self._step, allowance.timeout_s
        evaluated = self._runtimes.evaluate(
            target,
            Evaluation(
                source=step.source,
                source_name=SOURCE_NAME,
                args=step.args,
                call=step.call,
                of=self._program_of(),
                facts=allowance.facts,
                timeout_s=timeout_s if step.timeout_s is None else min(timeout_s, step.timeout_s),
            ),
        )
        return Outcome(value=evaluated.value, cost_usd=self._runtimes.cost_of(target, evaluated))


# ---------------------------------------------------------------- target

_FUNCTION: Final = FunctionInfo(
    symbol=ID,
    doc=None,
    parameters=("request",),
    parameter_types=("any",),
    return_type="any",
    hint=None,
    metadata=MappingProxyType({}),
    ir_hash="0" * 64,
    capabilities=frozenset({ID}),
)


def _candidate(rulebook: Rulebook, wanted: str | None) -> Candidate:
    """The provider of kind `rtfs` called `wanted`, by any of its names, else the first one."""
    providers = rulebook.policy.settings.remote_providers
    names = {
        key: f"remote-{key.removeprefix('remote-') or key}"
        for key in providers
        if providers[key].kind == "rtfs"
    }
    for key, name in names.items():
        if wanted is None or wanted in (key, name, name.removeprefix("remote-")):
            return rulebook.candidates[name]
    if wanted is None:
        raise errors.InvalidArgument(f"{ID}: the policy names no provider of kind `rtfs`")
    error = errors.InvalidArgument(f"{ID}: the policy names no provider `{wanted}` of kind `rtfs`")
    near = nearest(wanted, names.values())
    error.hint = None if near is None else f"did you mean `{near}`?"
    raise error


def _authorize(run: Run, rulebook: Rulebook, call: CallContext, target: Candidate, services: Services) -> None:
    """Refuse a target that a hard rule forbids, and any for a run that may not use the network."""
    run.context.authorize_effects(_NETWORK)
    veto = rulebook.veto(call, target.target, services.world_now())
    if veto is not None and veto.hard != "budget":  # money comes and goes; without it the fallback is used
        error = errors.SecurityViolation(veto.hard or "policy", ID, run.context.level)
        error.hint = str(veto)
        raise error


def _plan(target: Candidate, services: Services) -> DelegationPlan:
    world = services.world_now()
    return DelegationPlan(
        target=target.target,
        stage="remote-rtfs",
        reasoning=f"the program asks for a step on `{target.name}`",
        because=Because(what=f"`(call :{ID} …)`"),
        expected=expected_now(target, world),
        created_at=world.now,
    )


# ---------------------------------------------------------------- fallback


class _Inner(ForwardingHost):
    """The host of a run, for one inside it: its execution has begun, and does not end with the inner one."""

    @override
    def prepare_execution(self) -> None:
        pass

    @override
    def cleanup_execution(self) -> None:
        pass


def _run_here(step: _Step, run: Run, delegate: Delegate | None) -> Value:
    """The step as a run inside this one: same host and context, what is left of the limits."""
    linked = compile(step.source, source_name=SOURCE_NAME).link(delegate, run.context)
    host, limits = _Inner(run.host), _left(run)
    if step.call is None:
        return linked.run(host=host, context=run.context, limits=limits, args=step.args)
    function, args = step.call
    return linked.call(function, *args, host=host, context=run.context, limits=limits)


def _left(run: Run) -> Limits:
    """What is left of the limits of a run. Its deadline and its memory go on being watched as well."""
    limits = run.limits
    return replace(
        limits,
        output_bytes=None if limits.output_bytes is None else max(0, limits.output_bytes - run.output_bytes),
        delegations=None if limits.delegations is None else max(0, limits.delegations - run.delegations),
    )


# ---------------------------------------------------------------- reading the request


@cache
def _schema() -> Type:
    from rtfs.types.model import MapEntry, MapType, OptionalType, Primitive, UnionType

    text = Primitive("string")
    number = UnionType((Primitive("int"), Primitive("float")))
    call = MapType((MapEntry("function", text, False), MapEntry("args", Primitive("vector"), True)))
    return MapType(
        (
            MapEntry("source", text, False),
            MapEntry("args", OptionalType(Primitive("map")), True),
            MapEntry("call", OptionalType(call), True),
            MapEntry("provider", OptionalType(text), True),
            MapEntry("timeout-ms", OptionalType(number), True),
            MapEntry("fallback", Primitive("any"), True),
        )
    )


def _field(request: Map, name: str, default: Value = None) -> Value:
    """A field under its keyword, else under its string, as the schema looks it up."""
    key = Keyword.of(name)
    return request[key] if key in request else request.get(name, default)


def _named(args: Map) -> dict[str, Value]:
    """Arguments by name, whether keywords or strings name them."""
    found: dict[str, Value] = {}
    for key, value in args.items():
        if type(key) not in (Keyword, Symbol, str):
            raise errors.InvalidArgument(f"{ID}: expected names in :args, got the {type_name(key)} {key}")
        found[key if type(key) is str else key.name] = value
    return found


def _call(call: Map | None) -> tuple[str, tuple[Value, ...]] | None:
    """The function to be called, and its arguments."""
    if call is None:
        return None
    function, args = _field(call, "function"), _field(call, "args")
    if not is_symbol(function):
        raise errors.InvalidArgument(f"{ID}: expected :function to be a name, got {quoted(function)}")
    return function, () if args is None else tuple(args)
