"""Values as they are stored: encoded, and compressed where that makes them shorter."""

from __future__ import annotations

import threading
from typing import Final

from zstandard import ZstdCompressor, ZstdDecompressor, ZstdError, frame_content_size

from actors.caches.l2.rows import ZSTD
from rtfs.errors import StorageError
from rtfs.ir_codec import decode_value
from rtfs.values import Value

#: shorter values are not worth the time, bytes
COMPRESSED_FROM_BYTES: Final = 512
#: no value is longer, bytes: it bounds what a damaged length can have allocated
MOST_VALUE_BYTES: Final = 64 << 20
_LEVEL: Final = 3


class _Tools(threading.local):
    """Contexts of zstd, which threads cannot share."""

    def __init__(self) -> None:
        self.compressor = ZstdCompressor(level=_LEVEL)
        self.decompressor = ZstdDecompressor()


_tools = _Tools()


def stored_form(payload: bytes) -> tuple[int, bytes]:
    """Flags, and the bytes to store for an encoded value."""
    if len(payload) >= COMPRESSED_FROM_BYTES:
        compressed = _tools.compressor.compress(payload)
        if len(compressed) < len(payload) * 9 // 10:
            return ZSTD, compressed
    return 0, payload


class Damaged(Exception):
    """What was stored is no value."""


def read_stored(flags: int, stored: bytes) -> tuple[Value, int]:
    """The value that `stored_form` was made from, and its size as bytes.

    Raises:
        Damaged: it is none.
    """
    try:
        payload = _decompressed(stored) if flags & ZSTD else stored
        return decode_value(payload), len(payload)
    except (ZstdError, StorageError) as error:
        raise Damaged(str(error)) from error


def _decompressed(stored: bytes) -> bytes:
    size = frame_content_size(stored)
    if not 0 <= size <= MOST_VALUE_BYTES:
        raise Damaged(f"a value of {size} bytes")
    return _tools.decompressor.decompress(stored)
