"""Every operation: where it is, who may use it, what it takes and answers. Routing and documents use it."""

from __future__ import annotations

from typing import Final

from actors.events.event import TOPICS
from actors.events.sse import CONTENT_TYPE as EVENT_STREAM
from cluster.http import bodies, evaluate, examples, health, policy, streams, tickets
from cluster.http.routing import Answer, Operation, Parameter

_WAIT: Final = Parameter(
    name="wait",
    text="Seconds to wait for the end.",
    schema={"type": "number", "minimum": 0, "maximum": 60},
    example=30,
)
_LISTED: Final = (
    Parameter(
        name="state",
        text="Only tickets in this state.",
        schema={"type": "string", "enum": list(tickets.STATES)},
    ),
    Parameter(
        name="dead",
        text="Only dead letters, or only others.",
        schema={"type": "string", "enum": ["true", "false"]},
    ),
    Parameter(
        name="limit",
        text="Tickets on one page.",
        schema={"type": "integer", "minimum": 1, "maximum": tickets.MOST_LISTED, "default": 50},
    ),
    Parameter(name="cursor", text="`cursor` of the page before.", schema={"type": "string"}),
)
_TOPICS: Final = Parameter(
    name="topics",
    text=f"Which events, with commas between: {', '.join(TOPICS)}. Left out: all.",
    schema={"type": "string"},
    example="tickets,health",
)
_IF_MATCH: Final = Parameter(
    name="If-Match",
    text='The `ETag` of the policy that is to be replaced, `"3"`; it is not if another is in force.',
    schema={"type": "string"},
    place="header",
)
_CACHE_CONTROL: Final = Parameter(
    name="Cache-Control",
    text="What the run wants of the caches of results: `no-cache` (ask the targets), `no-store` (keep "
    "nothing), `max-age=60` (nothing older). Other directives are ignored.",
    schema={"type": "string"},
    place="header",
    example="max-age=60",
)
_LAST_EVENT: Final = Parameter(
    name="Last-Event-ID",
    text="Taken, and not needed: a stream begins with how things stand.",
    schema={"type": "string"},
    place="header",
)
_TICKET: Final = Answer(status=200, text="The ticket.", model=bodies.TicketAnswer)
_STREAM: Final = Answer(status=200, text="Events, until the client goes.", content_type=EVENT_STREAM)
_CHANGED: Final = Answer(status=200, text="It is in force.", model=bodies.PolicyChangeAnswer, headers=("ETag",))

