"""For what a piece of work is done."""

from __future__ import annotations

import asyncio

import pytest

from actors.telemetry.log_context import log_context, logged_as


def test_blocks_add_to_each_other_and_end() -> None:
    with logged_as(run="run-1", tenant="acme"):
        with logged_as(ticket="t-1", run="run-2"):
            assert log_context.get().as_fields() == {"run": "run-2", "ticket": "t-1", "tenant": "acme"}
        assert log_context.get().as_attributes() == {"rtfs.run": "run-1", "rtfs.tenant": "acme"}
    assert log_context.get().as_fields() == {}


def test_a_block_that_fails_ends_too() -> None:
    with pytest.raises(KeyError), logged_as(run="run-1"):
        raise KeyError
    assert log_context.get().as_fields() == {}


async def test_tasks_have_their_own() -> None:
    meet = asyncio.Barrier(2)

    async def work(run: str) -> str | None:
        with logged_as(run=run):
            await meet.wait()
            return log_context.get().run

    assert list(await asyncio.gather(work("a"), work("b"))) == ["a", "b"]
