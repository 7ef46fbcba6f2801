from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.errors import PolicyFileError, PolicyProblem
from policies.file.load import load_policy, load_policy_file, version_of
from policies.file.policy import Policy
from policies.file.schema import Delegation, RemoteProvider, Rule
from policies.file.toml_text import MAX_BYTES

#: the forms that users know
SAMPLE = """
[delegation]
default_target = "local-pure"
cache_ttl = 3600            # seconds
enable_l4_cache = true

[delegation.static_routes]  # glob over the qualified symbol; first match in file order
"ai-*" = "remote-openai"
"math-*" = "local-pure"
"sentiment-*" = "local-sentiment-rules"

[delegation.remote_providers]
"remote-openai" = { endpoint = "https://api.openai.com/v1", timeout = 30000 }   # milliseconds
"remote-rtfs-cluster" = { endpoint = "https://rtfs-cluster.example.com", timeout = 60000 }

[delegation.local_models]
"sentiment-rules" = { path = "./models/sentiment.rules" }
"codellama-7b" = { path = "./models/codellama-7b.q4.gguf" }
"""


def problems_of(text: str, environ: dict[str, str] | None = None) -> tuple[PolicyProblem, ...]:
    with pytest.raises(PolicyFileError) as caught:
        load_policy(text, environ=environ)
    return caught.value.problems


def test_the_sample_loads_as_it_stands() -> None:
    policy = load_policy(SAMPLE, environ={})
    settings = policy.settings
    assert policy.warnings == ()
    assert settings.cache_ttl == 3600.0
    assert list(settings.static_routes) == ["ai-*", "math-*", "sentiment-*"]
    assert settings.remote_providers["remote-openai"] == RemoteProvider(
        endpoint="https://api.openai.com/v1", timeout=30_000
    )
    assert settings.local_models["codellama-7b"].path == "./models/codellama-7b.q4.gguf"
    assert policy.lines["static_routes.ai-*"] == 8
    assert policy.lines["remote_providers.remote-rtfs-cluster.timeout"] == 14
    assert str(policy.because("static route `ai-*`", "static_routes.ai-*")) == (
        "static route `ai-*` (delegation.toml:8)"
    )


def test_an_empty_text_is_the_empty_policy() -> None:
    policy = load_policy("")
    assert policy.settings == Policy().settings == Delegation()
    assert dict(policy.lines) == {}


def test_arrays_become_tuples_and_sets() -> None:
    text = """
    [[delegation.rules]]
    symbols = ["a*"]
    permissions = ["p", "p"]
    targets = ["local-pure"]
    when = { hour = ["22-6", 7], night = true }
    """
    assert load_policy(text).settings.rules == (
        Rule(
            symbols=("a*",),
            permissions=frozenset({"p"}),
            targets=("local-pure",),
            when={"hour": ("22-6", 7), "night": True},
        ),
    )


TYPES = [
    ('cache_ttl = "30"', 'expected a number, got the string "30"', None),
    ("cache_ttl = true", "expected a number, got `true`", None),
    ("cache_ttl = 0", "expected a number above 0, got the integer 0", None),
    ("cache_ttl = nan", "expected a finite number, got the number nan", None),
    ("cache_ttl = inf", "expected a finite number, got the number inf", None),
    ("cache_ttl = []", "expected a number, got an array", None),
    ("cache_ttl = 2024-01-01", "expected a number, got the date or time 2024-01-01", None),
    ("cache_ttl = 99999999999999999999", "expected a number of at most 64 bits, got one of 67 bits", None),
    ("enable_l4_cache = 1", "expected `true` or `false`, got the integer 1", None),
    ("default_target = 1", "expected a string, got the integer 1", None),
    ('default_target = ""', 'expected a text that is not empty, got the string ""', None),
    (
        f'default_target = "{"x" * 201}"',
        "expected a text of at most 200 characters, got a string of 201 characters",
        None,
    ),
    ('fallback = "local-pure"', 'expected an array, got the string "local-pure"', 'write ["local-pure"]'),
    ("fallback = {}", "expected an array, got a table", None),
    ("weights = 1", "expected a table, got the integer 1", None),
    ("weights.cost = -1", "expected a number of at least 0, got the integer -1", None),
    ("health.max_error_rate = 1.5", "expected a number of at most 1, got the number 1.5", None),
    ("health.max_error_rate = nan", "expected a finite number, got the number nan", None),
    ("caches.l1.size = 1.0", "expected an integer, got the number 1.0", None),
    (
        'caches.l1.eviction = "lur"',
        'expected "lru", "lfu", "fifo", "random" or "ttl", got the string "lur"',
        'did you mean "lru"?',
    ),
    ("security.require.'*' = 'x'", 'expected an array, got the string "x"', 'write ["x"]'),
    ("static_routes.'' = 'local-pure'", 'expected a text that is not empty, got the string ""', None),
    (f"rules = [{{ arg_types = [{'"any",' * 101}] }}]",
     "expected an array of at most 100 elements, got an array of 101 elements", None),
    ("rules = [{ when = { x = 1.5 } }]",
     "expected a string, an integer, `true` or `false` or an array, got the number 1.5", None),
    ("rules = [{ when = { x = [1, 1.5] } }]",
     "expected a string, an integer or `true` or `false`, got the number 1.5", None),
    ("remote_providers.x = {}", "expected the key `endpoint`, it is missing", None),
]  # fmt: skip


