"""`rtfs policy check`, `rtfs policy diff`, `rtfs policy show`."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import Final

from policies.cli import files, policy_diff
from rtfs.cli import options as common
from rtfs.cli.console import Console, Exit, UsageError

_OVERVIEW: Final = """\
usage: rtfs policy check|diff|show …

  check [FILE]  find mistakes in a policy file
  diff OLD NEW  what another policy changes, and which functions of a program it moves
  show [FILE]   the settings in force, overrides by the environment included

FILE is ./delegation.toml unless named. `rtfs policy check --help` shows the options of check;
each of them takes --json.

examples:
  rtfs policy check
  rtfs policy show --all
  rtfs policy diff old.toml new.toml --program plan.rtfs
"""
_CHECK_EXAMPLES: Final = (
    ("rtfs policy check", "./delegation.toml"),
    ("rtfs policy check prod.toml --json", "for editors and scripts"),
)
_SHOW_EXAMPLES: Final = (
    ("rtfs policy show", "what ./delegation.toml and the environment say"),
    ("RTFS_DELEGATION__CACHE_TTL=60 rtfs policy show", ""),
    ("rtfs policy show --all prod.toml", "defaults as well"),
)


def parse(argv: Sequence[str]) -> Namespace:
    """The options of `rtfs policy`."""
    word, *rest = argv or ("--help",)
    if word in ("-h", "--help", "help"):
        return Namespace(action="help")
    if word not in _ACTIONS:
        from rtfs.spell import nearest

        near = nearest(word, _ACTIONS)
        hint = f"did you mean `rtfs policy {near}`?" if near else "it takes `check`, `diff` or `show`"
        if near is None and os.path.isfile(word):
            hint = f"to check that file: rtfs policy check {word}"
        raise UsageError(f"expected check, diff or show, got `{word}`", hint=hint)
    found = _ACTIONS[word][0](rest)
    found.action = word
    return found


def execute(options: Namespace, console: Console) -> Exit:
    """Do what was asked."""
    if options.action == "help":
        console.out.write(_OVERVIEW)
        return console.finish(Exit.VALUE, {"actions": list(_ACTIONS)})
    return _ACTIONS[options.action][1](options, console)


# ---------------------------------------------------------------- check


def _parse_check(argv: Sequence[str]) -> Namespace:
    summary = "Find mistakes in a policy file. Exit code 1 if there is an error."
    parser = common.Parser("policy check", summary, _CHECK_EXAMPLES)
    _add_file(parser)
    parser.add_argument(
        "--no-secrets", action="store_true", help="do not ask whether the variables of secrets are set"
    )
    return parser.options(argv)


def _check(options: Namespace, console: Console) -> Exit:
    from policies.errors import PolicyFileError

    version = None
    try:
        policy = files.policy_in(options.file, needs_secrets=not options.no_secrets)
        problems, version = policy.warnings, policy.version
    except PolicyFileError as error:
        problems = error.problems
    failed = any(problem.severity == "error" for problem in problems)
    if not console.json:
        for problem in problems:
            files.show_problem(problem, console)
        counts = [files.count(problems, severity) for severity in ("error", "warning")]
        console.note(f"{files.named(options.file)}: {', '.join(counts)}")
    fields = {
        "action": "check",
        "file": files.named(options.file),
        "version": version,
        "problems": [files.described(problem) for problem in problems],
    }
    return console.finish(Exit.PROGRAM_ERROR if failed else Exit.VALUE, fields)


# ---------------------------------------------------------------- show


def _parse_show(argv: Sequence[str]) -> Namespace:
    summary = "The settings in force as TOML: those of the file, and what the environment overrides."
    parser = common.Parser("policy show", summary, _SHOW_EXAMPLES)
    _add_file(parser)
    parser.add_argument("--all", action="store_true", help="settings that have their default as well")
    return parser.options(argv)


def _show(options: Namespace, console: Console) -> Exit:
    from policies.errors import PolicyFileError
    from policies.file.toml_out import toml_text

    try:
        policy = files.policy_in(options.file, needs_secrets=False)
    except PolicyFileError as error:
        return files.refuse(error.problems, console)
    settings = policy.settings.model_dump(exclude_unset=not options.all)
    overrides = files.overrides()
    if not console.json:
        console.say(f"# {policy.source}, version {policy.version}")
        if overrides:
            console.say(f"# overridden by {', '.join(overrides)}")
        console.show_text(toml_text(settings).rstrip("\n"))
    fields = {
        "action": "show",
        "file": policy.source,
        "version": policy.version,
        "overrides": overrides,
        "settings": policy.settings.model_dump(mode="json", exclude_unset=not options.all),
    }
    return console.finish(Exit.VALUE, fields)


def _add_file(parser: common.Parser) -> None:
    parser.add_argument(
        "file",
        nargs="?",
        default=files.DEFAULT,
        metavar="FILE",
        help=f"a policy; `-` is stdin (default: ./{files.DEFAULT})",
    )


#: action → its options, and what does it
_ACTIONS: Final[
    dict[str, tuple[Callable[[Sequence[str]], Namespace], Callable[[Namespace, Console], Exit]]]
] = {
    "check": (_parse_check, _check),
    "diff": (policy_diff.parse, policy_diff.execute),
    "show": (_parse_show, _show),
}
