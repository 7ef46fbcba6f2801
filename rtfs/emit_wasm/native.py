"""Machine code of modules, kept on disk: what was compiled once is not compiled again.

wasmtime believes the machine code that it is given, so what is read must be what was written. Who may write to
the folder, and how damage is noticed: `rtfs.sealed_files`. The name of an entry is a digest of the module and
of all that its code depends on.
"""

from __future__ import annotations

import os
import platform
from functools import cache
from typing import TYPE_CHECKING, Final

from rtfs.sealed_files import ENTRY, default_folder, digest_of, read_sealed, write_sealed

if TYPE_CHECKING:
    import wasmtime

    from rtfs.emit_wasm.engine import Engine

#: the folder, in that of this package
_FOLDER: Final = "native"


def machine_code(engine: Engine, module: bytes, fuel: bool) -> wasmtime.Module:
    """A module as machine code: from disk if it is there, else compiled and kept.

    Raises:
        wasmtime.WasmtimeError: it is malformed.
    """
    import wasmtime

    folder = default_folder()
    if folder is None:
        return wasmtime.Module(engine.engine, module)
    path = os.path.join(folder, _FOLDER, f"{digest_of(module, _compiler(), str(fuel))}{ENTRY}")
    kept = read_sealed(path)
    if kept is not None:
        try:
            return wasmtime.Module.deserialize(engine.engine, kept)
        except wasmtime.WasmtimeError:
            pass  # of an engine with other settings: it is compiled anew, and takes its place
    made = wasmtime.Module(engine.engine, module)
    write_sealed(path, bytes(made.serialize()))
    return made


@cache
def _compiler() -> str:
    """What machine code depends on beside the module: wasmtime, and the processor as far as it is told."""
    from importlib.metadata import version

    return f"{version('wasmtime')} {platform.machine()} {platform.processor()}"
