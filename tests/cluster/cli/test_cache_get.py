"""`rtfs cache get`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from actors.caches.l2 import rows
from rtfs.cli.console import Output


def test_for_people(mails: Path, cache: Any) -> None:
    code, out, err = cache("get", "--function", "mail/mood", "--args", '["thank you"]')
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[:-1] == [
        "value       :glad",
        "tier        l2-cold",
        "age         0s",
        "expires     in 1h",
        "confidence  0.930",
        "cost        0 USD, 41 ms",
        "function    mail/mood",
        "model       local-small",
        f"version     1f0c{'0' * 60}",
        "tenant      acme",
        "size        12 bytes",
        "uses        0",
    ]
    key, digits = lines[-1].split()
    assert (key, len(digits)) == ("key", 64)


def test_for_programs(mails: Path, cache: Any) -> None:
    document = json.loads(cache("get", "--function", "mail/parts", "--json")[1])
    (answer,) = document["answers"]
    assert (answer["value"], answer["text"], answer["type"]) == ({"to": "ada"}, '{:to "ada"}', "map")
    assert (answer["tier"], answer["confidence"], answer["cost_usd"]) == ("l2-cold", None, 0.5)
    assert 7100 < answer["expires_in_s"] <= 7200
    assert 0 <= answer["age_s"] < 60
    assert answer["expires_at"] - answer["created_at"] == pytest.approx(7200)
    assert (document["more"], document["damaged"]) == (False, 0)


def test_newest_first_and_no_more_than_asked_for(mails: Path, cache: Any) -> None:
    document = json.loads(cache("get", "--limit", "2", "--json")[1])
    assert [each["function"] for each in document["answers"]] == ["mail/parts", "mail/subject"]
    assert document["more"] is True
    code, out, err = cache("get", "--limit", "2")
    assert (code, err) == (0, "there are more; --limit 20 shows them\n")
    assert len(out.split("\n\n")) == 2
    assert json.loads(cache("get", "--limit", "5", "--json")[1])["more"] is False


def test_what_has_expired_is_not_given_and_said(mails: Path, cache: Any) -> None:
    code, out, err = cache("get", "--model", "rules")
    assert (code, out) == (2, "")
    assert "there is no answer with --model rules that has not expired: 1 answer did" in err


def test_of_nothing(fill: Any, cache: Any) -> None:
    fill()
    code, out, err = cache("get")
    assert (code, out) == (2, "")
    assert err == "rtfs cache: nothing is kept\n  `rtfs cache stats` shows what there is\n"
    assert "there is no answer of the model `small`" in cache("get", "--model", "small")[2]


def test_what_is_damaged_is_not_given_and_said(mails: Path, cache: Any) -> None:
    path = mails / rows.DATA_FILE
    path.write_bytes(path.read_bytes().replace(b"cross", b"crass"))
    code, out, err = cache("get", "--tenant", "acme")
    assert (code, len(out.split("\n\n")), err) == (0, 4, "")
    code, out, err = cache("get")
    assert (code, len(out.split("\n\n"))) == (0, 4)
    assert err == "1 answer damaged; `rtfs cache verify` says more\n"
    code, _, err = cache("get", "--function", "mail/mood", "--args", '["never again"]')
    assert code == 2
    assert "; 1 answer damaged" in err


def test_values_cannot_command_a_terminal(
    fill: Any, put: Any, cache: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(put("a\x1b[2Jb\nc"))
    assert 'value       "a\x1b[2Jb\\nc"\n' in cache("get")[1]  # as it is, for a program that reads it
    monkeypatch.setattr(Output, "isatty", lambda _: True)
    assert "\x1b" not in cache("get")[1]
