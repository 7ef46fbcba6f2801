from __future__ import annotations

import pytest

from policies.errors import PolicyFileError, PolicyProblem
from policies.file.load import load_policy

PROVIDERS = """
[delegation.remote_providers]
remote-openai = { endpoint = "https://a.example", cost_usd = 0.01, quality = 0.9, latency_ms = 900 }
eu = { endpoint = "https://eu.example", region = "eu", locality = "site", cost_usd = 0.02, quality = 0.7 }
cluster = { endpoint = "https://b.example", kind = "rtfs" }
[delegation.local_models]
tiny = { path = "./tiny.gguf", quality = 0.5, latency_ms = 20 }
local-sentiment = { path = "./sentiment.rules" }
[delegation.security.privacy.confidential]
allow = ["local-*"]
"""


def found(text: str, environ: dict[str, str] | None = None) -> tuple[PolicyProblem, ...]:
    """Errors, or warnings if there are none."""
    try:
        return load_policy(PROVIDERS + text, environ=environ).warnings
    except PolicyFileError as error:
        return error.problems


def one(text: str, environ: dict[str, str] | None = None) -> tuple[str, str, str, str | None]:
    """The only finding: severity and code, key, message, hint."""
    (problem,) = found(text, environ)
    key = (problem.key or "").removeprefix("delegation.")
    return f"{problem.severity} {problem.code}", key, problem.message, problem.hint


def rule(text: str) -> str:
    return f"[[delegation.rules]]\n{text}\n"


def test_both_spellings_of_keys_serve_the_target() -> None:
    targets = ["local-pure", "remote-openai", "remote-eu", "local-tiny", "local-sentiment", "l4-0f3a"]
    assert found(rule(f"targets = {targets[:1]}\nsymbols = ['x']") + rule(f"targets = {targets[1:]}")) == ()


TARGETS = [
    ("[delegation]\ndefault_target = 'remote-opnai'", "error unserved-target", "default_target",
     "no provider serves the target `remote-opnai`", "did you mean `remote-openai`?"),
    ("[delegation.static_routes]\n'ai-*' = 'openai'", "error bad-target", 'static_routes."ai-*"',
     "expected a target name, `local-pure`, `local-<model>`, `remote-<provider>` or `l4-<hash>`, got `openai`",
     "did you mean `remote-openai`?"),
    ("[delegation.static_routes]\nx = 'tiny'", "error bad-target", "static_routes.x",
     "expected a target name, `local-pure`, `local-<model>`, `remote-<provider>` or `l4-<hash>`, got `tiny`",
     "did you mean `local-tiny`?"),
    ("[delegation]\nfallback = ['remote-zzzzzzzzz']", "error unserved-target", "fallback.0",
     "no provider serves the target `remote-zzzzzzzzz`",
     "define `zzzzzzzzz` in `[delegation.remote_providers]`"),
    (rule("targets = ['local-pure', 'local-gigantic']"), "error unserved-target", "rules.0.targets.1",
     "no provider serves the target `local-gigantic`", "define `gigantic` in `[delegation.local_models]`"),
    (rule("targets = ['local-tiny']\nfallback = ['remote-']"), "error bad-target", "rules.0.fallback.0",
     "expected a target name, `local-pure`, `local-<model>`, `remote-<provider>` or `l4-<hash>`, got `remote-`",
     "did you mean `remote-eu`?"),
    ("[delegation.model_choice]\ntarget = 'local-tinny'", "error unserved-target", "model_choice.target",
     "no provider serves the target `local-tinny`", "did you mean `local-tiny`?"),
    ("[delegation.model_choice]\ncandidates = ['local-tinny']", "error unserved-target",
     "model_choice.candidates.0",
     "no provider serves the target `local-tinny`", "did you mean `local-tiny`?"),
    ("[delegation.remote_rtfs]\nprovider = 'clusters'", "error unserved-target", "remote_rtfs.provider",
     "no provider is called `clusters`", "did you mean `cluster`?"),
    ("[delegation.remote_rtfs]\nprovider = 'eu'", "error contradiction", "remote_rtfs.provider",
     "the provider `eu` is no RTFS cluster", 'give it `kind = "rtfs"`'),
    ("[delegation.remote_providers.openai]\nendpoint = 'x'", "error duplicate-target",
     "remote_providers.openai",
     "`remote-openai` and `openai` both name the target `remote-openai`", None),
    ("[delegation.local_models.sentiment]\npath = 'x'", "error duplicate-target", "local_models.sentiment",
     "`local-sentiment` and `sentiment` both name the target `local-sentiment`", None),
    ("[delegation.local_models.pure]\npath = 'x'", "error bad-target", "local_models.pure",
     "expected a name that makes a target behind `local-`, got `pure`", None),
    ("[delegation.remote_providers.remote-]\nendpoint = 'x'", "error bad-target", "remote_providers.remote-",
     "expected a name that makes a target behind `remote-`, got `remote-`", None),
    (rule("deny = ['remote-opnai']"), "warning unserved-target", "rules.0.deny.0",
     "no provider serves the target `remote-opnai`", "did you mean `remote-openai`?"),
    ("[delegation.security]\nunknown_label_allow = ['remote-us']", "warning unserved-target",
     "security.unknown_label_allow.0", "no provider serves the target `remote-us`",
     "did you mean `remote-eu`?"),
    ("[delegation.caches.prewarming]\ntargets = ['local-tin']", "warning unserved-target",
     "caches.prewarming.targets.0", "no provider serves the target `local-tin`", "did you mean `local-tiny`?"),
    ("[delegation.security.require]\nlocal-tin = ['p']", "warning unserved-target",
     "security.require.local-tin",
     "no provider serves the target `local-tin`", "did you mean `local-tiny`?"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "what", "key", "message", "hint"), TARGETS)