@pytest.mark.parametrize(("line", "message", "hint"), TYPES)
def test_values_of_the_wrong_kind(line: str, message: str, hint: str | None) -> None:
    (problem,) = problems_of(f"[delegation]\n{line}\n")
    assert (problem.message, problem.hint, problem.line) == (message, hint, 2)


KEYS = [
    ("[delegation]\ncach_ttl = 1", 2, "delegation.cach_ttl", "did you mean `cache_ttl`?"),
    ("[delegaton]\ncache_ttl = 1", 1, "delegaton", "did you mean `delegation`?"),
    ("cache_ttl = 1", 1, "cache_ttl", "it is known in `[delegation]`"),
    ("[delegation]\nttl = 1", 2, "delegation.ttl",
     "it is known in `[delegation.rules.cache]`, `[delegation.caches.l1]` or `[delegation.caches.l2]`"),
    ("[[delegation.rules]]\nsymbols = []\n[[delegation.rules]]\nsymbol = []", 4, "delegation.rules.1.symbol",
     "did you mean `symbols`?"),
    ("[delegation.remote_providers.'a b']\nendpoint = 'e'\nmax-cost-usd = 1", 3,
     'delegation.remote_providers."a b".max-cost-usd', "did you mean `max_cost_usd`?"),
    ("[delegation.remote_providers.x]\nendpoint = 'e'\nbase_url = 'e'", 3,
     "delegation.remote_providers.x.base_url", "did you mean `endpoint`?"),
    ("[delegation.weights]\nzzzzzz = 1", 2, "delegation.weights.zzzzzz",
     "known are `cost`, `latency`, `quality`"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "key", "hint"), KEYS)
def test_unknown_keys(text: str, line: int, key: str, hint: str) -> None:
    (problem,) = problems_of(text)
    assert (problem.code, problem.line, problem.key, problem.hint) == ("unknown-key", line, key, hint)


def test_all_problems_are_told_in_order_of_lines() -> None:
    text = (
        "[delegation]\nx1 = 1\ncache_ttl = ''\n[delegation.health]\nx2 = 1\n[delegation.remote_providers.p]\n"
    )
    assert [problem.line for problem in problems_of(text)] == [2, 3, 5, 6]


def test_a_problem_reads_well() -> None:
    (problem,) = problems_of("[delegation]\ncach_ttl = 1")
    assert str(problem) == (
        "delegation.toml:2: error: `delegation.cach_ttl`: unknown key `cach_ttl`; "
        "did you mean `cache_ttl`? (unknown-key)"
    )


def test_what_steers_a_terminal_is_spelt_out() -> None:
    (problem,) = problems_of('[delegation]\n"a\\u001b[31m\\n" = 1')
    assert "\x1b" not in str(problem)
    assert str(problem).isprintable()


SECRETS = [
    "api_key = 'sk-123456789'",
    "api-key = 'sk-123456789'",
    "token = 'sk-123456789'",
    "client_secret = 'sk-123456789'",
    "api_key_env = 'sk-123456789'",
    "replicas = ['https://user:sk-123456789@host/v1']",
]


