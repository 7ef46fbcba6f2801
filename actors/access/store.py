"""The file of tokens: JSON lines, one token each, mode 0600.

Changes are made under a lock beside the file (`PATH.lock`), on a copy that then takes the file's place, so
whoever reads sees all of a change or nothing. A token that is revoked stays in the file: a service whose last
token was revoked still has tokens configured, and lets nobody in.

Readers look at the file's time at each request and read it anew when that changed. A file that can no longer be
read, or is gone, lets nobody in: of the two mistakes, locking out those who may is the one that is noticed.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from actors.access import token as tokens
from actors.access.errors import TokenStoreError, UnknownToken
from actors.access.token import Token
from rtfs.security import Level
from rtfs.spell import nearest

#: bytes of a file that is read
LARGEST: Final = 16 << 20
_MODE: Final = 0o600

#: what tells one version of a file from another; None: there is no file
type Stamp = tuple[int, int, int] | None


class TokenStore:
    """The tokens in a file. For any number of threads and processes."""

    def __init__(self, path: str | Path, *, clock: Callable[[], float] = time.time) -> None:
        """A store; the file is not looked at yet, and need not exist."""
        self.path = Path(path)
        self._clock = clock
        self._lock = threading.Lock()
        self._stamp: Stamp = None
        self._tokens: dict[str, Token] = {}
        self._problem: str | None = None
        #: whether there was ever a token; from then on nobody is let in without one
        self._had_tokens = False

    # ------------------------------------------------------------ reading

    def current(self) -> dict[str, Token]:
        """The tokens by id, those that are revoked or have expired too. Read anew if the file changed.

        Raises:
            TokenStoreError: the file cannot be read, holds something else, or may be written by others.
        """
        stamp = self._stamp_now()
        with self._lock:
            if stamp != self._stamp:
                self._load(stamp)
            if self._problem is not None:
                raise TokenStoreError(self._problem)
            return self._tokens

    def is_configured(self) -> bool:
        """Whether there is a token, or was one since this store was made.

        Raises:
            TokenStoreError: see `current`.
        """
        return bool(self.current()) or self._had_tokens

    def listed(self) -> list[Token]:
        """All tokens, the oldest first.

        Raises:
            TokenStoreError: see `current`.
        """
        return sorted(self.current().values(), key=lambda token: (token.created, token.id))

    def _stamp_now(self) -> Stamp:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise TokenStoreError(f"the tokens in `{self.path}` cannot be read: {error.strerror}") from error
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _load(self, stamp: Stamp) -> None:
        """Under the lock."""
        self._stamp, self._problem = stamp, None
        try:
            self._tokens = {} if stamp is None else {token.id: token for token in self._read()}
        except TokenStoreError as error:
            self._tokens, self._problem, self._had_tokens = {}, str(error), True
        self._had_tokens = self._had_tokens or bool(self._tokens)

    def _read(self) -> list[Token]:
        try:
            with self.path.open("rb") as file:
                self._check_owner(os.fstat(file.fileno()))
                data = file.read(LARGEST + 1)
        except OSError as error:
            raise TokenStoreError(f"the tokens in `{self.path}` cannot be read: {error.strerror}") from error
        if len(data) > LARGEST:
            raise TokenStoreError(f"`{self.path}` is no file of tokens: it has more than {LARGEST} bytes")
        return list(self._parsed(data))

    def _check_owner(self, found: os.stat_result) -> None:
        """Whoever can write the file can let anybody in; that hashes can be read does no harm."""
        if found.st_uid not in (os.getuid(), 0):
            raise TokenStoreError(f"`{self.path}` belongs to somebody else, who could let anybody in")
        if stat.S_IMODE(found.st_mode) & (stat.S_IWGRP | stat.S_IWOTH):
            raise TokenStoreError(f"`{self.path}` may be written by others; run `chmod 600 {self.path}`")

    def _parsed(self, data: bytes) -> Iterator[Token]:
        seen: set[str] = set()
        for number, line in enumerate(data.split(b"\n"), 1):
            if not line.strip():
                continue
            try:
                token = tokens.from_json(json.loads(line))
            except (ValueError, RecursionError) as error:
                said = "it is no JSON" if isinstance(error, json.JSONDecodeError) else str(error)
                raise TokenStoreError(f"{self.path}:{number}: no token: {said}") from None
            if token.id in seen:
                raise TokenStoreError(f"{self.path}:{number}: the id `{token.id}` is there twice")
            seen.add(token.id)
            yield token

    # ------------------------------------------------------------ changing

    def create(
        self,
        *,
        name: str,
        tenant: str,
        permissions: Iterable[str] = (),
        level: Level = "controlled",
        capabilities: Iterable[str] | None = None,
        admin: bool = False,
        lifetime_s: float | None = None,
    ) -> tuple[Token, str]:
        """A new token, and its clear text, which is not kept and cannot be had again.

        Args:
            name: what it is for.
            tenant: for whom its requests are.
            permissions: what policies may ask for.
            level: how much its programs may do.
            capabilities: what its programs may call, ids or prefixes with `.*`; see `Caller`.
            admin: whether it may change the policy and see what is other tenants'.
            lifetime_s: seconds until it expires; None: never.

        Raises:
            ValueError: an empty name or tenant, rights that do not go together, a lifetime that is none.
            TokenStoreError: the file cannot be read or written.
        """
        if lifetime_s is not None and not lifetime_s > 0:
            raise ValueError(f"the lifetime of a token must be more than 0 s, got {lifetime_s!r}")
        for parameter, names in (("permissions", permissions), ("capabilities", capabilities)):
            if isinstance(names, str):  # would be taken apart into its characters
                raise ValueError(f"{parameter} must be a collection of names, got the string {names!r}")
        token_id, secret = tokens.new_secret()
        now = self._clock()
        token = Token(
            id=token_id,
            name=name,
            hash=tokens.hash_of(secret),
            tenant=tenant,
            permissions=frozenset(permissions),
            level=level,
            capabilities=None if capabilities is None else frozenset(capabilities),
            admin=admin,
            created=now,
            expires=None if lifetime_s is None else now + lifetime_s,
        )
        with self._changing() as known:
            known[token.id] = token
        return token, tokens.clear_text(token_id, secret)

    def revoke(self, token_id: str) -> Token:
        """Let a token in no more. One that was revoked before stays as it is.

        Raises:
            UnknownToken: there is none of that id.
            TokenStoreError: the file cannot be read or written.
        """
        with self._changing() as known:
            token = known.get(token_id)
            if token is None:
                near = nearest(token_id, known)
                raise UnknownToken(f"no token `{token_id}`" + (f"; did you mean `{near}`?" if near else ""))
            if token.revoked is None:
                token = known[token_id] = replace(token, revoked=self._clock())
        return token

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Token]]:
        """The tokens by id, to be changed and then written; nothing is if the block fails."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
        except OSError as error:
            raise TokenStoreError(f"tokens cannot be kept in `{self.path}`: {error.strerror}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            known = {token.id: token for token in self._read()} if self.path.exists() else {}
            yield known
            self._write(known.values())
        finally:
            os.close(lock)

    def _write(self, kept: Iterable[Token]) -> None:
        text = "".join(f"{json.dumps(tokens.to_json(token), sort_keys=True)}\n" for token in kept)
        target = self.path.resolve()  # a link stays one
        try:
            handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:  # mkstemp made it 0600
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(name, target)
            except BaseException:
                os.unlink(name)
                raise
        except OSError as error:
            raise TokenStoreError(f"tokens cannot be kept in `{self.path}`: {error.strerror}") from error
