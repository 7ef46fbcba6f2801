from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.errors import PolicyFileError, PolicyProblem
from policies.file.load import load_policy
from policies.rules.candidates import candidates_of

TEXT = """
[delegation]
cache_ttl = 30
[delegation.static_routes]
"ai-*" = "local-pure"
[delegation.remote_providers.remote-openai]
endpoint = "https://api.example"
[delegation.local_models."gpt-4.1"]
path = "m.gguf"
[[delegation.rules]]
name = "first"
deny = ["remote-*"]
[[delegation.rules]]
name = "second"
targets = ["local-pure"]
"""

SET: list[tuple[str, str, str, Any]] = [
    ("RTFS_DELEGATION__CACHE_TTL", "60", "cache_ttl", 60.0),
    ("rtfs_delegation__cache_ttl", " 0x3C ", "cache_ttl", 60.0),
    ("RTFS_DELEGATION__ENABLE_L4_CACHE", "false", "enable_l4_cache", False),
    ("RTFS_DELEGATION__DEFAULT_TARGET", "remote-openai", "default_target", "remote-openai"),
    ("RTFS_DELEGATION__DEFAULT_TARGET", '"remote-openai"', "default_target", "remote-openai"),
    ("RTFS_DELEGATION__FALLBACK", '["remote-openai", "local-pure"]', "fallback",
     ("remote-openai", "local-pure")),
    ("RTFS_DELEGATION__FALLBACK__0", "remote-openai", "fallback", ("remote-openai",)),
    ("RTFS_DELEGATION__WEIGHTS__COST", "3", "weights.cost", 3.0),
    ("RTFS_DELEGATION__WEIGHTS", "{ cost = 3 }", "weights.cost", 3.0),
    ("RTFS_DELEGATION__CACHES__L3__ENABLED", "true", "caches.l3.enabled", True),
    ("RTFS_DELEGATION__CACHES__L1__EVICTION", "lfu", "caches.l1.eviction", "lfu"),
    ("RTFS_DELEGATION__REMOTE_PROVIDERS__REMOTE_OPENAI__TIMEOUT", "5",
     "remote_providers.remote-openai.timeout", 5),
    ("RTFS_DELEGATION__REMOTE_PROVIDERS__REMOTE_OPENAI__MODEL", "4",
     "remote_providers.remote-openai.model", "4"),
    ("RTFS_DELEGATION__REMOTE_PROVIDERS__NEW_ONE__ENDPOINT", "http://e",
     "remote_providers.new-one.endpoint", "http://e"),
    ("RTFS_DELEGATION__LOCAL_MODELS__GPT_4_1__PARALLEL", "4", "local_models.gpt-4.1.parallel", 4),
    ("RTFS_DELEGATION__LOCAL_MODELS__GPT_4_1__DEVICE", "cpu:4", "local_models.gpt-4.1.device", "cpu:4"),
    ("RTFS_DELEGATION__RULES__0__DENY", "['local-*']", "rules.0.deny", ("local-*",)),
    ("RTFS_DELEGATION__RULES__1__CACHE__TTL", "9", "rules.1.cache.ttl", 9.0),
    ("RTFS_DELEGATION__RULES__1__WHEN__HOUR", "22-6", "rules.1.when.hour", "22-6"),
    ("RTFS_DELEGATION__RULES__1__WHEN__HOUR", "22", "rules.1.when.hour", 22),
    ("RTFS_DELEGATION__RULES__2__DENY", "['*']", "rules.2.deny", ("*",)),
    ("RTFS_DELEGATION__RULES", "[]", "rules", ()),
    ("RTFS_DELEGATION__BUDGETS__ALL", "{scope = 'all', limit_usd = 1}", "budgets.all.limit_usd", 1.0),
    ("RTFS_DELEGATION__CACHE_TTL", "", "cache_ttl", 30.0),
    ("RTFS_LOCAL_MODEL_PATH", " new/gpt-4.1.gguf ", "local_models.gpt-4.1.path", "new/gpt-4.1.gguf"),
    ("RTFS_LOCAL_MODEL_PATH", " ", "cache_ttl", 30.0),
    ("RTFS_DELEGATION_POLICY", "x", "cache_ttl", 30.0),
    ("RTFS_DELEGATIONS", "x", "cache_ttl", 30.0),
]  # fmt: skip


def value_at(value: Any, path: str) -> Any:
    """The value at a dotted path; names may hold dots themselves."""
    parts = path.replace("gpt-4.1", "gpt-4/1").split(".")
    for part in parts:
        part = part.replace("/", ".")
        if isinstance(value, tuple):
            value = value[int(part)]
        else:
            value = value[part] if isinstance(value, dict) else getattr(value, part)
    return value


