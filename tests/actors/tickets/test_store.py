"""The store on real files: lists, room, crashes, other processes."""

from __future__ import annotations

import errno
import os
import random
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import lmdb
import pytest

from actors.tickets import rows
from actors.tickets.board import TicketBoard
from actors.tickets.errors import StoreDamaged, StoreError, StoreFull, StoreInUse, UnknownTicket
from actors.tickets.ids import new_ticket_id
from actors.tickets.store import Changes, TicketStore
from actors.tickets.ticket import Part, Stage, Ticket

ROOT = Path(__file__).resolve().parents[3]


def record(stage: Stage = "queued", **changes: Any) -> Ticket:
    working = stage in ("queued", "delayed", "running", "retrying")
    fields: dict[str, Any] = {
        "id": new_ticket_id(),
        "tenant": "acme",
        "state": "working" if working else stage,
        "phase": stage if working else None,
        "created_at": 100.0,
        "updated_at": 100.0,
        "queued_at": 100.0,
        "max_attempts": 3,
        "request_digest": "d",
    }
    return Ticket(**(fields | changes))


def put(store: TicketStore, *tickets: Ticket, **payloads: bytes) -> None:
    parts: Any = {(each.id, part): data for each in tickets for part, data in payloads.items()}
    store.write(Changes(tickets={each.id: each for each in tickets}, payloads=parts))


def rows_in(store: TicketStore) -> dict[str, int]:
    """How many rows each sub-database has."""
    with store._env.begin() as txn:
        handles = zip(rows.Databases._fields, store._databases, strict=True)
        return {name: txn.stat(handle)["entries"] for name, handle in handles}


def child(code: str, *args: str | Path) -> subprocess.Popen[str]:
    """A Python process that runs `code`."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, args)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


# ---------------------------------------------------------------- what is written is there


def test_what_is_written_is_there_after_the_store_is_opened_again(folder: Path) -> None:
    ticket = record(name="nightly")
    payloads: dict[Part, bytes] = {"request": b"\0\xff", "result": b"", "error": b"e" * 1_000_000}
    with TicketStore(folder) as store:
        put(store, ticket, **payloads)
    with TicketStore(folder) as store:
        assert store.get(ticket.id) == store.get(ticket.id, "acme") == store.find(ticket.id) == ticket
        assert {part: store.payload(ticket.id, part) for part in payloads} == payloads
        assert list(store.unfinished()) == [ticket]


def test_what_is_not_there(store: TicketStore) -> None:
    ticket = record()
    put(store, ticket)
    assert store.payload(ticket.id, "result") is None
    assert store.find(new_ticket_id()) is None
    for ticket_id, tenant in [(new_ticket_id(), None), (ticket.id, "other"), (ticket.id, "")]:
        with pytest.raises(UnknownTicket, match=f"there is no ticket `{ticket_id}`"):
            store.get(ticket_id, tenant)


def test_the_order_follows_a_ticket_through_its_states(store: TicketStore) -> None:
    ticket = record()
    put(store, ticket)
    for stage, expires_at, rows_of_expiry in [
        ("running", None, 0),
        ("failed", 500.0, 1),
        ("queued", None, 0),
        ("running", None, 0),
        ("completed", 600.0, 1),
    ]:
        ticket = ticket.moved(stage, 101.0, expires_at=expires_at, dead=stage == "failed")  # type: ignore[arg-type]
        put(store, ticket)
        assert rows_in(store) == {"meta": 1, "tickets": 1, "payloads": 0, "order": 2, "expiry": rows_of_expiry}
        assert list(store.unfinished()) == ([] if ticket.ended else [ticket])
        assert store.next_expiry() == expires_at


def test_nothing_is_written_for_nothing(store: TicketStore) -> None:
    before = store._env.info()["last_txnid"]
    store.write(Changes())
    assert store._env.info()["last_txnid"] == before


def test_files_are_for_their_owner_alone(store: TicketStore, folder: Path) -> None:
    for path in (folder, *folder.iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


# ---------------------------------------------------------------- forgetting


def test_tickets_are_forgotten_in_slices_oldest_first_and_leave_nothing(store: TicketStore) -> None:
    ended = [record("completed", expires_at=200.0 + i) for i in range(25)]
    kept = [record("failed", dead=True, expires_at=900.0), record()]
    put(store, *ended, *kept, request=b"r", result=b"s", error=b"t")
    assert store.purge(199.9, 10) == []
    assert store.next_expiry() == 200.0
    assert store.purge(500.0, 10) == [each.id for each in ended[:10]]
    assert store.purge(500.0, 10) == [each.id for each in ended[10:20]]
    assert store.purge(500.0, 10) == [each.id for each in ended[20:]]
    assert store.purge(500.0, 10) == []
    assert rows_in(store) == {"meta": 1, "tickets": 2, "payloads": 6, "order": 4, "expiry": 1}
    assert store.next_expiry() == 900.0


# ---------------------------------------------------------------- room


def test_the_map_grows_as_needed(folder: Path) -> None:
    tickets = [record() for _ in range(5)]
    with TicketStore(folder, map_bytes=1 << 17) as store:
        for ticket in tickets:
            put(store, ticket, request=b"r" * 300_000)
        assert store._env.info()["map_size"] >= 1_500_000
    with TicketStore(folder, map_bytes=1 << 17) as store:
        assert [store.payload(each.id, "request") for each in tickets] == [b"r" * 300_000] * 5


def test_a_store_that_may_not_grow_says_so_loses_nothing_and_can_forget(folder: Path) -> None:
    with TicketStore(folder, map_bytes=1 << 17, max_bytes=1 << 20) as store:
        written: list[Ticket] = []

        def fill() -> None:
            while True:
                ticket = record("completed", expires_at=200.0)
                put(store, ticket, request=b"r" * 50_000)
                written.append(ticket)

        with pytest.raises(StoreFull, match="fill the 1 MiB that they may use"):
            fill()
        assert len(written) > 10
        assert [store.get(each.id) for each in written] == written
        with pytest.raises(StoreFull):
            put(store, record(), request=b"r" * 50_000)
        assert len(store.purge(300.0, 1_000)) == len(written)
        put(store, record(), request=b"r" * 50_000)
        assert store._env.info()["map_size"] <= 1 << 20


FILLS_THE_DISK = """
import resource, sys
from pathlib import Path
from actors.tickets.board import TicketBoard
from actors.tickets.errors import StoreFull
from actors.tickets.store import TicketStore
from actors.tickets.ticket import Submission

