"""Where the functions of a program would run under the policy in force, as `rtfs explain --json` says it."""

from __future__ import annotations

from typing import Any

import rtfs
from actors.requests import RunRequest
from policies.cli.explain import described
from policies.dry_route import dry_delegate, dry_routes
from policies.engines.l4 import SignedModuleStore
from policies.file.policy import Policy
from rtfs.analyze.environment import MappingModules


def explained(request: RunRequest, policy: Policy, signed: SignedModuleStore | None = None) -> dict[str, Any]:
    """The routes of all functions of the program. Nothing is run.

    Args:
        signed: the signed modules that there are; None: none.

    Raises:
        RtfsError: its text is no program.
    """
    modules = MappingModules(dict(request.modules)) if request.modules else None
    program = rtfs.compile(request.source, source_name=request.source_name, modules=modules)
    routes = dry_routes(program, dry_delegate(policy, signed), request.facts)
    return {
        "file": request.source_name,
        "policy": {"source": policy.source, "version": policy.version},
        "functions": [described(route) for route in routes],
    }
