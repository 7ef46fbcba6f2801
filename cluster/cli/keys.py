"""`rtfs keys`: keys that sign modules, and whose modules may run here."""

from __future__ import annotations

import os
import secrets
import time
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cluster.cli.actions import Action, Actions
from cluster.cli.cache_text import one_line
from cluster.cli.keys_choice import (
    SUFFIX,
    KnownKey,
    chosen,
    file_name,
    key_name,
    known_keys,
    public_half,
    refuse_taken,
    usable_keys,
)
from cluster.cli.keys_text import HEADS, NEVER, day, described, moment, row
from cluster.cli.ticket_text import aligned
from rtfs.cli import options as common
from rtfs.cli.console import Console, Exit, UsageError

if TYPE_CHECKING:
    from actors.caches.l4.signing import SigningKey

# ---------------------------------------------------------------- new


def _parse_new(argv: Sequence[str]) -> Namespace:
    summary = "Make a key to sign modules with, in the user's folder of keys, and trust it."
    examples = ("rtfs keys new build", "rtfs keys new build-2027 --not-after 365d")
    parser = _parser("new", summary, examples)
    parser.add_argument("name", metavar="NAME", help="of the key, and of its file, NAME.pem")
    _add_not_after(parser)
    parser.add_argument(
        "--no-trust", action="store_false", dest="trust", help="do not trust it here: it signs for others"
    )
    return parser.options(argv)


def _new(options: Namespace, console: Console) -> Exit:
    from actors.caches.l4.errors import ModuleError
    from actors.caches.l4.trust_file import changing, keys_folder, trust_path

    name = file_name(options.name)
    path = keys_folder(os.environ) / f"{name}{SUFFIX}"
    now = time.time()
    with usable_keys():
        key = _made_key()
        if not options.trust:
            _write(key, path)
            return _tell_new(KnownKey(id=key.id, public=key.public.hex(), name=name, file=path), console, now)
        is_written = False
        try:
            with changing(trust_path(os.environ)) as draft:
                refuse_taken(name, None, draft.trust)
                _write(key, path)
                is_written = True
                draft.trust = draft.trust.trusting(
                    key.public, name, now=now, not_after=_bound(options.not_after)
                )
        except ModuleError:  # it would be there, and not be trusted
            if is_written:
                path.unlink(missing_ok=True)
            raise
        trusted = draft.trust.keys[key.id]
    return _tell_new(
        KnownKey(id=key.id, public=key.public.hex(), name=name, trusted=trusted, file=path), console, now
    )


def _made_key() -> SigningKey:
    from actors.caches.l4.signing import SigningKey

    return SigningKey.new()


def _write(key: SigningKey, path: Path) -> None:
    """Keep a new key, whole or not at all. Raises KeyFileError: there is such a file, or there cannot be."""
    from actors.caches.l4.errors import KeyFileError

    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        key.write(beside)
        os.link(beside, path)
    except FileExistsError:
        raise KeyFileError(f"there is a key `{path}` already, which is left as it is") from None
    except OSError as error:
        raise KeyFileError(f"cannot write the key `{path}`: {error.strerror}") from error
    finally:
        beside.unlink(missing_ok=True)


def _tell_new(key: KnownKey, console: Console, now: float) -> Exit:
    if not console.json:
        pairs = [("id", key.id), ("public", key.public), ("file", str(key.file)), ("state", _state(key, now))]
        for line in aligned(pairs):
            console.show_text(line)
    return console.finish(Exit.VALUE, described(key, now))


def _state(key: KnownKey, now: float) -> str:
    until = None if key.trusted is None else key.trusted.not_after
    return key.state(now) + ("" if until is None else f" until {day(until)} UTC")


# ---------------------------------------------------------------- list


def _parse_list(argv: Sequence[str]) -> Namespace:
    summary = "The keys that are or were trusted here, and those whose private half is in the user's folder."
    return _parser("list", summary, ("rtfs keys list", "rtfs keys list --json")).options(argv)


def _list(options: Namespace, console: Console) -> Exit:
    from actors.caches.l4.trust import TrustStore
    from actors.caches.l4.trust_file import keys_folder, trust_path

    file, folder = trust_path(os.environ), keys_folder(os.environ)
    now = time.time()
    with usable_keys():
        known, problems = known_keys(TrustStore.read(file), folder)
    if not console.json:
        for line in aligned([HEADS, *(row(each, now) for each in known)]) if known else ():
            console.show_text(line)
        if not known:
            console.note(f"no keys in {folder}, and nobody is trusted; `rtfs keys new NAME` makes one")
        for problem in problems:
            console.note(one_line(problem))
    fields: dict[str, Any] = {
        "trust_file": str(file),
        "folder": str(folder),
        "keys": [described(each, now) for each in known],
        "problems": problems,
    }
    return console.finish(Exit.VALUE, fields)


