"""`rtfs models`: the models of a policy."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from cluster.cli import model_add, model_bench, model_pull, model_trial
from cluster.cli.actions import Action, Actions
from cluster.cli.model_choice import add_policy
from cluster.cli.ticket_text import aligned
from policies.cli import files
from rtfs.cli import options as common
from rtfs.cli.console import Console, Exit

if TYPE_CHECKING:
    from cluster.cli.model_facts import Known

_HEADS: Final = ("MODEL", "KIND", "STATE", "SIZE", "DEVICE", "REPLICAS", "ABOUT", "WHERE")


def _parse_list(argv: Sequence[str]) -> Namespace:
    summary = "The models of the policy: those of this machine, whose files are looked over, and services."
    parser = common.Parser("models list", summary, [("rtfs models list", ""), ("rtfs models list --json", "")])
    add_policy(parser)
    return parser.options(argv)


def _list(options: Namespace, console: Console) -> Exit:
    from cluster.cli.model_facts import known_models
    from policies.errors import PolicyFileError

    try:
        policy = files.policy_in_force(options.policy)
    except PolicyFileError as error:
        return files.refuse(error.problems, console)
    found = known_models(policy, os.environ)
    if not console.json:
        for line in _lines(found):
            console.show_text(line)
        if not found:
            console.note(f"no models in {policy.source}; `rtfs models add NAME PATH` adds one")
    return console.finish(Exit.VALUE, {"policy": policy.source, "models": [asdict(each) for each in found]})


def _lines(found: Sequence[Known]) -> Iterator[str]:
    """A line for each model, and below it what is wrong with it."""
    if not found:
        return
    heads, *rows = aligned([_HEADS, *map(_row, found)])
    yield heads
    for each, row in zip(found, rows, strict=True):
        yield row
        if each.problem:
            yield from (f"  → {line}" for line in each.problem.splitlines())


def _row(each: Known) -> tuple[str, ...]:
    from actors.models.generation.memory import text_of

    return (
        each.name,
        each.kind or "-",
        each.state,
        "-" if each.nbytes is None else text_of(each.nbytes),
        each.device or "-",
        "-" if each.replicas is None else "-".join(dict.fromkeys(map(str, each.replicas))),
        each.about or "-",
        _near(each.where),
    )


def _near(where: str | None) -> str:
    """A file as seen from here, if it is below; else as it is."""
    if where is None:
        return "-"
    found = os.path.relpath(where) if os.path.isabs(where) else where
    return where if found.startswith(os.pardir) else found


_ACTIONS: Final = Actions(
    "models",
    {
        "list": Action("which there are, and whether they can be used", _parse_list, _list),
        "add": Action("put one into the policy", model_add.parse, model_add.execute),
        "test": Action("ask one something", model_trial.parse, model_trial.execute),
        "bench": Action("measure one", model_bench.parse, model_bench.execute),
        "pull": Action("fetch a file from the Hugging Face hub", model_pull.parse, model_pull.execute),
    },
    (
        "rtfs models list",
        "rtfs models add small ./models/small.q4.gguf",
        'rtfs models test small "hello" --type "[:enum :friendly :rude]"',
        "rtfs models pull minilm",
    ),
)
parse = _ACTIONS.parse
execute = _ACTIONS.execute