board = TicketBoard(TicketStore(Path(sys.argv[1])))
told = []
board._book._on_change = lambda ticket: told.append(ticket.id)
resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))
done = []
try:
    while True:
        with board.batch():
            some = [board.submit(Submission(request=b"r" * 20_000, tenant="acme")).id for _ in range(7)]
        done += some
except StoreFull as error:
    print(error, flush=True)
assert told == done, "a ticket was announced that was not committed"
assert board.counts().waiting == len(done), "the queue has what the store has not"
assert all(board.payload(each, "request") for each in done)
work = None
try:
    work = board.start(3)
except StoreFull:
    assert board.counts().running == 0
print(*done, flush=True)
"""


def test_a_full_disk_is_said_and_loses_nothing(folder: Path) -> None:
    """The limit on the size of a file stands for the end of the disk: writes fail half-way through a commit."""
    with child(FILLS_THE_DISK, folder) as process:
        said, done, *_ = (process.communicate(timeout=60)[0] + "\n\n").split("\n")
    assert process.returncode == 0
    assert "no room left to write tickets" in said
    ids = done.split()
    assert len(ids) > 50
    with TicketStore(folder) as store:
        assert {each.id for each in store.unfinished()} == set(ids)
        assert {store.payload(each, "request") for each in ids} == {b"r" * 20_000}
        put(store, record(), request=b"r" * 5_000_000)


# ---------------------------------------------------------------- folders that cannot be used


def test_one_writer_at_a_time(store: TicketStore, folder: Path) -> None:
    with pytest.raises(StoreInUse, match=f"have a writer already, process {os.getpid()}; stop it"):
        TicketStore(folder)
    put(store, record())
    store.close()
    store.close()
    TicketStore(folder).close()


def test_a_store_of_another_format_is_left_alone(folder: Path) -> None:
    with TicketStore(folder) as store:
        put(store, record())
        with store._env.begin(write=True) as txn:
            txn.put(b"format", b"2", db=store._databases.meta)
    for _ in range(2):  # the lock is let go when opening fails
        with pytest.raises(StoreDamaged, match="another format: expected 1, got '2'"):
            TicketStore(folder)


def test_files_that_are_no_store(folder: Path) -> None:
    folder.mkdir()
    (folder / "data.mdb").write_bytes(b"not a database" * 1_000)
    with pytest.raises(StoreDamaged, match="are damaged"):
        TicketStore(folder)
    assert (folder / "data.mdb").read_bytes() == b"not a database" * 1_000


def test_a_damaged_record_is_said(store: TicketStore) -> None:
    ticket = record()
    put(store, ticket)
    with store._env.begin(write=True) as txn:
        txn.put(ticket.id.encode(), b"\x01{", db=store._databases.tickets)
    with pytest.raises(StoreDamaged, match="damaged record"):
        store.get(ticket.id)


@pytest.mark.parametrize(
    ("error", "code", "kind"),
    [
        (lmdb.DiskError, errno.ENOSPC, StoreFull),
        (lmdb.Error, errno.EFBIG, StoreFull),
        (lmdb.Error, errno.EIO, StoreFull),
        (lmdb.Error, errno.EACCES, StoreError),
        (lmdb.CorruptedError, -30796, StoreDamaged),
        (lmdb.ReadersFullError, -30790, StoreError),
    ],
)
def test_errors_of_the_library_become_ours(error: type[lmdb.Error], code: int, kind: type[StoreError]) -> None:
    raised = error("mdb_txn_commit")
    raised.code = code  # type: ignore[misc]  # LMDB sets it
    assert type(rows.translated(raised, Path("here"))) is kind


# ---------------------------------------------------------------- a writer that is killed


WRITES_UNTIL_KILLED = """
import sys
from pathlib import Path
from actors.tickets.board import TicketBoard
from actors.tickets.store import TicketStore
from actors.tickets.ticket import Submission

