"""Everything that is counted and measured, in one table.

The instruments of decisions and delegated calls are those that `policies.running.observe` names; what the
processes around them measure begins with `rtfs_`:

    rtfs_http_requests_total{route,method,status}  counter    answered requests; `route` is the template,
                                                              `/v1/tickets/{id}`, never the path itself
    rtfs_http_latency_ms{route,method}             histogram  time to the last byte of an answer
    rtfs_http_open_streams{route}                  gauge      event streams that clients listen to
    rtfs_runs_total{entry,result}                  counter    runs that ended; `entry` is driver, http, job or
                                                              ticket, `result` ok or the category of the error
    rtfs_run_latency_ms{entry}                     histogram  time of a run
    rtfs_runs_active{entry}                        gauge      runs under way
    rtfs_tickets_total{state}                      counter    tickets that came into a state
    rtfs_ticket_wait_ms{}                          histogram  time from a ticket's making to its first try
    rtfs_ticket_retries_total{cause}               counter    tries after the first
    rtfs_queue_length{queue}                       gauge      what waits in a queue: a model's, the jobs'
    rtfs_queue_refusals_total{queue}               counter    what a full queue refused
    rtfs_model_batch_size{model}                   histogram  calls that a model answered at once
    rtfs_model_latency_ms{model}                   histogram  time of one batch
    rtfs_restarts_total{actor}                     counter    actors that were started anew
    rtfs_events_total{topic}                       counter    events that were published
    rtfs_subscribers{}                             gauge      those who listen to events
    rtfs_cache_lookups_total{tier,result}          counter    look-ups in a cache; `result` is hit or miss
    rtfs_cache_latency_ms{tier}                    histogram  time of a look-up; of those in memory and in the
                                                              folder one in 16 is measured
    rtfs_cache_entries{tier}                       gauge      entries of a cache
    rtfs_cache_bytes{tier}                         gauge      what they take
    rtfs_cache_evictions_total{tier}               counter    entries that had to go for want of room
    rtfs_cache_expirations_total{tier}             counter    entries that were found expired
    rtfs_cache_refused_total{tier}                 counter    answers that were not to be kept
    rtfs_cache_damaged_total{tier}                 counter    entries that turned out damaged
    rtfs_cache_failures_total{tier}                counter    times that something could not be read or written
    rtfs_semantic_similarity{}                     histogram  likeness of a call and the earlier one whose
                                                              answer was considered, whatever became of it
    rtfs_semantic_verdicts_total{verdict}          counter    what L3 said of calls: served, verify, unknown;
                                                              and of those verified, right or wrong
    rtfs_semantic_error{figure}                    gauge      share of the answers by meaning that were verified
                                                              and wrong; `figure` is estimate, or low or high,
                                                              the bounds of its interval
    rtfs_prewarming_calls_total{result}            counter    calls asked for before anybody made them:
                                                              answered, known, failed, refused; and of their
                                                              answers, used or wasted
    rtfs_prewarming_cost_micro_usd_total{}         counter    money that they took

Labels are names out of the policy and fixed words. Who asks (a tenant, a token) and what for (a ticket, a run,
a function of a program) is no label: there is no end of them, and each would be a series for ever. Logs and
spans tell of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from policies.running import observe

type Kind = Literal["counter", "gauge", "histogram"]

HTTP_REQUESTS: Final = "rtfs_http_requests_total"
HTTP_LATENCY: Final = "rtfs_http_latency_ms"
HTTP_STREAMS: Final = "rtfs_http_open_streams"
RUNS: Final = "rtfs_runs_total"
RUN_LATENCY: Final = "rtfs_run_latency_ms"
RUNS_ACTIVE: Final = "rtfs_runs_active"
TICKETS: Final = "rtfs_tickets_total"
TICKET_WAIT: Final = "rtfs_ticket_wait_ms"
TICKET_RETRIES: Final = "rtfs_ticket_retries_total"
QUEUE_LENGTH: Final = "rtfs_queue_length"
QUEUE_REFUSALS: Final = "rtfs_queue_refusals_total"
BATCH_SIZE: Final = "rtfs_model_batch_size"
MODEL_LATENCY: Final = "rtfs_model_latency_ms"
RESTARTS: Final = "rtfs_restarts_total"
EVENTS: Final = "rtfs_events_total"
SUBSCRIBERS: Final = "rtfs_subscribers"
CACHE_LOOKUPS: Final = "rtfs_cache_lookups_total"
CACHE_LATENCY: Final = "rtfs_cache_latency_ms"
CACHE_ENTRIES: Final = "rtfs_cache_entries"
CACHE_BYTES: Final = "rtfs_cache_bytes"
CACHE_EVICTIONS: Final = "rtfs_cache_evictions_total"
CACHE_EXPIRATIONS: Final = "rtfs_cache_expirations_total"
CACHE_REFUSED: Final = "rtfs_cache_refused_total"
CACHE_DAMAGED: Final = "rtfs_cache_damaged_total"
CACHE_FAILURES: Final = "rtfs_cache_failures_total"
SIMILARITY: Final = "rtfs_semantic_similarity"
SEMANTIC_VERDICTS: Final = "rtfs_semantic_verdicts_total"
SEMANTIC_ERROR: Final = "rtfs_semantic_error"
PREWARMED: Final = "rtfs_prewarming_calls_total"
PREWARMING_COST: Final = "rtfs_prewarming_cost_micro_usd_total"

#: upper bounds of buckets, milliseconds: from a local call to a model that writes for a minute
LATENCY_MS: Final = (
    *(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0),
    *(1_000.0, 2_500.0, 5_000.0, 10_000.0, 30_000.0, 60_000.0),
)
#: upper bounds of buckets, calls
SIZES: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)
#: upper bounds of buckets, milliseconds: a ticket may wait for hours until a target is back
WAIT_MS: Final = (*LATENCY_MS, 300_000.0, 1_800_000.0, 7_200_000.0, 86_400_000.0)
#: upper bounds of buckets, milliseconds: from a look into memory to another actor that embeds a text
LOOK_MS: Final = (
    *(0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5),
    *(1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 500.0, 1_000.0),
)
#: upper bounds of buckets, cosine: what is served is near 1, where they are dense
LIKENESS: Final = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.88, 0.9, 0.92, 0.94, 0.96, 0.97, 0.98, 0.99, 0.995, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """One row of the table."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    #: of a histogram: upper bounds of its buckets, rising; the last one is infinity, and not named
    boundaries: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if (self.kind == "histogram") != bool(self.boundaries):
            raise ValueError(f"a histogram needs boundaries and nothing else has any: `{self.name}`")


