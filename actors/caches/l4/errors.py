"""Why a module is not used. A call whose module is refused is answered without it.

ModuleError
├── ModuleRefused     it may not be used: `reason` says why
├── KeyFileError      a file of keys cannot be used
└── TrustFileError    the file of trusted keys cannot be used
"""

from __future__ import annotations

from typing import Literal

type Reason = Literal[
    "damaged", "unsigned", "unknown-key", "revoked-key", "expired-key", "bad-signature", "expired", "revoked",
    "downgrade", "not-pinned", "language", "kind", "missing", "not-validated",
]  # fmt: skip


class ModuleError(Exception):
    """Anything that is wrong with modules."""


class ModuleRefused(ModuleError):
    """A module may not be used."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: Reason = reason
        self.detail = detail


class KeyFileError(ModuleError):
    """A file of keys cannot be used."""


class TrustFileError(ModuleError):
    """The file of trusted keys cannot be used."""
