"""The policy in force: read it, replace it, go back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from actors.service import ConflictError, PolicyChange
from cluster.http.answers import change_answer, policy_answer
from cluster.http.bodies import PolicyBody
from cluster.http.problems import Problem
from cluster.http.reading import expect_type, read_model

if TYPE_CHECKING:
    from cluster.http.exchange import Exchange

TOML: Final = "application/toml"
_TYPES: Final = (TOML, "text/plain", "application/json")
_ETAG: Final = re.compile(r'(W/)?"([0-9]{1,18})"', re.ASCII)
#: what messages about the text call it
_SOURCE: Final = "delegation.toml"


async def show(exchange: Exchange) -> None:
    """`GET /v1/policy`."""
    exchange.query()
    policy = await exchange.api.service.policy()
    tag = (("etag", f'"{policy.number}"'),)
    asked = exchange.header(b"if-none-match")
    if asked is not None and any(_number(each) == policy.number for each in asked.split(",")):
        await exchange.answer(304, b"", headers=tag)
    else:
        await exchange.answer_json(200, policy_answer(policy), tag)


async def replace(exchange: Exchange) -> None:
    """`PUT /v1/policy`."""
    exchange.query()
    kind = expect_type(exchange.header(b"content-type"), _TYPES)
    expected = _expected(exchange.header(b"if-match"))
    data = await exchange.body()
    text = read_model(PolicyBody, data).text if kind == "application/json" else _decoded(data)
    try:
        change = await exchange.api.service.replace_policy(text, source=_SOURCE, expected=expected)
    except ConflictError as error:
        if expected is None:
            raise
        raise Problem("precondition-failed", str(error)) from None
    await _answer(exchange, change)


async def rollback(exchange: Exchange) -> None:
    """`POST /v1/policy/rollback`."""
    exchange.query()
    await _answer(exchange, await exchange.api.service.rollback_policy())


async def _answer(exchange: Exchange, change: PolicyChange) -> None:
    if change.problems:
        first, others = change.problems[0], len(change.problems) - 1
        detail = first if not others else f"{first}; and {others} more"
        raise Problem("invalid-policy", detail, more={"problems": list(change.problems)})
    await exchange.answer_json(200, change_answer(change), (("etag", f'"{change.policy.number}"'),))


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Problem("bad-request", f"the text is not UTF-8 at byte {error.start}") from None


def _number(tag: str) -> int | None:
    found = _ETAG.fullmatch(tag.strip())
    return None if found is None else int(found[2])


def _expected(header: str | None) -> int | None:
    """The number in `If-Match`; None: any.

    Raises:
        Problem: it is no tag of a policy. One that is weak never matches.
    """
    if header is None or header.strip() == "*":
        return None
    found = _ETAG.fullmatch(header.strip())
    if found is None:
        raise Problem("bad-request", f'`If-Match`: expected one tag such as "3" or *, got `{header[:40]}`')
    if found[1]:
        raise Problem("precondition-failed", "a weak tag never matches; leave `W/` out")
    return int(found[2])
