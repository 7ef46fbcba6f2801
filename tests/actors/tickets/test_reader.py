"""Lists, and reading beside a live writer."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.tickets import reader as reader_module
from actors.tickets.board import TicketBoard
from actors.tickets.errors import InvalidTicket, StoreDamaged, StoreMissing
from actors.tickets.ids import new_ticket_id
from actors.tickets.reader import Page, TicketFilter, TicketReader
from actors.tickets.store import Changes, TicketStore
from actors.tickets.ticket import PHASES, STATES, Submission, Ticket

TENANTS = ["acme", "globex", "initech"]


def some_tickets() -> list[Ticket]:
    """Tickets of all tenants, states and phases, several made at the same moment."""
    stages = [*PHASES, "input_required", "completed", "failed", "cancelled"]
    return [
        Ticket(
            id=new_ticket_id(1_700_000_000 + number // 3),
            tenant=TENANTS[number % 3],
            state="working" if stage in PHASES else stage,  # type: ignore[arg-type]
            phase=stage if stage in PHASES else None,
            created_at=1_700_000_000.5 + number // 2,
            updated_at=1.0,
            queued_at=1.0,
            max_attempts=3,
            dead=stage == "failed" and number % 2 == 0,
            request_digest="",
        )
        for number, stage in enumerate(stages * 9)
    ]


TICKETS = some_tickets()


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TicketStore]:
    with TicketStore(tmp_path_factory.mktemp("full")) as store:
        store.write(Changes(tickets={each.id: each for each in TICKETS}))
        yield store


def all_pages(store: TicketStore, which: TicketFilter, limit: int) -> list[Ticket]:
    found: list[Ticket] = []
    page = store.list(which, limit)
    while True:
        assert len(page.tickets) <= limit
        found.extend(page.tickets)
        if page.cursor is None:
            return found
        page = store.list(which, limit, page.cursor)


@given(
    tenant=st.none() | st.sampled_from([*TENANTS, "nobody"]),
    state=st.none() | st.sampled_from(STATES),
    phase=st.none() | st.sampled_from(PHASES),
    dead=st.none() | st.booleans(),
    prefix=st.sampled_from(["", TICKETS[0].id[:2], TICKETS[5].id[:10], TICKETS[7].id, new_ticket_id()]),
    limit=st.integers(1, 90),
)
def test_pages_are_the_filtered_list_newest_first(full: TicketStore, limit: int, **which: Any) -> None:
    filter_ = TicketFilter(**which)
    expected = sorted(
        (each for each in TICKETS if filter_.shows(each)),
        key=lambda each: each.id if filter_.prefix else (each.created_at, each.id),
        reverse=True,
    )
    assert all_pages(full, filter_, limit) == expected


def test_the_filter_shows_what_its_fields_say() -> None:
    assert [each for each in TICKETS if TicketFilter().shows(each)] == TICKETS
    dead = [each for each in TICKETS if TicketFilter(tenant="acme", dead=True).shows(each)]
    assert dead
    assert all(each.tenant == "acme" and each.dead and each.state == "failed" for each in dead)


def test_a_page_looks_at_a_bounded_number_of_records(
    full: TicketStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_module, "LOOKED_AT", 10)
    which = TicketFilter(phase="retrying", tenant="acme")
    first = full.list(which, 50)
    assert len(first.tickets) < 3
    assert first.cursor is not None
    assert all_pages(full, which, 50) == [
        each
        for each in sorted(TICKETS, key=lambda each: (each.created_at, each.id), reverse=True)
        if which.shows(each)
    ]


def test_a_ticket_that_is_new_does_not_move_later_pages(tmp_path: Path) -> None:
    with TicketStore(tmp_path) as store:
        board = TicketBoard(store)
        first = [board.submit(Submission(request=b"", tenant="acme"), 100.0 + i).id for i in range(4)]
        page = board.list(limit=2)
        board.submit(Submission(request=b"", tenant="acme"), 200.0)
        board.cancel(first[0])
        rest = board.list(limit=2, cursor=page.cursor)
        assert [each.id for each in (*page.tickets, *rest.tickets)] == first[::-1]


@pytest.mark.parametrize("cursor", ["", "x", "../" * 14, "g" * 16 + "01k8v3q2wd7m0c9x5t2hqk4bne", "é" * 42])
def test_cursors_that_no_page_gave(full: TicketStore, cursor: str) -> None:
    with pytest.raises(InvalidTicket, match="the cursor is none"):
        full.list(cursor=cursor)


@pytest.mark.parametrize("limit", [0, -1, 1_001])
def test_sizes_that_no_page_has(full: TicketStore, limit: int) -> None:
    with pytest.raises(InvalidTicket, match="a page has 1 to 1000 tickets"):
        full.list(limit=limit)


@pytest.mark.parametrize(
    ("which", "text"),
    [
        ({"state": "complete"}, "`state` must be one of working, .* did you mean `completed`"),
        ({"phase": "waiting"}, "`phase` must be one of delayed"),
        ({"prefix": "../"}, "beginning of a ticket id"),
    ],
)
def test_filters_that_cannot_be(which: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidTicket, match=text):
        TicketFilter(**which)


def test_an_empty_store_has_an_empty_page(store: TicketStore) -> None:
    assert store.list() == store.list(TicketFilter(prefix="0")) == Page(tickets=(), cursor=None)


def test_a_folder_without_tickets(folder: Path) -> None:
    for _ in range(2):
        with pytest.raises(StoreMissing, match="there are no tickets"):
            TicketReader(folder)
        folder.mkdir(exist_ok=True)
    assert list(folder.iterdir()) == []


def test_a_reader_of_files_that_are_no_store(folder: Path) -> None:
    folder.mkdir()
    (folder / "data.mdb").write_bytes(b"no database" * 1_000)
    with pytest.raises(StoreDamaged):
        TicketReader(folder)


READS_UNTIL_THE_LAST = """
import sys
from pathlib import Path
from actors.tickets.reader import TicketFilter, TicketReader

