"""`rtfs tokens`: who may use the HTTP endpoint."""

from __future__ import annotations

import argparse
import datetime
import os
import re
import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cluster.cli.actions import Action, Actions
from cluster.cli.ticket_text import aligned, duration
from rtfs.cli import options as common
from rtfs.cli.console import Console, Exit, UsageError

if TYPE_CHECKING:
    from actors.access.store import TokenStore
    from actors.access.token import Token

VARIABLE: Final = "RTFS_TOKENS_FILE"
_LIFETIME: Final = re.compile(r"(\d{1,9})([smhdw])", re.ASCII)
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_HEADS: Final = ("ID", "NAME", "TENANT", "LEVEL", "ADMIN", "CREATED", "STATE")


def tokens_file(named: str | None, environ: Mapping[str, str]) -> Path:
    """The file of tokens: the one named, that of `RTFS_TOKENS_FILE`, or the one in the user's folder.

    That is `$XDG_CONFIG_HOME/rtfs/tokens`, or `~/.config/rtfs/tokens` (XDG Base Directory Specification).
    """
    chosen = named or environ.get(VARIABLE)
    if chosen:
        return Path(chosen).absolute()
    from actors.folders import settings_folder

    return settings_folder(environ) / "tokens"


def add_tokens(parser: common.Parser) -> None:
    """The option `--tokens`."""
    parser.add_argument(
        "--tokens",
        metavar="FILE",
        help=f"the file of tokens (default: {VARIABLE}, else rtfs/tokens in the user's folder for settings)",
    )


# ---------------------------------------------------------------- create


def _parse_create(argv: Sequence[str]) -> Namespace:
    summary = "Make a token, and print it: the only time that it can be seen."
    examples = (
        "rtfs tokens create phone-app --tenant acme",
        "rtfs tokens create ops --tenant ops --admin --level full",
    )
    parser = _parser("create", summary, examples)
    parser.add_argument("name", metavar="NAME", help="what it is for")
    parser.add_argument("--tenant", required=True, metavar="NAME", help="for whom its requests are")
    parser.add_argument(
        "--permission",
        action="append",
        default=[],
        metavar="NAME",
        help="that policies may ask for; may be repeated",
    )
    parser.add_argument(
        "--level", **common.one_of(common.LEVELS), default="controlled", help="most that it allows"
    )
    parser.add_argument(
        "--capability",
        action="append",
        metavar="ID",
        help="that its programs may call, or a prefix with `.*`; may be repeated (default: those that touch "
        "nothing but the run itself)",
    )
    parser.add_argument(
        "--admin", action="store_true", help="may change the policy and see all tenants' tickets"
    )
    parser.add_argument(
        "--expires", type=_lifetime, metavar="30d", help="after s, m, h, d or w (default: never)"
    )
    return parser.options(argv)


def _create(options: Namespace, console: Console) -> Exit:
    from actors.access.errors import TokenStoreError

    store = _store(options)
    try:
        token, text = store.create(
            name=options.name,
            tenant=options.tenant,
            permissions=options.permission,
            level=options.level,
            capabilities=options.capability,
            admin=options.admin,
            lifetime_s=options.expires,
        )
    except (ValueError, TokenStoreError) as error:
        raise UsageError(str(error)) from None
    if not console.json:
        console.say(text)
        console.note(f"token {token.id} in {store.path}; this is the only time that it is shown")
    return console.finish(Exit.VALUE, {"token": text, "file": str(store.path), **_described(token)})


def _lifetime(text: str) -> float:
    found = _LIFETIME.fullmatch(text)
    if found is None or int(found[1]) == 0:
        raise argparse.ArgumentTypeError(f"expected a time such as 12h, 30d or 8w, got `{text[:40]}`")
    return float(int(found[1]) * _UNITS[found[2]])


# ---------------------------------------------------------------- list, revoke


def _parse_list(argv: Sequence[str]) -> Namespace:
    return _parser("list", "Tokens, the oldest first; never their texts.", ("rtfs tokens list",)).options(argv)


def _list(options: Namespace, console: Console) -> Exit:
    from actors.access.errors import TokenStoreError

    store = _store(options)
    try:
        found = store.listed()
    except TokenStoreError as error:
        raise UsageError(str(error)) from None
    if not console.json:
        for line in aligned([_HEADS, *map(_row, found)]) if found else ():
            console.show_text(line)
        if not found:
            console.note(f"no tokens in {store.path}; `rtfs tokens create NAME --tenant NAME` makes one")
    return console.finish(Exit.VALUE, {"file": str(store.path), "tokens": [_described(each) for each in found]})


def _parse_revoke(argv: Sequence[str]) -> Namespace:
    parser = _parser("revoke", "Let nobody in any more with a token.", ("rtfs tokens revoke 3f9a1c02b7de",))
    parser.add_argument("id", metavar="ID", help="of the token, as `rtfs tokens list` shows it")
    return parser.options(argv)


def _revoke(options: Namespace, console: Console) -> Exit:
    from actors.access.errors import TokenStoreError, UnknownToken
    from actors.access.token import parts

    whole = parts(options.id)  # who has the token at hand may give that
    try:
        token = _store(options).revoke(options.id if whole is None else whole[0])
    except UnknownToken as error:
        raise UsageError(str(error), hint="rtfs tokens list") from None
    except TokenStoreError as error:
        raise UsageError(str(error)) from None
    if not console.json:
        console.note(f"token {token.id}, {token.name}, is revoked")
    return console.finish(Exit.VALUE, _described(token))


# ---------------------------------------------------------------- what they share


def _parser(action: str, summary: str, examples: Sequence[str]) -> common.Parser:
    parser = common.Parser(f"tokens {action}", summary, [(each, "") for each in examples])
    add_tokens(parser)
    return parser


def _store(options: Namespace) -> TokenStore:
    from actors.access.store import TokenStore

    return TokenStore(tokens_file(options.tokens, os.environ))


def _described(token: Token) -> dict[str, Any]:
    """A token as JSON data, without its hash."""
    from actors.access.token import to_json

    return {name: value for name, value in to_json(token).items() if name != "hash"}


def _row(token: Token) -> tuple[str, ...]:
    created = datetime.datetime.fromtimestamp(token.created, datetime.UTC).strftime("%Y-%m-%d")
    admin = "yes" if token.admin else "-"
    return token.id, token.name, token.tenant, token.level, admin, created, _state(token, time.time())


def _state(token: Token, now: float) -> str:
    if token.revoked is not None:
        return "revoked"
    if token.expires is None:
        return "valid"
    return f"valid for {duration(token.expires - now)}" if token.expires > now else "expired"


_ACTIONS: Final = Actions(
    "tokens",
    {
        "create": Action("make one", _parse_create, _create),
        "list": Action("which there are", _parse_list, _list),
        "revoke": Action("let nobody in with one any more", _parse_revoke, _revoke),
    },
    ("rtfs tokens create phone-app --tenant acme", "rtfs tokens list", "rtfs tokens revoke 3f9a1c02b7de"),
)
parse = _ACTIONS.parse
execute = _ACTIONS.execute
