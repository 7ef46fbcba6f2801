"""What a function can be stored as, and how each of these forms runs: backends and executors.

A `Backend` makes bytes of a function and all that it needs (`rtfs.slices`); an `Executor` makes a function
of such bytes again, elsewhere and later. Whatever the form, the function gives the same values, and the same
errors at the same places. A fourth form is one line in `FORMS`.

The bytes of each form:

    CompressedRtfsSource   zstd of a value: [version, source name, text]
    IrBinary               `rtfs.ir_codec` of the slice, beginning with `RTIR`
    WasmBytecode           a module of `rtfs.emit_wasm`, with the slice as `IrBinary` in the section `rtfs.ir`,
                           for calls that WebAssembly cannot finish

Executors take bytes of any origin: they are one of these or there is an error. Whether whoever made them is to
be trusted is not asked here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from types import FunctionType
from typing import TYPE_CHECKING, Final, Literal, Protocol

from rtfs.errors import Generic, RtfsError, Span, StorageError
from rtfs.run import poll
from rtfs.sealed_files import ENTRY, default_folder, digest_of, read_sealed, write_sealed
from rtfs.slices import LOADING, NotSliced, Reach, Slice, impurity_of, slice_in
from rtfs.values import Value, Vector

if TYPE_CHECKING:
    from rtfs import ir
    from rtfs.emit_wasm.execute import Executor as WasmRunner

#: the forms that a function can be stored in
type ModuleKind = Literal["WasmBytecode", "CompressedRtfsSource", "IrBinary"]

#: section of a WebAssembly module with the IR that it was made of
IR_SECTION: Final = "rtfs.ir"
_SOURCE_VERSION: Final = 1
#: text that a source module may have, bytes: beyond it is no plan but an attack
_MOST_TEXT: Final = 16 << 20
#: of a body's hash in front of code that is kept
_HASH_CHARACTERS: Final = 64
#: to make a slice of stored bytes again, seconds for each
_BYTE_S: Final = 10e-6


class NotCompiled(Exception):
    """A function has no such form: why, and where."""

    def __init__(self, symbol: str, reason: str, span: Span | None = None) -> None:
        super().__init__(f"{symbol}: {reason}")
        self.symbol = symbol
        self.reason = reason
        self.span = span


class NotLoaded(Exception):
    """Bytes are no function of that form and name, or one that asks a host."""


class Backend(Protocol):
    """From a function to bytes."""

    def compile(self, part: Slice, text: str | None) -> bytes:
        """The function as bytes.

        Args:
            text: of the file that the function is in, if that is at hand.

        Raises:
            NotCompiled: it has no such form.
        """


class Executor(Protocol):
    """From bytes to a function. Used by many threads at once."""

    def load(self, data: bytes, symbol: str) -> Loaded:
        """The function `symbol` out of what the backend of the same form made.

        Raises:
            NotLoaded: they are damaged, of another version, without that function, or it asks a host.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A function out of a module."""

    function: FunctionType
    #: `FunctionInfo.body_hash` of what it was made of; None: that is not found out unless it is needed
    body_hash: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A form in which functions are stored."""

    backend: Backend
    executor: Executor


# ---------------------------------------------------------------- source


class SourceBackend:
    """The text of the file, with all that the function does not need blanked out: places stay the same."""

    def compile(self, part: Slice, text: str | None) -> bytes:
        """See `Backend`."""
        if text is None:
            raise NotCompiled(part.symbol, "the text of its file is not at hand")
        for each in (_blanked(part, text), text):  # macros may need what the function itself does not
            payload = _encode_source(part.unit.source, each)
            try:
                if _read_source(payload, part.symbol).digest == part.digest:
                    return compressed_source(part.unit.source, each)
            except NotLoaded:
                continue
        raise NotCompiled(part.symbol, "its text alone does not make it")


class SourceExecutor:
    """Reads and analyses the text anew."""

    def load(self, data: bytes, symbol: str) -> Loaded:
        """See `Executor`."""
        from zstandard import ZstdDecompressor, ZstdError, frame_content_size

        try:
            if not 0 < frame_content_size(data) <= _MOST_TEXT:
                raise NotLoaded("the text of the module is too long, or its length is not told")
            payload = ZstdDecompressor().decompress(data, max_output_size=_MOST_TEXT)
        except ZstdError as error:
            raise NotLoaded(f"these bytes are no compressed source: {error}") from error
        return _kept("CompressedRtfsSource", data, symbol, lambda: _read_source(payload, symbol))