reader, last, seen = TicketReader(Path(sys.argv[1])), sys.argv[2], 0
print("reading", flush=True)
while True:
    ended = reader.find(last)
    page = reader.list(TicketFilter(tenant="acme"), 100)
    for ticket in page.tickets:
        assert reader.payload(ticket.id, "request") == b"r" * 10_000
        if ticket.state == "completed":
            assert reader.payload(ticket.id, "result") == ticket.id.encode()
    assert len(page.tickets) >= min(seen, 100), "tickets went away"
    seen = len(page.tickets)
    if ended is not None:
        break
print(seen, reader.get(last).name, len(list(reader.unfinished())), flush=True)
"""


def test_readers_beside_a_writer_see_whole_commits_and_a_growing_map(folder: Path) -> None:
    root = Path(__file__).resolve().parents[3]
    last = new_ticket_id()
    with TicketStore(folder, map_bytes=1 << 17) as store:
        board = TicketBoard(store)
        readers = [
            subprocess.Popen(
                [sys.executable, "-c", READS_UNTIL_THE_LAST, str(folder), last],
                stdout=subprocess.PIPE,
                text=True,
                cwd=root,
            )
            for _ in range(2)
        ]
        try:
            for each in readers:
                assert each.stdout is not None
                assert each.stdout.readline() == "reading\n"
            for _ in range(40):
                with board.batch():
                    for _ in range(5):
                        board.submit(Submission(request=b"r" * 10_000, tenant="acme"))
                    for ticket in board.start(5).start:
                        board.finished(ticket.id, ticket.id.encode(), attempt=ticket.tries)
            board.submit(Submission(request=b"r" * 10_000, tenant="acme", id=last, name="the last"))
            assert store._env.info()["map_size"] > 1 << 20
            for each in readers:
                assert each.communicate(timeout=60)[0] == "100 the last 1\n"
                assert each.returncode == 0
        finally:
            for each in readers:
                each.kill()
                each.wait()
        assert len(store._env.readers().splitlines()) <= 4
