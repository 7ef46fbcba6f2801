"""Whose modules may run here: keys that are trusted, and what was revoked. One JSON file, replaced as a whole.

    {"format": 1,
     "keys": [{"id": "…", "public": "…", "name": "build server", "trusted_at": 1.0, "not_after": null,
               "revoked_at": null, "why": ""}],
     "revoked": {"CONTENT HASH": {"at": 1.0, "why": "…"}},
     "pinned": {"INTERFACE HASH": "MODULE ID"},
     "seen": {"INTERFACE HASH": 3, "INTERFACE HASH:BODY HASH": 2}}

A key is rotated by trusting a new one and giving the old one a `not_after`: until then both are accepted, and
after it what the old one signed is not, whenever it says that it was made. A signature cannot prove its own
date.

`seen` is the highest version that was used here, so that whoever takes a newer module away cannot bring back an
older one with the errors that the newer one mended.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from actors.caches.l4.errors import ModuleRefused, TrustFileError
from actors.caches.l4.manifest import ModuleManifest, content_hash, module_id
from actors.caches.l4.signing import is_signature, key_id, public_of
from actors.folders import replace_file
from policies.engines.l4 import LANGUAGE_VERSION
from rtfs.spell import nearest

_FORMAT: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedKey:
    """A key, and what is thought of it. Times are seconds since the epoch."""

    id: str
    #: 64 hexadecimal digits
    public: str
    name: str
    trusted_at: float
    #: after which nothing of it is accepted; None: no bound
    not_after: float | None = None
    revoked_at: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked:
    """A module that must not be used any more."""

    at: float
    why: str = ""


@dataclass(frozen=True, slots=True)
class TrustStore:
    """What is trusted. Immutable: changes give a new one, which `write` puts in the place of the old."""

    keys: Mapping[str, TrustedKey] = field(default_factory=lambda: MappingProxyType({}))
    #: by content hash
    revoked: Mapping[str, Revoked] = field(default_factory=lambda: MappingProxyType({}))
    #: interface hash → id of the one module that may stand for it
    pinned: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    #: `line_of` a module → the highest version that was used
    seen: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def read(cls, path: Path) -> TrustStore:
        """What is in the file; nothing is trusted if there is none.

        Raises:
            TrustFileError: it cannot be used.
        """
        try:
            text = path.read_text("utf-8")
        except FileNotFoundError:
            return cls()
        except (OSError, UnicodeDecodeError) as error:
            raise TrustFileError(f"cannot read `{path}`: {error}") from error
        try:
            found = json.loads(text)
            if not isinstance(found, dict) or found.get("format") != _FORMAT:
                raise ValueError("it is of another format")
            keys = [_key(each) for each in found["keys"]]
            revoked = {name: Revoked(**each) for name, each in found["revoked"].items()}
            pinned, seen = _texts(found.get("pinned", {})), _versions(found.get("seen", {}))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise TrustFileError(f"`{path}` is no file of trusted keys: {error}") from error
        return cls({key.id: key for key in keys}, revoked, pinned, seen)

    def write(self, path: Path) -> None:
        """Put this in the place of what is in the file. Raises TrustFileError."""
        data = {
            "format": _FORMAT,
            "keys": [asdict(key) for key in self.keys.values()],
            "revoked": {name: asdict(each) for name, each in self.revoked.items()},
            "pinned": dict(self.pinned),
            "seen": dict(self.seen),
        }
        try:
            replace_file(path, json.dumps(data, indent=1))
        except OSError as error:
            raise TrustFileError(f"cannot write `{path}`: {error.strerror}") from error

    # ------------------------------------------------------------ changes

    def trusting(self, public: bytes, name: str, *, now: float, not_after: float | None = None) -> TrustStore:
        """One in which this key is trusted.

        Raises:
            ModuleRefused: `revoked-key`: it was revoked, and stays so.
        """
        id = key_id(public)
        known = self.keys.get(id)
        if known is not None and known.revoked_at is not None:
            raise ModuleRefused("revoked-key", f"the key {id} was revoked; make a new one")
        key = TrustedKey(id=id, public=public.hex(), name=name, trusted_at=now, not_after=not_after)
        return replace(self, keys={**self.keys, id: key})

    def revoking_key(self, id: str, *, now: float, why: str = "") -> TrustStore:
        """One in which nothing that this key signed is accepted. Raises KeyError: it is not known."""
        return replace(self, keys={**self.keys, id: replace(self.keys[id], revoked_at=now, why=why)})

    def revoking_module(self, content: str, *, now: float, why: str = "") -> TrustStore:
        """One in which the module with this content hash is refused, whoever signs it."""
        return replace(self, revoked={**self.revoked, content: Revoked(at=now, why=why)})

    def pinning(self, interface_hash: str, id: str) -> TrustStore:
        """One in which this module alone stands for the interface, however old it is."""
        return replace(self, pinned={**self.pinned, interface_hash: id})

    def unpinning(self, interface_hash: str) -> TrustStore:
        """One in which the newest module stands for the interface again. Raises KeyError: none was pinned."""
        pinned = dict(self.pinned)
        del pinned[interface_hash]
        return replace(self, pinned=pinned)

    def seeing(self, line: str, version: int) -> TrustStore:
        """One that knows of a version of a `line_of` modules; this itself if it does already."""
        if version <= self.seen.get(line, 0):
            return self
        return replace(self, seen={**self.seen, line: version})

    # ------------------------------------------------------------ judgement

    def check(self, manifest: ModuleManifest, signature: bytes, *, now: float, line: str | None = None) -> None:
        """Whether a manifest may be believed.

        Args:
            line: the `line_of` modules among which it is chosen; None: it is only looked at.

        Raises:
            ModuleRefused: it may not.
        """
        if manifest.language_version != LANGUAGE_VERSION:
            raise ModuleRefused(
                "language", f"it is of language {manifest.language_version}, this is {LANGUAGE_VERSION}"
            )
        if not signature:
            raise ModuleRefused("unsigned", f"the module of `{manifest.symbol}` bears no signature")
        key = self._usable_key(manifest.key_id, now)
        if not is_signature(public_of(key.public), manifest, signature):
            raise ModuleRefused(
                "bad-signature", f"`{manifest.symbol}` was not signed so by `{key.name}` ({key.id})"
            )
        revoked = self.revoked.get(manifest.content_hash)
        if revoked is not None:
            why = f": {revoked.why}" if revoked.why else ""
            raise ModuleRefused("revoked", f"the module {manifest.content_hash[:16]}… was revoked{why}")
        if manifest.not_after is not None and now > manifest.not_after:
            raise ModuleRefused(
                "expired", f"the module of `{manifest.symbol}` was good until {manifest.not_after:.0f}"
            )
        if line is not None:
            self._check_line(manifest, signature, line)

    def _check_line(self, manifest: ModuleManifest, signature: bytes, line: str) -> None:
        pinned = self.pinned.get(manifest.interface_hash)
        if pinned is not None:
            if pinned != module_id(manifest, signature):
                raise ModuleRefused("not-pinned", f"`{manifest.symbol}` is pinned to {pinned[:16]}…")
            return
        seen = self.seen.get(line, 0)
        if manifest.version < seen:
            raise ModuleRefused(
                "downgrade", f"it is version {manifest.version} of `{manifest.symbol}`, {seen} was used already"
            )

    def check_blob(self, manifest: ModuleManifest, blob: bytes) -> None:
        """Whether these are the bytes that the manifest speaks of. Raises ModuleRefused: `damaged`."""
        found = content_hash(blob)
        if found != manifest.content_hash:
            raise ModuleRefused("damaged", f"expected bytes of hash {manifest.content_hash}, got {found}")

    def _usable_key(self, id: str, now: float) -> TrustedKey:
        key = self.keys.get(id)
        if key is None:
            near = nearest(id, self.keys)
            hint = f"; did you mean {near}?" if near else ""
            raise ModuleRefused("unknown-key", f"nobody here trusts the key {id}{hint}")
        if key.revoked_at is not None:
            why = f": {key.why}" if key.why else ""
            raise ModuleRefused("revoked-key", f"the key {id} (`{key.name}`) was revoked{why}")
        if key.not_after is not None and now > key.not_after:
            raise ModuleRefused(
                "expired-key", f"the key {id} (`{key.name}`) was good until {key.not_after:.0f}"
            )
        return key


def line_of(interface_hash: str, body_hash: str | None) -> str:
    """What modules have in common of which a newer one takes the place of an older one.

    Args:
        body_hash: of the function that they must have been made from; None: any.
    """
    return interface_hash if body_hash is None else f"{interface_hash}:{body_hash}"


def _texts(found: object) -> dict[str, str]:
    if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
        raise ValueError("`pinned` is no table of texts")
    return found


def _versions(found: object) -> dict[str, int]:
    if not isinstance(found, dict) or not all(type(each) is int for each in found.values()):
        raise ValueError("`seen` is no table of versions")
    return found


def _key(found: Mapping[str, Any]) -> TrustedKey:
    key = TrustedKey(**found)
    for each in fields(key):
        value = getattr(key, each.name)
        wanted = (str,) if each.name in ("id", "public", "name", "why") else (float, int)
        if value is None and each.name in ("not_after", "revoked_at"):
            continue
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise ValueError(f"`{each.name}` of a key is of another type")
    if key_id(public_of(key.public)) != key.id:
        raise ValueError(f"the key {key.id} is not what its id says")
    return key
