"""Who asks: what the rest of the system sees of a token.

A request may ask for less than its token allows, never for more:

    tenant         that of the token; a caller without one, the local user, may name any
    permissions    some of the token's
    level          pure < controlled < full
    capabilities   some of those that the token allows

What a request does not mention stays as the token has it, as far as that goes together: the level pure permits
no capability and the level full each one, so only controlled has a list. Whoever names capabilities and no
level asks for controlled.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from actors.access.errors import NotAllowed
from actors.access.rights import LEVELS, check_rights, covers, shown
from actors.requests import DEFAULT_CAPABILITIES
from rtfs.security import Level
from rtfs.spell import nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Somebody, and what they may do."""

    #: None: the local user, of a service without tokens
    token_id: str | None
    name: str
    #: None: none in particular
    tenant: str | None
    permissions: frozenset[str] = frozenset()
    level: Level = "controlled"
    #: of level controlled: ids, and prefixes that end in `.*`; None: `DEFAULT_CAPABILITIES`
    capabilities: frozenset[str] | None = None
    #: may change the policy, and see tickets and events of all tenants
    admin: bool = False

    def __post_init__(self) -> None:
        check_rights(self.level, self.capabilities)

    def allows(self, capability: str) -> bool:
        """Whether the caller may use a capability, or all with a prefix that ends in `.*`."""
        allowed = self.allowed
        return allowed is None or any(covers(each, capability) for each in allowed)

    @property
    def allowed(self) -> frozenset[str] | None:
        """The capabilities that the caller may use, ids and prefixes; None: all."""
        if self.level == "full":
            return None
        if self.level == "pure":
            return frozenset()
        return frozenset(DEFAULT_CAPABILITIES) if self.capabilities is None else self.capabilities

    @property
    def sees_tenant(self) -> str | None:
        """The tenant whose tickets and events the caller sees; None: all of them."""
        return None if self.admin else self.tenant


#: who asks where no token is configured
LOCAL_USER: Final = Caller(token_id=None, name="local user", tenant=None, level="full", admin=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requested:
    """What a request asks for; None: nothing is said."""

    tenant: str | None = None
    permissions: frozenset[str] | None = None
    level: Level | None = None
    capabilities: frozenset[str] | None = None


def narrow(caller: Caller, requested: Requested) -> Caller:
    """The caller with what the request asks for in place of all that the token allows.

    Raises:
        NotAllowed: with each thing that the token does not allow.
    """
    problems = tuple(_problems(caller, requested))
    if problems:
        raise NotAllowed(problems)
    level = _level(caller, requested)
    capabilities = caller.capabilities if requested.capabilities is None else requested.capabilities
    return replace(
        caller,
        tenant=caller.tenant if requested.tenant is None else requested.tenant,
        permissions=caller.permissions if requested.permissions is None else requested.permissions,
        level=level,
        capabilities=capabilities if level == "controlled" else None,
    )


def _level(caller: Caller, requested: Requested) -> Level:
    if requested.level is not None:
        return requested.level
    names_some = requested.capabilities is not None  # none at all is a list too
    return "controlled" if names_some and caller.level == "full" else caller.level


def _problems(caller: Caller, requested: Requested) -> Iterator[str]:
    tenant = requested.tenant
    if tenant is not None and caller.tenant is not None and tenant != caller.tenant:
        yield f"the tenant `{shown(tenant)}` is not this token's"
    for permission in _beyond(requested.permissions, caller):
        yield f"the permission `{shown(permission)}` is not among this token's{_near(permission, caller)}"
    level = _level(caller, requested)
    if level not in LEVELS:
        yield f"there is no level `{shown(level)}`; levels are {', '.join(LEVELS)}"
    elif LEVELS.index(level) > LEVELS.index(caller.level):
        yield f"the level {level} is above this token's, {caller.level}"
    wanted = sorted(requested.capabilities or ())
    if level == "full" and requested.capabilities is not None:
        yield "the level full permits every capability; with a list of them, ask for controlled"
    if level == "pure" and wanted:
        yield f"the level pure permits no capability, and `{shown(wanted[0])}` is asked for"
    for capability in wanted:
        if level == "controlled" and not caller.allows(capability):
            yield f"the capability `{shown(capability)}` is not among this token's"


def _beyond(permissions: frozenset[str] | None, caller: Caller) -> list[str]:
    if caller.token_id is None:  # the local user may say that it has any, to see what a policy makes of that
        return []
    return sorted((permissions or frozenset()) - caller.permissions)


def _near(permission: str, caller: Caller) -> str:
    near = nearest(permission, caller.permissions)
    return f"; did you mean `{near}`?" if near else ""
