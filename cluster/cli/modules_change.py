"""`rtfs modules revoke`, `pin` and `unpin`: which modules may be used."""

from __future__ import annotations

import os
import re
import time
from argparse import Namespace
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from cluster.cli.cache_text import SHORT, one_line
from cluster.cli.keys_choice import usable_keys
from cluster.cli.modules_source import add_id, chosen, opened, parser_of
from cluster.cli.modules_text import verdict_of
from rtfs.cli.console import Console, Exit, UsageError

if TYPE_CHECKING:
    from actors.caches.l4.store import StoredModule

_HASH: Final = re.compile(r"[0-9a-fA-F]{64}")

# ---------------------------------------------------------------- revoke


def parse_revoke(argv: Sequence[str]) -> Namespace:
    """The options of `rtfs modules revoke`."""
    summary = (
        "Let a module run no more, whoever signs it: its bytes are refused from now on in all runtimes of the "
        "user. It stays in the store."
    )
    parser = parser_of("revoke", summary, ("rtfs modules revoke 3f9a1c02b7de --why 'it rounds wrongly'",))
    add_id(parser, "to revoke, or the whole hash of its bytes")
    parser.add_argument(
        "--why", required=True, metavar="TEXT", help="for people: it is shown with each refusal"
    )
    return parser.options(argv)


def execute_revoke(options: Namespace, console: Console) -> Exit:
    """Write the hash of a module into the file of trust."""
    from actors.caches.l4.trust_file import changing, trust_path

    with opened(options) as (store, _):
        known = store.all()
    content = _content_of(options.id, known)
    with usable_keys(), changing(trust_path(os.environ)) as draft:
        was_revoked = content in draft.trust.revoked
        if not was_revoked:
            draft.trust = draft.trust.revoking_module(content, now=time.time(), why=options.why)
        why = draft.trust.revoked[content].why
    affected = [each for each in known if each.manifest.content_hash == content]
    if not console.json:
        names = ", ".join(f"{each.id[:SHORT]} of `{one_line(each.manifest.symbol)}`" for each in affected)
        console.note(
            f"the bytes {content[:SHORT]}… {'were revoked before' if was_revoked else 'are revoked'}"
            f"{f': {names}' if names else '; no module here has them'}"
        )
    fields = {
        "content_hash": content,
        "modules": [each.id for each in affected],
        "was_revoked": was_revoked,
        "why": why,
    }
    return console.finish(Exit.VALUE, fields)


def _content_of(word: str, known: Sequence[StoredModule]) -> str:
    """The hash of the bytes that are meant. Raises UsageError."""
    if _HASH.fullmatch(word) and not any(each.id == word.lower() for each in known):
        return word.lower()  # of bytes that are not here, or not any more
    return chosen(word, known).manifest.content_hash


# ---------------------------------------------------------------- pin, unpin


def parse_pin(argv: Sequence[str]) -> Namespace:
    """The options of `rtfs modules pin`."""
    summary = (
        "Use this module for its function, whatever others there are of the same interface, and keep it in the "
        "store. Another one of that interface is not pinned any more."
    )
    parser = parser_of("pin", summary, ("rtfs modules pin 3f9a1c02b7de",))
    add_id(parser, "to pin")
    return parser.options(argv)


def execute_pin(options: Namespace, console: Console) -> Exit:
    """Note in the file of trust that a module is the one to use."""
    from actors.caches.l4.trust_file import changing, trust_path

    with opened(options) as (store, _):
        module = chosen(options.id, store.all())
        interface = module.manifest.interface_hash
        with usable_keys(), changing(trust_path(os.environ)) as draft:
            verdict = verdict_of(module, store, draft.trust, time.time())
            if verdict.refused is not None:
                why = one_line(verdict.detail)
                raise UsageError(f"the module {module.id[:SHORT]} is refused, so none would be used: {why}")
            before = draft.trust.pinned.get(interface)
            if before != module.id:
                draft.trust = draft.trust.pinning(interface, module.id)
    if not console.json:
        instead = f", in place of {before[:SHORT]}" if before not in (None, module.id) and before else ""
        console.note(f"the module {module.id[:SHORT]} of {_named(module)} is pinned{instead}")
    return console.finish(Exit.VALUE, {"id": module.id, "interface_hash": interface, "instead_of": before})


def parse_unpin(argv: Sequence[str]) -> Namespace:
    """The options of `rtfs modules unpin`."""
    summary = "Use the best module again for the function of one that was pinned."
    parser = parser_of("unpin", summary, ("rtfs modules unpin 3f9a1c02b7de",))
    add_id(parser, "that is pinned")
    return parser.options(argv)


def execute_unpin(options: Namespace, console: Console) -> Exit:
    """Take the note back."""
    from actors.caches.l4.trust_file import changing, trust_path

    with opened(options) as (store, _):
        known = store.all()
    word = options.id.lower()
    with usable_keys(), changing(trust_path(os.environ)) as draft:
        pins = {interface: id for interface, id in draft.trust.pinned.items() if id.startswith(word)}
        ids = set(pins.values())
        if len(word) < 8 or len(ids) != 1:  # one that has gone from the store can be unpinned as well
            id = chosen(options.id, known).id
            raise UsageError(f"the module {id[:SHORT]} is not pinned", hint=_pins(draft.trust.pinned.values()))
        for interface in pins:
            draft.trust = draft.trust.unpinning(interface)
    (id,) = ids
    if not console.json:
        console.note(f"the module {id[:SHORT]} is not pinned any more")
    return console.finish(Exit.VALUE, {"id": id, "interface_hash": next(iter(pins))})


def _pins(ids: Iterable[str]) -> str:
    listed = ", ".join(sorted(one_line(each[:SHORT]) for each in ids))
    return f"pinned are {listed}" if listed else "none is"


def _named(module: StoredModule) -> str:
    return f"`{one_line(module.manifest.symbol)}`, version {module.manifest.version},"
