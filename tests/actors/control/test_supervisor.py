"""The supervisor over parts that die, hang and break, with a clock that the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from actors.control.supervisor import PartLost, Supervisor

#: longest wait for something that has to happen
PATIENCE_S = 20.0


class FakePart:
    """A part in whatever state the test puts it."""

    def __init__(self, state: str = "up") -> None:
        #: `up`, `degraded: …`, `lost`, `silent`, `broken`
        self.state = state
        self.starts = self.kills = self.removals = self.probes = 0
        self.start_fails = self.kill_fails = False

    def start(self) -> None:
        self.starts += 1
        if self.start_fails:
            raise RuntimeError("no room for it")

    async def probe(self) -> str:
        self.probes += 1
        if self.state == "lost":
            raise PartLost("it died")
        if self.state == "broken":
            raise KeyError("a bug in its probe")
        if self.state == "silent":
            await asyncio.sleep(3600)
        return self.state

    def kill(self) -> None:
        self.kills += 1
        if self.kill_fails:
            raise RuntimeError("it cannot be killed")

    def remove(self) -> None:
        self.removals += 1


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def watch(time: Time) -> Callable[..., Supervisor]:
    return lambda **parts: Supervisor(parts, probe_s=0.01, answer_s=0.02, hung_s=30.0, clock=time)


@asynccontextmanager
async def running(supervisor: Supervisor) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(supervisor.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.005)


async def test_parts_are_started_and_the_runtime_is_ready_when_all_are_up(
    watch: Callable[..., Supervisor],
) -> None:
    a, b = FakePart(), FakePart("silent")
    supervisor = watch(a=a, b=b)
    assert (a.starts, b.starts) == (1, 1)
    assert supervisor.status().parts == {"a": "starting", "b": "starting"}
    async with running(supervisor):
        early = await supervisor.ready(0.1)
        assert (early.ready, early.parts) == (False, {"a": "up", "b": "starting"})
        b.state = "degraded: no file"
        late = await supervisor.ready(PATIENCE_S)
        assert (late.ready, late.parts) == (True, {"a": "up", "b": "degraded: no file"})


async def test_a_part_that_dies_is_started_again(
    watch: Callable[..., Supervisor], caplog: pytest.LogCaptureFixture
) -> None:
    part = FakePart()
    supervisor = watch(a=part)
    await supervisor.probe_all()
    part.state = "lost"
    await supervisor.probe_all()
    assert supervisor.status().parts == {"a": "down"}
    assert (part.starts, part.kills) == (2, 0)
    assert "a was lost: it died" in caplog.text
    part.state = "up"
    await supervisor.probe_all()
    assert supervisor.status().ready
    assert part.starts == 2


async def test_a_part_that_hangs_is_killed_after_a_while_and_once_in_a_while(
    watch: Callable[..., Supervisor], time: Time
) -> None:
    part = FakePart()
    supervisor = watch(a=part)
    await supervisor.probe_all()
    part.state = "silent"
    for later_s, kills in ((30.0, 0), (0.5, 1), (30.0, 1), (0.5, 2)):
        time.now += later_s
        await supervisor.probe_all()
        assert part.kills == kills
    assert supervisor.status().parts == {"a": "down"}
    assert part.starts == 1  # Ray starts what was killed


async def test_an_answer_in_between_saves_a_part(watch: Callable[..., Supervisor], time: Time) -> None:
    part = FakePart()
    supervisor = watch(a=part)
    for state in ("silent", "up", "silent"):
        time.now += 20.0
        part.state = state
        await supervisor.probe_all()
    time.now += 9.0
    await supervisor.probe_all()
    assert part.kills == 0


async def test_a_part_that_was_started_again_has_its_time_anew(
    watch: Callable[..., Supervisor], time: Time
) -> None:
    part = FakePart()
    supervisor = watch(a=part)
    await supervisor.probe_all()
    part.state = "lost"
    for _ in range(5):
        time.now += 20.0
        await supervisor.probe_all()
    part.state = "silent"  # it is there, and still loads what it needs
    time.now += 1.0
    await supervisor.probe_all()
    assert part.kills == 0


@pytest.mark.parametrize("state", ["broken", "lost", "silent"])
async def test_one_parts_trouble_does_not_end_the_watch(
    watch: Callable[..., Supervisor], time: Time, state: str
) -> None:
    bad, good = FakePart(), FakePart()
    supervisor = watch(bad=bad, good=good)
    bad.state, bad.start_fails, bad.kill_fails = state, True, True
    async with running(supervisor) as task:
        await until(lambda: bad.probes >= 2)
        time.now += 100.0
        good.state = "degraded: so-so"
        await until(lambda: supervisor.status().parts["good"] == "degraded: so-so")
        await until(lambda: bad.kills > 0 if state == "silent" else bad.starts > 2)
        assert not task.done()
        bad.state = "up"
        assert (await supervisor.ready(PATIENCE_S)).ready


async def test_parts_come_and_go(watch: Callable[..., Supervisor]) -> None:
    a, b = FakePart(), FakePart("silent")
    supervisor = watch(a=a)
    async with running(supervisor):
        assert (await supervisor.ready(PATIENCE_S)).ready
        supervisor.add({"b": b})
        assert supervisor.names == {"a", "b"}
        assert not (await supervisor.ready(0.05)).ready
        supervisor.remove({"b", "never there"})
        assert (await supervisor.ready(PATIENCE_S)).parts == {"a": "up"}
    assert (a.removals, b.removals, b.starts) == (0, 1, 1)


async def test_a_part_that_is_removed_while_it_is_probed_is_not_started_again(
    watch: Callable[..., Supervisor],
) -> None:
    class Dying(FakePart):
        async def probe(self) -> str:
            supervisor.remove({"a"})
            raise PartLost("it was removed")

    part = Dying()
    supervisor = watch(a=part)
    await supervisor.probe_all()
    assert (part.starts, part.removals, supervisor.names) == (1, 1, set())


async def test_a_runtime_of_no_parts_is_ready(watch: Callable[..., Supervisor]) -> None:
    supervisor = watch()
    async with running(supervisor):
        assert (await supervisor.ready(PATIENCE_S)).ready


async def test_a_part_that_is_lost_makes_the_runtime_not_ready(watch: Callable[..., Supervisor]) -> None:
    part = FakePart()
    supervisor = watch(a=part)
    await supervisor.probe_all()
    part.state = "lost"
    await supervisor.probe_all()
    assert not (await supervisor.ready(0.01)).ready


async def test_a_runtime_is_ready_without_parts_that_are_not_needed(
    watch: Callable[..., Supervisor], time: Time
) -> None:
    extra = FakePart("silent")
    supervisor = watch(a=FakePart())
    async with running(supervisor):
        assert (await supervisor.ready(PATIENCE_S)).ready
        supervisor.add({"b": extra}, is_needed=False)
        status = supervisor.status()
        assert (status.ready, dict(status.parts), extra.starts) == (True, {"a": "up", "b": "starting"}, 1)
        await until(lambda: extra.probes > 1)
        assert (await supervisor.ready(PATIENCE_S)).ready
        time.now += 31.0
        await until(lambda: extra.kills > 0)  # it is watched like others


async def test_each_round_is_told() -> None:
    rounds: list[int] = []
    part = FakePart()
    supervisor = Supervisor({"a": part}, answer_s=0.02, probed=lambda: rounds.append(part.probes))
    for state in ("up", "lost", "silent"):
        part.state = state
        await supervisor.probe_all()
    assert rounds == [1, 2, 3]
