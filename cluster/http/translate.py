"""From a body and a caller to what the runtime is asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from actors.remote.data_text import read_value
from actors.requests import DEFAULT_CAPABILITIES, DEFAULT_LIMITS, Call, RunRequest
from actors.service import SubmitOptions
from cluster.http.caching import cache_use
from cluster.http.problems import Problem
from rtfs import errors
from rtfs.convert import from_python
from rtfs.run import Limits
from rtfs.runtime_facts import RuntimeFacts
from rtfs.values import Value

if TYPE_CHECKING:
    from actors.access.caller import Caller
    from cluster.http.bodies import CallBody, EvaluateBody, ExplainBody, LimitsBody, TicketBody

#: characters that end a symbol: a name with one could not be written in a program
_NOT_IN_NAMES: Final = frozenset('()[]{}";,@^`~\\')
#: version, trace, parent, flags (W3C Trace Context)
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)
_NO_TICKET: Final = SubmitOptions()


def run_request(
    body: EvaluateBody,
    caller: Caller,
    most: Limits,
    traceparent: str | None,
    cache_control: str | None = None,
) -> RunRequest:
    """The run that `body` asks for.

    Args:
        caller: narrowed to what the body wants.
        most: that limits may be.
        cache_control: the header of that name.

    Raises:
        Problem: a value is none, a name cannot be written, a limit is beyond `most`, or a header is malformed.
    """
    is_async = body.mode == "async"
    if not is_async and body.ticket is not None:
        raise _wrong("ticket", 'only with `"mode": "async"` is there a ticket')
    if not is_async and body.on_target_down == "wait":
        raise _wrong("on_target_down", '`wait` needs `"mode": "async"`; a request cannot wait for that long')
    return RunRequest(
        source=body.source,
        source_name=body.source_name,
        args=_arguments(body.args, body.rtfs_args),
        call=None if body.call is None else _call(body.call),
        modules=body.modules,
        facts=_facts(body, caller),
        level=caller.level,
        allowed=_allowed(caller),
        denied_effects=frozenset(body.denied_effects),
        limits=_limits(body.limits, most),
        on_target_down=body.on_target_down,
        ticket_id=None if body.ticket is None else body.ticket.id,
        traceparent=traceparent if traceparent and _TRACEPARENT.fullmatch(traceparent) else None,
        hops=body.hops,
        cache=cache_use(body.cache, cache_control),
    )


def explain_request(body: ExplainBody, caller: Caller) -> RunRequest:
    """The program that is to be explained."""
    return RunRequest(
        source=body.source,
        source_name=body.source_name,
        modules=body.modules,
        facts=_facts(body, caller),
        level=caller.level,
        allowed=_allowed(caller),
    )


def submit_options(body: TicketBody | None) -> SubmitOptions:
    """How the run is queued."""
    if body is None:
        return _NO_TICKET
    return SubmitOptions(
        priority=body.priority,
        delay_s=body.delay_ms / 1_000,
        deadline_s=None if body.deadline_ms is None else body.deadline_ms / 1_000,
        max_attempts=body.max_attempts,
        name=body.name,
    )


def _facts(body: EvaluateBody | ExplainBody, caller: Caller) -> RuntimeFacts:
    return RuntimeFacts(
        tenant=caller.tenant,
        permissions=caller.permissions,
        labels=frozenset(body.labels),
        plan=body.plan,
        ambient=body.ambient,
    )


def _allowed(caller: Caller) -> tuple[str, ...]:
    """What a controlled run may use; the other levels have no list."""
    if caller.level != "controlled" or caller.capabilities is None:
        return DEFAULT_CAPABILITIES
    return tuple(sorted(caller.capabilities))


def _limits(body: LimitsBody, most: Limits) -> Limits:
    if not body.model_fields_set:
        return DEFAULT_LIMITS
    given: dict[str, Any] = {
        "deadline_s": None if body.deadline_ms is None else body.deadline_ms / 1_000,
        "allocation_bytes": body.allocation_bytes,
        "output_bytes": body.output_bytes,
        "delegations": body.delegations,
        "depth": body.depth,
    }
    for name, value in given.items():
        bound = getattr(most, name)
        if value is not None and bound is not None and value > bound:
            shown, factor = ("deadline_ms", 1_000) if name == "deadline_s" else (name, 1)
            raise _wrong(f"limits.{shown}", f"expected at most {bound * factor:g}, got {value * factor:g}")
    return Limits(
        **{
            each.name: getattr(DEFAULT_LIMITS, each.name) if given[each.name] is None else given[each.name]
            for each in fields(Limits)
        }
    )


# ---------------------------------------------------------------- values


def _arguments(as_json: Mapping[str, Any], as_text: Mapping[str, str]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for name, data in as_json.items():
        found[_writable(name, "args")] = _from_json(data, f"args.{name}")
    for name, text in as_text.items():
        if name in found:
            raise _wrong(f"rtfs_args.{name}", "it is in `args` as well; which is meant?")
        found[_writable(name, "rtfs_args")] = _from_text(text, f"rtfs_args.{name}")
    return found


def _call(body: CallBody) -> Call:
    if body.args and body.rtfs_args:
        raise _wrong("call", "either `args` or `rtfs_args`, not both")
    if body.rtfs_args:
        values = [_from_text(text, f"call.rtfs_args.{n}") for n, text in enumerate(body.rtfs_args)]
    else:
        values = [_from_json(data, f"call.args.{n}") for n, data in enumerate(body.args)]
    return Call(function=body.function, args=tuple(values))


def _writable(name: str, where: str) -> str:
    if not name or any(char.isspace() or char in _NOT_IN_NAMES for char in name):
        raise _wrong(f"{where}.{name[:64]}", "it is no name for an argument: a program could not write it")
    return name


def _from_json(data: Any, where: str) -> Value:
    try:
        return from_python(data)
    except errors.RtfsError as error:
        raise _wrong(where, f"it is no RTFS value: {error.text()}") from None


def _from_text(text: str, where: str) -> Value:
    try:
        return read_value(text, where)
    except errors.RtfsError as error:
        raise Problem("invalid-fields", f"`{where}`: {error.text()}", error=error) from None


def _wrong(field: str, problem: str) -> Problem:
    return Problem(
        "invalid-fields", f"`{field}`: {problem}", more={"problems": [{"field": field, "problem": problem}]}
    )
