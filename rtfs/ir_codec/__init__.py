"""IR as bytes, and its content hash; values as bytes."""

from rtfs.ir_codec.decoder import decode, decode_value
from rtfs.ir_codec.encoder import encode, encode_value
from rtfs.ir_codec.hashing import content_hash

__all__ = ["content_hash", "decode", "decode_value", "encode", "encode_value"]
