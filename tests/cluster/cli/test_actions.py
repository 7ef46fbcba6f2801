"""Commands whose first word says what to do."""

from __future__ import annotations

from argparse import Namespace

import pytest

from rtfs.cli.main import main

COMMANDS = {
    "cache": ("stats", "get", "purge", "verify", "export"),
    "models": ("list", "add", "test", "bench", "pull"),
    "tickets": ("list", "show", "result", "cancel", "requeue"),
    "tokens": ("create", "list", "revoke"),
    "runtime": ("status", "push", "rollback", "start", "stop"),
}
ALL = [(command, action) for command, actions in COMMANDS.items() for action in actions]


@pytest.mark.parametrize(("command", "action"), ALL)
def test_each_action_has_help_with_examples(
    command: str, action: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, action, "--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"usage: rtfs {command} {action}")
    assert f"  rtfs {command} {action}" in out.partition("examples:")[2]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_overview_names_every_action(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command]) == 0
    out = capsys.readouterr().out
    assert all(f"  {action} " in out for action in COMMANDS[command])


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (
            ["tickets", "lst"],
            "expected list, show, result, cancel or requeue, got `lst`",
            "`rtfs tickets list`",
        ),
        (["tokens", "frob"], "expected create, list or revoke, got `frob`", "it takes create, list or revoke"),
        (["runtime", "stats"], "got `stats`", "`rtfs runtime status`"),
        (["tickets", "show"], "required: ID", "rtfs tickets show --help"),
        (["tickets", "list", "--sate", "failed"], "unknown option `--sate`", "`--state`"),
    ],
)
def test_a_slip_is_answered_with_the_nearest(
    words: list[str], message: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert message in said.err
    assert hint in said.err


def test_the_options_know_their_action() -> None:
    from cluster.cli import tickets

    assert tickets.parse([]) == Namespace(action="help")
    assert tickets.parse(["list"]).action == "list"
