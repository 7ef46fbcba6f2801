"""The structure of LMDB's file, walked without LMDB: what is wrong with it, but for what LMDB writes itself.

A table with duplicates keeps those of a key in a tree of their own once they are many. When all of them are
deleted, LMDB 0.9.36 forgets to count the last page of that tree off the pages of the table: each time its
record then says one page more than there is. No page is lost, and LMDB uses the number for nothing. Measured:
a table of two keys with 1,000 duplicates each; all of one key are deleted; `lmdb.verify` finds 4 leaf pages,
and 5 in the record.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Collection
from pathlib import Path
from typing import Final

from lmdb import verify as walk

#: the tables of L2 with duplicates
WITH_DUPLICATES: Final = ("by_origin", "by_input")
_COUNT: Final = re.compile(
    r"main/(\w+) DB: walked (\d+) (?:leaf|branch) pages(?: \((\d+) with dup sub-trees\))?, record says (\d+)"
)


def structure_problems(folder: Path, with_duplicates: Collection[str] = WITH_DUPLICATES) -> list[str]:
    """What is wrong with the file in a folder. No other process may write to it meanwhile, see `verify`.

    Args:
        with_duplicates: names of the tables with duplicates.

    Raises:
        OSError: it cannot be read.
    """
    try:
        problems: list[str] = walk.verify(str(folder), subdir=True)  # type: ignore[no-untyped-call]
    except (walk.VerifyError, ValueError, struct.error) as error:
        return [str(error)]
    return [problem for problem in problems if not _is_miscount(problem, with_duplicates)]


def _is_miscount(problem: str, with_duplicates: Collection[str]) -> bool:
    """Whether it says no more than that a record counts pages that are gone."""
    found = _COUNT.fullmatch(problem)
    if found is None:
        return False
    table, own, all_, record = found.groups()
    return table in with_duplicates and int(record) > int(all_ or own)
