"""A console whose streams are at hand, and a cache with some answers."""

from __future__ import annotations

import io
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from actors.caches.keys import FunctionKey, InferenceCall, ModelKey, Scope
from actors.caches.l2.change import Put
from actors.caches.l2.payload import stored_form
from actors.caches.l2.store import L2Store
from actors.caches.layer import CacheConfig
from cluster.cli import connecting
from rtfs.cli.console import Console, Output
from rtfs.cli.main import main
from rtfs.ir_codec import encode_value
from rtfs.values import Keyword, Map, Value


class Said(NamedTuple):
    console: Console
    out: io.StringIO
    err: io.StringIO


@pytest.fixture
def console() -> Callable[..., Said]:
    """Makes a console; `json` as for the option."""

    def made(json: bool = False) -> Said:
        out, err = io.StringIO(), io.StringIO()
        return Said(Console(Output(out), Output(err), "submit", json), out, err)

    return made


#: more than fits into an entry
LONG = "a letter of some length, too long to stand in its entry, " * 3
_CACHE = CacheConfig(size_bytes=1 << 26)


def kept(
    value: Value,
    *args: Value,
    function: str = "mail/mood",
    model: str = "local-small",
    version: str = "1f0c" + "0" * 60,
    tenant: str | None = "acme",
    ttl_s: float = 7200.0,
    **details: Any,
) -> Put:
    """An answer as it travels to the writer."""
    key = FunctionKey(symbol=function, ir_hash="a" * 64, parameter_types=("string",))
    call = InferenceCall(key, ModelKey(target=model, version=version), Scope(tenant), args)
    flags, stored = stored_form(encode_value(value))
    fields: dict[str, Any] = {"confidence": None, "cost_usd": 0.0, "latency_ms": None, **details}
    return Put(
        key=call.key, input=call.input, origin=call.origin, flags=flags, stored=stored, ttl_s=ttl_s, **fields
    )


@pytest.fixture
def put() -> Callable[..., Put]:
    """Makes answers: `put(value, "argument", function="f", model="local-m", tenant=None, ttl_s=60.0)`."""
    return kept


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where runtimes keep their state; there is none yet."""
    monkeypatch.setenv("RTFS_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def fill(state: Path) -> Callable[..., Path]:
    """Has a runtime's cache keep answers; its folder."""

    def filled(*puts: Put, name: str = "default") -> Path:
        folder = state / name / "caches" / "l2"
        with L2Store(folder, _CACHE) as store:
            for each in puts:
                store.write([each])
        return folder

    return filled


@pytest.fixture
def mails(fill: Callable[..., Path]) -> Path:
    """A cache with six answers of three models, one of which has expired."""
    large: dict[str, Any] = {"model": "remote-large", "version": "2b9d" + "1" * 60}
    return fill(
        kept(Keyword.of("glad"), "thank you", confidence=0.93, latency_ms=41.0),
        kept(Keyword.of("cross"), "never again", confidence=0.5, latency_ms=39.0, tenant=None),
        kept(Keyword.of("calm"), "hello", version="1f0d" + "0" * 60),
        kept(LONG, "thank you", function="mail/subject", cost_usd=0.25, latency_ms=800.0, **large),
        kept(Map({Keyword.of("to"): "ada"}), "to ada", 3, function="mail/parts", cost_usd=0.5, **large),
        kept(Keyword.of("old"), "of yesterday", ttl_s=0.0, model="local-rules"),
    )


@pytest.fixture
def runtimes(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Runtimes that commands find, by name: none, until a test puts some here."""
    found: dict[str, Any] = {}

    def connected(options: Namespace) -> Any:
        if options.name not in found:
            raise connecting.NoRuntime(f"no runtime `{options.name}` runs on this Ray cluster")
        return found[options.name]

    monkeypatch.setattr(connecting, "connected", connected)
    return found


@pytest.fixture
def cache(
    state: Path, runtimes: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs `rtfs cache …`; code, stdout, stderr."""

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["cache", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run
