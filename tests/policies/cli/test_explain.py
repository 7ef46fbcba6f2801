"""`rtfs explain`: what it says, and that a run then does what it said."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import rtfs
from policies.dry_route import FunctionRoute, dry_delegate, dry_routes
from policies.engines.standard import standard_engine
from policies.errors import TargetFailed
from policies.file.load import load_policy
from policies.file.policy import Policy
from policies.file.schema import Health
from policies.rules.rulebook import Current, Rulebook
from policies.running.delegate import PolicyDelegate
from policies.running.health import HealthTracker
from policies.running.runner import Allowance, Clock, Outcome
from policies.targets import target_name
from rtfs.analyze.environment import MappingModules
from rtfs.cli.main import main
from rtfs.delegation import ExecTarget, FunctionInfo
from rtfs.runtime_facts import RuntimeFacts

type Said = pytest.CaptureFixture[str]

ROOT = Path(__file__).parents[3]

TARGETS = """
[delegation.remote_providers]
big = { endpoint = "https://big.example", cost_usd = 0.01, latency_ms = 900, quality = 0.95 }
small = { endpoint = "https://small.example", cost_usd = 0.001, latency_ms = 200, quality = 0.8 }
[delegation.local_models]
tiny = { path = "tiny.gguf", latency_ms = 50, quality = 0.6 }
"""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of its own, without a policy."""
    monkeypatch.chdir(tmp_path)


def explained(said: Said, program: str, policy: str | None = TARGETS, *words: str) -> dict[str, Any]:
    """The JSON of `rtfs explain`."""
    Path("plan.rtfs").write_text(program, encoding="utf-8")
    if policy is not None:
        Path("delegation.toml").write_text(policy, encoding="utf-8")
    assert main(["explain", "plan.rtfs", "--json", *words]) == 0
    document: dict[str, Any] = json.loads(said.readouterr().out)
    return document


def targets(document: dict[str, Any]) -> dict[str, str]:
    return {each["symbol"]: each["target"] for each in document["functions"]}


# ---------------------------------------------------------------- nothing runs


@pytest.mark.parametrize(
    "form",
    [
        "(throw :broken)",
        "(loop [] (recur))",
        '(println "ran")',
        '(call :ccos.io.println "ran")',
        "(f 1)",
        "(/ 1 0)",
        "(undefined-thing)",
        "(import nowhere)",
    ],
)
def test_nothing_is_run(form: str, capsys: Said) -> None:
    document = explained(capsys, f"(defn f [x] (println x) (throw :broken)) {form} (f 2)")
    assert targets(document) == {"f": "local-pure"}


