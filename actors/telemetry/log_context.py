"""For what this piece of work is done: the run, the ticket, the tenant. Logs and spans carry it.

It stands in a variable of the context, so tasks, and parts of a program that overlap, each have their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields, replace
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class LogContext:
    """What is known; None: it is not, or there is none."""

    run: str | None = None
    ticket: str | None = None
    tenant: str | None = None
    request: str | None = None

    def as_fields(self) -> dict[str, str]:
        """What is known, by name."""
        return {name: value for name in _NAMES if (value := getattr(self, name)) is not None}

    def as_attributes(self) -> dict[str, str]:
        """The same as attributes of spans."""
        return {f"rtfs.{name}": value for name, value in self.as_fields().items()}


_NAMES: Final = tuple(field.name for field in fields(LogContext))

log_context: Final[ContextVar[LogContext]] = ContextVar("rtfs_log_context", default=LogContext())  # noqa: B039


@contextmanager
def logged_as(
    *, run: str | None = None, ticket: str | None = None, tenant: str | None = None, request: str | None = None
) -> Iterator[LogContext]:
    """Inside this block, logs and spans carry these too. What is not given stays as it is."""
    given = {"run": run, "ticket": ticket, "tenant": tenant, "request": request}
    told = replace(log_context.get(), **{name: value for name, value in given.items() if value is not None})
    token = log_context.set(told)
    try:
        yield told
    finally:
        log_context.reset(token)