OPERATIONS: Final = (
    Operation(
        method="POST",
        path="/v1/evaluate",
        handle=evaluate.evaluate,
        who="caller",
        summary="Run a program",
        text='The answer has its value. With `"mode": "async"` it has a ticket, and the program is queued.',
        parameters=(_CACHE_CONTROL,),
        bodies={"application/json": bodies.EvaluateBody},
        examples=examples.EVALUATE,
        answers=(
            Answer(status=200, text="It ran to its end.", model=bodies.RunAnswer, headers=("Cache-Status",)),
            Answer(status=202, text="It is queued.", model=bodies.TicketAnswer, headers=("Location",)),
        ),
        problems=(
            *("unreadable-program", "security-violation", "conflict", "invalid-program", "program-error"),
            *("limit-exceeded", "cancelled", "answer-too-large", "busy"),
        ),
    ),
    Operation(
        method="POST",
        path="/v1/explain",
        handle=evaluate.explain,
        who="caller",
        summary="Say where a program's functions would run, and why",
        text="Nothing is run. The answer is what `rtfs explain --json` gives.",
        bodies={"application/json": bodies.ExplainBody},
        examples=examples.EXPLAIN,
        answers=(Answer(status=200, text="Where each function would run.", model=bodies.ExplainAnswer),),
        problems=("unreadable-program", "invalid-program", "program-error", "limit-exceeded", "busy"),
    ),
    Operation(
        method="GET",
        path="/v1/tickets",
        handle=tickets.listing,
        who="caller",
        summary="List tickets, newest first",
        parameters=_LISTED,
        answers=(Answer(status=200, text="One page.", model=bodies.TicketPageAnswer),),
    ),
    Operation(
        method="GET",
        path="/v1/tickets/{id}",
        handle=tickets.show,
        who="caller",
        summary="Look at a ticket",
        answers=(_TICKET,),
    ),
    Operation(
        method="DELETE",
        path="/v1/tickets/{id}",
        handle=tickets.cancel,
        who="caller",
        summary="Cancel what a ticket stands for",
        text="Of one that has ended nothing changes.",
        answers=(_TICKET,),
    ),
    Operation(
        method="GET",
        path="/v1/tickets/{id}/result",
        handle=tickets.result,
        who="caller",
        summary="What became of the run",
        text="200 with any end, a failed one too: `status` and `error` say which.",
        parameters=(_WAIT,),
        answers=(
            Answer(status=200, text="It has ended.", model=bodies.RunAnswer, headers=("Cache-Status",)),
            Answer(
                status=202, text="It has not ended yet.", model=bodies.TicketAnswer, headers=("Retry-After",)
            ),
        ),
        problems=("answer-too-large",),
    ),
    Operation(
        method="GET",
        path="/v1/tickets/{id}/events",
        handle=streams.ticket_events,
        who="caller",
        summary="Follow a ticket",
        text="The ticket as it stands, then after each change; the stream ends when the ticket has.",
        parameters=(_LAST_EVENT,),
        answers=(_STREAM,),
        problems=("busy",),
    ),
    Operation(
        method="POST",
        path="/v1/tickets/{id}/requeue",
        handle=tickets.requeue,
        who="caller",
        summary="Queue a dead letter again",
        answers=(Answer(status=202, text="It is queued.", model=bodies.TicketAnswer),),
        problems=("conflict", "busy"),
    ),
    Operation(
        method="GET",
        path="/v1/events",
        handle=streams.events,
        who="caller",
        summary="Follow what happens",
        text="How things stand, then each change.",
        parameters=(_TOPICS, _LAST_EVENT),
        answers=(_STREAM,),
        problems=("busy",),
    ),
    Operation(
        method="GET",
        path="/v1/policy",
        handle=policy.show,
        who="caller",
        summary="The policy in force",
        answers=(
            Answer(status=200, text="The policy.", model=bodies.PolicyAnswer, headers=("ETag",)),
            Answer(status=304, text="It is the one in `If-None-Match`.", headers=("ETag",)),
        ),
    ),
    Operation(
        method="PUT",
        path="/v1/policy",
        handle=policy.replace,
        who="admin",
        summary="Put a policy in force",
        text="It is checked first; one that cannot be used changes nothing.",
        parameters=(_IF_MATCH,),
        bodies={"application/json": bodies.PolicyBody, policy.TOML: None, "text/plain": None},
        examples=examples.POLICY,
        answers=(_CHANGED,),
        problems=("conflict", "precondition-failed", "invalid-policy"),
    ),
    Operation(
        method="POST",
        path="/v1/policy/rollback",
        handle=policy.rollback,
        who="admin",
        summary="Go back to the policy before",
        answers=(_CHANGED,),
        problems=("conflict", "invalid-policy"),
    ),
    Operation(
        method="GET",
        path="/healthz",
        handle=health.alive,
        who="anyone",
        summary="Whether the process lives",
        answers=(Answer(status=200, text="It does.", model=bodies.HealthAnswer),),
    ),
    Operation(
        method="GET",
        path="/readyz",
        handle=health.ready,
        who="anyone",
        summary="Whether all parts are up",
        answers=(
            Answer(status=200, text="They are.", model=bodies.ReadyAnswer),
            Answer(status=503, text="They are not.", model=bodies.ReadyAnswer),
        ),
    ),
    Operation(
        method="GET",
        path="/metrics",
        handle=health.metrics,
        who="metrics",
        summary="Measurements for Prometheus",
        answers=(Answer(status=200, text="Text format 0.0.4.", content_type="text/plain"),),
    ),
    Operation(
        method="GET",
        path="/openapi.json",
        handle=health.openapi,
        who="anyone",
        summary="This document",
        answers=(Answer(status=200, text="OpenAPI 3.1.", content_type="application/json"),),
    ),
    Operation(
        method="GET",
        path="/docs",
        handle=health.docs,
        who="anyone",
        summary="This document, for people",
        answers=(Answer(status=200, text="A page.", content_type="text/html"),),
    ),
)
