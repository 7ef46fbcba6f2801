"""`rtfs policy check`, `diff` and `show`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from policies.cli import files
from policies.file.load import load_policy
from rtfs.cli.main import main

type Said = pytest.CaptureFixture[str]

ROOT = Path(__file__).parents[3]
OLD = """\
[delegation]
cache_ttl = 60
default_target = "remote-big"

[delegation.remote_providers]
big = { endpoint = "https://big.example", cost_usd = 0.01 }

[[delegation.rules]]
name = "short"
symbols = ["title"]
targets = ["local-tiny"]

[delegation.local_models]
tiny = { path = "tiny.gguf" }
"""
NEW = OLD.replace("60", "90").replace('symbols = ["title"]', 'symbols = ["title", "topic"]')


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("old.toml").write_text(OLD)
    Path("new.toml").write_text(NEW)
    Path("plan.rtfs").write_text("(defn title [x] x)\n(defn topic [x] x)\n(defn local [x] x)\n(throw :never)")


def document(said: Said) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(said.readouterr().out)
    return found


# ---------------------------------------------------------------- check


def test_a_good_policy(capsys: Said) -> None:
    assert main(["policy", "check", "old.toml"]) == 0
    assert capsys.readouterr() == ("", "old.toml: 0 errors, 0 warnings\n")


def test_the_shipped_policy_is_the_default_and_good(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert main(["policy", "check"]) == 0
    assert capsys.readouterr() == ("", "delegation.toml: 0 errors, 0 warnings\n")


def test_every_problem_is_one_line_with_its_place(capsys: Said) -> None:
    Path("bad.toml").write_text('[delegation]\ncache_tll = 3\ndefault_target = "remot-x"\ncache_ttl = "long"\n')
    assert main(["policy", "check", "bad.toml"]) == 1
    said = capsys.readouterr()
    places = [line.split(": ")[:2] for line in said.out.splitlines()]
    assert places == [["bad.toml:2", "error"], ["bad.toml:4", "error"]]
    assert "did you mean `cache_ttl`?" in said.out
    assert said.err == "bad.toml: 2 errors, 0 warnings\n"


def test_warnings_do_not_fail(capsys: Said) -> None:
    Path("warn.toml").write_text(OLD + '[delegation.static_routes]\n"*" = "local-pure"\n"a*" = "remote-big"\n')
    assert main(["policy", "check", "warn.toml"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("warn.toml:17: warning:")
    assert said.err == "warn.toml: 0 errors, 1 warning\n"


def test_json_of_a_check(capsys: Said) -> None:
    assert main(["policy", "check", "old.toml", "--json"]) == 0
    good = document(capsys)
    assert (good["command"], good["action"], good["ok"], good["problems"]) == ("policy", "check", True, [])
    assert good["version"] == load_policy(OLD).version
    Path("bad.toml").write_text("[delegation]\ncache_tll = 3\n")
    assert main(["policy", "check", "bad.toml", "--json"]) == 1
    bad = document(capsys)
    (problem,) = bad["problems"]
    assert (bad["ok"], bad["version"], problem["line"], problem["severity"]) == (False, None, 2, "error")
    assert set(problem) == {"severity", "source", "line", "key", "code", "message", "hint"}


def test_the_environment_is_checked_too(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTFS_DELEGATION__CACHE_TLL", "3")
    assert main(["policy", "check", "old.toml"]) == 1
    assert "RTFS_DELEGATION__CACHE_TTL" in capsys.readouterr().out


def test_a_policy_on_stdin(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    import io
    import sys

    class Stdin:
        buffer = io.BytesIO(b"[delegation]\ncache_tll = 3\n")

    monkeypatch.setattr(sys, "stdin", Stdin())
    assert main(["policy", "check", "-"]) == 1
    said = capsys.readouterr()
    assert said.out.startswith("<stdin>:2: error:")
    assert said.err == "<stdin>: 1 error, 0 warnings\n"


# ---------------------------------------------------------------- show


def test_what_is_shown_reads_back_to_the_same_policy(capsys: Said) -> None:
    for words in (["policy", "show", "old.toml"], ["policy", "show", "--all", "old.toml"]):
        assert main(words) == 0
        text = capsys.readouterr().out
        assert text.startswith(f"# old.toml, version {load_policy(OLD).version}\n")
        assert load_policy(text).version == load_policy(OLD).version


def test_the_shipped_policy_is_shown_with_all_its_defaults(
    capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert main(["policy", "show", "--all"]) == 0
    shown = capsys.readouterr().out
    assert load_policy(shown).version == load_policy(Path("delegation.toml").read_text()).version
    assert "\n[delegation.learning]\n" in shown


def test_show_names_the_variables_that_override(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTFS_DELEGATION__CACHE_TTL", "7")
    assert main(["policy", "show", "old.toml"]) == 0
    out = capsys.readouterr().out
    assert "# overridden by RTFS_DELEGATION__CACHE_TTL\n" in out
    assert "cache_ttl = 7" in out
    assert main(["policy", "show", "old.toml", "--json"]) == 0
    shown = document(capsys)
    assert shown["overrides"] == ["RTFS_DELEGATION__CACHE_TTL"]
    assert shown["settings"]["cache_ttl"] == 7


def test_a_broken_policy_is_not_shown(capsys: Said) -> None:
    Path("bad.toml").write_text("[delegation]\ncache_tll = 3\n")
    assert main(["policy", "show", "bad.toml"]) == 1
    said = capsys.readouterr()
    assert said.out.startswith("bad.toml:2: error:")
    assert said.err == "the policy cannot be used: 1 error\n"


# ---------------------------------------------------------------- diff


def test_settings_that_differ_have_their_lines(capsys: Said) -> None:
    assert main(["policy", "diff", "old.toml", "new.toml"]) == 0
    said = capsys.readouterr()
    assert sorted(said.out.splitlines()) == [
        'new.toml:10: ~ delegation.rules.0.symbols = ["title"] → ["title", "topic"]',
        "new.toml:2: ~ delegation.cache_ttl = 60 → 90",
    ]
    assert said.err == "2 settings differ\n"


def test_a_policy_does_not_differ_from_itself(capsys: Said) -> None:
    assert main(["policy", "diff", "old.toml", "old.toml", "--program", "plan.rtfs"]) == 0
    said = capsys.readouterr()
    assert said.out == "\nplan.rtfs: 0 functions would go another way\n"
    assert said.err == "0 settings differ\n"


def test_functions_that_go_elsewhere(capsys: Said) -> None:
    assert main(["policy", "diff", "old.toml", "new.toml", "--program", "plan.rtfs"]) == 0
    text = capsys.readouterr().out
    assert text.endswith(
        "plan.rtfs: 1 function would go another way\n"
        "  topic: remote-big → local-tiny\n"
        "    was: `default_target` (old.toml:3)\n"
        "    now: rule `short` (new.toml:8)\n"
    )


def test_json_of_a_diff(capsys: Said) -> None:
    assert main(["policy", "diff", "old.toml", "new.toml", "--program", "plan.rtfs", "--json"]) == 0
    found = document(capsys)
    assert (found["action"], found["ok"]) == ("diff", True)
    assert {change["key"] for change in found["changes"]} == {
        "delegation.cache_ttl",
        "delegation.rules.0.symbols",
    }
    (program,) = found["programs"]
    (move,) = program["moves"]
    assert (move["symbol"], move["line"]) == ("topic", 2)
    assert (move["old"]["target"], move["new"]["target"]) == ("remote-big", "local-tiny")


def test_routes_depend_on_for_whom(capsys: Said) -> None:
    rule = '\n[[delegation.rules]]\ntenants = ["acme"]\ntargets = ["local-pure"]\n'
    Path("acme.toml").write_text(OLD + rule)
    words = ["policy", "diff", "old.toml", "acme.toml", "--program", "plan.rtfs"]
    assert main(words) == 0
    assert "0 functions" in capsys.readouterr().out
    assert main([*words, "--tenant", "acme"]) == 0
    assert "2 functions" in capsys.readouterr().out


def test_functions_whose_arguments_decide(capsys: Said) -> None:
    sized = '\n[[delegation.rules]]\nsymbols = ["local"]\nmax_size = 5\ntargets = ["local-tiny"]\n'
    Path("sized.toml").write_text(OLD + sized)
    assert main(["policy", "diff", "old.toml", "sized.toml", "--program", "plan.rtfs"]) == 0
    assert "  local: remote-big → local-tiny for size up to 5, remote-big for size over 5\n" in (
        capsys.readouterr().out
    )


def test_what_a_new_provider_says_is_told_without_its_defaults(capsys: Said) -> None:
    Path("more.toml").write_text(OLD + '[delegation.remote_providers.small]\nendpoint = "https://s.example"\n')
    assert main(["policy", "diff", "old.toml", "more.toml"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(
        'more.toml:15: + delegation.remote_providers.small = { endpoint = "https://s.example"'
    )
    assert "null" not in line
    assert "tenants" not in line
    assert main(["policy", "diff", "more.toml", "old.toml"]) == 0
    assert capsys.readouterr().out.startswith("more.toml:15: - delegation.remote_providers.small")


# ---------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["chekc"], "did you mean `rtfs policy check`?"),
        (["zzzz"], "it takes `check`, `diff` or `show`"),
        (["old.toml"], "to check that file: rtfs policy check old.toml"),
        (["check", "none.toml"], "no such file: none.toml"),
        (["check"], "no such file: delegation.toml"),
        (["check", "."], ". is a directory"),
        (["check", "binary"], "NUL byte"),
        (["check", "latin"], "latin is not UTF-8"),
        (["check", "old.toml", "new.toml"], "unexpected argument `new.toml`"),
        (["check", "--jsn"], "did you mean `--json`?"),
        (["diff", "old.toml"], "the following arguments are required: NEW"),
        (["diff", "old.toml", "none.toml"], "no such file: none.toml"),
        (["diff", "old.toml", "new.toml", "--program", "none.rtfs"], "no such file: none.rtfs"),
        (["diff", "-", "-"], "only one file can come from stdin"),
    ],
)
def test_wrong_words_are_usage_errors(words: list[str], message: str, capsys: Said) -> None:
    Path("binary").write_bytes(b"\0")
    Path("latin").write_bytes(b"\xe9")
    assert main(["policy", *words]) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.out == ""


def test_an_unreadable_file(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **named: object) -> None:
        raise PermissionError(13, "denied")

    monkeypatch.setattr("builtins.open", refuse)
    assert main(["policy", "check", "old.toml"]) == 2
    assert "old.toml may not be read: permission denied" in capsys.readouterr().err


def test_broken_programs_and_policies_of_a_diff(capsys: Said) -> None:
    Path("bad.toml").write_text("[delegation]\nx = 1\n")
    Path("bad.rtfs").write_text("(")
    assert main(["policy", "diff", "old.toml", "bad.toml"]) == 1
    assert "bad.toml:2" in capsys.readouterr().out
    assert main(["policy", "diff", "old.toml", "new.toml", "--program", "bad.rtfs"]) == 1
    assert "bad.rtfs:1:" in capsys.readouterr().err


@pytest.mark.parametrize(
    "garbage", ["=" * 1000, "[[[[" * 1000, "a." * 1000 + "b = 1", '"\n' * 100, "\ud7ff" * 50]
)
def test_garbage_is_no_policy(garbage: str, capsys: Said) -> None:
    Path("bad.toml").write_text(garbage, encoding="utf-8")
    assert main(["policy", "check", "bad.toml"]) == 1
    assert capsys.readouterr().out.startswith("bad.toml")


@pytest.mark.parametrize("words", [["policy"], ["policy", "--help"], ["policy", "help"], ["help", "policy"]])
def test_the_overview(words: list[str], capsys: Said) -> None:
    assert main(words) == 0
    assert "rtfs policy check|diff|show" in capsys.readouterr().out


@pytest.mark.parametrize("action", ["check", "diff", "show"])
def test_every_action_has_help_with_examples(action: str, capsys: Said) -> None:
    assert main(["policy", action, "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: rtfs policy {action} ")
    assert "\nexamples:\n" in shown


def test_counting() -> None:
    assert [files.counted(number, "rule") for number in (0, 1, 2)] == ["0 rules", "1 rule", "2 rules"]
