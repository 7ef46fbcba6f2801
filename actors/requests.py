"""What crosses between processes: a program to run, and what became of it.

A leaf module: it imports nothing of this layer. Both records are plain data; as bytes they are one RTFS value
(`rtfs.ir_codec.encode_value`), so that they may come from anywhere and be kept for long.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, Final, Literal, get_args

from rtfs import errors
from rtfs.error_codec import decode_error, encode_error
from rtfs.errors import RtfsError
from rtfs.ir_codec import decode_value, encode_value
from rtfs.run import MIB, Limits
from rtfs.runtime_facts import Fact, RuntimeFacts
from rtfs.security import Level, RuntimeContext
from rtfs.values import Map, Value, Vector

#: what an asynchronous run does when nobody but the function's own body is left to answer a delegated call
type OnTargetDown = Literal["fallback", "wait"]
#: how a run ended. `deferred`: a target is down, and it is to be run again when that is back
type Status = Literal["completed", "failed", "cancelled", "deferred"]

#: capabilities that a program run for somebody may use unless its context says otherwise: they touch nothing
#: but the run itself
DEFAULT_CAPABILITIES: Final = (
    "ccos.io.println",
    "ccos.io.print",
    "ccos.io.log",
    "ccos.echo",
    "ccos.state.*",
    "ccos.system.current-timestamp-ms",
    "ccos.system.sleep-ms",
)
#: limits of such a run: a minute, since it may wait for models
DEFAULT_LIMITS: Final = Limits(deadline_s=60.0, allocation_bytes=512 * MIB, output_bytes=4 * MIB)
#: clusters that a run may be handed on through
MOST_HOPS: Final = 4


def new_run_id() -> str:
    """An id that nobody else makes."""
    return f"run-{secrets.token_hex(12)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A function of the program to be called instead of running the program's own forms for their value."""

    function: str
    args: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheUse:
    """What a run wants of the caches of results, as HTTP says it of its own.

    Raises:
        ValueError: `max_age_s` is below 0.
    """

    #: `no-cache`: targets are asked, whatever is known; their answers are kept
    bypass: bool = False
    #: nothing is kept
    no_store: bool = False
    #: nothing older will do, seconds
    max_age_s: float | None = None

    def __post_init__(self) -> None:
        if self.max_age_s is not None and not self.max_age_s >= 0:
            raise ValueError(f"expected a `max_age_s` of at least 0 seconds, got {self.max_age_s}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """A program, for whom it runs, and within which bounds."""

    source: str
    source_name: str = "<request>"
    run_id: str = field(default_factory=new_run_id)
    #: values that the program finds under these names
    args: Mapping[str, Value] = field(default_factory=lambda: MappingProxyType({}))
    call: Call | None = None
    #: texts of modules that it may import, by name
    modules: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    facts: RuntimeFacts = RuntimeFacts()  # noqa: RUF009 - immutable
    level: Level = "controlled"
    #: capabilities that a `controlled` run may use
    allowed: tuple[str, ...] = DEFAULT_CAPABILITIES
    denied_effects: frozenset[str] = frozenset()
    limits: Limits = DEFAULT_LIMITS
    on_target_down: OnTargetDown = "fallback"
    #: the ticket that the run belongs to
    ticket_id: str | None = None
    #: W3C trace context of whoever asked
    traceparent: str | None = None
    #: clusters that it came through
    hops: int = 0
    cache: CacheUse = CacheUse()

    @property
    def repeatable(self) -> bool:
        """Whether running it twice does no more than running it once: all that it may use stays in the run."""
        if self.level == "pure":
            return True
        return self.level == "controlled" and set(self.allowed) <= set(DEFAULT_CAPABILITIES)

    def context(self) -> RuntimeContext:
        """What the run may do."""
        if self.level == "pure":
            base = RuntimeContext.pure()
        elif self.level == "controlled":
            base = RuntimeContext.controlled(self.allowed)
        else:
            base = RuntimeContext.full()
        return replace(base, facts=self.facts, denied_effects=self.denied_effects, bounds=self.limits)

    def encode(self) -> bytes:
        """As bytes, which `RunRequest.decode` reads back."""
        call = None if self.call is None else Vector([self.call.function, *self.call.args])
        facts, limits = self.facts, self.limits
        return encode_value(
            Map(
                {
                    "source": self.source,
                    "source_name": self.source_name,
                    "run_id": self.run_id,
                    "args": Map(dict(self.args)),
                    "call": call,
                    "modules": Map(dict(self.modules)),
                    "tenant": facts.tenant,
                    "permissions": Vector(sorted(facts.permissions)),
                    "labels": Vector(sorted(facts.labels)),
                    "plan": facts.plan,
                    "ambient": Map(dict(facts.ambient)),
                    "level": self.level,
                    "allowed": Vector(list(self.allowed)),
                    "denied_effects": Vector(sorted(self.denied_effects)),
                    "limits": Map({each.name: getattr(limits, each.name) for each in fields(limits)}),
                    "on_target_down": self.on_target_down,
                    "ticket_id": self.ticket_id,
                    "traceparent": self.traceparent,
                    "hops": self.hops,
                    "cache": Vector([self.cache.bypass, self.cache.no_store, self.cache.max_age_s]),
                }
            )
        )

    @classmethod
    def decode(cls, data: bytes) -> RunRequest:
        """The request that `encode` wrote.

        Raises:
            StorageError: the bytes are damaged, or no request.
        """
        found = _Reader(decode_value(data), "request")
        call = found.optional("call", Vector)
        return cls(
            source=found.of("source", str),
            source_name=found.of("source_name", str),
            run_id=found.of("run_id", str),
            args=found.mapping("args"),
            call=None if call is None else Call(function=str(call[0]), args=tuple(call)[1:]),
            modules=found.mapping("modules"),
            facts=RuntimeFacts(
                tenant=found.optional("tenant", str),
                permissions=frozenset(found.texts("permissions")),
                labels=frozenset(found.texts("labels")),
                plan=found.optional("plan", str),
                ambient=found.facts("ambient"),
            ),
            level=found.one_of("level", get_args(Level.__value__)),
            allowed=found.texts("allowed"),
            denied_effects=frozenset(found.texts("denied_effects")),
            limits=found.limits("limits"),
            on_target_down=found.one_of("on_target_down", get_args(OnTargetDown.__value__)),
            ticket_id=found.optional("ticket_id", str),
            traceparent=found.optional("traceparent", str),
            hops=found.of("hops", int),
            cache=found.cache("cache"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSummary:
    """The delegated calls of one run that went alike."""

    function: str
    #: name of the target that was chosen
    target: str
    #: name of the target that answered; `local-pure`: the function's own body; None: nobody
    answered_by: str | None
    #: why the one after the other was passed over, `remote-x: failed (connection-refused)`; empty: none was
    reason: str
    calls: int
    #: sum of the times of these calls
    took_ms: float
    cost_usd: float
    #: mean confidence of the answers, 0 to 1; None: none of them says anything about it
    confidence: float | None = None
    #: what all of them were answered, `:error`, where the function's return type is an enum of a few values
    answer: str | None = None
    #: the cache that knew the answers: `l2-hot`, `l2-cold`, `l3`, or `shared` with a call under way; None: none
    #: did
    tier: str | None = None
    #: age of the oldest of these answers, seconds
    oldest_s: float | None = None
    #: of answers by meaning: how alike the least alike of the calls were, -1 to 1
    similarity: float | None = None
    #: and the share of such answers that may be wrong, at most
    error_bound: float | None = None
    #: what these answers took when they were made
    saved_usd: float = 0.0
    saved_ms: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferral:
    """Why a run is to be run again later."""

    #: name of the target that is down
    target: str
    #: seconds since the epoch when it may be back
    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReply:
    """What became of a run."""

    run_id: str
    status: Status
    #: the program's value, of a run that completed; None as well if that cannot leave its process
    value: Value = None
    #: that value, printed so that it reads back; of what cannot leave its process the printed text alone
    text: str = "nil"
    #: whether `value` is the program's value; false for functions and the like
    portable: bool = True
    error: RtfsError | None = None
    #: what the program printed
    output: str = ""
    calls: tuple[CallSummary, ...] = ()
    #: of the whole run
    took_ms: float = 0.0
    #: whether it had effects beyond its own output; such a run is not run again by itself
    had_effects: bool = False
    deferral: Deferral | None = None

    def outcome(self) -> Value:
        """The value.

        Raises:
            RtfsError: what ended the run; Generic if its value cannot leave the process it was made in.
        """
        if self.error is not None:
            raise self.error
        if not self.portable:
            raise errors.Generic(f"the program's value, {self.text}, cannot leave its run; return data instead")
        return self.value

    def encode(self) -> bytes:
        """As bytes, which `RunReply.decode` reads back."""
        deferral = self.deferral
        head = encode_value(
            Map(
                {
                    "run_id": self.run_id,
                    "status": self.status,
                    "value": self.value if self.portable else None,
                    "text": self.text,
                    "portable": self.portable,
                    "output": self.output,
                    "calls": Vector(
                        [Vector([getattr(each, f.name) for f in fields(each)]) for each in self.calls]
                    ),
                    "took_ms": self.took_ms,
                    "had_effects": self.had_effects,
                    "deferral": None if deferral is None else Vector([deferral.target, deferral.until]),
                }
            )
        )
        error = b"" if self.error is None else encode_error(self.error)
        return len(head).to_bytes(8, "big") + head + error

    @classmethod
    def decode(cls, data: bytes) -> RunReply:
        """The reply that `encode` wrote.

        Raises:
            StorageError: the bytes are damaged, or no reply.
        """
        end = 8 + int.from_bytes(data[:8], "big")
        found = _Reader(decode_value(data[8:end]), "reply")
        deferral = found.optional("deferral", Vector)
        return cls(
            run_id=found.of("run_id", str),
            status=found.one_of("status", get_args(Status.__value__)),
            value=found.get("value"),
            text=found.of("text", str),
            portable=found.of("portable", bool),
            error=decode_error(data[end:]) if data[end:] else None,
            output=found.of("output", str),
            calls=found.summaries("calls"),
            took_ms=found.of("took_ms", float),
            had_effects=found.of("had_effects", bool),
            deferral=None if deferral is None else Deferral(target=deferral[0], until=deferral[1]),
        )


class _Reader:
    """The fields of a record that came as a map, each checked for its type."""

    def __init__(self, found: Value, what: str) -> None:
        if type(found) is not Map:
            raise errors.StorageError(f"damaged {what}: expected a map")
        self._found, self._what = found, what

    def get(self, name: str) -> Value:
        return self._found.get(name)

    def of[T](self, name: str, kind: type[T]) -> T:
        value = self._found.get(name)
        if type(value) is not kind:
            raise self._wrong(name)
        return value

    def optional[T](self, name: str, kind: type[T]) -> T | None:
        return None if self._found.get(name) is None else self.of(name, kind)

    def one_of(self, name: str, allowed: tuple[Any, ...]) -> Any:
        value = self._found.get(name)
        if value not in allowed:
            raise self._wrong(name)
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        values = tuple(self.of(name, Vector))
        if any(type(each) is not str for each in values):
            raise self._wrong(name)
        return values

    def mapping(self, name: str) -> Mapping[str, Any]:
        items = dict(self.of(name, Map).items())
        if any(type(key) is not str for key in items):
            raise self._wrong(name)
        return MappingProxyType(items)

    def facts(self, name: str) -> Mapping[str, Fact]:
        items = self.mapping(name)
        if any(type(each) not in (str, int, bool) for each in items.values()):
            raise self._wrong(name)
        return items

    def cache(self, name: str) -> CacheUse:
        if self._found.get(name) is None:  # it was written before there were caches
            return CacheUse()
        try:
            bypass, no_store, max_age_s = self.of(name, Vector)
            if type(bypass) is not bool or type(no_store) is not bool:
                raise self._wrong(name)
            return CacheUse(bypass=bypass, no_store=no_store, max_age_s=max_age_s)
        except (TypeError, ValueError) as error:
            raise self._wrong(name) from error

    def limits(self, name: str) -> Limits:
        try:
            return Limits(**self.mapping(name))
        except (TypeError, ValueError) as error:
            raise self._wrong(name) from error

    def summaries(self, name: str) -> tuple[CallSummary, ...]:
        names = [each.name for each in fields(CallSummary)]
        try:
            return tuple(CallSummary(**dict(zip(names, each, strict=True))) for each in self.of(name, Vector))
        except (TypeError, ValueError) as error:
            raise self._wrong(name) from error

    def _wrong(self, name: str) -> errors.StorageError:
        return errors.StorageError(f"damaged {self._what}: `{name}` is missing or of another type")
