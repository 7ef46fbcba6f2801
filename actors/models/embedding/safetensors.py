"""Reads weights out of a safetensors file, as float32.

Source: "Format" in the README of safetensors: 8 bytes that tell the length of a header in JSON, the header with
type, shape and place of each tensor, and the tensors.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from actors.models.errors import ModelError

_LONGEST_HEADER: Final = 100_000_000
_TYPES: Final = {"F32": "<f4", "F16": "<f2"}


def read_safetensors(path: Path) -> Mapping[str, NDArray[np.float32]]:
    """The tensors of floating-point numbers by name; others are passed over.

    Raises:
        ModelError: the file cannot be read or is damaged.
    """
    try:
        data = path.read_bytes()
        (length,) = struct.unpack_from("<Q", data)
        if length > min(_LONGEST_HEADER, len(data) - 8):
            raise ModelError(f"{path}: the file is cut off or no safetensors file")
        header = json.loads(data[8 : 8 + length])
        return {
            name: _tensor(data, 8 + length, about)
            for name, about in header.items()
            if name != "__metadata__" and about["dtype"] in _TYPES
        }
    except OSError as error:
        raise ModelError(f"{path}: cannot read the file: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise ModelError(f"{path}: the file is damaged or no safetensors file: {error}") from error


def _tensor(data: bytes, start: int, about: Mapping[str, Any]) -> NDArray[np.float32]:
    first, end = about["data_offsets"]
    kind = np.dtype(_TYPES[about["dtype"]])
    found = np.frombuffer(data, kind, (end - first) // kind.itemsize, start + first)
    return found.reshape(about["shape"]).astype(np.float32, copy=False)
