"""`RemoteRtfsRunner`: delegated functions on another RTFS runtime.

A function goes whole: the part of the program under way that it needs, as text, and a call of it with these
arguments. So the other side needs to know nothing of the program. What cannot go (a function without a name, an
argument that is a function) fails as `bad-request`, which says nothing about the target; the chain goes on, and
at last the function's own body is run.

What the function finds in the state of the run's host (`ccos.state.*`, context values) stays here. One that
reads a context value is not sent; one that calls a capability calls that of the other side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from actors.remote.definitions import Extract, definitions_of
from actors.remote.evaluation import Evaluation, with_call
from actors.remote.runtimes import RemoteRuntimes
from actors.requests import RunRequest
from policies.errors import TargetFailed
from policies.running.runner import Allowance, Outcome
from rtfs.delegation import ExecTarget, FunctionInfo
from rtfs.run import run_under_way
from rtfs.security import ask
from rtfs.values import Value


class RemoteRtfsRunner:
    """A `policies.running.runner.Runner` for providers of kind `rtfs`.

    Args:
        program_of: the request of the run under way.
    """

    def __init__(self, runtimes: RemoteRuntimes, program_of: Callable[[], RunRequest]) -> None:
        self._runtimes = runtimes
        self._program_of = program_of

    def run(
        self, function: FunctionInfo, args: tuple[Value, ...], target: ExecTarget, allowance: Allowance
    ) -> Outcome:
        """Run the function there.

        Raises:
            TargetFailed, RtfsError: as `Runner.run`.
        """
        request = self._program_of()
        extract = definitions_of(request.source, request.source_name, request.modules).extract(function.symbol)
        source, found = extract.source, _found_by(extract, request)
        # what is called by its name alone is given no arguments of the run
        call: tuple[str, tuple[Value, ...]] | None = (extract.function, args)
        if found:
            source, found = with_call(source, found, extract.function, args)
            call = None
        evaluation = Evaluation(
            source=source,
            source_name=request.source_name,
            args=found,
            call=call,
            modules={name: request.modules[name] for name in sorted(extract.modules)},
            of=request,
            facts=allowance.facts,
            labels=function.labels,
            capabilities=extract.capabilities,
            timeout_s=allowance.timeout_s,
        )
        evaluated = self._runtimes.evaluate(target, evaluation)
        return Outcome(value=evaluated.value, cost_usd=self._runtimes.cost_of(target, evaluated))


def _found_by(extract: Extract, request: RunRequest) -> Mapping[str, Value]:
    """The arguments of the run that the function reads; it is refused if it reads what the host alone has."""
    run = run_under_way()
    missing = extract.free - request.args.keys()
    if run is not None:
        for name in sorted(missing):
            known = name in run.context.cross_plan_params
            if known or ask("get_context_value", run.host.get_context_value, name) is not None:
                raise TargetFailed(
                    "bad-request",
                    f"`{extract.function}` reads the context value `{name}`, which exists here only",
                )
    return {name: request.args[name] for name in sorted(extract.free - missing)}
