"""`rtfs tickets` over the folder of a runtime that does not run."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from actors.evaluator.evaluator import Evaluator
from actors.requests import RunRequest
from actors.tickets.ids import new_ticket_id
from actors.tickets.store import Changes, TicketStore
from actors.tickets.ticket import Part, Ticket
from cluster.cli import ticket_source
from cluster.cli.connecting import NoRuntime
from rtfs.cli.main import main

type Said = pytest.CaptureFixture[str]

ENDS = {
    "good": '(println "printed") {:a 1}',
    "bad": "(/ 1 0)",
}
COUNT = 9


@pytest.fixture(autouse=True)
def _no_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests start no Ray, and none of this machine is used."""

    def none(options: Namespace) -> Any:
        raise NoRuntime("no Ray cluster runs on this machine", hint="rtfs serve")

    monkeypatch.setattr(ticket_source, "connected", none)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def ids(folder: Path) -> dict[str, str]:
    """Tickets by name: two that have ended, one that was cancelled, others that wait."""
    tickets, payloads = {}, {}
    ids: dict[str, str] = {}
    for number, name in enumerate([*ENDS, "gone", *(f"waits-{n}" for n in range(COUNT - 3))]):
        ticket_id = ids[name] = new_ticket_id(1_700_000_000 + number)
        state = {"good": "completed", "bad": "failed", "gone": "cancelled"}.get(name, "working")
        tickets[ticket_id] = Ticket(
            id=ticket_id,
            tenant="acme" if number % 2 else "(nobody)",
            name=name,
            state=state,  # type: ignore[arg-type]
            phase="queued" if state == "working" else None,
            dead=name == "bad",
            reason="nobody wants it" if name == "gone" else "",
            created_at=1_700_000_000.0 + number,
            updated_at=1_700_000_000.0 + number,
            queued_at=1_700_000_000.0 + number,
            tries=1 if name in ENDS else 0,
            max_attempts=3,
            request_digest="",
        )
        if name in ENDS:
            reply = Evaluator().run(RunRequest(source=ENDS[name]))
            part: Part = "result" if reply.error is None else "error"
            payloads[ticket_id, part] = reply.encode()
    with TicketStore(folder / "trial" / "tickets") as store:
        store.write(Changes(tickets=tickets, payloads=payloads))
    return ids


@pytest.fixture
def rtfs(folder: Path, ids: dict[str, str], capsys: Said) -> Any:
    """Runs a command for that folder; code, stdout, stderr."""

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["tickets", *words, "--name", "trial", "--state-dir", str(folder)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def names(text: str) -> list[str]:
    return [line.split()[5] for line in text.splitlines()[1:]]


def test_the_list_is_read_from_the_folder_and_says_so(rtfs: Any, folder: Path) -> None:
    code, out, err = rtfs("list")
    assert code == 0
    assert names(out) == [*(f"waits-{n}" for n in reversed(range(COUNT - 3))), "gone", "bad", "good"]
    assert err == f"no Ray cluster runs on this machine; read from {folder}/trial/tickets\n"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--state", "completed"], ["good"]),
        (["--state", "cancelled"], ["gone"]),
        (["--dead"], ["bad"]),
        (["--tenant", "acme", "--limit", "2"], ["waits-4", "waits-2"]),
        (["--tenant", "nobody-else"], []),
    ],
)
def test_filters(words: list[str], expected: list[str], rtfs: Any) -> None:
    code, out, err = rtfs("list", *words)
    assert code == 0
    assert names(out) == expected
    assert ("no tickets" in err) == (expected == [])
    assert ("there are more" in err) == ("--limit" in words)


def test_the_list_as_json(rtfs: Any, ids: dict[str, str]) -> None:
    document = json.loads(rtfs("list", "--state", "failed", "--json")[1])
    assert [each["id"] for each in document["tickets"]] == [ids["bad"]]
    assert document["tickets"][0]["dead"] is True
    assert document["more"] is False