def test_targets(text: str, what: str, key: str, message: str, hint: str | None) -> None:
    if "remote_providers" in text or "local_models" in text:
        text = text.replace("[delegation.", "\n[delegation.")
    assert one(text) == (what, key, message, hint)


@pytest.mark.parametrize("provider", ["cluster", "remote-cluster"])
def test_a_cluster_may_be_named_either_way(provider: str) -> None:
    assert found(f"[delegation.remote_rtfs]\nsteps = ['x/*']\nprovider = '{provider}'") == ()


def test_steps_need_a_cluster() -> None:
    with pytest.raises(PolicyFileError, match="no provider has the kind `rtfs`"):
        load_policy("[delegation.remote_rtfs]\nsteps = ['x/*']")
    load_policy("[delegation.remote_rtfs]\nsteps = []")


CHAINS = [
    (rule("targets = ['local-tiny']\nfallback = ['remote-eu', 'remote-eu']"), "error fallback-cycle",
     "rules.0.fallback.1", "the chain comes back to `remote-eu`, first in line 13"),
    (rule("targets = ['local-tiny']\nfallback = ['local-tiny']"), "error fallback-cycle",
     "rules.0.fallback.0", "the chain comes back to `local-tiny`, first in line 12"),
    (rule("targets = ['local-tiny', 'local-tiny']\nchoose = 'best'"), "error fallback-cycle",
     "rules.0.targets.1", "the chain comes back to `local-tiny`, first in line 12"),
    ("[delegation]\nfallback = ['remote-eu', 'local-tiny', 'remote-eu']", "error fallback-cycle", "fallback.2",
     "the chain comes back to `remote-eu`, first in line 12"),
    ("[delegation]\nfallback = ['remote-eu']\ndefault_target = 'remote-eu'", "warning repeated-target",
     "fallback.0",
     "`remote-eu` is the default target, too; it is tried once"),
    ("[delegation]\nfallback = ['local-pure', 'remote-eu']", "warning unreachable-target", "fallback.1",
     "`remote-eu` is never tried: `local-pure` comes before it and always answers"),
    (rule("targets = ['local-pure', 'local-tiny']"), "warning unreachable-target", "rules.0.targets.1",
     "`local-tiny` is never tried: `local-pure` comes before it and always answers"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "what", "key", "message"), CHAINS)
def test_chains(text: str, what: str, key: str, message: str) -> None:
    assert one(text) == (what, key, message, None)


GOOD_CHAINS = [
    rule("targets = ['local-pure', 'local-tiny']\nchoose = 'best'\nfallback = ['remote-eu']"),
    rule("targets = ['local-tiny']\nfallback = ['remote-eu', 'local-pure']"),
    "[delegation]\nfallback = ['remote-eu', 'local-pure']",
]


@pytest.mark.parametrize("text", GOOD_CHAINS)
def test_chains_that_end(text: str) -> None:
    assert found(text) == ()


