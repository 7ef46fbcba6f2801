"""Names of targets, both ways: `remote-openai` ⇄ `RemoteModel("openai")`.

local-pure          the pure evaluator
local-<model>       a model on this machine
remote-<provider>   a remote model or cluster
l4-<pointer>        a signed module; its signature is looked up by the pointer
"""

from __future__ import annotations

from typing import Final

from policies.errors import PolicyError
from rtfs.delegation import ExecTarget, L4CacheHit, LocalModel, LocalPure, RemoteModel

LOCAL_PURE: Final = "local-pure"


def target_name(target: ExecTarget) -> str:
    """The name of `target` in policies, explanations and metrics."""
    if isinstance(target, RemoteModel):
        return f"remote-{target.id}"
    if isinstance(target, LocalModel):
        return f"local-{target.id}"
    if isinstance(target, LocalPure):
        return LOCAL_PURE
    return f"l4-{target.storage_pointer}"


def parse_target(name: str) -> ExecTarget:
    """The target that `name` names. Of an `l4-` target the signature is empty.

    Raises:
        PolicyError: no target has such a name.
    """
    kind, dash, rest = name.partition("-")
    if dash and rest:
        if name == LOCAL_PURE:
            return LocalPure()
        if kind == "local":
            return LocalModel(rest)
        if kind == "remote":
            return RemoteModel(rest)
        if kind == "l4":
            return L4CacheHit(rest, "")
    expected = "`local-pure`, `local-<model>`, `remote-<provider>` or `l4-<hash>`"
    raise PolicyError(f"expected a target name, {expected}, got `{name}`")
