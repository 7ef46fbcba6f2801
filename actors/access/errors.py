"""Why somebody may not do what they ask for.

AccessError
├── AccessDenied       who they are is not known: no token, or one that is not good (401)
├── NotAllowed         who they are is known, and they may not (403)
└── TokenStoreError    the file of tokens cannot be used: the operator's fault
    └── UnknownToken   no token of that id

No message holds a token or a part of one, except its id, which is no secret.
"""

from __future__ import annotations

from typing import ClassVar, Final, Literal

#: why a request is nobody's
type DenialCode = Literal[
    "missing-token", "malformed-header", "malformed-token", "unknown-token", "revoked-token", "expired-token",
    "no-token-configured", "tokens-unreadable",
]  # fmt: skip

_TEXTS: Final[dict[DenialCode, str]] = {
    "missing-token": "a token is needed; send the header `Authorization: Bearer TOKEN`",
    "malformed-header": "the header `Authorization` must be `Bearer TOKEN`",
    "malformed-token": "this is no token of this service; its tokens look like `rtfs_ID_SECRET`",
    "unknown-token": "the token is not known here",
    "revoked-token": "the token was revoked; ask for a new one",
    "expired-token": "the token has expired; ask for a new one",
    "no-token-configured": "no token is configured here, so only requests from the same machine are answered",
    "tokens-unreadable": "the tokens of this service cannot be read; its operator finds the reason in the log",
}


class AccessError(Exception):
    """Something is not permitted, or cannot be decided."""


class AccessDenied(AccessError):
    """It is not known who asks."""

    status: ClassVar[int] = 401

    def __init__(self, code: DenialCode) -> None:
        super().__init__(_TEXTS[code])
        self.code: DenialCode = code

    def __reduce__(self) -> tuple[type[AccessDenied], tuple[DenialCode]]:
        return AccessDenied, (self.code,)


class NotAllowed(AccessError):
    """It is known who asks, and they ask for more than they may have."""

    status: ClassVar[int] = 403
    code: ClassVar[str] = "not-allowed"

    def __init__(self, problems: tuple[str, ...]) -> None:
        """Not allowed.

        Args:
            problems: each thing that was asked for and is not allowed.
        """
        super().__init__("; ".join(problems))
        self.problems = problems

    def __reduce__(self) -> tuple[type[NotAllowed], tuple[tuple[str, ...]]]:
        return NotAllowed, (self.problems,)


class TokenStoreError(AccessError):
    """The file of tokens cannot be read, written, or trusted."""


class UnknownToken(TokenStoreError):
    """There is no token of that id."""