CONTRADICTIONS = [
    ("min_size = 5\nmax_size = 4\ndeny = ['*']", "min_size", "no size is at least 5 and at most 4"),
    ("when = { x = [] }\ndeny = ['*']", "when.x", "no value is one of none"),
    ("targets = ['remote-eu', 'remote-openai']\ndeny = ['remote-*']", "deny",
     "no target of the rule is left by its own `deny`"),
    ("targets = ['remote-eu', 'remote-openai']\nrequire_locality = 'machine'", "require_locality",
     "no target of the rule is as near as `machine`"),
    ("targets = ['remote-openai']\nrequire_region = ['eu', 'ch']", "require_region",
     "no target of the rule is in `ch`, `eu`"),
    ("targets = ['remote-eu', 'local-tiny']\nmin_quality = 0.8", "min_quality",
     "no target of the rule has a quality of 0.8"),
    ("targets = ['remote-eu']\nmax_cost_usd = 0.01", "max_cost_usd",
     "no target of the rule costs at most $0.01"),
    ("targets = ['remote-openai']\nmax_latency_ms = 100", "max_latency_ms",
     "no target of the rule takes at most 100.0 ms"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "key", "message"), CONTRADICTIONS)
def test_contradictions(text: str, key: str, message: str) -> None:
    assert one(rule(text)) == ("error contradiction", f"rules.0.{key}", message, None)


CONSISTENT = [
    "min_size = 5\nmax_size = 5\ndeny = ['*']",
    "targets = ['remote-eu', 'local-pure']\ndeny = ['*']",
    "targets = ['remote-eu', 'local-tiny']\ndeny = ['remote-*']",
    "targets = ['remote-eu']\nrequire_locality = 'site'\nrequire_region = ['eu']",
    "targets = ['local-tiny']\nrequire_region = ['eu']",  # this machine itself
    "targets = ['local-sentiment']\nmin_quality = 0.99\nmax_latency_ms = 1",  # not known
    "targets = ['local-tiny', 'remote-openai']\nmin_quality = 0.8",
    "targets = ['remote-openai']\nmax_cost_usd = 0.01",
]


@pytest.mark.parametrize("text", CONSISTENT)
def test_what_is_no_contradiction(text: str) -> None:
    assert found(rule(text)) == ()


CONDITIONS = [
    ("privacy = ['confidental']", "unknown-label", "privacy",
     "no table defines the privacy label `confidental`",
     "did you mean `confidential`?"),
    ("privacy = ['x']", "unknown-label", "privacy", "no table defines the privacy label `x`",
     "define `[delegation.security.privacy.x]`"),
    ("arg_types = ['sting']", "bad-arg-type", "arg_types.0", "no value has the type `sting`",
     "did you mean `string`?"),
    ("arg_types = ['...', 'any']", "bad-arg-type", "arg_types.0",
     "`...` stands for further arguments and can only be the last", None),
    ("when = { hour = 24 }", "bad-range", "when.hour",
     'expected an hour from 0 to 23 or a range of them such as "22-6", got 24', None),
    ("when = { hour = [1, '22-24'] }", "bad-range", "when.hour.1",
     'expected an hour from 0 to 23 or a range of them such as "22-6", got "22-24"', None),
    ("when = { hour = true }", "bad-range", "when.hour",
     'expected an hour from 0 to 23 or a range of them such as "22-6", got true', None),
    ("when = { hour = 'night' }", "bad-range", "when.hour",
     'expected an hour from 0 to 23 or a range of them such as "22-6", got "night"', None),
    ("when = { day = '1-' }", "bad-range", "when.day", 'expected a range such as "22-6", got "1-"', None),
    ("when = { day = '1 - 5' }", "bad-range", "when.day", 'expected a range such as "22-6", got "1 - 5"', None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "code", "key", "message", "hint"), CONDITIONS)
def test_conditions(text: str, code: str, key: str, message: str, hint: str | None) -> None:
    assert one(rule(f"deny = ['*']\n{text}")) == (f"error {code}", f"rules.0.{key}", message, hint)


GOOD_CONDITIONS = [
    "arg_types = ['any', 'string', 'integer', 'resource-handle', 'error', 'ticket', '...']",
    "arg_types = ['...']",
    "arg_types = []",
    "when = { hour = ['22-6', 7, '0-23'], day = '1-5', date = '2024-01-01', region = 'eu-west', on = true }",
    "privacy = ['confidential']",
]


@pytest.mark.parametrize("text", GOOD_CONDITIONS)
def test_conditions_that_may_hold(text: str) -> None:
    assert found(rule(f"deny = ['*']\n{text}")) == ()