# ---------------------------------------------------------------- trust


def _parse_trust(argv: Sequence[str]) -> Namespace:
    summary = "Let modules run here that a key signed. One that is trusted already gets another name or end."
    examples = (
        "rtfs keys trust ada.pub --name ada",
        "rtfs keys trust build --not-after 30d",
        "rtfs keys trust build --not-after never",
    )
    parser = _parser("trust", summary, examples)
    parser.add_argument(
        "key",
        metavar="FILE_OR_HEX",
        help="the public half: 64 hexadecimal digits, or a file with them or with a key in PEM; or a known "
        "key's name or id",
    )
    parser.add_argument("--name", metavar="NAME", help="whose it is; needed for a key that is not known yet")
    _add_not_after(parser)
    return parser.options(argv)


def _trust(options: Namespace, console: Console) -> Exit:
    from actors.caches.l4.signing import key_id
    from actors.caches.l4.trust_file import changing, keys_folder, trust_path

    now = time.time()
    with usable_keys(), changing(trust_path(os.environ)) as draft:
        known, _ = known_keys(draft.trust, keys_folder(os.environ))
        public, found = public_half(options.key, known)
        name: str | None = options.name if options.name is not None or found is None else found.name
        if name is None:
            raise UsageError("--name is needed: whose key is it?", hint="rtfs keys trust … --name NAME")
        id = key_id(public)
        refuse_taken(key_name(name), id, draft.trust)
        before = draft.trust.keys.get(id)
        until = _bound(options.not_after, None if before is None else before.not_after)
        draft.trust = draft.trust.trusting(public, name, now=now, not_after=until)
        trusted = draft.trust.keys[id]
    key = KnownKey(
        id=id, public=trusted.public, name=name, trusted=trusted, file=None if found is None else found.file
    )
    if not console.json:
        console.note(f"the key {id}, {one_line(name)}, is {_state(key, now)}")
    return console.finish(Exit.VALUE, described(key, now))


# ---------------------------------------------------------------- revoke


def _parse_revoke(argv: Sequence[str]) -> Namespace:
    summary = "Let nothing run here any more that a key signed, for good."
    parser = _parser("revoke", summary, ("rtfs keys revoke build --why 'the laptop was stolen'",))
    parser.add_argument("key", metavar="ID_OR_NAME", help="of the key; 8 digits are enough if they are its own")
    parser.add_argument(
        "--why", required=True, metavar="TEXT", help="for people: it is shown with each refusal"
    )
    return parser.options(argv)


def _revoke(options: Namespace, console: Console) -> Exit:
    from actors.caches.l4.trust_file import changing, keys_folder, trust_path

    now = time.time()
    with usable_keys(), changing(trust_path(os.environ)) as draft:
        known, _ = known_keys(draft.trust, keys_folder(os.environ))
        key = chosen(options.key, known)
        was_revoked = key.trusted is not None and key.trusted.revoked_at is not None
        if not was_revoked:
            if key.trusted is None:  # what was never trusted cannot be from now on
                draft.trust = draft.trust.trusting(bytes.fromhex(key.public), key.name, now=now)
            draft.trust = draft.trust.revoking_key(key.id, now=now, why=options.why)
            key = replace(key, trusted=draft.trust.keys[key.id])
    if not console.json:
        console.note(
            f"the key {key.id}, {one_line(key.name)}, {'was revoked before' if was_revoked else 'is revoked'}"
        )
    return console.finish(Exit.VALUE, {**described(key, now), "was_revoked": was_revoked})


# ---------------------------------------------------------------- what they share


def _parser(action: str, summary: str, examples: Sequence[str]) -> common.Parser:
    return common.Parser(f"keys {action}", summary, [(each, "") for each in examples])


def _add_not_after(parser: common.Parser) -> None:
    parser.add_argument(
        "--not-after",
        type=moment,
        metavar="DATE_OR_TIME",
        help="accept nothing of it later: 2030-01-31, 2030-01-31T12:00 (UTC), 30d, 12h, or never",
    )


def _bound(asked: float | None, before: float | None = None) -> float | None:
    """What `--not-after` says; what was before if it says nothing."""
    return before if asked is None else None if asked == NEVER else asked


_ACTIONS: Final = Actions(
    "keys",
    {
        "new": Action("make one", _parse_new, _new),
        "list": Action("which there are, and what is thought of them", _parse_list, _list),
        "trust": Action("let modules run that a key signed", _parse_trust, _trust),
        "revoke": Action("let none run any more", _parse_revoke, _revoke),
    },
    (
        "rtfs keys new build",
        "rtfs keys trust ada.pub --name ada",
        "rtfs keys trust build --not-after 30d",
        "rtfs keys revoke build --why 'the laptop was stolen'",
    ),
)
parse = _ACTIONS.parse
execute = _ACTIONS.execute
