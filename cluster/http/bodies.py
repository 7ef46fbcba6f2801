"""What requests and answers are made of, as models; the OpenAPI document is made of the same ones.

Strict: `"1"` is no number and 1 no truth value. A field that is not known is refused, for it was meant to say
something.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from actors.requests import MOST_HOPS
from rtfs.values import INT_MAX

#: how ids of tickets are spelt (`actors.tickets.ids`)
TICKET_ID: Final = "^[0-7][0-9a-hjkmnp-tv-z]{25}$"
#: a year
_LONGEST_MS: Final = 366 * 86_400_000

type Name = Annotated[str, Field(min_length=1, max_length=200)]
type Milliseconds = Annotated[int, Field(ge=0, le=_LONGEST_MS)]
type Count = Annotated[int, Field(ge=0, le=INT_MAX)]
type Mode = Literal["sync", "async"]
type State = Literal["working", "input_required", "completed", "failed", "cancelled"]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


# ---------------------------------------------------------------- requests


class CallBody(_Request):
    """A function of the program to be called; the answer's value is what it returns."""

    function: Annotated[Name, Field(description="Its name.")]
    args: Annotated[list[Any], Field(description="Its arguments as JSON.")] = Field(default_factory=list)
    rtfs_args: Annotated[
        list[str], Field(description="Instead of `args`: its arguments as RTFS text, read as data.")
    ] = Field(default_factory=list)


class LimitsBody(_Request):
    """What the run may use. A limit that is left out has its usual value."""

    deadline_ms: Annotated[int, Field(ge=1, le=_LONGEST_MS, description="Of the run, once it runs.")] | None = (
        None
    )
    allocation_bytes: Count | None = None
    output_bytes: Annotated[Count, Field(description="What it may print.")] | None = None
    delegations: Annotated[Count, Field(description="Delegated calls.")] | None = None
    depth: Annotated[int, Field(ge=1, le=100_000, description="Nested calls.")] | None = None


class TicketBody(_Request):
    """How a run with `"mode": "async"` is queued."""

    id: (
        Annotated[
            str,
            Field(
                pattern=TICKET_ID,
                description="The ticket's id, so that asking again after a lost answer makes no second ticket.",
            ),
        ]
        | None
    ) = None
    name: Annotated[Name, Field(description="For people.")] | None = None
    priority: Annotated[int, Field(ge=-1_000, le=1_000, description="Higher goes first.")] = 0
    delay_ms: Annotated[Milliseconds, Field(description="It is not started before.")] = 0
    deadline_ms: (
        Annotated[int, Field(ge=1, le=_LONGEST_MS, description="Queueing and running together.")] | None
    ) = None
    max_attempts: Annotated[int, Field(ge=1, le=100)] | None = None


class CacheBody(_Request):
    """What the run wants of the caches of results; with the header `Cache-Control` the stricter counts."""

    bypass: Annotated[
        bool, Field(description="Targets are asked, whatever is known; their answers are kept.")
    ] = False
    no_store: Annotated[bool, Field(description="Nothing is kept.")] = False
    max_age_s: (
        Annotated[float, Field(ge=0, le=_LONGEST_MS / 1_000, description="Nothing older will do, seconds.")]
        | None
    ) = None


class ProgramBody(_Request):
    """A program, and for whom and as what it runs."""

    source: Annotated[str, Field(description="The program.")]
    source_name: Annotated[
        str, Field(min_length=1, max_length=200, description="What errors call the program.")
    ] = "<request>"
    modules: Annotated[dict[str, str], Field(description="Texts of modules that it may import, by name.")] = (
        Field(default_factory=dict)
    )
    level: (
        Annotated[Literal["pure", "controlled", "full"], Field(description="What it may do at all.")] | None
    ) = None
    labels: Annotated[list[Name], Field(description="Privacy labels of everything in the run.")] = Field(
        default_factory=list
    )
    permissions: (
        Annotated[list[Name], Field(description="Fewer than the token has; left out: all it has.")] | None
    ) = None
    plan: Annotated[Name, Field(description="Names the plan in budgets per plan.")] | None = None
    ambient: Annotated[
        dict[str, str | Annotated[int, Field(ge=-INT_MAX - 1, le=INT_MAX)] | bool],
        Field(description="Other facts that policies look at, such as `hour` or `region`."),
    ] = Field(default_factory=dict)


