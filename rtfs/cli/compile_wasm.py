"""`rtfs compile --target wasm`: a program's numeric functions as a module, and why the others are not."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rtfs.cli.console import Console, Exit, UsageError
from rtfs.error_json import place

if TYPE_CHECKING:
    from rtfs.emit_wasm.artifact import WasmArtifact, WasmFunction
    from rtfs.emit_wasm.refusal import Refusal
    from rtfs.program import Program


def check(options: Namespace) -> None:
    """Refuse options that do not go together.

    Raises:
        UsageError: they do not.
    """
    if options.why and options.target is None:
        raise UsageError("--why tells about a --target", hint="rtfs compile FILE --target wasm --why")
    if options.target is not None and options.emit is not None:
        raise UsageError("give --emit or --target, not both", hint="a target has one form")


def execute(
    program: Program, options: Namespace, console: Console, put: Callable[[bytes], dict[str, Any]]
) -> Exit:
    """Compile, put the module where it shall go, and report.

    Args:
        put: writes or prints a module; gives what `--json` says of it.
    """
    from rtfs.emit_wasm import compile_unit

    artifact = compile_unit(program.unit)
    wanted = options.output is not None or not options.why
    if not console.json:
        if options.why:
            for line in _reasons(artifact, program.unit.source):
                console.say(line)
        console.note(_counts(artifact))
    placed: dict[str, Any] = {"output": options.output, "text": None, "binary": None}
    if wanted and artifact.module is not None:
        placed |= put(artifact.module)
    missing = wanted and artifact.module is None
    about = {
        "target": options.target,
        "functions": [_describe_function(each) for each in artifact.functions],
        "refusals": [_describe_refusal(each) for each in artifact.refusals],
    }
    return console.finish(Exit.PROGRAM_ERROR if missing else Exit.VALUE, {**about, **placed})


def _counts(artifact: WasmArtifact) -> str:
    wasm, python = len(artifact.functions), len(artifact.refusals)
    return f"{wasm} of {wasm + python} functions {'is' if wasm == 1 else 'are'} WebAssembly"


def _reasons(artifact: WasmArtifact, source: str) -> list[str]:
    """A line for each function; for one that stays with Python in the form that editors know."""
    from rtfs.report import visible

    width = max((len(each.name) for each in artifact.functions), default=0)
    lines = [f"{each.name:{width}}  wasm  {_signature(each)}" for each in artifact.functions]
    for each in artifact.refusals:
        at = f"{source}:{each.span.line}:{each.span.column}" if each.span else source
        lines.append(f"{at}: {each.function} stays with Python: {each.construct}: {each.reason}")
    return [visible(line) for line in lines]


def _signature(function: WasmFunction) -> str:
    return f"[{' '.join(kind.value for kind in function.params)}] → {function.result.value}"


def _describe_function(function: WasmFunction) -> dict[str, Any]:
    return {
        "name": function.name,
        "params": [kind.name.lower() for kind in function.params],
        "result": function.result.name.lower(),
    }


def _describe_refusal(refusal: Refusal) -> dict[str, Any]:
    return {
        "function": refusal.function,
        "construct": refusal.construct,
        "reason": refusal.reason,
        **place(refusal.span),
    }
