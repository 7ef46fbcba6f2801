"""`rtfs modules`: functions that were compiled and signed before."""

from __future__ import annotations

from typing import Final

from cluster.cli import modules_change, modules_gc, modules_list
from cluster.cli.actions import Action, Actions

_ACTIONS: Final = Actions(
    "modules",
    {
        "list": Action(
            "which there are, and whether they may be used", modules_list.parse_list, modules_list.execute_list
        ),
        "show": Action("all that is said of one", modules_list.parse_show, modules_list.execute_show),
        "verify": Action("check hashes and signatures", modules_list.parse_verify, modules_list.execute_verify),
        "revoke": Action("let one run no more", modules_change.parse_revoke, modules_change.execute_revoke),
        "pin": Action("use this one for its function", modules_change.parse_pin, modules_change.execute_pin),
        "unpin": Action("use the best one again", modules_change.parse_unpin, modules_change.execute_unpin),
        "gc": Action("remove what was not used for long", modules_gc.parse, modules_gc.execute),
    },
    (
        "rtfs modules list",
        "rtfs modules verify",
        "rtfs modules revoke 3f9a1c02b7de --why 'it rounds wrongly'",
        "rtfs modules gc --size 100MB --dry-run",
    ),
)
parse = _ACTIONS.parse
execute = _ACTIONS.execute