@pytest.mark.parametrize("line", SECRETS)
def test_secrets_in_the_file_are_refused_and_not_repeated(line: str) -> None:
    (problem,) = problems_of(f"[delegation.remote_providers.x]\nendpoint = 'e'\n{line}")
    assert (problem.code, problem.line) == ("literal-secret", 3)
    assert "sk-123" not in str(problem)


# ---------------------------------------------------------------- versions


def test_the_version_is_that_of_what_is_in_force() -> None:
    versions = {
        load_policy(text).version
        for text in [
            "",
            "# nothing\n",
            "[delegation]\ncache_ttl = 3600",
            "[delegation]\ncache_ttl = 3_600.0\nrules = []",
            "[delegation.caches.l1]\nsize = 10_000",
        ]
    }
    assert versions == {version_of(Delegation())}
    assert load_policy("", environ={"RTFS_DELEGATION__CACHE_TTL": "60"}).version == (
        load_policy("[delegation]\ncache_ttl = 60").version
    )


def test_the_version_heeds_order_where_order_decides() -> None:
    def version(*lines: str) -> str:
        return load_policy("\n".join(lines)).version

    routes = ["'a*' = 'local-pure'", "'*b' = 'local-pure'"]
    head = "[delegation.static_routes]"
    assert version(head, *routes) != version(head, *reversed(routes))
    budgets = ["a = {scope = 'all', limit_usd = 1}", "b = {scope = 'tenant', limit_usd = 1}"]
    head = "[delegation.budgets]"
    assert version(head, *budgets) == version(head, *reversed(budgets))


def test_the_version_is_the_same_on_every_machine() -> None:
    assert load_policy("").version == "7ae3d2ea" + load_policy("").version[8:]
    text = "[[delegation.rules]]\npermissions = ['a', 'b', 'c', 'd']\ndeny = ['remote-*']"
    dump = load_policy(text).settings.model_dump()
    assert isinstance(dump["rules"][0]["permissions"], frozenset)  # whose order differs from run to run
    assert load_policy(text).version == version_of(Delegation.model_validate(dump))


# ---------------------------------------------------------------- files


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_bytes(b"\xef\xbb\xbf[delegation]\r\ncache_ttl = 60\r\n")
    policy = load_policy_file(path)
    assert policy.settings.cache_ttl == 60
    assert policy.source == str(path)
    assert policy.lines["cache_ttl"] == 2


FILES = [
    (b"\xff\xfe[\x00", "expected UTF-8, got the byte 0xff at offset 0", 1),
    (b"[delegation]\n# \xe4\n", "expected UTF-8, got the byte 0xe4 at offset 15", 2),
    (b"#" * (MAX_BYTES + 1), "expected at most 1048576 bytes, got more", None),
]


@pytest.mark.parametrize(("raw", "message", "line"), FILES)
def test_files_that_are_no_text(raw: bytes, message: str, line: int | None, tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_bytes(raw)
    with pytest.raises(PolicyFileError) as caught:
        load_policy_file(path)
    (problem,) = caught.value.problems
    assert (problem.message, problem.line, problem.source) == (message, line, str(path))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path, tmp_path / "nul\0"):
        with pytest.raises(PolicyFileError, match="cannot read the file"):
            load_policy_file(path)


# ---------------------------------------------------------------- property

SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.booleans(),
    st.integers(-3, 40_000),
    st.floats(),
    st.sampled_from(["", "local-pure", "22-6", "é", "remote-x"]),
)
DATA: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from("abx"), below, max_size=2),
)
NAMES = st.sampled_from(
    [*Delegation.model_fields, *(f"rules = [{{ {name}" for name in Rule.model_fields),
     "remote_providers.x.endpoint",
     "caches.l1.size", "health.min_calls", "security.privacy.x.allow", "unknown"]
)  # fmt: skip


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(below)}" for key, below in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    return json.dumps(value).replace("Infinity", "inf").replace("NaN", "nan")


@given(NAMES, DATA)
def test_any_value_anywhere_is_right_or_refused_in_words_of_our_own(name: str, value: Any) -> None:
    text = f"[delegation]\n{name} = {toml(value)}" + (" }]" if "{" in name else "")
    try:
        load_policy(text)
    except PolicyFileError as error:
        said = str(error)
    else:
        return
    assert "Input should" not in said
    assert "a value that fits" not in said  # an error type that the table lacks
    assert "delegation.toml:2: error: `delegation." in said
