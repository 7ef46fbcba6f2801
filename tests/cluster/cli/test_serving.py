"""Ports and addresses; and once the whole: `rtfs serve` as a process, a request, a ticket, Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from actors.tickets.reader import TicketReader
from cluster.cli.serving import ask_ready, free_port, url_of
from rtfs.cli.console import UsageError

RTFS = [sys.executable, "-c", "import sys; from rtfs.cli.main import main; sys.exit(main())"]
ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8700"),
        ("0.0.0.0", "http://127.0.0.1:8700"),
        ("::", "http://[::1]:8700"),
        ("::1", "http://[::1]:8700"),
        ("[::1]", "http://[::1]:8700"),
        ("10.0.0.7", "http://10.0.0.7:8700"),
    ],
)
def test_the_url_is_one_for_this_machine(host: str, url: str) -> None:
    assert url_of(host, 8700) == url


def test_a_free_port_is_free() -> None:
    port = free_port("127.0.0.1", 0)
    assert port > 0
    assert free_port("127.0.0.1", port) == port


def test_a_port_where_somebody_listens_is_not_free_however_it_shares_it() -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {port} of 127.0.0.1 is taken") as refused:
            free_port("127.0.0.1", port)
        assert f"--port {port + 1}" in (refused.value.hint or "")


@pytest.mark.parametrize("host", ["256.0.0.1", "a..b", "203.0.113.9"])
def test_an_address_that_is_not_of_this_machine(host: str) -> None:
    with pytest.raises(UsageError, match=r"there is no address|nothing can listen"):
        free_port(host, 8700)


class Answer(BaseHTTPRequestHandler):
    status = 503

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/readyz" else 404)
        self.end_headers()
        self.wfile.write(b'{"ready": false}')

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[tuple[str, type[Answer]]]:
    class Mine(Answer):
        pass

    with HTTPServer(("127.0.0.1", 0), Mine) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", Mine
        server.shutdown()


def test_an_endpoint_is_ready_when_it_says_so(endpoint: tuple[str, type[Answer]]) -> None:
    url, answers = endpoint
    assert ask_ready(url) == (False, '{"ready": false}')
    answers.status = 200
    assert ask_ready(url)[0]


def test_where_nobody_answers_nothing_is_ready() -> None:
    assert ask_ready(f"http://127.0.0.1:{free_port('127.0.0.1', 0)}", 1.0)[0] is False


# ---------------------------------------------------------------- the whole


@pytest.mark.ray
@pytest.mark.timeout(300)
def test_served_asked_and_interrupted(tmp_path: Path) -> None:
    """What a user does on a laptop."""
    environ = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    environ |= {"RTFS_STATE_DIR": str(tmp_path / "state"), "RTFS_TOKENS_FILE": str(tmp_path / "tokens")}
    environ["PYTHONPATH"] = str(ROOT)
    name = f"trial-{os.getpid()}"

    def rtfs(*words: str) -> tuple[int, Any]:
        command = [*RTFS, *words, "--name", name, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, env=environ, cwd=tmp_path, timeout=120)
        return done.returncode, json.loads(done.stdout)

    def post(url: str, **body: Any) -> Any:
        request = urllib.request.Request(
            f"{url}/v1/evaluate", json.dumps(body).encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    (tmp_path / "prod.toml").write_text("[delegation]\ncache_ttl = 60\n", encoding="utf-8")
    (tmp_path / "delegation.toml").write_text("not in use, so its mistakes are nobody's", encoding="utf-8")
    words = "serve --json --port 0 --evaluators 1 --no-jobs --policy prod.toml --name"
    command = [*RTFS, *words.split(), name]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True, env=environ, cwd=tmp_path, process_group=0) as serving:  # type: ignore[call-overload]
        try:
            told = json.loads(serving.stdout.readline())
            assert told["exit"] == 0, told
            assert (told["needs_token"], told["pid"]) == (False, serving.pid)
            assert post(told["url"], source="(+ a 1)", args={"a": 41})["value"] == 42
            ticket = post(told["url"], source='(println "hi") [1 2]', mode="async")["id"]
            code, document = rtfs("tickets", "result", ticket, "--wait", "60")
            assert (code, document["value"], document["output"]) == (0, [1, 2], "hi\n")
            code, document = rtfs("runtime", "status")
            assert (code, document["ready"]) == (0, True)
            assert set(document["parts"]) == {"caches", "evaluator-0", "policy", "tickets"}
            os.killpg(serving.pid, signal.SIGINT)
            out, err = serving.communicate(timeout=60)
        finally:
            serving.kill()
    assert (serving.returncode, out) == (0, "")
    assert err.splitlines()[0] == "starting Ray …"
    assert err.splitlines()[-2:] == ["ending …", "ended"]
    folder = tmp_path / "state" / name
    assert not (folder / "serving.json").exists()
    with TicketReader(folder / "tickets") as reader:
        assert reader.get(ticket).state == "completed"
