"""Callers, and requests that ask for less than they may have, or more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.access.caller import LOCAL_USER, Caller, Requested, narrow
from actors.access.errors import NotAllowed
from actors.access.rights import LEVELS
from actors.requests import DEFAULT_CAPABILITIES

ACME = Caller(
    token_id="3f9a1c02b7de",
    name="nightly",
    tenant="acme",
    permissions=frozenset({"billing", "reports"}),
    level="controlled",
    capabilities=frozenset({"ccos.echo", "ccos.state.*"}),
)
FULL = Caller(token_id="3f9a1c02b7de", name="operator", tenant="acme", level="full")


def names(*given: str) -> frozenset[str]:
    return frozenset(given)


def test_a_request_that_asks_for_nothing_gets_what_the_token_has() -> None:
    for caller in (ACME, FULL, LOCAL_USER):
        assert narrow(caller, Requested()) == caller


def test_a_request_may_ask_for_less() -> None:
    narrowed = narrow(
        ACME,
        Requested(
            tenant="acme",
            permissions=names("reports"),
            level="controlled",
            capabilities=names("ccos.state.kv.get", "ccos.state.kv.*"),
        ),
    )
    assert narrowed.permissions == {"reports"}
    assert narrowed.allows("ccos.state.kv.put")
    assert not narrowed.allows("ccos.echo")
    assert (narrowed.token_id, narrowed.tenant) == (ACME.token_id, "acme")


def test_pure_gives_up_all_capabilities() -> None:
    narrowed = narrow(ACME, Requested(level="pure"))
    assert (narrowed.level, narrowed.capabilities, narrowed.allowed) == ("pure", None, names())
    assert not narrowed.allows("ccos.echo")


def test_capabilities_without_a_level_mean_controlled() -> None:
    narrowed = narrow(FULL, Requested(capabilities=names("anything.at.all")))
    assert (narrowed.level, narrowed.allowed) == ("controlled", names("anything.at.all"))
    assert narrow(FULL, Requested(level="controlled")).allowed == frozenset(DEFAULT_CAPABILITIES)
    assert FULL.allowed is None


@pytest.mark.parametrize(
    ("caller", "requested", "problem"),
    [
        (ACME, Requested(tenant="globex"), "the tenant `globex` is not this token's"),
        (ACME, Requested(level="full"), "the level full is above this token's, controlled"),
        (ACME, Requested(level="root"), "no level `root`; levels are pure, controlled, full"),  # type: ignore[arg-type]
        (
            ACME,
            Requested(permissions=names("report")),
            "the permission `report` is not among this token's; did you mean `reports`?",
        ),
        (ACME, Requested(permissions=names("admin")), "the permission `admin` is not among this token's"),
        (ACME, Requested(capabilities=names("ccos.io.log")), "`ccos.io.log` is not among this token's"),
        (ACME, Requested(capabilities=names("ccos.*")), "`ccos.*` is not among this token's"),
        (ACME, Requested(capabilities=names("ccos.state")), "`ccos.state` is not among this token's"),
        (ACME, Requested(level="pure", capabilities=names("ccos.echo")), "the level pure permits no"),
        (FULL, Requested(level="full", capabilities=names("ccos.echo")), "the level full permits every"),
        (FULL, Requested(level="full", capabilities=names()), "the level full permits every"),
        (ACME, Requested(tenant="a\x1b[31m"), r"the tenant `a\x1b[31m` is"),
    ],
)
def test_a_request_may_not_ask_for_more(caller: Caller, requested: Requested, problem: str) -> None:
    with pytest.raises(NotAllowed) as caught:
        narrow(caller, requested)
    assert len(caught.value.problems) == 1
    assert problem in str(caught.value)
    assert (caught.value.status, caught.value.code) == (403, "not-allowed")


def test_all_that_is_not_allowed_is_named() -> None:
    requested = Requested(tenant="globex", permissions=names("a", "b"), level="full")
    with pytest.raises(NotAllowed) as caught:
        narrow(ACME, requested)
    assert len(caught.value.problems) == 4


_CAPABILITIES = st.sampled_from(["a", "a.*", "a.b", "a.b.*", "a.b.c", "b", "b.*"])
_SETS = st.none() | st.frozensets(_CAPABILITIES, max_size=3)
_PERMISSIONS = st.frozensets(st.sampled_from("pqr"), max_size=3)


@given(
    st.sampled_from(LEVELS),
    _SETS,
    _PERMISSIONS,
    st.none() | st.sampled_from(LEVELS),
    _SETS,
    st.none() | _PERMISSIONS,
    st.none() | st.sampled_from(["acme", "globex"]),
)
def test_nothing_is_ever_widened(
    level: str,
    capabilities: frozenset[str] | None,
    permissions: frozenset[str],
    wanted_level: str | None,
    wanted_capabilities: frozenset[str] | None,
    wanted_permissions: frozenset[str] | None,
    tenant: str | None,
) -> None:
    caller = Caller(
        token_id="1",
        name="n",
        tenant="acme",
        permissions=permissions,
        level=level,  # type: ignore[arg-type]
        capabilities=capabilities if level == "controlled" else None,
    )
    requested = Requested(
        tenant=tenant,
        permissions=wanted_permissions,
        level=wanted_level,  # type: ignore[arg-type]
        capabilities=wanted_capabilities,
    )
    try:
        narrowed = narrow(caller, requested)
    except NotAllowed:
        return
    assert narrowed.tenant == "acme"
    assert narrowed.permissions <= caller.permissions
    assert LEVELS.index(narrowed.level) <= LEVELS.index(caller.level)
    for capability in ("a", "a.x", "a.b", "a.b.c", "a.b.c.d", "b", "b.x", "c", *DEFAULT_CAPABILITIES):
        if narrowed.allows(capability):
            assert caller.allows(capability)
    if wanted_capabilities is not None:
        assert narrowed.allowed == wanted_capabilities


def test_the_local_user_may_say_who_they_are() -> None:
    narrowed = narrow(LOCAL_USER, Requested(tenant="acme", permissions=names("any"), level="controlled"))
    assert (narrowed.tenant, narrowed.permissions, narrowed.level) == ("acme", names("any"), "controlled")


def test_an_admin_sees_all_tenants_others_their_own() -> None:
    admin = Caller(token_id="1", name="n", tenant="ops", admin=True)
    assert (admin.sees_tenant, ACME.sees_tenant, LOCAL_USER.sees_tenant) == (None, "acme", None)


@pytest.mark.parametrize(
    ("level", "capabilities", "message"),
    [
        ("pure", names("a"), "the level pure permits no capability"),
        ("full", names("a"), "the level full permits every capability; with a list, use controlled"),
        ("controled", None, "no level `controled`; did you mean `controlled`?"),
        ("controlled", "ccos.echo", "must be a collection of names"),
    ],
)
def test_rights_that_do_not_go_together(level: str, capabilities: frozenset[str], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        Caller(token_id="1", name="n", tenant="t", level=level, capabilities=capabilities)  # type: ignore[arg-type]
