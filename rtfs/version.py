"""The version of this package; part of cache keys."""

from typing import Final

VERSION: Final = "0.1.0"
