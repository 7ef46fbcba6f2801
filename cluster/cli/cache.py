"""`rtfs cache`: the exact results that are kept on the disk."""

from __future__ import annotations

from typing import Final

from cluster.cli import cache_export, cache_get, cache_purge, cache_stats, cache_verify
from cluster.cli.actions import Action, Actions

_ACTIONS: Final = Actions(
    "cache",
    {
        "stats": Action("what is kept, and what it is worth", cache_stats.parse, cache_stats.execute),
        "get": Action("show answers", cache_get.parse, cache_get.execute),
        "purge": Action("remove answers", cache_purge.parse, cache_purge.execute),
        "verify": Action("find out whether all is whole", cache_verify.parse, cache_verify.execute),
        "export": Action("write answers as JSON lines", cache_export.parse, cache_export.execute),
    },
    (
        "rtfs cache stats",
        "rtfs cache get --function mail/subject --args '[\"Dear all\"]'",
        "rtfs cache purge --model small --dry-run",
        "rtfs cache export --output answers.jsonl",
    ),
)
parse = _ACTIONS.parse
execute = _ACTIONS.execute