def test_rules_with_one_name() -> None:
    named = "name = 'x'\ndeny = ['*']"
    message = "two rules are called `x`, first in line 12"
    assert one(rule(named) + rule(named)) == ("error duplicate-rule", "rules.1.name", message, None)


# ---------------------------------------------------------------- secrets

KEYED = """
[delegation.remote_providers.keyed]
endpoint = "https://c.example"
api_key_env = "OTHER_KEY"
kind = "rtfs"
"""
REACHED = [
    "[delegation]\ndefault_target = 'remote-keyed'",
    "[delegation]\nfallback = ['remote-keyed']",
    "[delegation.static_routes]\nx = 'remote-keyed'",
    rule("targets = ['remote-keyed']"),
    rule("targets = ['local-tiny']\nfallback = ['remote-keyed']"),
    "[delegation.model_choice]\ntarget = 'remote-keyed'",
    "[delegation.model_choice]\ncandidates = ['remote-keyed']",
    "[delegation.remote_rtfs]\nprovider = 'keyed'",
]


@pytest.mark.parametrize("text", REACHED)
def test_secrets_of_providers_that_calls_are_sent_to(text: str) -> None:
    missing = (
        "error missing-secret", "remote_providers.keyed.api_key_env",
        "the variable `OTHER_KEY` is not set, and calls are sent to `remote-keyed`",
        "set `OTHER_KEY` to the secret of this provider",
    )  # fmt: skip
    assert one(KEYED + text, {}) == missing
    assert one(KEYED + text, {"OTHER_KEY": ""}) == missing
    assert one(KEYED + text, {"OTHERKEY": "x"})[3] == "did you mean `OTHERKEY`?"
    assert found(KEYED + text, {"OTHER_KEY": "x"}) == ()
    assert found(KEYED + text, None) == ()
    assert load_policy(PROVIDERS + KEYED + text, environ={}, needs_secrets=False).warnings == ()


def test_secrets_of_providers_that_nothing_names() -> None:
    assert found(KEYED, {}) == ()


ENDPOINTS = [
    ("endpoint = 'https://user:pw@host/v1'", "literal-secret", "endpoint"),
    ("endpoint = 'https://token@host/v1'", "literal-secret", "endpoint"),
    ("endpoint = 'e'\nreplicas = ['https://a', 'https://u:p@b']", "literal-secret", "replicas.1"),
    ("endpoint = 'http://[::1'", "bad-endpoint", "endpoint"),
]


@pytest.mark.parametrize(("text", "code", "key"), ENDPOINTS)
def test_endpoints(text: str, code: str, key: str) -> None:
    what, where, message, _ = one(f"\n[delegation.remote_providers.x]\n{text}")
    assert (what, where) == (f"error {code}", f"remote_providers.x.{key}")
    assert "host" not in message


# ---------------------------------------------------------------- what has no effect

HIDDEN = [
    (["targets = ['local-tiny']", "targets = ['remote-eu']\nsymbols = ['a']"],
     "its targets are never chosen: rule 1 in line 11 comes first and matches all that it does"),
    (["name = 'x'\nsymbols = ['a*', 'b']\ntargets = ['local-tiny']",
      "symbols = ['ab']\ntenants = ['t']\ntargets = ['remote-eu']"],
     "its targets are never chosen: rule `x` in line 11 comes first and matches all that it does"),
    (["tenants = ['t*']\ntargets = ['local-tiny']",
     "tenants = ['tt']\nsymbols = ['a']\nfallback = ['local-pure']\n"
      "targets = ['remote-eu']\ndeny = ['local-*']"],
     "its targets are never chosen: rule 1 in line 11 comes first and matches all that it does"),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "message"), HIDDEN)
def test_rules_that_are_never_reached(rules: list[str], message: str) -> None:
    assert one("".join(map(rule, rules))) == ("warning unreachable-rule", "rules.1", message, None)


REACHABLE = [
    ["deny = ['remote-eu']", "targets = ['local-tiny']"],
    ["symbols = ['a*']\ntargets = ['local-tiny']", "symbols = ['a*', 'b']\ntargets = ['remote-eu']"],
    ["when = { hour = 1 }\ntargets = ['local-tiny']", "targets = ['remote-eu']"],
    ["targets = ['local-tiny']", "deny = ['remote-eu']"],
    ["fallback = ['local-tiny']", "targets = ['remote-eu']"],
]


