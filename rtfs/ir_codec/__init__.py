"""IR as bytes, and its content hash."""

from rtfs.ir_codec.decoder import decode
from rtfs.ir_codec.encoder import encode
from rtfs.ir_codec.hashing import content_hash

__all__ = ["content_hash", "decode", "encode"]