@pytest.mark.parametrize(("name", "text", "path", "value"), SET)
def test_a_variable_sets_a_key(name: str, text: str, path: str, value: Any) -> None:
    policy = load_policy(TEXT, environ={name: text})
    found = value_at(policy.settings, path)
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize("text", [TEXT, "", "[delegation.local_models]\n'local-tiny.q4' = { path = 'old' }"])
def test_a_variable_adds_a_model(text: str) -> None:
    policy = load_policy(text, environ={"RTFS_LOCAL_MODEL_PATH": "/m/tiny.q4.gguf"})
    assert "local-tiny.q4" in candidates_of(policy)
    models = policy.settings.local_models
    assert [entry.path for key, entry in models.items() if "tiny" in key] == ["/m/tiny.q4.gguf"]


def test_routes_may_lead_to_an_added_model() -> None:
    text = "[delegation.static_routes]\n'ask-*' = 'local-tiny'"
    load_policy(text, environ={"RTFS_LOCAL_MODEL_PATH": "tiny.gguf"})
    with pytest.raises(PolicyFileError, match="no provider serves the target `local-tiny`"):
        load_policy(text, environ={})


@pytest.mark.parametrize(
    "text", ["delegation = 1", "[delegation]\nlocal_models = 1", "[delegation]\nlocal_models.tiny = 1"]
)
def test_a_model_is_not_added_to_what_is_no_table(text: str) -> None:
    with pytest.raises(PolicyFileError, match="expected a table, got the integer 1"):
        load_policy(text, environ={"RTFS_LOCAL_MODEL_PATH": "tiny.gguf"})


def test_what_is_wrong_with_an_added_model() -> None:
    (problem,) = load_policy("", environ={"RTFS_LOCAL_MODEL_PATH": "tiny.gguff"}).warnings
    assert str(problem) == (
        "environment: warning: `delegation.local_models.tiny.path`: in `RTFS_LOCAL_MODEL_PATH`: the name of "
        "the file ends in `.gguff`, which no model does, so that nothing can run it; did you mean `.gguf`? "
        "(unknown-suffix)"
    )


def test_without_an_environment_nothing_is_overridden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTFS_DELEGATION__CACHE_TTL", "60")
    assert load_policy(TEXT).settings.cache_ttl == 30


def test_tables_come_before_what_is_in_them_and_indices_count() -> None:
    names = {f"RTFS_DELEGATION__RULES__{index}__NAME": f"r{index}" for index in range(12)}
    names |= {f"RTFS_DELEGATION__RULES__{index}__DENY": "['*']" for index in range(12)}
    names["RTFS_DELEGATION__RULES"] = "[]"
    for order in (names, dict(reversed(names.items()))):
        rules = load_policy(TEXT, environ=order).settings.rules
        assert [rule.name for rule in rules] == [f"r{index}" for index in range(12)]


def test_what_a_variable_set_has_no_line() -> None:
    policy = load_policy(TEXT, environ={"RTFS_DELEGATION__RULES__0__DENY": "['*']"})
    assert "rules.0.deny" not in policy.lines
    assert "rules.0.deny.0" not in policy.lines
    assert policy.lines["rules.0.name"] == 11


WRONG: list[tuple[dict[str, str], str, str | None, str, str | None]] = [
    ({"CACH_TTL": "1"}, "unknown-variable", "delegation", "`RTFS_DELEGATION__CACH_TTL` names no key",
     "did you mean `RTFS_DELEGATION__CACHE_TTL`?"),
    ({"REMOTE_PROVIDERS__REMOTE_OPENAI__TIMEOUTS": "1"}, "unknown-variable",
     "delegation.remote_providers.remote-openai",
     "`RTFS_DELEGATION__REMOTE_PROVIDERS__REMOTE_OPENAI__TIMEOUTS` names no key",
     "did you mean `RTFS_DELEGATION__REMOTE_PROVIDERS__REMOTE_OPENAI__TIMEOUT`?"),
    ({"WEIGHTS__XXXXXX": "1"}, "unknown-variable", "delegation.weights",
     "`RTFS_DELEGATION__WEIGHTS__XXXXXX` names no key",
     "known are `cost`, `latency`, `quality`"),
    ({"CACHE_TTL__X": "1"}, "unknown-variable", "delegation.cache_ttl",
     "`RTFS_DELEGATION__CACHE_TTL__X` goes deeper than `delegation.cache_ttl`", None),
    ({"RULES__3__NAME": "x"}, "unknown-variable", "delegation.rules",
     "`RTFS_DELEGATION__RULES__3__NAME`: expected an index from 0 to 2 into `delegation.rules`, got `3`", None),
    ({"RULES__ONE__NAME": "x"}, "unknown-variable", "delegation.rules",
     "`RTFS_DELEGATION__RULES__ONE__NAME`: expected an index from 0 to 2 into `delegation.rules`, got `ONE`",
     None),
    ({"CACHE_TTL": "soon"}, "bad-variable", "delegation.cache_ttl",
     "in `RTFS_DELEGATION__CACHE_TTL`: expected a number, got `soon`", None),
    ({"CACHE_TTL": "1\nx = 2"}, "bad-variable", "delegation.cache_ttl",
     "in `RTFS_DELEGATION__CACHE_TTL`: expected a number, got `1\nx = 2`", None),
    ({"FALLBACK": "local-pure"}, "bad-variable", "delegation.fallback",
     'in `RTFS_DELEGATION__FALLBACK`: expected an array, such as ["a", "b"], got `local-pure`', None),
    ({"WEIGHTS": "1,"}, "bad-variable", "delegation.weights",
     "in `RTFS_DELEGATION__WEIGHTS`: expected a table, such as { key = 1 }, got `1,`", None),
    ({"CACHE_TTL": "'30'"}, "bad-value", "delegation.cache_ttl",
     'in `RTFS_DELEGATION__CACHE_TTL`: expected a number, got the string "30"', None),
    ({"DEFAULT_TARGET": "remote-opnai"}, "unserved-target", "delegation.default_target",
     "in `RTFS_DELEGATION__DEFAULT_TARGET`: no provider serves the target `remote-opnai`",
     "did you mean `remote-openai`?"),
    ({"RULES": "[{ deny = 1 }]"}, "bad-value", "delegation.rules.0.deny",
     "in `RTFS_DELEGATION__RULES`: expected an array, got the integer 1", None),
    ({"CACHE_TTL": "1", "cache_ttl": "2"}, "ambiguous-variable", "delegation.cache_ttl",
     "`RTFS_DELEGATION__cache_ttl` and `RTFS_DELEGATION__CACHE_TTL` set the same key", None),
]  # fmt: skip


