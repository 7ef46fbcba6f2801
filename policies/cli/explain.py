"""`rtfs explain`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from policies.cli import facts as for_whom
from policies.cli import files
from rtfs.cli import options as common
from rtfs.cli.console import Console, Exit, UsageError
from rtfs.cli.sources import STDIN, Source, read_program
from rtfs.error_json import place

if TYPE_CHECKING:
    from policies.dry_route import FunctionRoute
    from policies.file.policy import Policy
    from rtfs.runtime_facts import RuntimeFacts

_EXAMPLES: Final = (
    ("rtfs explain plan.rtfs", "under ./delegation.toml"),
    ("rtfs explain plan.rtfs --policy prod.toml --brief", "only the table"),
    ("rtfs explain plan.rtfs --call answer", "one function, and all that was against other targets"),
    ("rtfs explain plan.rtfs --tenant acme --fact hour=3", "for whom, and when"),
    ("rtfs explain plan.rtfs --json", "for scripts"),
)


def parse(argv: Sequence[str]) -> Namespace:
    """The options of `rtfs explain`."""
    summary = "Say where each function of a program would run, and why. Nothing is executed."
    parser = common.Parser("explain", summary, _EXAMPLES)
    parser.add_argument("file", metavar="FILE", help="the program; `-` is stdin")
    parser.add_argument(
        "--policy", metavar="FILE", help=f"the policy (default: ./{files.DEFAULT}, else the empty one)"
    )
    parser.add_argument(
        "--call", action="append", default=[], metavar="NAME", help="only this function; may be repeated"
    )
    how_much = parser.add_mutually_exclusive_group()
    how_much.add_argument("--brief", action="store_true", help="only the table")
    how_much.add_argument(
        "--all", action="store_true", help="details of functions that simply run here as well"
    )
    common.add_path(parser)
    for_whom.add_facts(parser)
    return parser.options(argv)


def execute(options: Namespace, console: Console) -> Exit:
    """Route the program and show where everything goes."""
    from policies.errors import PolicyFileError
    from rtfs.errors import RtfsError

    if options.file == STDIN == options.policy:
        raise UsageError("only one of program and policy can come from stdin")
    facts = for_whom.facts_of(options)
    source = read_program(options.file)
    try:
        policy = files.policy_in_force(options.policy)
        every = routes(source, policy, facts, options)
    except PolicyFileError as error:
        return files.refuse(error.problems, console)
    except RtfsError as error:
        return console.fail(error, source)
    shown = _called(options.call, every)
    notes = list(_notes(policy, facts))
    if not console.json:
        _show(shown, source, policy, options, console)
        for note in notes:
            console.note(f"note: {note}")
    fields = {
        "file": source.name,
        "policy": {"source": policy.source, "version": policy.version},
        "facts": for_whom.described(facts),
        "functions": [described(route) for route in shown],
        "notes": notes,
    }
    return console.finish(Exit.VALUE, fields)


def routes(
    source: Source, policy: Policy, facts: RuntimeFacts, options: Namespace
) -> tuple[FunctionRoute, ...]:
    """The routes of all functions of the program in `source`.

    Raises:
        RtfsError: it is no program.
    """
    import rtfs
    from policies.dry_route import dry_delegate, dry_routes

    program = rtfs.compile(source.text, source_name=source.name, modules=common.modules(options))
    return tuple(dry_routes(program, dry_delegate(policy), facts))


def _called(names: Sequence[str], every: Sequence[FunctionRoute]) -> Sequence[FunctionRoute]:
    """The functions that `--call` names, all if it names none."""
    if not names:
        return every
    known = dict.fromkeys(route.function.symbol for route in every)
    for name in names:
        if name not in known:
            from rtfs.spell import nearest

            near = nearest(name, known) or next((each for each in known if each.endswith(f"/{name}")), None)
            shown = ", ".join(list(known)[:8]) + (", …" if len(known) > 8 else "")
            hint = f"did you mean `{near}`?" if near else f"it has {shown}" if known else None
            raise UsageError(f"the program has no function `{name}`", hint=hint)
    return [route for route in every if route.function.symbol in names]


# ---------------------------------------------------------------- for people


def _show(
    shown: Sequence[FunctionRoute], source: Source, policy: Policy, options: Namespace, console: Console
) -> None:
    from policies.cli import route_text

    console.show_text(f"{source.name} under {policy.source}")
    if not shown:
        console.say("it has no functions")
        return
    everything = bool(options.call) or options.all
    listed = [route for route in shown if everything or _is_listed(route)]
    console.say("")
    for line in route_text.table(listed):
        console.show_text(line)
    if len(listed) < len(shown):
        console.say(f"and {files.counted(len(shown) - len(listed), 'anonymous function')}, run here")
    if options.brief:
        return
    for route in listed:
        if everything or not route_text.is_plain(route):
            console.say("")
            console.show_text(route_text.details(route))


def _is_listed(route: FunctionRoute) -> bool:
    """Whether the table names a function: those without a name only if there is something to say."""
    from policies.cli import route_text

    return not route.function.symbol.rpartition("/")[2].startswith("fn@") or not route_text.is_plain(route)


def _notes(policy: Policy, facts: RuntimeFacts) -> Iterator[str]:
    """What a run may know that is not known here."""
    settings = policy.settings
    if variables := files.overrides():
        yield f"the environment overrides settings of the policy: {', '.join(variables)}"
    wanted = {name for rule in settings.rules for name in rule.when} - facts.ambient.keys()
    if wanted:
        names = ", ".join(f"`{name}`" for name in sorted(wanted))
        yield f"rules look at {names}, which no --fact gives: they do not choose here, and hard ones hold"
    if settings.model_choice.target is not None:
        yield f"where no rule decides, a run asks `{settings.model_choice.target}`; here it is not asked"
    if settings.learning.enabled:
        yield "a run may have learnt a better choice; here nothing was learnt yet"


# ---------------------------------------------------------------- for scripts


def described(route: FunctionRoute) -> dict[str, Any]:
    """A route as JSON data; the keys are stable."""
    function = route.function
    hint = function.hint
    return {
        **route.explanation.to_json(),
        "source": route.source,
        **place(route.span),
        "hint": None if hint is None else {"kind": hint.kind, "id": hint.id},
        "capabilities": sorted(function.capabilities),
        "cases": [
            {
                "arguments": str(case),
                "types": list(case.types),
                "sizes": None if case.sizes is None else {"from": case.sizes[0], "to": case.sizes[1]},
                **case.explanation.to_json(),
            }
            for case in route.cases
        ],
    }
