"""`rtfs compile`."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from rtfs.cli import compile_forms, compile_wasm
from rtfs.cli import options as common
from rtfs.cli.compile_forms import KINDS
from rtfs.cli.console import Console, Exit, UsageError
from rtfs.cli.sources import read_program

if TYPE_CHECKING:
    from rtfs.program import Program

_EXAMPLES = (
    ("rtfs compile plan.rtfs --emit ir", "the intermediate representation as text"),
    ("rtfs compile plan.rtfs --emit python", "the Python code it runs as"),
    ("rtfs compile plan.rtfs --emit hash", "the content hash: equal programs have equal ones"),
    ("rtfs compile plan.rtfs --emit binary -o plan.rtfsc", "the serialised form"),
    ("rtfs compile plan.rtfs --target wasm -o plan.wasm", "its numeric functions as WebAssembly"),
    ("rtfs compile plan.rtfs --target wasm --why", "which these are, and why the others are not"),
    ("rtfs compile plan.rtfs --target ir --why", "which functions can be published as modules"),
)


def _ir(program: Program) -> str:
    from rtfs.ir_text import ir_text

    return ir_text(program.unit)


def _python(program: Program) -> str:
    return program.link().python_source()


def _hash(program: Program) -> str:
    from rtfs.ir_codec import content_hash

    return content_hash(program.unit)


_TEXTS: Final[dict[str, Callable[[Program], str]]] = {"ir": _ir, "python": _python, "hash": _hash}
_BINARY: Final = "binary"
_IR: Final = "ir"
_WASM: Final = "wasm"


def parse(argv: Sequence[str]) -> Namespace:
    """The options of `rtfs compile`."""
    parser = common.Parser("compile", "Show or save what becomes of a program; nothing runs.", _EXAMPLES)
    parser.add_argument("file", metavar="FILE", help="the program; `-` is stdin")
    parser.add_argument(
        "--emit", **common.one_of((*_TEXTS, _BINARY)), default=None, help="in which form (default: ir)"
    )
    parser.add_argument(
        "--target", **common.one_of((_WASM, *KINDS)), default=None, help="as modules are stored"
    )
    parser.add_argument("--why", action="store_true", help="say which functions can be that, and which not")
    parser.add_argument("-o", "--output", metavar="FILE", help="where to (default: stdout)")
    common.add_path(parser)
    return parser.options(argv)


def execute(options: Namespace, console: Console) -> Exit:
    """Compile the file and put the result where it shall go."""
    import rtfs
    from rtfs.errors import RtfsError

    compile_wasm.check(options)
    source = read_program(options.file)
    form = options.emit or _IR
    try:
        program = rtfs.compile(source.text, source_name=source.name, modules=common.modules(options))
        if options.target == _WASM:
            return compile_wasm.execute(
                program, options, console, lambda module: _put(module, options, console)
            )
        if options.target is not None:
            return compile_forms.execute(program, options, console, lambda whole: _put(whole, options, console))
        data = _emit(program, form)
    except RtfsError as error:
        return console.fail(error, source)
    return console.finish(Exit.VALUE, {"emit": form, **_put(data, options, console)})


def _put(data: str | bytes, options: Namespace, console: Console) -> dict[str, str | None]:
    """Write or print the result; what `--json` says of it."""
    if options.output is not None:
        _save(options.output, data)
    elif not console.json:
        _print(data, console)
    return {"output": options.output, **_as_json(data, options.output)}


def _emit(program: Program, form: str) -> str | bytes:
    if form == _BINARY:
        from rtfs.ir_codec import encode

        return encode(program.unit)
    return _TEXTS[form](program).rstrip("\n") + "\n"


def _print(data: str | bytes, console: Console) -> None:
    if isinstance(data, str):
        console.out.write(data)
        return
    if console.out.isatty():
        raise UsageError("the binary form is not for a terminal", hint="write it to a file: -o FILE")
    console.out.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _save(path: str, data: str | bytes) -> None:
    try:
        with open(path, "wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None


def _as_json(data: str | bytes, output: str | None) -> dict[str, str | None]:
    """The result itself, unless it went to a file: as `text`, or base64 in `binary`."""
    if output is not None:
        return {"text": None, "binary": None}
    if isinstance(data, str):
        return {"text": data.rstrip("\n"), "binary": None}
    from base64 import b64encode

    return {"text": None, "binary": b64encode(data).decode("ascii")}