board = TicketBoard(TicketStore(Path(sys.argv[1]), map_bytes=1 << 17))
board.recover()
while True:
    with board.batch():
        make = lambda: Submission(request=b"r" * 2_000, tenant="acme", max_attempts=100)
        new = [board.submit(make()) for _ in range(9)]
    print(*["queued " + each.id for each in new], sep="\\n", flush=True)
    work = board.start(8).start
    print(*["running " + each.id for each in work], sep="\\n", flush=True)
    with board.batch():
        for each in work[:6]:
            board.finished(each.id, each.id.encode(), attempt=each.tries)
    print(*["completed " + each.id for each in work[:6]], sep="\\n", flush=True)
"""


def test_a_killed_writer_loses_nothing_that_it_has_told(folder: Path) -> None:
    chance = random.Random(4)
    told: dict[str, str] = {}
    for _ in range(6):
        with child(WRITES_UNTIL_KILLED, folder) as process:
            assert process.stdout is not None
            for _ in range(chance.randrange(20, 600)):
                what, ticket_id = process.stdout.readline().split()
                told[ticket_id] = what
            process.kill()
            rest = process.stdout.read().splitlines(keepends=True)
        assert process.returncode == -signal.SIGKILL
        told |= {line.split()[1]: line.split()[0] for line in rest if line.endswith("\n")}
        with TicketStore(folder) as store:
            _nothing_is_lost(store, told)
    assert {"queued", "running", "completed"} == set(told.values())


def _nothing_is_lost(store: TicketStore, told: dict[str, str]) -> None:
    for ticket_id, what in told.items():
        ticket = store.get(ticket_id)
        assert store.payload(ticket_id, "request") == b"r" * 2_000
        if what == "completed":
            assert ticket.state == "completed"
        if what == "running":
            assert ticket.tries >= 1
        if ticket.state == "completed":
            assert store.payload(ticket_id, "result") == ticket_id.encode()
    board = TicketBoard(store)
    for ticket in board.recover():
        assert ticket.stage == "queued"
        assert ticket.attempts[-1].why == "the process that ran it was lost"
    assert board.counts().running == 0
    unfinished = {each.id for each in store.unfinished()}
    assert board.counts().waiting == len(unfinished)
    assert {each for each, what in told.items() if what != "completed"} - unfinished <= {
        each for each in told if store.get(each).state == "completed"
    }
