"""Logs: one line a record, with what it is about, and nothing secret."""

from __future__ import annotations

import io
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.telemetry.log_context import logged_as
from actors.telemetry.logs import FamilyHandler, LogSettingError, configure
from actors.telemetry.tracing import remote_parent

ROOT = Path(__file__).parents[3]
SECRET = "0123456789abcdef" * 4
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

log = logging.getLogger("rtfs.test.logs")


@pytest.fixture(autouse=True)
def _family_as_before() -> Iterator[None]:
    family = logging.getLogger("rtfs")
    before = (list(family.handlers), family.level, family.propagate)
    yield
    family.handlers[:], family.propagate = before[0], before[2]
    family.setLevel(before[1])


def lines(environ: dict[str, str], **options: Any) -> io.StringIO:
    stream = io.StringIO()
    configure(environ, stream=stream, **options)
    return stream


def test_a_line_for_people() -> None:
    stream = lines({})
    with logged_as(run="run-1", ticket="t-1", tenant="acme corp"), remote_parent(TRACEPARENT):
        log.info("a batch of %d", 8, extra={"fields": {"model": "tiny", "size": 8, "note": 'a="b"'}})
    log.debug("not shown")
    found = re.fullmatch(r"(\S+) info rtfs\.test\.logs: (.*)\n", stream.getvalue())
    assert found
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found[1])
    assert found[2] == (
        'a batch of 8 run=run-1 ticket=t-1 tenant="acme corp" span=00f067aa0ba902b7 '
        r'model=tiny size=8 note="a=\"b\""'
    )


def test_a_line_for_programs() -> None:
    stream = lines({"RTFS_LOG": "JSON", "RTFS_LOG_LEVEL": "debug"})
    with logged_as(run="run-1"):
        fields = {"size": 8, "rate": float("nan"), "message": "not this", "at": "not this"}
        log.debug('quoted "text" of ü', extra={"fields": fields})
    told = json.loads(stream.getvalue())
    assert told.pop("at").endswith("Z")
    assert told == {
        "level": "debug",
        "logger": "rtfs.test.logs",
        "message": 'quoted "text" of ü',
        "run": "run-1",
        "size": 8,
        "rate": "nan",
    }


@pytest.mark.parametrize("form", ["text", "json"])
def test_nothing_a_text_holds_makes_a_second_line(form: str) -> None:
    stream = lines({"RTFS_LOG": form})
    evil = "one\ntwo\r\nthree\x1b[31m\u2028four\x85five"
    try:
        raise ValueError(evil)
    except ValueError:
        with logged_as(run=evil):
            log.exception(evil, extra={"fields": {"what": evil, evil: 1}})
    text = stream.getvalue()
    assert text.endswith("\n")
    assert text.removesuffix("\n").isprintable()
    assert "Traceback" in text
    assert "raise ValueError" in text


@pytest.mark.parametrize("form", ["text", "json"])
def test_secrets_are_masked_in_all_that_a_line_is_made_of(form: str) -> None:
    environ = {"RTFS_LOG": form, "OPENAI_API_KEY": 'sk-"quoted"\\value', "NIGHTLY": "named-by-policy"}
    stream = lines(environ, secret_names=["NIGHTLY"])
    token = f"rtfs_3f9a1c02b7de_{SECRET}"
    secrets = [environ["OPENAI_API_KEY"], "named-by-policy", token]
    try:
        raise ValueError(" ".join(secrets))
    except ValueError:
        for secret in secrets:
            with logged_as(request=secret):
                log.exception("header %s", f"Bearer {secret}", extra={"fields": {"sent": secret}})
    text = stream.getvalue()
    assert len(text.splitlines()) == 3
    for secret in ("quoted", "named-by-policy", SECRET):
        assert secret not in text
    assert "rtfs_3f9a1c02b7de_***" in text


def test_very_long_texts_are_cut() -> None:
    stream = lines({})
    log.info("x" * 100_000)
    assert len(stream.getvalue()) < 20_000


def test_configured_again_it_takes_the_place_of_before() -> None:
    first, second = lines({}), lines({"RTFS_LOG_LEVEL": "error"})
    log.warning("too little")
    log.error("enough")
    assert first.getvalue() == ""
    assert len(second.getvalue().splitlines()) == 1
    assert len([each for each in logging.getLogger("rtfs").handlers if isinstance(each, FamilyHandler)]) == 1


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"RTFS_LOG": "jsn"}, "`RTFS_LOG` cannot be `jsn`; did you mean `json`?"),
        (
            {"RTFS_LOG_LEVEL": "chatty"},
            "`RTFS_LOG_LEVEL` cannot be `chatty`; it is debug, info, warning, error",
        ),
    ],
)
def test_settings_that_are_none_change_nothing(environ: dict[str, str], message: str) -> None:
    stream = lines({})
    with pytest.raises(LogSettingError) as caught:
        configure(environ)
    assert str(caught.value) == message
    log.info("as before")
    assert len(stream.getvalue().splitlines()) == 1


def test_importing_sets_nothing_up() -> None:
    code = (
        "import logging, sys, threading, actors.telemetry.logs, actors.telemetry.meter\n"
        "family = logging.getLogger('rtfs')\n"
        "print(family.handlers, family.level, threading.active_count(), 'opentelemetry.sdk' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "[] 0 1 False\n"
