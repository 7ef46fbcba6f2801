"""`rtfs cache verify`; what it finds is tested in tests/actors/caches/l2/test_verify.py."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import lmdb

from actors.caches.l2 import rows


def changed(folder: Path, change: Any) -> None:
    env = lmdb.open(str(folder), max_dbs=rows.MAX_DATABASES)
    databases = rows.open_databases(env, create=False)
    with env.begin(write=True) as txn:
        change(txn, databases)
    env.close()


def test_all_is_whole(mails: Path, cache: Any) -> None:
    size = (mails / rows.DATA_FILE).stat().st_size
    code, out, err = cache("verify")
    assert (code, out, err) == (0, f"all is whole: 6 answers, 1 shared value, {size / 1000:.1f} kB\n", "")
    document = json.loads(cache("verify", "--json")[1])
    assert (document["ok"], document["exit"], document["damaged"], document["problems"]) == (True, 0, 0, [])
    assert document["folder"] == str(mails)


def test_of_nothing(fill: Any, cache: Any) -> None:
    fill()
    assert cache("verify")[:2][0] == 0


def test_answers_that_are_damaged(mails: Path, cache: Any) -> None:
    changed(mails, lambda txn, dbs: txn.drop(dbs.by_input, delete=False))
    code, out, err = cache("verify")
    assert code == 1
    assert out.count(": it is missing in the table `by_input`\n") == 6
    assert err.startswith("6 answers damaged; they are never given")
    code, out, _ = cache("verify", "--json")
    document = json.loads(out)
    assert (code, document["ok"], document["exit"], document["damaged"]) == (1, False, 1, 6)
    assert len(bytes.fromhex(document["problems"][0]["key"])) == 32


def test_a_file_that_is_damaged(mails: Path, cache: Any) -> None:
    path = mails / rows.DATA_FILE
    os.truncate(path, path.stat().st_size // 2)
    before = path.read_bytes()
    code, out, err = cache("verify")
    assert code == 1
    assert out.startswith(f"the cache in `{mails}` is damaged")
    assert "begin anew" in err
    assert path.read_bytes() == before
    assert json.loads(cache("verify", "--json")[1])["problems"][0]["key"] is None


def test_what_is_left_over_does_no_harm(mails: Path, cache: Any) -> None:
    changed(mails, lambda txn, dbs: txn.put(rows.NUMBER.pack(99), b"", db=dbs.order))
    code, out, _ = cache("verify")
    assert (code, "left over from answers that are gone, which does no harm: 1 in `order`" in out) == (0, True)
    assert "all is whole" in out
