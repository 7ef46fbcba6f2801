"""Options of commands that have a program run on a cluster, and what is asked of its runtime."""

from __future__ import annotations

import argparse
from argparse import Namespace
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Final, NamedTuple

from cluster.modules import modules_of
from rtfs.cli import options as common
from rtfs.cli.arguments import arguments
from rtfs.cli.console import Console
from rtfs.cli.sources import Source, read_program

if TYPE_CHECKING:
    from actors.request_options import RequestOptions
    from rtfs.run import Limits
    from rtfs.security import RuntimeContext
    from rtfs.values import Value


#: seconds in the units that a time may be given in
_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}


class Asked(NamedTuple):
    """A program, and what comes with it."""

    source: Source
    args: dict[str, Value]
    #: texts of modules by name
    modules: dict[str, str]


def add_program(parser: common.Parser) -> None:
    """The program, its arguments, and what it may do."""
    parser.add_argument("file", metavar="FILE", help="the program; `-` is stdin")
    parser.add_argument(
        "--arg",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a value the program finds under NAME: JSON, @FILE for the text of a file, or else a string",
    )
    parser.add_argument("--args-json", metavar="JSON", help="several at once: an object, or @FILE with one")
    parser.add_argument("--tenant", metavar="NAME", help="for whom it runs (default: nobody in particular)")
    common.add_context(parser)
    common.add_limits(parser)
    common.add_path(parser)
    _add_caches(parser)


def _add_caches(parser: common.Parser) -> None:
    """What the run wants of the caches of results."""
    add = parser.add_argument_group("caches").add_argument
    add("--no-cache", action="store_true", help="ask the targets, whatever is known; keep their answers")
    add("--no-store", action="store_true", help="keep no answers")
    add(
        "--max-age",
        type=_seconds,
        metavar="TIME",
        help="take no answers that are older: seconds, or 90s, 10m, 2h, 1d",
    )


def _seconds(text: str) -> float:
    """A time from 0, as an option: a number of seconds, or a number with its unit."""
    number, unit = (text[:-1], text[-1]) if text[-1:] in _UNITS else (text, "s")
    try:
        seconds = float(number) * _UNITS[unit]
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < inf:
        raise argparse.ArgumentTypeError(
            f"expected a number of seconds, at least 0, or one with s, m, h or d, got `{text[:40]}`"
        )
    return seconds


def asked(options: Namespace, console: Console) -> Asked:
    """The program that the options name, with its arguments and modules.

    Raises:
        UsageError: something of it cannot be read.
    """
    source = read_program(options.file)
    args = arguments(options.arg, options.args_json, console)
    return Asked(source, args, modules_of(source.text, source.name, common.modules(options)))


def request_options(options: Namespace, what: Asked, console: Console) -> RequestOptions:
    """How a runtime is to run it. Raises UsageError."""
    from actors.requests import CacheUse

    context, limits = _context(options, console)
    return {
        "args": what.args,
        "modules": what.modules,
        "source_name": what.source.name,
        "context": context,
        "limits": limits,
        "cache": CacheUse(bypass=options.no_cache, no_store=options.no_store, max_age_s=options.max_age),
    }


def _context(options: Namespace, console: Console) -> tuple[RuntimeContext, Limits]:
    """As for `rtfs run`, with the capabilities that a program which is run for somebody has."""
    from actors.requests import DEFAULT_CAPABILITIES
    from rtfs.runtime_facts import RuntimeFacts
    from rtfs.security import RuntimeContext

    around = common.surroundings(options, console)
    context: RuntimeContext = around["context"]
    if context.level == "controlled":
        context = RuntimeContext.controlled({*DEFAULT_CAPABILITIES, *options.allow})
    if options.tenant is not None:
        context = replace(context, facts=RuntimeFacts(tenant=options.tenant))
    return context, around["limits"]