def problems_of(environ: dict[str, str], text: str = TEXT) -> tuple[PolicyProblem, ...]:
    with pytest.raises(PolicyFileError) as caught:
        load_policy(text, environ=environ)
    return caught.value.problems


@pytest.mark.parametrize(("variables", "code", "key", "message", "hint"), WRONG)
def test_what_is_wrong_with_a_variable(
    variables: dict[str, str], code: str, key: str | None, message: str, hint: str | None
) -> None:
    (problem,) = problems_of({f"RTFS_DELEGATION__{name}": value for name, value in variables.items()})
    assert (problem.source, problem.line) == ("environment", None)
    assert (problem.code, problem.key, problem.message, problem.hint) == (code, key, message, hint)


def test_one_underscore_too_few() -> None:
    (problem,) = problems_of({"RTFS_DELEGATION_CACHE_TTL": "1"})
    assert problem.hint == "did you mean `RTFS_DELEGATION__CACHE_TTL`?"


def test_names_that_are_spelt_alike_are_told_apart_by_no_variable() -> None:
    text = "[delegation.budgets]\na-b = {scope = 'all', limit_usd = 1}\na_b = {scope = 'all', limit_usd = 1}"
    (problem,) = problems_of({"RTFS_DELEGATION__BUDGETS__A_B__LIMIT_USD": "2"}, text)
    assert problem.message == "`RTFS_DELEGATION__BUDGETS__A_B__LIMIT_USD` may mean `a-b` or `a_b`"


def test_a_variable_over_something_that_is_no_table() -> None:
    (problem,) = problems_of({"RTFS_DELEGATION__WEIGHTS__COST": "1"}, "[delegation]\nweights = 1")
    assert (problem.line, problem.message) == (2, "expected a table, got the integer 1")
    for text in ("delegation = 1", "delegation = []"):
        assert all(problem.line == 1 for problem in problems_of({"RTFS_DELEGATION__CACHE_TTL": "1"}, text))


VALUES = [
    "[" * 5000,
    "{a=" * 5000,
    "9" * 90_000,
    "9" * 500,
    "a." * 40_000,
    '"""',
    "\0",
    "\ud800",
    "1" * 200_000,
    "nan",
]


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("name", ["CACHE_TTL", "FALLBACK", "DEFAULT_TARGET", "RULES", "RULES__0__WHEN__HOUR"])
def test_hostile_values(name: str, value: str) -> None:
    assert all(len(str(problem)) < 2_000 for problem in problems_of({f"RTFS_DELEGATION__{name}": value}))


NAMES = ["__" * 1000, "RULES__" + "9" * 5000, "RULES__-1__NAME", "", "é__x", "RULES__٣__NAME"]


@pytest.mark.parametrize("name", NAMES)
def test_hostile_names(name: str) -> None:
    assert all(len(str(problem)) < 2_000 for problem in problems_of({f"RTFS_DELEGATION__{name}": "1"}))


PARTS = st.lists(
    st.sampled_from(["RULES", "0", "9", "WHEN", "hour", "WEIGHTS", "COST", "", "STATIC_ROUTES", "x"]),
    max_size=4,
)
TEXTS = st.sampled_from(["1", "local-pure", "{}", "[]", "[{}]", '"x"', "true", "{deny=['*']}", "x y", ""])


@given(st.dictionaries(PARTS.map("__".join), TEXTS, max_size=4), st.sampled_from([TEXT, "", "delegation = 1"]))
def test_any_environment_is_right_or_refused(variables: dict[str, str], text: str) -> None:
    try:
        load_policy(text, environ={f"RTFS_DELEGATION__{name}": value for name, value in variables.items()})
    except PolicyFileError as error:
        said = error.problems
    else:
        return
    assert said