@pytest.mark.parametrize("rules", REACHABLE)
def test_rules_that_are_reached(rules: list[str]) -> None:
    assert found("".join(map(rule, rules))) == ()


def test_one_rule_for_all_hides_each_of_the_others() -> None:
    rules = [rule("targets = ['local-tiny']")] * 4
    assert [problem.key for problem in found("".join(rules))] == [f"delegation.rules.{at}" for at in (1, 2, 3)]


ROUTES = [
    (["'*'", "'a'"], "the route is never taken: `*` in line 12 comes first and matches all that it does"),
    (
        ["'ai-*'", "'ai-text-*'"],
        "the route is never taken: `ai-*` in line 12 comes first and matches all that it does",
    ),
]


@pytest.mark.parametrize(("globs", "message"), ROUTES)
def test_routes_that_are_shadowed(globs: list[str], message: str) -> None:
    text = "[delegation.static_routes]\n" + "".join(f"{glob} = 'local-tiny'\n" for glob in globs)
    (problem,) = found(text)
    assert (problem.code, problem.severity, problem.line, problem.message) == (
        "shadowed-route", "warning", 13, message,
    )  # fmt: skip


def test_routes_that_are_not_shadowed() -> None:
    globs = ["ai-text-*", "ai-*", "*-ai", "[ab]*", "x?"]
    assert found("[delegation.static_routes]\n" + "".join(f"'{glob}' = 'local-tiny'\n" for glob in globs)) == ()


OTHERS = [
    (rule("symbols = ['a']"), "warning no-effect", "rules.0",
     "the rule says nothing about the calls that it matches"),
    ("[delegation.learning]\nexploration = 0.1", "warning no-effect", "learning.exploration",
     "nothing is explored while learning is off"),
    ("[delegation.caches.prewarming]\nenabled = true", "warning no-effect", "caches.prewarming.enabled",
     "no target is named that may be asked beforehand"),
    ("[delegation.budgets.b]\nscope = 'provider'\nmatch = 'opnai'\nlimit_usd = 1", "warning unserved-budget",
     "budgets.b.match", "no provider is called `opnai`, so that nothing is counted"),
    ("[delegation.security.sources]\n'context:x' = ['confidental']", "warning unknown-label",
     'security.sources."context:x".0',
     "no table defines the privacy label `confidental`, which counts as unknown"),
    ("[delegation.security.sources]\n'customer*' = ['confidential']", "error bad-source",
     'security.sources."customer*"', "expected `context:<key>` or `capability:<id>`, got `customer*`"),
    ("[delegation.security.sources]\n'context:' = ['confidential']", "error bad-source",
     'security.sources."context:"', "expected `context:<key>` or `capability:<id>`, got `context:`"),
    ("[delegation.health.cool_down_s]\ntime-out = 5", "error unknown-cause", "health.cool_down_s.time-out",
     "no call fails for the cause `time-out`"),
    ("[delegation]\nmax_cost_usd = 1\ndefault_target = 'remote-cluster'", "warning unpriced-target",
     "remote_providers.cluster", "it has no price, so `max_cost_usd` keeps all calls from it"),
    ("[delegation]\nfallback = ['remote-cluster']\nbudgets.b = { scope = 'tenant', limit_usd = 1 }",
     "warning unpriced-target", "remote_providers.cluster",
     "it has no price, so the budget `b` keeps all calls from it"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "what", "key", "message"), OTHERS)
def test_other_findings(text: str, what: str, key: str, message: str) -> None:
    assert one(text)[:3] == (what, key, message)


GOOD_OTHERS = [
    "[delegation.learning]\nenabled = true\nexploration = 0.1",
    "[delegation.budgets]\nb = { scope = 'provider', match = 'openai', limit_usd = 1 }",
    "[delegation.budgets]\nb = { scope = 'provider', match = 'remote-*', limit_usd = 1 }",
    "[delegation.budgets]\nb = { scope = 'tenant', match = 'acme', limit_usd = 1 }",
    "[delegation.health.cool_down_s]\ntimeout = 5",
    "[delegation]\nfallback = ['remote-cluster']\nbudgets.b = { scope = 'tenant', match = 'x', limit_usd = 1 }",
    "[delegation]\nmax_cost_usd = 1",
]


@pytest.mark.parametrize("text", GOOD_OTHERS)
def test_what_is_in_order(text: str) -> None:
    assert found(text) == ()
