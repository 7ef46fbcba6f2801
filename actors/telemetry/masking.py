"""Secrets out of texts that others will read.

Masked are tokens of this service by their form, whatever follows `Bearer` or `Basic`, passwords in addresses,
and the values of variables of the environment that hold secrets: those that the policy names, and those whose
names say so (`OPENAI_API_KEY`, `RAY_AUTH_TOKEN`, …).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

MASK: Final = "***"
#: a shorter value is not masked: it would be found in texts that have nothing to do with it
SHORTEST: Final = 8

_SECRET_NAME: Final = re.compile(
    r"(?:^|_)(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?)(?:_?\d*|_VALUE)$", re.IGNORECASE
)
_FORMS: Final = (
    # our own tokens: the id may be read, it is what people look for
    (re.compile(r"(rtfs_[0-9a-zA-Z]{1,40}_)[0-9A-Za-z]{24,}"), rf"\1{MASK}"),
    (
        re.compile(r"\b(bearer|basic)(\s+)(?!rtfs_\w{1,40}_\*\*\*)[\w.~+/=:-]{8,}", re.IGNORECASE),
        rf"\1\2{MASK}",
    ),
    (re.compile(r"(://[^\s/:@]{1,200}:)[^\s/@]{1,200}@"), rf"\1{MASK}@"),
)


class Masker:
    """Masks secrets. Made once; it remembers values, not names."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        known = sorted({value for value in values if len(value) >= SHORTEST}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], names: Iterable[str] = ()) -> Masker:
        """Masks the values of variables that hold secrets.

        Args:
            environ: the environment.
            names: variables that hold secrets whatever they are called, `api_key_env` of the policy.
        """
        known = set(names)
        return cls(value for name, value in environ.items() if name in known or _SECRET_NAME.search(name))

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        for form, mask in _FORMS:
            text = form.sub(mask, text)
        return text
