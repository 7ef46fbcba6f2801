"""What has to agree with what in a policy: the checks that look at more than one key.

Errors are what can only be a mistake and would decide something else than was meant; warnings are what has no
effect. A policy with warnings is in force.

A chain of targets is what is tried one after the other: a rule's `targets` and then its `fallback`; `fallback`
of the whole policy. In a chain each target stands once: to try again what has failed leads nowhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from policies.errors import PolicyError, PolicyProblem
from policies.file import validate_models, validate_providers, validate_rules
from policies.file.checked import TOP, Checked, each, mentions
from policies.file.covering import Covering, Work
from policies.file.places import Places
from policies.file.policy import Policy
from policies.file.schema import Delegation
from policies.file.toml_lines import KeyPath
from policies.file.validate_providers import pays
from policies.rules.candidates import candidates_of
from policies.rules.globs import is_glob
from policies.rules.privacy_sources import CAPABILITY, CONTEXT
from policies.running.health import COOL_DOWN_S
from policies.targets import LOCAL_PURE, parse_target

#: budgets times providers that are compared; a policy with more of them is not searched for idle ones
MAX_PAIRS: Final = 300_000


def check(settings: Delegation, places: Places, environ: Mapping[str, str] | None) -> list[PolicyProblem]:
    """All findings, errors and warnings, in no order."""
    what = Checked(
        settings=settings,
        places=places,
        served=candidates_of(Policy(settings=settings)),
        environ=environ,
        work=Work(MAX_PAIRS),
    )
    checks = (
        _keys, _mentions, _remote_rtfs, _target_globs, _chains, validate_providers.check, validate_models.check,
        _routes, _sources, _budgets, _causes, _learning, _prewarming,
    )  # fmt: skip
    found = [problem for one in checks for problem in one(what)]
    return found + validate_rules.check(settings, places, what.served)


# ---------------------------------------------------------------- targets


def _keys(what: Checked) -> Iterator[PolicyProblem]:
    """Keys of providers and models: each names a target, and each another one."""
    for table, prefix in (("remote_providers", "remote-"), ("local_models", "local-")):
        first: dict[str, str] = {}
        for key in getattr(what.settings, table):
            path = (TOP, table, key)
            name = prefix + key.removeprefix(prefix)
            if name in (prefix, LOCAL_PURE):
                message = f"expected a name that makes a target behind `{prefix}`, got `{key}`"
                yield what.places.problem("bad-target", path, message)
            elif name in first:
                message = f"`{first[name]}` and `{key}` both name the target `{name}`"
                yield what.places.problem("duplicate-target", path, message)
            first.setdefault(name, key)


def _mentions(what: Checked) -> Iterator[PolicyProblem]:
    for path, name in mentions(what.settings):
        if name in what.served:
            continue
        try:
            parse_target(name)
        except PolicyError as error:
            yield what.places.problem("bad-target", path, str(error), hint=_meant(name, what))
            continue
        if not name.startswith("l4-"):
            message = f"no provider serves the target `{name}`"
            yield what.places.problem("unserved-target", path, message, hint=_meant(name, what))


def _meant(name: str, what: Checked) -> str | None:
    """The target that was probably meant by `name`, or how to define it."""
    for prefix in ("remote-", "local-"):
        if prefix + name in what.served:
            return f"did you mean `{prefix}{name}`?"
    if near := what.places.nearest(name, what.served):
        return f"did you mean `{near}`?"
    kind, dash, rest = name.partition("-")
    table = {"remote": "remote_providers", "local": "local_models"}.get(kind)
    return f"define `{rest}` in `[delegation.{table}]`" if table and dash and rest else None


def _remote_rtfs(what: Checked) -> Iterator[PolicyProblem]:
    table = what.settings.remote_rtfs
    clusters = {key for key, provider in what.settings.remote_providers.items() if provider.kind == "rtfs"}
    path: KeyPath = (TOP, "remote_rtfs", "provider")
    if table.provider is None:
        if table.steps and not clusters:
            message = "no provider has the kind `rtfs`, so no step can run there"
            yield what.places.problem("unserved-target", (*path[:-1], "steps"), message)
        return
    key = _provider_key(table.provider, what.settings)
    if key is None:
        known = list(what.settings.remote_providers)
        near = what.places.nearest(table.provider, known)
        hint = f"did you mean `{near}`?" if near else None
        message = f"no provider is called `{table.provider}`"
        yield what.places.problem("unserved-target", path, message, hint=hint)
    elif key not in clusters:
        message = f"the provider `{key}` is no RTFS cluster"
        hint = 'give it `kind = "rtfs"`'
        yield what.places.problem("contradiction", path, message, hint=hint)


def _provider_key(name: str, settings: Delegation) -> str | None:
    """The key of the provider that `name` means, with or without the prefix."""
    bare = name.removeprefix("remote-")
    return next((key for key in settings.remote_providers if key.removeprefix("remote-") == bare), None)


def _target_globs(what: Checked) -> Iterator[PolicyProblem]:
    """Names of targets where globs stand: to allow or deny what nobody serves does nothing."""
    for path, glob in _globs_over_targets(what.settings):
        if not is_glob(glob) and glob not in what.served and not glob.startswith("l4-"):
            message = f"no provider serves the target `{glob}`"
            hint = _meant(glob, what)
            yield what.places.problem("unserved-target", path, message, hint=hint, severity="warning")


def _globs_over_targets(settings: Delegation) -> Iterator[tuple[KeyPath, str]]:
    security = settings.security
    for index, rule in enumerate(settings.rules):
        yield from each((TOP, "rules", index, "deny"), rule.deny)
    for label, entry in security.privacy.items():
        yield from each((TOP, "security", "privacy", label, "allow"), entry.allow)
    yield from each((TOP, "security", "unknown_label_allow"), security.unknown_label_allow)
    yield from each((TOP, "caches", "prewarming", "targets"), settings.caches.prewarming.targets)
    for glob in security.require:
        yield (TOP, "security", "require", glob), glob


# ---------------------------------------------------------------- chains


def _chains(what: Checked) -> Iterator[PolicyProblem]:
    settings = what.settings
    for index, rule in enumerate(settings.rules):
        path: KeyPath = (TOP, "rules", index)
        chain = [*each((*path, "targets"), rule.targets), *each((*path, "fallback"), rule.fallback)]
        yield from _chain(chain, what, "ends" if rule.choose == "first" else "chooses")
    chain = list(each((TOP, "fallback"), settings.fallback))
    yield from _chain(chain, what, "ends")
    for place, name in chain:
        if name == settings.default_target != LOCAL_PURE:
            message = f"`{name}` is the default target, too; it is tried once"
            yield what.places.problem("repeated-target", place, message, severity="warning")


def _chain(chain: list[tuple[KeyPath, str]], what: Checked, kind: str) -> Iterator[PolicyProblem]:
    """One chain: each target once, and none after `local-pure`, which never fails."""
    first: dict[str, KeyPath] = {}
    ended = False
    for path, name in chain:
        if name in first:
            line = what.places.line(first[name])
            where = "" if line is None else f", first in line {line}"
            message = f"the chain comes back to `{name}`{where}"
            yield what.places.problem("fallback-cycle", path, message)
        elif ended:
            message = f"`{name}` is never tried: `local-pure` comes before it and always answers"
            yield what.places.problem("unreachable-target", path, message, severity="warning")
        first.setdefault(name, path)
        ended = ended or (name == LOCAL_PURE and (kind == "ends" or "fallback" in path))


# ---------------------------------------------------------------- what has no effect


def _routes(what: Checked) -> Iterator[PolicyProblem]:
    """Routes that an earlier one covers: the first that matches wins."""
    earlier: Covering[None] = Covering()
    work = Work()
    for glob in what.settings.static_routes:
        path = (TOP, "static_routes", glob)
        found = earlier.first(glob, work)
        if found:
            line = what.places.line((TOP, "static_routes", found[0]))
            where = "" if line is None else f" in line {line}"
            message = f"the route is never taken: `{found[0]}`{where} comes first and matches all that it does"
            yield what.places.problem("shadowed-route", path, message, severity="warning")
        earlier.add(glob, None)
    if work.is_used_up:
        message = "there are too many globs to find all that are shadowed"
        yield what.places.problem("not-checked", (TOP, "static_routes"), message, severity="warning")


def _sources(what: Checked) -> Iterator[PolicyProblem]:
    """Where labels come from: known kinds of sources, known labels."""
    security = what.settings.security
    for source, labels in security.sources.items():
        path = (TOP, "security", "sources", source)
        if not source.startswith((CONTEXT, CAPABILITY)) or source in (CONTEXT, CAPABILITY):
            message = f"expected `{CONTEXT}<key>` or `{CAPABILITY}<id>`, got `{source}`"
            yield what.places.problem("bad-source", path, message)
        for place, label in each(path, labels):
            if label not in security.privacy:
                near = what.places.nearest(label, security.privacy)
                hint = f"did you mean `{near}`?" if near else f"define `[delegation.security.privacy.{label}]`"
                message = f"no table defines the privacy label `{label}`, which counts as unknown"
                yield what.places.problem("unknown-label", place, message, hint=hint, severity="warning")


def _budgets(what: Checked) -> Iterator[PolicyProblem]:
    for name, budget in what.settings.budgets.items():
        if budget.scope != "provider" or not what.work.take(len(what.served)):
            continue
        if any(pays(budget.match, target) for target in what.served):
            continue
        near = what.places.nearest(budget.match, what.served)
        hint = f"did you mean `{near}`?" if near else None
        message = f"no provider is called `{budget.match}`, so that nothing is counted"
        path = (TOP, "budgets", name, "match")
        yield what.places.problem("unserved-budget", path, message, hint=hint, severity="warning")


def _causes(what: Checked) -> Iterator[PolicyProblem]:
    """Causes of failures that a circuit breaker tells apart."""
    for cause in what.settings.health.cool_down_s.keys() - COOL_DOWN_S.keys():
        near = what.places.nearest(cause, COOL_DOWN_S)
        hint = f"did you mean `{near}`?" if near else f"known are {', '.join(sorted(COOL_DOWN_S))}"
        path = (TOP, "health", "cool_down_s", cause)
        yield what.places.problem("unknown-cause", path, f"no call fails for the cause `{cause}`", hint=hint)


def _prewarming(what: Checked) -> Iterator[PolicyProblem]:
    prewarming = what.settings.caches.prewarming
    if prewarming.enabled and not prewarming.targets:
        message = "no target is named that may be asked beforehand"
        path = (TOP, "caches", "prewarming", "enabled")
        hint = 'name some, `targets = ["local-*"]`'
        yield what.places.problem("no-effect", path, message, hint=hint, severity="warning")


def _learning(what: Checked) -> Iterator[PolicyProblem]:
    learning = what.settings.learning
    if learning.exploration > 0 and not learning.enabled:
        message = "nothing is explored while learning is off"
        path = (TOP, "learning", "exploration")
        hint = "set `enabled = true`"
        yield what.places.problem("no-effect", path, message, hint=hint, severity="warning")