class EvaluateBody(ProgramBody):
    """A program to run."""

    args: Annotated[dict[str, Any], Field(description="Values that it finds under these names, as JSON.")] = (
        Field(default_factory=dict)
    )
    rtfs_args: Annotated[
        dict[str, str],
        Field(description="The same as RTFS text, read as data: `:key`, `#{1 2}` and the like."),
    ] = Field(default_factory=dict)
    call: CallBody | None = None
    mode: Annotated[Mode, Field(description="`async`: answer with a ticket at once.")] = "sync"
    allow: (
        Annotated[
            list[Name], Field(description="Capabilities that a `controlled` run may use; `prefix.*` is many.")
        ]
        | None
    ) = None
    denied_effects: Annotated[
        list[Annotated[str, Field(pattern="^:[a-z][a-z-]*$", max_length=64)]],
        Field(description="Effects that it may not have, such as `:network`."),
    ] = Field(default_factory=list)
    limits: LimitsBody = LimitsBody()
    on_target_down: Annotated[
        Literal["fallback", "wait"],
        Field(description="`wait`, for tickets: queue until the target is back, not fall back to the body."),
    ] = "fallback"
    ticket: TicketBody | None = None
    cache: CacheBody = CacheBody()
    hops: Annotated[int, Field(ge=0, le=MOST_HOPS, description="Clusters that it came through.")] = 0


class ExplainBody(ProgramBody):
    """A program to explain."""


class PolicyBody(_Request):
    """A policy."""

    text: Annotated[str, Field(description="The text of a `delegation.toml`.")]


# ---------------------------------------------------------------- answers


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CallAnswer(_Answer):
    """Delegated calls that went alike."""

    function: str
    target: str
    answered_by: str | None
    reason: str
    calls: int
    took_ms: float
    cost_usd: float
    confidence: Annotated[float | None, Field(description="Mean confidence of the answers, 0 to 1.")]
    answer: Annotated[
        str | None,
        Field(description="What all were answered, of a function that returns an enum of a few values."),
    ]
    tier: Annotated[str | None, Field(description="The cache that knew the answers.")]
    oldest_s: float | None
    similarity: float | None
    error_bound: float | None
    saved_usd: float
    saved_ms: float


class ErrorAnswer(BaseModel):
    """An error of RTFS; lines and columns count from 1."""

    model_config = ConfigDict(extra="allow")

    category: str
    code: str
    message: str
    hint: str | None
    source: str | None
    line: int | None
    column: int | None
    end_line: int | None
    end_column: int | None
    trace: list[dict[str, Any]]


class RunAnswer(_Answer):
    """What became of a run."""

    run_id: str
    status: Literal["completed", "failed", "cancelled", "deferred"]
    value: Annotated[Any, Field(description="The value as JSON; null if JSON has none like it.")]
    rtfs: Annotated[str, Field(description="The value as RTFS text, which reads back if `portable`.")]
    portable: bool
    output: Annotated[str, Field(description="What it printed.")]
    took_ms: float
    had_effects: bool
    calls: list[CallAnswer]
    error: ErrorAnswer | None


class TicketAnswer(_Answer):
    """A ticket. Times are seconds since the epoch."""

    id: str
    tenant: str | None
    state: State
    phase: str
    reason: str
    name: str | None
    priority: int
    created_at: float
    updated_at: float
    attempts: int
    max_attempts: int
    dead: bool
    deadline_at: float | None


class TicketPageAnswer(_Answer):
    """Tickets, newest first."""

    tickets: list[TicketAnswer]
    cursor: Annotated[str | None, Field(description="For the next page; null: there is none.")]


class PolicyAnswer(_Answer):
    """A policy; `number` is the one in `ETag`."""

    version: str
    text: str
    source: str
    number: int


class PolicyChangeAnswer(_Answer):
    """What became of a new policy."""

    policy: PolicyAnswer
    swapped: bool
    changes: list[str]


class HealthAnswer(_Answer):
    """The process lives."""

    status: Literal["up"]


class ReadyAnswer(_Answer):
    """Whether all parts are up."""

    ready: bool
    parts: dict[str, str]


class ProblemAnswer(BaseModel):
    """Problem details (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str
    error: ErrorAnswer | None = None


class ExplainAnswer(BaseModel):
    """What `rtfs explain --json` gives."""

    model_config = ConfigDict(extra="allow")

    functions: list[dict[str, Any]]
