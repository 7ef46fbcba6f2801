"""Keys that sign modules: Ed25519 (RFC 8032).

A key's id is the first half of the SHA-256 of its public half, in hex. The private half is a file for its owner
alone, PKCS #8 in PEM; the public half is 32 bytes, in hex where people see it.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from actors.caches.l4.errors import KeyFileError
from actors.caches.l4.manifest import ModuleManifest

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_ID_CHARACTERS: Final = 32
_PUBLIC_BYTES: Final = 32


def key_id(public: bytes) -> str:
    """The id of the key whose public half this is."""
    return hashlib.sha256(public).hexdigest()[:_ID_CHARACTERS]


@dataclass(frozen=True, slots=True)
class SigningKey:
    """Signs. Made by `new`, or read from a file."""

    _private: Ed25519PrivateKey

    @classmethod
    def new(cls) -> SigningKey:
        """A key that nobody else has."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def read(cls, path: Path) -> SigningKey:
        """The key in a file.

        Raises:
            KeyFileError: there is none that can be used, or others may read it.
        """
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            mode = path.stat().st_mode
            data = path.read_bytes()
        except OSError as error:
            raise KeyFileError(f"cannot read the key `{path}`: {error.strerror}") from error
        if mode & 0o077:
            raise KeyFileError(f"others may read the key `{path}`; say `chmod 600` to it, or make a new one")
        try:
            private = load_pem_private_key(data, None)
        except (ValueError, TypeError) as error:
            raise KeyFileError(f"expected an Ed25519 key in PEM, without a password, in `{path}`") from error
        if not isinstance(private, Ed25519PrivateKey):
            raise KeyFileError(f"expected an Ed25519 key in `{path}`, got one of another kind")
        return cls(private)

    @property
    def public(self) -> bytes:
        """The half that others may have: 32 bytes."""
        return self._private.public_key().public_bytes_raw()

    @property
    def id(self) -> str:
        """What manifests call it."""
        return key_id(self.public)

    def write(self, path: Path) -> None:
        """Keep it in a new file, for its owner alone.

        Raises:
            KeyFileError: there is such a file already, or it cannot be written.
        """
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        data = self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise KeyFileError(f"there is a file `{path}` already, which is left as it is") from None
        except OSError as error:
            raise KeyFileError(f"cannot write the key `{path}`: {error.strerror}") from error
        with os.fdopen(file, "wb") as stream:
            stream.write(data)

    def sign(self, manifest: ModuleManifest) -> bytes:
        """The signature of a manifest, 64 bytes.

        Raises:
            ValueError: the manifest names another key.
        """
        if manifest.key_id != self.id:
            raise ValueError(f"expected a manifest that names the key {self.id}, got {manifest.key_id}")
        return self._private.sign(manifest.signed_bytes)


def is_signature(public: bytes, manifest: ModuleManifest, signature: bytes) -> bool:
    """Whether the key with this public half made that signature of the manifest."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, manifest.signed_bytes)
    except (InvalidSignature, ValueError):
        return False
    return True


def public_of(text: str) -> bytes:
    """The public half that a text of hexadecimal digits gives.

    Raises:
        ValueError: it gives none.
    """
    try:
        public = bytes.fromhex(text.strip())
    except ValueError:
        public = b""
    if len(public) != _PUBLIC_BYTES:
        raise ValueError(f"expected {2 * _PUBLIC_BYTES} hexadecimal digits, got `{text[:80]}`")
    return public