def test_a_target_is_not_called(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def refuse(*args: object) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    policy = f'[delegation]\ndefault_target = "remote-big"\n{TARGETS}'
    assert targets(explained(capsys, "(defn f [x] x) (f 1)", policy)) == {"f": "remote-big"}


# ---------------------------------------------------------------- what a run then does

RULES = """
[delegation]
fallback = ["local-tiny"]
[delegation.static_routes]
"math/*" = "remote-small"
"pinned" = "remote-big"
[delegation.security]
sources = { "context:mails" = ["personal"] }
declassify = ["cleaned"]
[delegation.security.privacy]
personal = { allow = ["local-*"] }
[[delegation.rules]]
name = "no models for secrets"
symbols = ["secret-*"]
deny = ["remote-*", "local-*"]
[[delegation.rules]]
name = "best"
symbols = ["think"]
choose = "best"
targets = ["remote-big", "remote-small", "local-tiny"]
weights = { cost = 0, latency = 0, quality = 1 }
[[delegation.rules]]
name = "acme"
tenants = ["acme"]
targets = ["remote-big"]
fallback = ["remote-small"]
[[delegation.rules]]
name = "nights"
when = { hour = "22-6" }
targets = ["local-tiny"]
[[delegation.rules]]
name = "by size"
symbols = ["sized"]
min_size = 10
targets = ["remote-big"]
[[delegation.rules]]
name = "no long texts abroad"
symbols = ["hinted-sized"]
min_size = 10
deny = ["remote-*"]
[[delegation.rules]]
name = "by type"
symbols = ["typed", "sized"]
arg_types = ["string"]
targets = ["remote-small", "local-tiny"]
"""

PROGRAM = """
(import math)
(defn think [x] x)
(defn pinned [x] x)
(defn plain [x] x)
(defn secret-f [x] x)
(defn ^:delegation :remote "big" hinted [x] x)
(defn ^:delegation :local kept [x] x)
(defn ^:delegation :remote "bgi" mistyped [x] x)
(defn read-mail [x] x)
(defn cleaned [x] x)
(defn after [x] x)
(defn sized [x] x)
(defn typed [x] x)
(think 1) (pinned 1) (plain 1) (secret-f 1) (hinted 1) (kept 1) (mistyped 1) (math/double 1)
(read-mail (get :mails))
(after (cleaned (get :mails)))
"""
MODULES = MappingModules({"math": "(module math (:exports [double]) (defn double [x] (* 2 x)))"})


@dataclass
class Down:
    """A runner none of whose targets answers; remembers what it was asked."""

    asked: list[tuple[str, str]] = field(default_factory=list)

    def run(
        self, function: FunctionInfo, args: tuple[Any, ...], target: ExecTarget, allowance: Allowance
    ) -> Outcome:
        self.asked.append((function.symbol, target_name(target)))
        raise TargetFailed("bad-request")  # which says nothing about the target: no circuit opens


def tried(policy: Policy, source: str, facts: RuntimeFacts, backend: Any) -> list[tuple[str, str]]:
    """Which function a run of the program sends to which targets, all of which are down, in order."""
    runner, current = Down(), Current(Rulebook(policy))
    patient = Health(consecutive_failures=10_000, min_calls=10_000)
    delegate = PolicyDelegate(
        standard_engine(current),
        current,
        {"remote": runner, "local-model": runner},
        Clock(monotonic=lambda: 0.0, wall=lambda: 0.0),
        health=HealthTracker(patient),
    )
    context = rtfs.RuntimeContext(level="full", facts=facts)
    program = rtfs.compile(source, modules=MODULES)
    program.link(delegate, context, backend).run(args={"mails": "m"})
    return runner.asked


def dry(policy: Policy, source: str, facts: RuntimeFacts) -> dict[str, FunctionRoute]:
    program = rtfs.compile(source, modules=MODULES)
    return {each.function.symbol: each for each in dry_routes(program, dry_delegate(policy), facts)}


def way(route: FunctionRoute, case: int = 0) -> list[str]:
    """The models and providers that the route of a function names, in order."""
    plan = route.plans[case]
    return [target_name(each) for each in (plan.target, *plan.chain) if target_name(each) != "local-pure"]


@pytest.mark.parametrize("backend", ["python", "interpreter"])
@pytest.mark.parametrize(
    "facts",
    [
        RuntimeFacts(),
        RuntimeFacts(tenant="acme"),
        RuntimeFacts(ambient={"hour": 23}),
        RuntimeFacts(ambient={"hour": 12}),
        RuntimeFacts(labels=frozenset({"personal"})),
        RuntimeFacts(labels=frozenset({"unheard-of"})),
        RuntimeFacts(tenant="acme", labels=frozenset({"personal"}), ambient={"hour": 3}),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "settings",
    [
        "",
        '[delegation]\ndefault_target = "remote-big"\n',
        RULES,
        '[delegation]\nmax_cost_usd = 0.005\ndefault_target = "remote-big"\nfallback = ["remote-small"]\n',
        '[delegation.budgets.all]\nscope = "all"\nlimit_usd = 0.0\n'
        '[delegation.static_routes]\n"*" = "remote-small"\n',
    ],
    ids=["empty", "default", "rules", "ceiling", "budget"],
)
def test_a_run_does_what_was_explained(settings: str, facts: RuntimeFacts, backend: str) -> None:
    policy = load_policy(settings + TARGETS)
    routes = dry(policy, PROGRAM, facts)
    asked = tried(policy, PROGRAM, facts, backend)
    called = ["think", "pinned", "plain", "secret-f", "hinted", "kept", "mistyped", "math/double"]
    called += ["read-mail", "cleaned", "after"]
    assert asked == [(symbol, target) for symbol in called for target in way(routes[symbol])]


def test_the_table_above_is_not_empty() -> None:
    routes = dry(load_policy(RULES + TARGETS), PROGRAM, RuntimeFacts())
    assert {symbol: way(route) for symbol, route in routes.items() if not route.cases} == {
        "think": ["remote-big", "remote-small", "local-tiny"],
        "pinned": ["remote-big", "local-tiny"],
        "plain": [],
        "secret-f": [],
        "hinted": ["remote-big", "local-tiny"],
        "kept": [],
        "mistyped": ["local-tiny"],
        "math/double": ["remote-small", "local-tiny"],
        "read-mail": [],
        "cleaned": [],
        "after": [],
    }


@pytest.mark.parametrize("backend", ["python", "interpreter"])
@pytest.mark.parametrize(
    ("argument", "case"),
    [
        ('"short"', "(string), size up to 9"),
        ('"0123456789"', "(string), size over 9"),
        ("[1 2 3 4 5 6 7 8 9 10]", "(other), size over 9"),
        ("1", "(other), size up to 9"),
    ],
)
def test_cases_are_the_kinds_that_calls_are_told_apart_by(argument: str, case: str, backend: str) -> None:
    policy, source = load_policy(RULES + TARGETS), f"(defn sized [x] x) (sized {argument})"
    route = dry(policy, source, RuntimeFacts())["sized"]
    known = [str(each) for each in route.cases]
    assert len(set(known)) == 4
    expected = way(route, known.index(case))
    assert tried(policy, source, RuntimeFacts(), backend) == [("sized", target) for target in expected]


@pytest.mark.parametrize(("argument", "case"), [('"short"', "size up to 9"), ('"0123456789"', "size over 9")])
def test_hard_rules_about_arguments_hold_for_hints(argument: str, case: str) -> None:
    source = f'(defn ^:delegation :remote "big" hinted-sized [x] x) (hinted-sized {argument})'
    policy = load_policy(RULES + TARGETS)
    route = dry(policy, source, RuntimeFacts())["hinted-sized"]
    assert [str(each) for each in route.cases] == ["size up to 9", "size over 9"]
    expected = way(route, [str(each) for each in route.cases].index(case))
    assert ("remote-big" in expected) is (case == "size up to 9")
    asked = tried(policy, source, RuntimeFacts(), "python")
    assert asked == [("hinted-sized", target) for target in expected]


def test_declared_types_leave_fewer_kinds() -> None:
    policy = load_policy(RULES + TARGETS)
    routes = dry(policy, "(defn sized [x : int] x) (defn typed [x : string] x)", RuntimeFacts())
    assert [str(case) for case in routes["sized"].cases] == ["size up to 9", "size over 9"]
    assert way(routes["typed"]) == ["remote-small", "local-tiny"]
    assert routes["typed"].cases == ()


# ---------------------------------------------------------------- what is said


def test_every_other_target_has_a_reason_and_a_line(capsys: Said) -> None:
    document = explained(capsys, "(defn think [x] x)", RULES + TARGETS, "--label", "personal")
    (think,) = document["functions"]
    assert think["target"] == "local-tiny"
    assert (think["because"]["what"], think["because"]["source"]) == ("rule `best`", "delegation.toml")
    lines = Path("delegation.toml").read_text().splitlines()
    assert lines[think["because"]["line"] - 1 :][:2] == ["[[delegation.rules]]", 'name = "best"']
    hard = {each["target"]: each["hard"] for each in think["rejected"]}
    assert hard == {"local-pure": None, "remote-big": "privacy", "remote-small": "privacy"}
    (veto,) = {each["because"]["line"] for each in think["rejected"] if each["hard"]}
    assert lines[veto - 1].startswith("personal = ")
    assert think["expected"] == {"cost_usd": 0.0, "latency_ms": 50.0, "quality": 0.6}
    assert (think["cache"], think["chain"], think["line"]) == ("l2", [], 1)


def test_the_table_names_every_function_and_the_details_say_more(capsys: Said) -> None:
    Path("plan.rtfs").write_text(
        "(defn think [x] x)\n(defn sized [x] x)\n(defn other [f] (map (fn [x] x) [1]))"
    )
    Path("rich.toml").write_text(RULES + TARGETS)
    assert main(["explain", "plan.rtfs", "--policy", "rich.toml"]) == 0
    said = capsys.readouterr()
    table, details = said.out.split("\n\n", 2)[1:]
    cells = [line.strip().split("  ")[0] for line in table.splitlines()]
    assert cells == [
        *("FUNCTION", "think", "sized"),
        *("(string), size up to 9", "(string), size over 9", "(other), size up to 9", "(other), size over 9"),
        *("other", "and 1 anonymous function, run here"),
    ]
    assert "think (plan.rtfs:1)" in details
    assert "sized (plan.rtfs:2), (string), size over 9" in details
    assert "\nother" not in details
    assert "hour" in said.err


def test_brief_and_all(capsys: Said) -> None:
    Path("plan.rtfs").write_text("(defn f [x] (map (fn [y] y) x))")
    assert main(["explain", "plan.rtfs", "--brief"]) == 0
    brief = capsys.readouterr().out
    assert main(["explain", "plan.rtfs", "--all"]) == 0
    everything = capsys.readouterr().out
    assert "and 1 anonymous function" in brief
    assert "fn@1:18" in everything
    assert "runs on" in everything
    assert "runs on" not in brief


def test_call_shows_one_function_and_knows_the_nearest(capsys: Said) -> None:
    program = "(defn summarise [x] x) (defn other [x] x)"
    assert list(targets(explained(capsys, program, None, "--call", "summarise"))) == ["summarise"]
    assert main(["explain", "plan.rtfs", "--call", "sumarise"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "did you mean `summarise`?" in said.err
    assert main(["explain", "plan.rtfs", "--call", "zzzzzz"]) == 2
    assert "it has summarise, other" in capsys.readouterr().err


def test_functions_of_modules_are_among_them(capsys: Said) -> None:
    Path("lib").mkdir()
    Path("lib/tools.rtfs").write_text("(module tools (:exports [f]) (defn f [x] x) (defn hidden [x] x))")
    document = explained(capsys, "(import tools) (tools/f 1)", None, "--path", "lib")
    assert targets(document) == {"tools/f": "local-pure", "tools/hidden": "local-pure"}
    assert document["functions"][0]["source"].endswith("tools.rtfs")


@pytest.mark.parametrize(("has_file", "source"), [(True, "delegation.toml"), (False, "built-in policy")])
def test_it_says_which_policy(has_file: bool, source: str, capsys: Said) -> None:
    document = explained(capsys, "(defn f [x] x)", TARGETS if has_file else None)
    assert document["policy"]["source"] == source
    assert main(["explain", "plan.rtfs"]) == 0
    assert capsys.readouterr().out.startswith(f"plan.rtfs under {source}\n")


def test_facts_reach_the_decision(capsys: Said) -> None:
    program = "(defn f [x] x)"
    words = [
        "--tenant",
        "acme",
        "--permission",
        "p",
        "--fact",
        "hour=3",
        "--fact",
        "beta=true",
        "--plan",
        "weekly",
    ]
    document = explained(capsys, program, RULES + TARGETS, *words)
    assert targets(document) == {"f": "remote-big"}
    assert document["facts"] == {
        "tenant": "acme",
        "permissions": ["p"],
        "labels": [],
        "plan": "weekly",
        "ambient": {"hour": 3, "beta": True},
    }
    assert document["notes"] == []
    assert targets(explained(capsys, program, RULES + TARGETS, "--fact", "hour=3")) == {"f": "local-tiny"}


def test_the_environment_overrides_the_policy(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTFS_DELEGATION__DEFAULT_TARGET", "remote-big")
    document = explained(capsys, "(defn f [x] x)")
    assert targets(document) == {"f": "remote-big"}
    (note,) = document["notes"]
    assert "RTFS_DELEGATION__DEFAULT_TARGET" in note


def test_a_secret_is_not_needed_to_explain(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_SECRET", raising=False)
    policy = (
        '[delegation]\ndefault_target = "remote-a"\n[delegation.remote_providers]\n'
        'a = { endpoint = "https://a", api_key_env = "NO_SUCH_SECRET" }\n'
    )
    assert targets(explained(capsys, "(defn f [x] x)", policy)) == {"f": "remote-a"}
    assert main(["policy", "check"]) == 1
    assert main(["policy", "check", "--no-secrets"]) == 0


# ---------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere.rtfs"], "no such file: nowhere.rtfs"),
        (["plan.rtf"], "did you mean `plan.rtfs`?"),
        (["."], ". is a directory; a file is needed"),
        (["plan.rtfs", "--policy", "delegation.tml"], "no such file: delegation.tml"),
        (["plan.rtfs", "--policy", "."], ". is a directory; a file is needed"),
        (["plan.rtfs", "--fact", "hour"], "expected NAME=VALUE for --fact, got `hour`"),
        (["plan.rtfs", "--fact", "=3"], "expected NAME=VALUE for --fact, got `=3`"),
        (["plan.rtfs", "--tenat", "x"], "did you mean `--tenant`?"),
        (["plan.rtfs", "--path", "none"], "--path none is no directory"),
        (["-", "--policy", "-"], "only one of program and policy can come from stdin"),
        (["plan.rtfs", "--policy", "binary"], "it has a NUL byte"),
        (["plan.rtfs", "--policy", "latin"], "latin is not UTF-8"),
        ([], "the following arguments are required: FILE"),
    ],
)
def test_wrong_words_are_usage_errors(words: list[str], message: str, capsys: Said) -> None:
    Path("plan.rtfs").write_text("1")
    Path("binary").write_bytes(b"\0\1\2")
    Path("latin").write_bytes(b"# caf\xe9\n")
    assert main(["explain", *words]) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.out == ""


def test_a_broken_policy_is_reported_with_its_line(capsys: Said) -> None:
    Path("plan.rtfs").write_text("(defn f [x] x)")
    Path("delegation.toml").write_text("[delegation]\ncache_tll = 3\n")
    assert main(["explain", "plan.rtfs"]) == 1
    said = capsys.readouterr()
    assert said.out.startswith("delegation.toml:2: error:")
    assert "cache_ttl" in said.out
    assert main(["explain", "plan.rtfs", "--json"]) == 1
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert problem["line"] == 2


def test_a_broken_program_is_reported_as_ever(capsys: Said) -> None:
    Path("plan.rtfs").write_text("(defn f [x]")
    assert main(["explain", "plan.rtfs"]) == 1
    assert "❌" in capsys.readouterr().err


def test_what_a_policy_or_a_program_says_commands_no_terminal(capsys: Said) -> None:
    Path("plan.rtfs").write_text("(defn f [x] x)")
    Path("delegation.toml").write_text('[delegation]\n"\\u001b[2J" = 3\n')
    assert main(["explain", "plan.rtfs"]) == 1
    said = capsys.readouterr()
    assert "\x1b" not in said.out + said.err


def test_a_name_in_a_policy_breaks_no_table(capsys: Said) -> None:
    rule = '[[delegation.rules]]\nname = "a\\nb\\u001b[2J"\ntargets = ["local-tiny"]\n'
    Path("plan.rtfs").write_text("(defn f [x] x)")
    Path("delegation.toml").write_text(TARGETS + rule)
    assert main(["explain", "plan.rtfs", "--brief"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[-1].endswith("rule `a\\nb\\u001B[2J` (delegation.toml:7)")


def test_the_shipped_policy_routes_the_examples(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for path in sorted(Path("examples").glob("*.rtfs")):
        assert main(["explain", str(path), "--json"]) == 0
        document = json.loads(capsys.readouterr().out)
        assert set(targets(document).values()) <= {"local-pure"}
        assert document["policy"]["source"] == "delegation.toml"