def _rows() -> tuple[Instrument, ...]:
    def counter(name: str, labels: tuple[str, ...], text: str) -> Instrument:
        return Instrument(name=name, kind="counter", labels=labels, help=text)

    def gauge(name: str, labels: tuple[str, ...], text: str) -> Instrument:
        return Instrument(name=name, kind="gauge", labels=labels, help=text)

    def histogram(name: str, labels: tuple[str, ...], bounds: tuple[float, ...], text: str) -> Instrument:
        return Instrument(name=name, kind="histogram", labels=labels, help=text, boundaries=bounds)

    return (
        gauge(observe.CACHE_SIZE, ("cache",), "Entries of a cache of decisions."),
        gauge(observe.HIT_RATE, ("cache",), "Hits of a cache by look-ups, 0 to 1."),
        counter(observe.DECISIONS, ("target",), "Decisions, by the target's name."),
        counter(observe.FALLBACKS, ("cause",), "Steps of a chain that did not answer, by why."),
        counter(observe.CALLS, ("target", "result"), "Delegated calls, by who answered at last."),
        histogram(observe.LATENCY, ("target",), LATENCY_MS, "Time of one try of a target, milliseconds."),
        counter(observe.COST, ("target",), "Money spent, millionths of a US dollar."),
        counter(observe.KNOWN, ("tier",), "Delegated calls that a cache answered."),
        counter(observe.SAVED, ("target",), "Money that known answers took, millionths of a dollar."),
        counter(observe.OVER_RESERVATION, ("target",), "Calls that cost more than was reserved for them."),
        counter(HTTP_REQUESTS, ("route", "method", "status"), "Answered HTTP requests."),
        histogram(HTTP_LATENCY, ("route", "method"), LATENCY_MS, "Time of an HTTP answer, milliseconds."),
        gauge(HTTP_STREAMS, ("route",), "Event streams that clients listen to."),
        counter(RUNS, ("entry", "result"), "Runs that ended, by how."),
        histogram(RUN_LATENCY, ("entry",), LATENCY_MS, "Time of a run, milliseconds."),
        gauge(RUNS_ACTIVE, ("entry",), "Runs under way."),
        counter(TICKETS, ("state",), "Tickets that came into a state."),
        histogram(TICKET_WAIT, (), WAIT_MS, "Time from a ticket's making to its first try, milliseconds."),
        counter(TICKET_RETRIES, ("cause",), "Tries of tickets after the first, by why."),
        gauge(QUEUE_LENGTH, ("queue",), "What waits in a queue."),
        counter(QUEUE_REFUSALS, ("queue",), "What a full queue refused."),
        histogram(BATCH_SIZE, ("model",), SIZES, "Calls that a model answered at once."),
        histogram(MODEL_LATENCY, ("model",), LATENCY_MS, "Time of one batch of a model, milliseconds."),
        counter(RESTARTS, ("actor",), "Actors that were started anew."),
        counter(EVENTS, ("topic",), "Events that were published."),
        gauge(SUBSCRIBERS, (), "Those who listen to events."),
        counter(CACHE_LOOKUPS, ("tier", "result"), "Look-ups in a cache, by whether it knew the answer."),
        histogram(CACHE_LATENCY, ("tier",), LOOK_MS, "Time of a look-up in a cache, milliseconds."),
        gauge(CACHE_ENTRIES, ("tier",), "Entries of a cache."),
        gauge(CACHE_BYTES, ("tier",), "Bytes that a cache takes."),
        counter(CACHE_EVICTIONS, ("tier",), "Entries that had to go for want of room."),
        counter(CACHE_EXPIRATIONS, ("tier",), "Entries that were found expired."),
        counter(CACHE_REFUSED, ("tier",), "Answers that were not to be kept."),
        counter(CACHE_DAMAGED, ("tier",), "Entries that turned out damaged."),
        counter(CACHE_FAILURES, ("tier",), "Times that a cache could not be read or written."),
        histogram(SIMILARITY, (), LIKENESS, "Likeness of a call and an earlier one, cosine."),
        counter(SEMANTIC_VERDICTS, ("verdict",), "What was said of calls that mean the same as earlier ones."),
        gauge(SEMANTIC_ERROR, ("figure",), "Share of verified answers by meaning that were wrong, 0 to 1."),
        counter(PREWARMED, ("result",), "Calls asked for before anybody made them, and what became of them."),
        counter(PREWARMING_COST, (), "Money spent on these calls, millionths of a US dollar."),
    )


INSTRUMENTS: Final[Mapping[str, Instrument]] = MappingProxyType({each.name: each for each in _rows()})
