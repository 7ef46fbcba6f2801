"""Tokens: how they look, what is kept of them, and how one is recognised.

    rtfs_3f9a1c02b7de_9d3c…64 hexadecimal digits…
         id           secret

The id finds the entry; it is no secret, and logs may have it. Of the secret only the SHA-256 is kept. Passwords
need a slow hash because people choose them, so that all likely ones can be tried; a secret here is 256 bits of
chance, of which none is likelier than another. Trying them is hopeless at any speed, and a slow hash would only
let anybody keep the server busy.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from actors.access.caller import Caller
from actors.access.rights import check_rights
from rtfs.security import Level

PREFIX: Final = "rtfs"
_FORM: Final = re.compile(r"rtfs_([0-9a-f]{12})_([0-9a-f]{64})", re.ASCII)
_HASH: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_ID: Final = re.compile(r"[0-9a-f]{12}", re.ASCII)
_SETS: Final = ("permissions", "capabilities")


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What is kept of a token. Times are seconds since the epoch."""

    id: str
    #: what it is for, for people
    name: str
    #: SHA-256 of the secret, hexadecimal
    hash: str
    tenant: str
    permissions: frozenset[str] = frozenset()
    level: Level = "controlled"
    capabilities: frozenset[str] | None = None
    admin: bool = False
    created: float = 0.0
    #: None: never
    expires: float | None = None
    #: None: it is not
    revoked: float | None = None

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id) or not _HASH.fullmatch(self.hash):
            raise ValueError("a token needs an id of 12 and a hash of 64 hexadecimal digits")
        if not self.name or not self.tenant:
            raise ValueError("a token needs a name and a tenant")
        check_rights(self.level, self.capabilities)

    def is_secret(self, secret: str) -> bool:
        """Whether it is this token's, in a time that does not depend on how much of it is right."""
        return hmac.compare_digest(hash_of(secret), self.hash)

    def caller(self) -> Caller:
        """Whom it stands for."""
        return Caller(
            token_id=self.id,
            name=self.name,
            tenant=self.tenant,
            permissions=self.permissions,
            level=self.level,
            capabilities=self.capabilities,
            admin=self.admin,
        )


def new_secret() -> tuple[str, str]:
    """A new id and a new secret."""
    return secrets.token_hex(6), secrets.token_hex(32)


def clear_text(token_id: str, secret: str) -> str:
    """The token as its holder sends it."""
    return f"{PREFIX}_{token_id}_{secret}"


def parts(text: str) -> tuple[str, str] | None:
    """The id and the secret of a token; None if it is none of ours."""
    found = _FORM.fullmatch(text)
    return None if found is None else (found.group(1), found.group(2))


def hash_of(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode("ascii")).hexdigest()


# ---------------------------------------------------------------- as JSON

_KINDS: Final[dict[str, tuple[type, ...]]] = {
    **dict.fromkeys(("id", "name", "hash", "tenant", "level"), (str,)),
    **dict.fromkeys(_SETS, (list,)),
    "capabilities": (list, type(None)),
    "admin": (bool,),
    "created": (int, float),
    **dict.fromkeys(("expires", "revoked"), (int, float, type(None))),
}


def to_json(token: Token) -> dict[str, Any]:
    """The token as JSON data."""
    data = asdict(token)
    return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in data.items()}


def from_json(data: object) -> Token:
    """The token that `to_json` wrote.

    Raises:
        ValueError: it is none; nothing that the data holds is quoted.
    """
    if not isinstance(data, dict):
        raise ValueError("a token must be a JSON object")
    known = [field.name for field in fields(Token)]
    unknown = sorted(map(str, data.keys() - set(known)))
    if unknown:
        raise ValueError(f"unknown keys: {', '.join(unknown)}; known are {', '.join(known)}")
    for name, value in data.items():
        if not isinstance(value, _KINDS[name]) or (isinstance(value, bool) and bool not in _KINDS[name]):
            wanted = " or ".join(kind.__name__ for kind in _KINDS[name])
            raise ValueError(f"`{name}` must be {wanted}, got {type(value).__name__}")
    missing = [name for name in ("id", "name", "hash", "tenant") if name not in data]
    if missing:
        raise ValueError(f"missing keys: {', '.join(missing)}")
    checked: dict[str, Any] = {name: _set(name, data[name]) for name in _SETS if name in data}
    return Token(**{**data, **checked})


def _set(name: str, value: list[object] | None) -> frozenset[str] | None:
    if value is None:
        return None
    if not all(isinstance(each, str) for each in value):
        raise ValueError(f"`{name}` must be a list of strings")
    return frozenset(map(str, value))
