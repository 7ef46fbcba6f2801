"""Checks of providers: their secrets, their addresses and their prices."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from policies.errors import PolicyProblem
from policies.file.checked import TOP, Checked, each, mentions
from policies.file.schema import Delegation, Sampling
from policies.file.toml_lines import KeyPath
from policies.rules.globs import matches

#: keys that mean something to a service of models alone
_OF_OPENAI: Final = frozenset(
    {
        "model",
        "input_usd_per_mtok",
        "output_usd_per_mtok",
        "structured",
        "stream",
        "retries",
        "ca_file",
        "proxy",
    }
    | Sampling.model_fields.keys()
)
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def check(what: Checked) -> Iterator[PolicyProblem]:
    """All findings about providers, in no order."""
    yield from _secrets(what)
    yield from _endpoints(what)
    yield from _prices(what)
    yield from _keys(what)


def _keys(what: Checked) -> Iterator[PolicyProblem]:
    """Keys that were given and mean nothing to another RTFS cluster."""
    for key, provider in what.settings.remote_providers.items():
        if provider.kind == "openai":
            continue
        for name in sorted(_OF_OPENAI & provider.model_fields_set):
            path = (TOP, "remote_providers", key, name)
            message = f'it has no effect on a provider of the kind "{provider.kind}", only on "openai"'
            yield what.places.problem("no-effect", path, message, severity="warning")


def _secrets(what: Checked) -> Iterator[PolicyProblem]:
    """`api_key_env` names a variable; one that calls may need has to be set. Values are never repeated."""
    named = {name for _, name in mentions(what.settings)}
    wanted = what.settings.remote_rtfs.provider
    for key, provider in what.settings.remote_providers.items():
        path = (TOP, "remote_providers", key, "api_key_env")
        variable = provider.api_key_env
        if variable is None:
            continue
        bare = key.removeprefix("remote-")
        if not _VARIABLE.fullmatch(variable):
            message = "expected the name of a variable, got another text"
            hint = "the secret itself never stands in the file; if it did, replace it"
            yield what.places.problem("literal-secret", path, message, hint=hint)
        elif what.environ is None or what.environ.get(variable):
            continue
        elif f"remote-{bare}" in named or (wanted is not None and wanted.removeprefix("remote-") == bare):
            message = f"the variable `{variable}` is not set, and calls are sent to `remote-{bare}`"
            near = what.places.nearest(variable, what.environ)
            hint = f"did you mean `{near}`?" if near else f"set `{variable}` to the secret of this provider"
            yield what.places.problem("missing-secret", path, message, hint=hint)


def _endpoints(what: Checked) -> Iterator[PolicyProblem]:
    for key, provider in what.settings.remote_providers.items():
        path: KeyPath = (TOP, "remote_providers", key)
        for where, url in [
            ((*path, "endpoint"), provider.endpoint),
            *each((*path, "replicas"), provider.replicas),
        ]:
            try:
                parts = urlsplit(url)
            except ValueError:
                yield what.places.problem("bad-endpoint", where, "expected a URL, got a text that is none")
                continue
            if "@" in parts.netloc:
                message = "the URL holds a user or a password"
                hint = 'name the variable that holds the secret: `api_key_env = "…"`'
                yield what.places.problem("literal-secret", where, message, hint=hint)


def _prices(what: Checked) -> Iterator[PolicyProblem]:
    """A remote target without a price could cost anything, so that no ceiling and no budget lets it pass."""
    settings = what.settings
    named = {name for _, name in mentions(settings)}
    for key, provider in settings.remote_providers.items():
        name = f"remote-{key.removeprefix('remote-')}"
        if name not in named or provider.cost_usd is not None or provider.max_cost_usd is not None:
            continue
        limit = next(_limits(settings, name), None) if what.work.take(len(settings.budgets)) else None
        if limit:
            message = f"it has no price, so {limit} keeps all calls from it"
            hint = "name `cost_usd` or `max_cost_usd`"
            path = (TOP, "remote_providers", key)
            yield what.places.problem("unpriced-target", path, message, hint=hint, severity="warning")


def _limits(settings: Delegation, name: str) -> Iterator[str]:
    """What limits the cost of every call of the target `name`."""
    if settings.max_cost_usd is not None:
        yield "`max_cost_usd`"
    for budget, entry in settings.budgets.items():
        whole = entry.scope == "all" or entry.match == "*"
        if whole or (entry.scope == "provider" and pays(entry.match, name)):
            yield f"the budget `{budget}`"


def pays(glob: str, name: str) -> bool:
    """Whether a budget for providers that match `glob` pays for the target `name`."""
    return matches(glob, name) or matches(glob, name.partition("-")[2])