def compressed_source(name: str, text: str) -> bytes:
    """A text as `CompressedRtfsSource`."""
    from zstandard import ZstdCompressor

    return ZstdCompressor(level=9).compress(_encode_source(name, text))


def _encode_source(name: str, text: str) -> bytes:
    from rtfs.ir_codec import encode_value

    return encode_value(Vector([_SOURCE_VERSION, name, text]))


def _read_source(payload: bytes, symbol: str) -> Slice:
    from rtfs.ir_codec import decode_value
    from rtfs.program import compile

    try:
        stored = decode_value(payload)
        version, name, text = stored if isinstance(stored, Vector) and len(stored) == 3 else (None, None, None)
        if version != _SOURCE_VERSION or not isinstance(name, str) or not isinstance(text, str):
            raise NotLoaded("the source of the module is of another version")
        return _part_of(compile(text, source_name=name).unit, symbol)
    except RtfsError as error:
        raise NotLoaded(f"the source of the module is refused: {error}") from error


def _blanked(part: Slice, text: str) -> str:
    """`text` with blanks for all but the forms of a slice and macros."""
    from rtfs.reader import read
    from rtfs.values import List, Symbol

    kept = {form.span for form in part.unit.forms}
    program = read(text, part.unit.source)
    lines = text.split("\n")
    out = [" " * len(line) for line in lines]
    for form, span in zip(program.forms, program.spans, strict=True):
        head = form[0] if isinstance(form, List) and len(form) > 0 else None
        if span not in kept and head != Symbol.of("defmacro"):
            continue
        for number in range(span.line - 1, span.end_line):
            line = lines[number]
            start = span.column - 1 if number == span.line - 1 else 0
            end = span.end_column - 1 if number == span.end_line - 1 else len(line)
            out[number] = out[number][:start] + line[start:end] + out[number][end:]
    return "\n".join(line.rstrip() for line in out).rstrip() + "\n"


# ---------------------------------------------------------------- IR


class IrBackend:
    """The slice, encoded."""

    def compile(self, part: Slice, text: str | None) -> bytes:
        """See `Backend`."""
        from rtfs.ir_codec import encode

        try:
            return encode(part.unit)
        except StorageError as error:
            raise NotCompiled(part.symbol, str(error)) from error


class IrExecutor:
    """Compiles the IR to Python, as programs are."""

    def load(self, data: bytes, symbol: str) -> Loaded:
        """See `Executor`."""
        return _kept("IrBinary", data, symbol, lambda: _read_ir(data, symbol))


def _read_ir(data: bytes, symbol: str) -> Slice:
    from rtfs.ir_codec import decode

    try:
        return _part_of(decode(data), symbol)
    except StorageError as error:
        raise NotLoaded(f"the IR of the module is refused: {error}") from error


# ---------------------------------------------------------------- WebAssembly


class WasmBackend:
    """Our own compiler's module, with the IR beside it."""

    def compile(self, part: Slice, text: str | None) -> bytes:
        """See `Backend`."""
        from rtfs.emit_wasm import compile_unit
        from rtfs.emit_wasm.binary import custom

        artifact = compile_unit(_flat(part), wanted=[_title(part.symbol, part.module)])
        if artifact.module is None:
            refusal = artifact.refusals[0]
            raise NotCompiled(part.symbol, f"{refusal.construct}: {refusal.reason}", refusal.span)
        return artifact.module + custom(IR_SECTION, IrBackend().compile(part, text))


