"""The options that say for whom and in what circumstances a program would run."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from rtfs.cli.console import UsageError
from rtfs.cli.options import Parser

if TYPE_CHECKING:
    from rtfs.delegation import Fact, RuntimeFacts


def add_facts(parser: Parser) -> None:
    """The options `--tenant`, `--permission`, `--label`, `--plan` and `--fact`."""
    group = parser.add_argument_group("for whom, and when")
    several: dict[str, Any] = {"action": "append", "default": []}
    add = group.add_argument
    add("--tenant", metavar="NAME", help="the run is for this tenant")
    add("--permission", **several, metavar="NAME", help="the run has this permission; may be repeated")
    add("--label", **several, metavar="NAME", help="all data carries this privacy label; may be repeated")
    add("--plan", metavar="NAME", help="the plan, for budgets per plan")
    add("--fact", **several, metavar="NAME=VALUE", help="such as hour=3; may be repeated")


def facts_of(options: Namespace) -> RuntimeFacts:
    """The facts that the command line gives.

    Raises:
        UsageError: a `--fact` is none.
    """
    from rtfs.delegation import RuntimeFacts

    return RuntimeFacts(
        tenant=options.tenant,
        permissions=frozenset(options.permission),
        labels=frozenset(label.removeprefix(":") for label in options.label),
        plan=options.plan,
        ambient=dict(map(_fact, options.fact)),
    )


def _fact(text: str) -> tuple[str, Fact]:
    """`hour=3` as a name and a value: a whole number, `true`, `false`, or else a text."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"expected NAME=VALUE for --fact, got `{text}`", hint="for example --fact hour=3")
    if value in ("true", "false"):
        return name, value == "true"
    try:
        return name, int(value)
    except ValueError:
        return name, value


def described(facts: RuntimeFacts) -> dict[str, Any]:
    """The facts as JSON data; the keys are stable."""
    return {
        "tenant": facts.tenant,
        "permissions": sorted(facts.permissions),
        "labels": sorted(facts.labels),
        "plan": facts.plan,
        "ambient": dict(facts.ambient),
    }
