"""What is said of a module, and signed: the manifest. A leaf module.

A module is the bytes of one function, compiled or not, under the SHA-256 of these bytes. Its manifest says what
it stands for and binds that to the hash, so that neither can be exchanged without the other. What is signed:

    "rtfs module signature 1" 00  canonical(fields in the order of `ModuleManifest`)

`canonical` is the encoding of `actors.caches.keys`, in which no two values are the same bytes. The text in
front keeps these signatures apart from all others that a key may ever make.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from math import isfinite
from typing import Any, Final, get_args

from actors.caches.keys import canonical
from actors.caches.l4.errors import ModuleRefused
from rtfs.backends import ModuleKind
from rtfs.errors import StorageError
from rtfs.ir_codec import decode_value, encode_value
from rtfs.values import Value, Vector

DOMAIN: Final = b"rtfs module signature 1\0"
#: version of how a manifest is stored
_FORMAT: Final = 1
KINDS: Final[tuple[str, ...]] = get_args(ModuleKind.__value__)
_HEX: Final = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleManifest:
    """What is said of a module."""

    #: qualified name of the function
    symbol: str
    #: `policies.engines.l4.interface_hash` of the function, SHA-256 in hex
    interface_hash: str
    #: `rtfs.delegation.FunctionInfo.body_hash` of the function, SHA-256 in hex
    body_hash: str
    parameter_types: tuple[str, ...]
    return_type: str
    language_version: str
    kind: ModuleKind
    #: SHA-256 of the stored bytes, hex
    content_hash: str
    #: of this function by whoever publishes it, from 1; a higher one comes after a lower one
    version: int
    #: seconds since the epoch
    created_at: float
    #: after which it is not used any more, seconds since the epoch; None: no bound
    not_after: float | None = None
    #: docstring or task that it is for, for people and for search by meaning
    description: str = ""
    #: where the text of it is, for people
    source: str = ""
    #: version of the embedder that `embedding` is by; empty: there is none
    embedder: str = ""
    #: of `description`, float32, little-endian
    embedding: bytes = b""
    #: argument lists for which it gave what the reference interpreter gives; 0: nobody has compared
    trials: int = 0
    #: of the key that signs it
    key_id: str

    @property
    def signed_bytes(self) -> bytes:
        """What a signature is over."""
        return DOMAIN + canonical(self._value())

    def encode(self, signature: bytes) -> bytes:
        """Manifest and signature as bytes, which `decode_manifest` reads back."""
        return encode_value(Vector([_FORMAT, self._value(), signature.hex()]))

    def _value(self) -> Vector:
        parts: list[Value] = []
        for each in fields(self):
            part = getattr(self, each.name)
            if isinstance(part, tuple):
                part = Vector(list(part))
            parts.append(part.hex() if isinstance(part, bytes) else part)
        return Vector(parts)


def content_hash(blob: bytes) -> str:
    """The address of a module's bytes: SHA-256, hex."""
    return hashlib.sha256(blob).hexdigest()


def module_id(manifest: ModuleManifest, signature: bytes) -> str:
    """The address of a signed manifest: SHA-256 of it as stored, hex."""
    return content_hash(manifest.encode(signature))


def decode_manifest(data: bytes) -> tuple[ModuleManifest, bytes]:
    """The manifest and the signature that `encode` wrote.

    Raises:
        ModuleRefused: `damaged`: these bytes are no manifest.
    """
    try:
        stored = decode_value(data)
        version, value, signature = stored if isinstance(stored, Vector) else (None, None, None)
        if version != _FORMAT or not isinstance(value, Vector) or not isinstance(signature, str):
            raise ValueError("another format")
        names = [each.name for each in fields(ModuleManifest)]
        found: dict[str, Any] = dict(zip(names, value, strict=True))
        found["parameter_types"] = tuple(found["parameter_types"])
        found["embedding"] = bytes.fromhex(found["embedding"])
        manifest = ModuleManifest(**found)
        _check(manifest)
        return manifest, bytes.fromhex(signature)
    except (StorageError, ValueError, TypeError) as error:
        raise ModuleRefused("damaged", f"this is no manifest of a module: {error}") from error


def _check(manifest: ModuleManifest) -> None:
    texts = (
        *(manifest.symbol, manifest.return_type, manifest.language_version, manifest.description),
        *(manifest.source, manifest.embedder, manifest.key_id, *manifest.parameter_types),
    )
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("a text is none")
    for digest in (manifest.interface_hash, manifest.body_hash, manifest.content_hash):
        if not isinstance(digest, str) or len(digest) != 64 or not _HEX.issuperset(digest):
            raise ValueError("a hash is none")
    if manifest.kind not in KINDS:
        raise ValueError(f"there is no kind `{manifest.kind}`")
    if type(manifest.version) is not int or manifest.version < 1:
        raise ValueError(f"expected a version from 1, got {manifest.version}")
    if type(manifest.trials) is not int or manifest.trials < 0:
        raise ValueError(f"expected a number of trials, got {manifest.trials}")
    for moment in (manifest.created_at, manifest.not_after):
        if moment is not None and (type(moment) is not float or not isfinite(moment)):
            raise ValueError("a time is none")