def test_pages_are_put_together(rtfs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from cluster.cli import tickets

    monkeypatch.setattr(tickets, "_PAGE", 2)
    assert len(names(rtfs("list")[1])) == COUNT
    assert len(names(rtfs("list", "--limit", "5")[1])) == 5


def test_show_has_everything(rtfs: Any, ids: dict[str, str]) -> None:
    code, out, _ = rtfs("show", ids["bad"])
    assert code == 0
    assert f"ticket       {ids['bad']}\nstate        failed\n" in out
    assert "dead letter  yes" in out
    assert "tenant       acme" in out
    document = json.loads(rtfs("show", ids["good"], "--json")[1])
    assert document["ticket"]["name"] == "good"
    assert document["tries"] == []


def test_results_are_those_of_the_runs(rtfs: Any, ids: dict[str, str]) -> None:
    assert rtfs("result", ids["good"])[:2] == (0, "printed\n{:a 1}\n")
    code, out, err = rtfs("result", ids["bad"])
    assert (code, out) == (1, "")
    assert "Division by zero" in err
    code, _, err = rtfs("result", ids["gone"])
    assert code == 3
    assert "nobody wants it" in err
    document = json.loads(rtfs("result", ids["good"], "--json")[1])
    assert document["value"] == {"a": 1} or document["text"] == "{:a 1}"
    assert document["ticket"]["state"] == "completed"


def test_what_is_not_over_is_told_by_the_exit_code(rtfs: Any, ids: dict[str, str]) -> None:
    code, out, err = rtfs("result", ids["waits-0"])
    assert (code, out) == (3, "")
    assert f"ticket {ids['waits-0']} is not over: queued" in err
    document = json.loads(rtfs("result", ids["waits-0"], "--json")[1])
    assert (document["exit"], document["error"]["code"]) == (3, "not-over")


@pytest.mark.parametrize("action", ["show", "result", "cancel", "requeue"])
def test_what_is_no_id_is_refused_at_once(action: str, rtfs: Any) -> None:
    code, out, err = rtfs(action, "01K")
    assert (code, out) == (2, "")
    assert "expected the id of a ticket" in err
    assert "rtfs tickets list" in err


@pytest.mark.parametrize("action", ["show", "result"])
def test_a_ticket_that_there_is_not(action: str, rtfs: Any, ids: dict[str, str]) -> None:
    code, _, err = rtfs(action, new_ticket_id())
    assert code == 2
    assert "there is no ticket" in err
    code, _, err = rtfs(action, ids["good"], "--tenant", "acme")
    assert code == 2
    assert "there is no ticket" in err


@pytest.mark.parametrize("action", ["cancel", "requeue"])
def test_what_changes_a_ticket_needs_the_runtime(action: str, rtfs: Any, ids: dict[str, str]) -> None:
    code, out, err = rtfs(action, ids["bad"])
    assert (code, out) == (2, "")
    assert err == "rtfs tickets: no Ray cluster runs on this machine\n  rtfs serve\n"


def test_without_runtime_and_folder(tmp_path: Path, capsys: Said) -> None:
    assert main(["tickets", "list", "--state-dir", str(tmp_path)]) == 2
    assert "no Ray cluster runs on this machine" in capsys.readouterr().err


def test_a_folder_that_is_damaged(tmp_path: Path, capsys: Said) -> None:
    (tmp_path / "default" / "tickets").mkdir(parents=True)
    (tmp_path / "default" / "tickets" / "data.mdb").write_bytes(b"x" * 9_000)
    assert main(["tickets", "list", "--state-dir", str(tmp_path)]) == 2
    assert str(tmp_path) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["list", "--state", "failled"], "did you mean `failed`?"),
        (["list", "--limit", "0"], "expected a number from 1 to"),
        (["list", "--limit", "x"], "expected a number from 1 to"),
        (["result", "01k", "--wait", "-1"], "expected a number of seconds"),
        (["list", "--name", "a b"], "expected a runtime's name"),
    ],
)
def test_misuse(words: list[str], message: str, capsys: Said) -> None:
    assert main(["tickets", *words]) == 2
    assert message in capsys.readouterr().err
