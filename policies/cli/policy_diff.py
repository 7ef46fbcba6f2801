"""`rtfs policy diff`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from policies.cli import facts as for_whom
from policies.cli import files
from rtfs.cli import options as common
from rtfs.cli.console import Console, Exit, UsageError
from rtfs.cli.sources import STDIN, read_program

if TYPE_CHECKING:
    from policies.dry_route import FunctionRoute
    from policies.file.diff import Change
    from policies.file.policy import Policy
    from rtfs.cli.sources import Source
    from rtfs.runtime_facts import RuntimeFacts

_EXAMPLES: Final = (
    ("rtfs policy diff old.toml new.toml", "settings that differ"),
    ("rtfs policy diff old.toml new.toml --program plan.rtfs", "and functions that go elsewhere"),
    ("git show HEAD:delegation.toml | rtfs policy diff - delegation.toml", "what was changed since"),
)


def parse(argv: Sequence[str]) -> Namespace:
    """The options of `rtfs policy diff`."""
    summary = "What another policy changes, and which functions of programs it sends elsewhere."
    parser = common.Parser("policy diff", summary, _EXAMPLES)
    parser.add_argument("old", metavar="OLD", help="a policy; `-` is stdin")
    parser.add_argument("new", metavar="NEW", help="another; `-` is stdin")
    parser.add_argument(
        "--program", action="append", default=[], metavar="FILE", help="a program; may be repeated"
    )
    common.add_path(parser)
    for_whom.add_facts(parser)
    return parser.options(argv)


def execute(options: Namespace, console: Console) -> Exit:
    """Compare the policies, and the routes of the programs under each."""
    from policies.errors import PolicyFileError
    from policies.file.diff import diff_policies
    from rtfs.errors import RtfsError

    if [options.old, options.new, *options.program].count(STDIN) > 1:
        raise UsageError("only one file can come from stdin")
    facts = for_whom.facts_of(options)
    sources = [read_program(path) for path in options.program]
    try:
        old, new = (files.policy_in(path, needs_secrets=False) for path in (options.old, options.new))
    except PolicyFileError as error:
        return files.refuse(error.problems, console)
    changes = diff_policies(old, new)
    programs = []
    for source in sources:
        try:
            programs.append((source.name, list(_moves(source, old, new, facts, options))))
        except RtfsError as error:
            return console.fail(error, source)
    if not console.json:
        _show(changes, programs, old, new, console)
    fields = {
        "action": "diff",
        "old": {"file": old.source, "version": old.version},
        "new": {"file": new.source, "version": new.version},
        "changes": [_described(change) for change in changes],
        "programs": [{"file": name, "moves": moves} for name, moves in programs],
    }
    return console.finish(Exit.VALUE, fields)


def _moves(
    source: Source, old: Policy, new: Policy, facts: RuntimeFacts, options: Namespace
) -> Iterator[dict[str, Any]]:
    """The functions of a program that go elsewhere, as JSON data."""
    from policies.cli.explain import routes

    before, after = (routes(source, policy, facts, options) for policy in (old, new))
    for was, now in zip(before, after, strict=True):
        if _ways(was) != _ways(now):
            yield {
                "symbol": now.function.symbol,
                "source": now.source,
                "line": None if now.span is None else now.span.line,
                "old": _way(was),
                "new": _way(now),
            }


def _ways(route: FunctionRoute) -> object:
    """What decides where calls go; equal if all calls go the same way."""
    if not route.cases:
        plan = route.explanation.plan
        return plan.target, plan.chain, plan.cache
    plans = [(case.explanation.plan, case) for case in route.cases]
    return [(str(case), plan.target, plan.chain, plan.cache) for plan, case in plans]


def _way(route: FunctionRoute) -> dict[str, Any]:
    from policies.cli.route_text import why
    from policies.targets import target_name

    plan = route.explanation.plan
    cases = {str(case): target_name(case.explanation.plan.target) for case in route.cases}
    return {
        "target": target_name(plan.target) if not route.cases else None,
        "cases": cases,
        "chain": [target_name(target) for target in plan.chain],
        "cache": plan.cache,
        "why": "its arguments decide" if route.cases else why(plan, route),
    }


# ---------------------------------------------------------------- for people


def _show(
    changes: Sequence[Change],
    programs: Sequence[tuple[str, list[dict[str, Any]]]],
    old: Policy,
    new: Policy,
    console: Console,
) -> None:
    for change in changes:
        console.show_text(f"{_at(change, old, new)}{_line(change)}")
    for name, moves in programs:
        console.say("")
        console.show_text(f"{name}: {files.counted(len(moves), 'function')} would go another way")
        for move in moves:
            console.show_text(f"  {move['symbol']}: {_shown(move['old'])} → {_shown(move['new'])}")
            console.show_text(f"    was: {move['old']['why']}")
            console.show_text(f"    now: {move['new']['why']}")
    console.note(files.counted(len(changes), "setting") + (" differs" if len(changes) == 1 else " differ"))


def _at(change: Change, old: Policy, new: Policy) -> str:
    """Where the setting stands: in the new policy if it is there."""
    policy, line = (new, change.new_line) if change.new_line is not None else (old, change.old_line)
    return f"{policy.source}:{line}: " if line is not None else ""


def _line(change: Change) -> str:
    """The change in the words of a policy file; of what came or went only what it says."""
    match change.kind:
        case "added":
            return f"+ {change.key} = {_said(change.new)}"
        case "removed":
            return f"- {change.key} = {_said(change.old)}"
        case "moved":
            return f"~ {change.key} moved from place {change.old} to {change.new}"
        case "changed":
            return f"~ {change.key} = {_said(change.old)} → {_said(change.new)}"


def _said(value: Any) -> str:
    from policies.file.toml_out import toml_value

    if value is None:
        return "not set"
    if isinstance(value, dict):
        value = {key: one for key, one in value.items() if one not in (None, [], {})}
    return toml_value(value)


def _shown(way: dict[str, Any]) -> str:
    if way["cases"]:
        return ", ".join(f"{target} for {kind}" for kind, target in way["cases"].items())
    return ", then ".join([way["target"], *way["chain"]])


def _described(change: Change) -> dict[str, Any]:
    return {
        "kind": change.kind,
        "key": change.key,
        "old": change.old,
        "new": change.new,
        "old_line": change.old_line,
        "new_line": change.new_line,
    }
