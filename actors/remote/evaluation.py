"""What is sent to another runtime and what comes back: `POST /v1/evaluate` (docs/http.md).

    Evaluation          a program to be run there, and within which bounds
    with_call           a program that ends with a call, where one needs arguments of the run besides
    Evaluated           what became of it
    answer_of           the reply of the server as one of these, or as what is raised

The security context of the run goes along: the labels that its data carries, its permissions and effects, its
plan. The tenant there is that of the token. No more capabilities are asked for than the program needs, where
that is known: most functions call none, and then the level is `pure`, which every token permits.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from types import MappingProxyType
from typing import Any, Final

from actors.remote.data_text import read_value, write_value
from actors.remote.faults import fault_of_status
from actors.remote.http import HttpReply
from actors.remote.remote_error import failure_of
from actors.requests import MOST_HOPS, RunRequest
from policies.errors import TargetFailed
from rtfs import errors
from rtfs.errors import RtfsError
from rtfs.function_info import ANY_CAPABILITY
from rtfs.runtime_facts import RuntimeFacts
from rtfs.values import Value

#: the path of the endpoint below the address of a runtime
PATH: Final = "/v1/evaluate"
#: codes of problem reports: the program ran and failed, or asks for more than its token permits
_PROGRAM_ERROR: Final = "program-error"
_FORBIDDEN: Final = "forbidden"
#: causes by status of which the problem report may say more
_TOLD_BY_PROBLEM: Final = frozenset({"bad-request", "auth", "server-error"})
#: longest name of a program, and longest detail of a problem, that are passed on, characters
_MOST_NAME: Final = 200
_MOST_DETAIL: Final = 300
#: of the time that a call has, the share that the other side gets: its answer has a way to go, too
_SHARE_THERE: Final = 0.95
#: most of what a program printed there that is shown here, characters
_MOST_OUTPUT: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """A program to be run elsewhere."""

    source: str
    source_name: str
    #: values that the program finds under these names
    args: Mapping[str, Value] = field(default_factory=lambda: MappingProxyType({}))
    #: a function to be called, and its arguments; None: the value is that of the program's last form
    call: tuple[str, tuple[Value, ...]] | None = None
    modules: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    #: the run that it is a part of
    of: RunRequest
    facts: RuntimeFacts
    #: labels of what is sent, beside those of the whole run
    labels: frozenset[str] = frozenset()
    #: capabilities that it may call; `*`, or None: not known
    capabilities: frozenset[str] | None = None
    timeout_s: float

    def body(self) -> bytes:
        """As JSON.

        Raises:
            TargetFailed: an argument cannot be sent, or it came through too many runtimes (`bad-request`).
        """
        run, facts = self.of, self.facts
        if run.hops + 1 > MOST_HOPS:
            raise TargetFailed(
                "bad-request", f"the run has come through {run.hops} runtimes, no more may follow"
            )
        fields: dict[str, Any] = {
            "source": self.source,
            "source_name": self.source_name[:_MOST_NAME] or "<program>",
            "rtfs_args": {name: _text(f"`{name}`", value) for name, value in self.args.items()},
            "modules": dict(self.modules),
            "limits": {"deadline_ms": max(1, int(self.timeout_s * _SHARE_THERE * 1000))},
            "labels": sorted(facts.labels | self.labels),
            "permissions": sorted(facts.permissions),
            "denied_effects": sorted(run.denied_effects),
            "ambient": dict(facts.ambient),
            "hops": run.hops + 1,
            **self._rights(),
        }
        if self.call is not None:
            function, args = self.call
            texts = [_text(f"argument {n} of `{function}`", arg) for n, arg in enumerate(args, 1)]
            fields["call"] = {"function": function, "rtfs_args": texts}
        if facts.plan is not None:
            fields["plan"] = facts.plan
        try:
            return json.dumps(fields, ensure_ascii=False, allow_nan=False).encode("utf-8")
        except UnicodeEncodeError as error:
            raise TargetFailed("bad-request", "a text to be sent is not valid Unicode") from error

    def _rights(self) -> dict[str, Any]:
        """The level, and the capabilities that the program may use there: what it needs and may use here."""
        run, needed = self.of, self.capabilities
        if needed is not None and ANY_CAPABILITY.isdisjoint(needed):
            context = run.context()
            allow = [each for each in needed if context.allows(each) and context.refused_effect(each) is None]
            return {"level": "controlled", "allow": sorted(allow)} if allow else {"level": "pure"}
        return (
            {"level": run.level, "allow": list(run.allowed)}
            if run.level == "controlled"
            else {"level": run.level}
        )


def with_call(
    source: str, args: Mapping[str, Value], function: str, given: tuple[Value, ...]
) -> tuple[str, Mapping[str, Value]]:
    """A program of which the last form calls `function`, and the values that it finds under names.

    For a function that reads arguments of the run: a call by name alone has none.
    """
    names = [f"argument-{n}-of-call" for n in range(1, len(given) + 1)]
    form = " ".join((function, *names))
    return f"{source}\n({form})", {**args, **dict(zip(names, given, strict=True))}


def _text(what: str, value: Value) -> str:
    try:
        return write_value(value)
    except errors.InvalidArgument as error:
        raise TargetFailed("bad-request", f"{what}: {error.message}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """What became of a program that ran to its end elsewhere."""

    value: Value
    #: what it printed
    output: str
    #: what its own delegated calls did cost
    cost_usd: float


def answer_of(reply: HttpReply, now: float) -> Evaluated:
    """What a server answered.

    Args:
        now: seconds since the epoch.

    Raises:
        TargetFailed: the target is to blame, or cannot run this.
        RtfsError: the program's own error.
    """
    fault = fault_of_status(reply.status, reply.headers, now)
    if fault is None:
        return _evaluated(reply.json())
    raise _failure(_problem(reply), fault)


def _failure(problem: Mapping[str, Any], fault: TargetFailed) -> TargetFailed | RtfsError:
    """What an answer that is no success means.

    Args:
        problem: its report.
        fault: what its status alone means.
    """
    if fault.cause not in _TOLD_BY_PROBLEM:  # it is overloaded, say; how the program ended does not matter then
        return fault
    code, error = problem.get("code"), problem.get("error")
    if isinstance(error, dict) and isinstance(error.get("category"), str):
        failure = failure_of(error)
        if isinstance(failure, TargetFailed) or code == _PROGRAM_ERROR:
            return failure
        return TargetFailed("bad-request", f"{fault.detail}: {failure.text()[:_MOST_DETAIL]}")
    if code == _FORBIDDEN:  # the token is good, but this run asks for more than it permits
        return TargetFailed(
            "bad-request", f"its token does not permit this: {str(problem.get('detail'))[:_MOST_DETAIL]}"
        )
    return fault


def _problem(reply: HttpReply) -> Mapping[str, Any]:
    """The problem report (RFC 9457) that a reply is, empty if it is none."""
    try:
        problem = reply.json()
    except TargetFailed:
        return {}
    return problem if isinstance(problem, dict) else {}


def _evaluated(found: Any) -> Evaluated:
    if not isinstance(found, dict):
        raise _bad_reply("expected a JSON object")
    status, text = found.get("status"), found.get("rtfs")
    if status != "completed":
        raise _bad_reply("expected a run that has completed")
    if not isinstance(text, str):
        raise _bad_reply("expected the value as text in `rtfs`")
    if found.get("portable") is False:
        raise _bad_reply("the value cannot leave the runtime that it was made in")
    try:
        value = read_value(text)
    except errors.LimitError:
        raise
    except errors.RtfsError as error:
        raise _bad_reply(f"its value cannot be read: {error.code}") from error
    output = found.get("output", "")
    if not isinstance(output, str):
        raise _bad_reply("expected a text in `output`")
    return Evaluated(value=value, output=output[:_MOST_OUTPUT], cost_usd=_cost(found.get("calls")))


def _cost(calls: Any) -> float:
    total = 0.0
    for each in calls if isinstance(calls, list) else ():
        cost = each.get("cost_usd") if isinstance(each, dict) else None
        if isinstance(cost, int | float) and isfinite(cost) and cost > 0:
            total += cost
    return total


def _bad_reply(what: str) -> TargetFailed:
    return TargetFailed("bad-reply", what)
