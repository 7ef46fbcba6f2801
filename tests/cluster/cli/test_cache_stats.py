"""`rtfs cache stats`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from actors.caches.l2 import rows


def without_sizes(line: str) -> str:
    return re.sub(r" +", " ", re.sub(r"[0-9.]+ (bytes|kB)", "SIZE", line))


def test_for_people(mails: Path, cache: Any) -> None:
    code, out, err = cache("stats")
    assert (code, err) == (0, "")
    assert f"{(mails / rows.DATA_FILE).stat().st_size / 1000:.1f} kB on the disk" in out
    assert [without_sizes(line) for line in out.splitlines()] == [
        f"folder {mails}",
        "answers 6, 1 of them expired",
        "size SIZE charged, SIZE on the disk",
        "writer none, last written 0s ago",
        "invalidations 0",
        "cost to make 0.75 USD, 880 ms",
        "uses 0",
        "age 6 under a minute",
        "left to live 5 under a day",
        "",
        "MODEL VERSION ANSWERS SIZE USES COST TIME",
        "local-small 1f0c0000000… 2 SIZE 0 0 USD 80 ms",
        "remote-large 2b9d1111111… 2 SIZE 0 0.75 USD 800 ms",
        "local-rules 1f0c0000000… 1 SIZE 0 0 USD 0 ms",
        "local-small 1f0d0000000… 1 SIZE 0 0 USD 0 ms",
        "",
        "FUNCTION ANSWERS SIZE USES COST TIME",
        "mail/mood 4 SIZE 0 0 USD 80 ms",
        "mail/parts 1 SIZE 0 0.5 USD 0 ms",
        "mail/subject 1 SIZE 0 0.25 USD 800 ms",
        "",
        "TENANT ANSWERS SIZE USES COST TIME",
        "acme 5 SIZE 0 0.75 USD 841 ms",
        "- 1 SIZE 0 0 USD 39 ms",
    ]


def test_for_programs(mails: Path, cache: Any) -> None:
    code, out, _ = cache("stats", "--json")
    found = json.loads(out)
    assert (code, found["command"], found["ok"]) == (0, "cache", True)
    assert (found["entries"], found["expired"], found["damaged"], found["values"]) == (6, 1, 0, 1)
    assert (found["is_written"], found["writer"], found["invalidations"]) == (False, None, 0)
    assert found["total"]["cost_usd"] == 0.75
    assert [each["entries"] for each in found["ages"]] == [6, 0, 0, 0, 0]
    assert [each["below_s"] for each in found["left"]] == [60.0, 3600.0, 86400.0, 604800.0, None]
    assert {(each["model"], each["version"][:4], each["entries"]) for each in found["models"]} == {
        ("local-small", "1f0c", 2),
        ("local-small", "1f0d", 1),
        ("remote-large", "2b9d", 2),
        ("local-rules", "1f0c", 1),
    }
    assert [each["tenant"] for each in found["tenants"]] == ["acme", None]


def test_tables_show_the_largest(mails: Path, cache: Any) -> None:
    out = cache("stats", "--top", "1")[1]
    assert "mail/mood " in out
    assert "mail/parts " not in out
    assert "and 3 models more; --top 4 shows them" in out
    assert "and 1 tenant more; --top 2 shows them" in out
    found = json.loads(cache("stats", "--top", "1", "--json")[1])
    assert [len(found[name]) for name in ("models", "functions", "tenants")] == [1, 1, 1]


def test_uses_have_saved_what_answers_cost(fill: Any, put: Any, cache: Any, state: Path) -> None:
    from actors.caches.l2.store import L2Store
    from actors.caches.layer import CacheConfig

    answer = put("x", cost_usd=0.5, latency_ms=700.0)
    folder = fill(answer)
    with L2Store(folder, CacheConfig(size_bytes=1 << 26)) as store:
        store.write([], used=[answer.key, answer.key])
    assert "uses           2, which saved 1 USD and 1.4 s" in cache("stats")[1]
    total = json.loads(cache("stats", "--json")[1])["total"]
    assert (total["uses"], total["saved_usd"], total["saved_ms"]) == (2, 1.0, 1400.0)


def test_of_nothing(fill: Any, cache: Any) -> None:
    fill()
    code, out, err = cache("stats")
    assert (code, err) == (0, "nothing is kept\n")
    assert "answers        0\n" in out
    assert "MODEL" not in out
    assert json.loads(cache("stats", "--json")[1])["models"] == []


def test_invalidations_are_counted(mails: Path, cache: Any) -> None:
    assert cache("purge", "--model", "small")[0] == 0
    assert "invalidations  1" in cache("stats")[1]
