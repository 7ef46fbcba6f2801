"""`rtfs compile --target ir` and `source`: a program as modules are stored, and which functions can be one."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from rtfs.cli.console import Console, Exit, UsageError
from rtfs.error_json import place

if TYPE_CHECKING:
    from rtfs.backends import ModuleKind
    from rtfs.errors import Span
    from rtfs.program import Program

#: the kinds of modules by what `--target` calls them
KINDS: Final[dict[str, ModuleKind]] = {"ir": "IrBinary", "source": "CompressedRtfsSource"}


def execute(
    program: Program, options: Namespace, console: Console, put: Callable[[bytes], dict[str, Any]]
) -> Exit:
    """Put the whole program in that form where it shall go, and report.

    Args:
        put: writes or prints it; gives what `--json` says of it.
    """
    functions, refusals = _functions(program, KINDS[options.target])
    if options.why and not console.json:
        for line in _reasons(options.target, functions, refusals, program.unit.source):
            console.say(line)
        count = len(functions)
        console.note(
            f"{count} of {count + len(refusals)} functions can be {'a module' if count == 1 else 'modules'}"
        )
    placed: dict[str, Any] = {"output": options.output, "text": None, "binary": None}
    if options.output is not None or not options.why:
        placed |= put(_whole(program, options.target))
    about = {
        "target": options.target,
        "functions": [{"name": name, "bytes": size} for name, size in functions],
        "refusals": [{"function": name, "reason": why, **place(span)} for name, why, span in refusals],
    }
    return console.finish(Exit.VALUE, {**about, **placed})


def _functions(
    program: Program, kind: ModuleKind
) -> tuple[list[tuple[str, int]], list[tuple[str, str, Span | None]]]:
    """The functions that can be modules, with their sizes, and the others, with why and where."""
    from rtfs.backends import FORMS, NotCompiled
    from rtfs.slices import NotSliced, Reach, impurity_of, slice_in

    found: list[tuple[str, int]] = []
    refused: list[tuple[str, str, Span | None]] = []
    for symbol, node in Reach(program.unit).functions():
        try:
            part = slice_in(program.unit, symbol)
            impure = impurity_of(part)
            if impure is not None:
                raise impure
            found.append((symbol, len(_compiled(partial(FORMS[kind].backend.compile, part, program.text)))))
        except (NotSliced, NotCompiled) as error:
            refused.append((symbol, error.reason, error.span or node.span))
    return found, refused


def _whole(program: Program, target: str) -> bytes:
    if target == "ir":
        from rtfs.ir_codec import encode

        return encode(program.unit)
    from rtfs.backends import compressed_source

    return _compiled(partial(compressed_source, program.unit.source, program.text))


def _compiled(make: Callable[[], bytes]) -> bytes:
    try:
        return make()
    except ImportError as error:
        hint = "pip install 'rtfs[ray]'"
        raise UsageError(f"this form needs the package {error.name}", hint=hint) from error


def _reasons(
    target: str, functions: list[tuple[str, int]], refusals: list[tuple[str, str, Span | None]], source: str
) -> list[str]:
    from rtfs.report import visible

    width = max((len(name) for name, _ in functions), default=0)
    lines = [f"{name:{width}}  {target}  {size} bytes" for name, size in functions]
    for name, why, span in refusals:
        at = f"{source}:{span.line}:{span.column}" if span else source
        lines.append(f"{at}: {name} is no module by itself: {why}")
    return [visible(line) for line in lines]