class WasmExecutor:
    """Runs the module with wasmtime; what that cannot finish is done by the IR beside it."""

    def load(self, data: bytes, symbol: str) -> Loaded:
        """See `Executor`."""
        from rtfs.emit_wasm.artifact import WasmArtifact
        from rtfs.emit_wasm.binary import custom_section

        described = custom_section(data, IR_SECTION)
        if described is None:
            raise NotLoaded(f"the module has no section `{IR_SECTION}`")

        @cache
        def body() -> FunctionType:  # seldom needed
            try:
                return IrExecutor().load(described, symbol).function
            except NotLoaded as error:
                raise Generic(
                    f"the module of `{symbol}` cannot go on where WebAssembly ends: {error}"
                ) from error

        try:
            artifact = WasmArtifact.of_module(data)
            known = {each.name for each in artifact.functions}
            title = symbol if symbol in known else _title(symbol, symbol.rpartition("/")[0])
            functions = _wasm().load(artifact, {title: lambda *args: body()(*args)}, only=title)
        except ImportError as error:
            raise NotLoaded(
                f"it needs what `pip install 'rtfs[wasm]'` brings: {error.name} is missing"
            ) from error
        except ValueError as error:
            raise NotLoaded(f"the WebAssembly of the module is refused: {error}") from error
        if title not in functions:
            raise NotLoaded(f"the module has no function `{symbol}`")
        return Loaded(function=functions[title], body_hash=None)


def _title(symbol: str, module: str | None) -> str:
    """The name of a function inside its module."""
    return symbol.removeprefix(f"{module}/") if module else symbol


def _flat(part: Slice) -> ir.Unit:
    """The unit of a slice; of one that is all in one module, what is in that, as a unit.

    Raises:
        NotCompiled: it is in a module and needs others.
    """
    from rtfs import ir

    if part.module is None:
        return part.unit
    (first, *others) = [form for form in part.unit.forms if not isinstance(form, ir.DefType)]
    if others or not isinstance(first, ir.ModuleForm):
        raise NotCompiled(part.symbol, f"it needs more than the module `{part.module}`", part.lambda_.span)
    functions = frozenset(name.removeprefix(f"{part.module}/") for name, _ in Reach(part.unit).functions())
    return replace(part.unit, forms=first.body, defines=first.defines, stable=functions)


@cache
def _wasm() -> WasmRunner:
    from rtfs.emit_wasm.execute import Executor as WasmRunner

    return WasmRunner()


# ---------------------------------------------------------------- all


#: the forms by name
FORMS: Final[Mapping[ModuleKind, Form]] = {
    "CompressedRtfsSource": Form(backend=SourceBackend(), executor=SourceExecutor()),
    "IrBinary": Form(backend=IrBackend(), executor=IrExecutor()),
    "WasmBytecode": Form(backend=WasmBackend(), executor=WasmExecutor()),
}


def _part_of(unit: object, symbol: str) -> Slice:
    from rtfs import ir

    assert isinstance(unit, ir.Unit)
    try:
        part = slice_in(unit, symbol)
    except NotSliced as error:
        raise NotLoaded(f"the module does not define what it should: {error}") from error
    impure = impurity_of(part)
    if impure is not None:
        raise NotLoaded(f"the module asks for more than its arguments: {impure}")
    return part


def _kept(kind: ModuleKind, data: bytes, symbol: str, read: Callable[[], Slice]) -> Loaded:
    """The function out of `data`, by Python code that is on disk if these bytes were loaded here before.

    Args:
        read: makes the slice of them, and refuses what may not be loaded.
    """
    from rtfs.code_cache import compiler, kept_code, program_of

    folder = default_folder()
    name = digest_of(kind, data, symbol, compiler())
    path = None if folder is None else os.path.join(folder, "modules", f"{name}{ENTRY}")
    code = None if path is None else read_sealed(path)
    if code is not None:
        body_hash, code = code[:_HASH_CHARACTERS].decode("ascii"), code[_HASH_CHARACTERS:]
        kept = program_of(code, lambda: read().program().unit, len(data) * _BYTE_S)
        return Loaded(function=_function(symbol, lambda: kept.run(limits=LOADING)), body_hash=body_hash)
    part = read()
    linked = part.program().link()
    function, digest = _function(symbol, lambda: linked.run(limits=LOADING)), part.digest
    made = kept_code(linked)
    if path is not None and made is not None:
        write_sealed(path, digest.encode("ascii") + made)
    return Loaded(function=function, body_hash=digest)


def _function(symbol: str, make: Callable[[], Value]) -> FunctionType:
    try:
        function = make()
    except RtfsError as error:
        poll()  # the run around this one may be over
        raise NotLoaded(f"the module cannot define what `{symbol}` needs: {error}") from error
    if not isinstance(function, FunctionType):
        raise NotLoaded(f"`{symbol}` is no function in the module")
    return function
