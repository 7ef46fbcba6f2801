"""What a request wants of the caches of results, and how its answer says what they knew.

    Cache-Control: no-cache, no-store, max-age=60        RFC 9111, section 5.2.1; other directives are ignored
    Cache-Status: rtfs; hit                              RFC 9211; only where the program made delegated calls

These are the caches of delegated calls within a run. What HTTP itself may keep is another matter: nothing
(`cluster.http.exchange`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from actors.requests import CacheUse, CallSummary
from cluster.http.problems import Problem

if TYPE_CHECKING:
    from cluster.http.bodies import CacheBody

HEADER: Final = b"cache-control"
STATUS_HEADER: Final = "cache-status"
#: elements of a list, where commas in quotes part nothing (RFC 9110, section 5.6.1)
_ELEMENTS: Final = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*"?)+')
#: seconds that a longer age counts as (RFC 9111, section 1.2.2)
_LONGEST_S: Final = 2_147_483_648
#: digits of an age that are read
_MOST_DIGITS: Final = 40
_SHARED: Final = "shared"
_NO_WISH: Final = CacheUse()


def cache_use(body: CacheBody | None, header: str | None) -> CacheUse:
    """What body and header want together: whatever one of them forbids is forbidden.

    Args:
        header: all `Cache-Control` of the request, with commas between.

    Raises:
        Problem: the header's `max-age` is no number of seconds.
    """
    said = _NO_WISH if header is None else _of_header(header)
    if body is None:
        return said
    ages = [age for age in (said.max_age_s, body.max_age_s) if age is not None]
    return CacheUse(
        bypass=said.bypass or body.bypass,
        no_store=said.no_store or body.no_store,
        max_age_s=min(ages, default=None),
    )


def _of_header(header: str) -> CacheUse:
    found: dict[str, list[str]] = {}
    for element in _ELEMENTS.findall(header):
        name, _, value = element.partition("=")
        found.setdefault(name.strip().lower(), []).append(value.strip())
    ages = [_seconds(value) for value in found.get("max-age", ())]
    return CacheUse(bypass="no-cache" in found, no_store="no-store" in found, max_age_s=min(ages, default=None))


def _seconds(text: str) -> float:
    digits = text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS):
        detail = f"`Cache-Control`: expected `max-age=60`, a whole number of seconds, got `max-age={text[:40]}`"
        raise Problem("bad-request", detail)
    return float(min(int(digits), _LONGEST_S))


def cache_status(calls: tuple[CallSummary, ...], *, bypassed: bool = False) -> str | None:
    """The value of `Cache-Status` for a run with these delegated calls; None: there were none.

    Args:
        bypassed: whether the run wanted nothing that is known.
    """
    made = sum(call.calls for call in calls)
    if not made:
        return None
    known = sum(call.calls for call in calls if call.tier is not None)
    shared = sum(call.calls for call in calls if call.tier == _SHARED)
    if known == made and not shared:
        return "rtfs; hit"
    status = f"rtfs; fwd={'request' if bypassed else 'miss'}"
    if shared and known == made:
        status += "; collapsed"
    return f'{status}; detail="{known} of {made} known"'
