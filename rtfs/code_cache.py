"""Compiled programs on disk, so that an unchanged file starts without being read again.

An entry is found by the BLAKE2b digest of everything it depends on: the text, its name, this package and
Python. It names the modules that were looked for with it, and the digests of their texts if there were any,
which are compared before it is used. How entries are kept: `rtfs.sealed_files`.
"""

from __future__ import annotations

import marshal
import os
import sys
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from rtfs.emit_python.artifact import Artifact, ModuleCode, Routing, prepare, run_artifact
from rtfs.emit_python.frozen import NotFrozen, freeze, thaw
from rtfs.namespace import Modules, Namespace
from rtfs.program import ANALYSIS_DEPTH, LinkedProgram, Program, compile, new_run, prepared
from rtfs.run import Limits, deep_recursion, running
from rtfs.sampling import Measured, measures
from rtfs.sealed_files import ENTRY, default_folder, digest_of, read_sealed, write_sealed
from rtfs.values import Value
from rtfs.version import VERSION

if TYPE_CHECKING:
    from rtfs import ir
    from rtfs.analyze.environment import ModuleStore
    from rtfs.host import Host
    from rtfs.security import RuntimeContext

#: compiling a text takes so many seconds for each character
_CHARACTER_S: Final = 20e-6


class _ModuleStub:
    """Stands for the unit of a module whose code is here already."""

    __slots__ = ("artifact", "source")

    def __init__(self, source: str, artifact: Artifact) -> None:
        self.source = source
        self.artifact = artifact


class CachedProgram:
    """A compiled program as it comes from disk. Runs as a `LinkedProgram` without a delegate does."""

    def __init__(
        self,
        artifact: Artifact,
        source: str,
        modules: Mapping[str, tuple[str, Artifact]],
        compiled: Callable[[], ir.Unit] | None = None,
        compiled_s: float = 0.0,
    ) -> None:
        """`compiled` compiles it anew, for functions that are to become wasm, which takes `compiled_s`."""
        self._artifact = artifact
        self._measured = None
        if compiled is not None and measures():
            self._measured = Measured(artifact.forms, compiled, compiled_s)
        self._source = source
        self._modules = {name: _ModuleStub(*module) for name, module in modules.items()}

    def run(
        self,
        *,
        host: Host | None = None,
        context: RuntimeContext | None = None,
        limits: Limits | None = None,
        args: Mapping[str, Any] | None = None,
    ) -> Value:
        """As `LinkedProgram.run`."""
        run = new_run(host, context, limits, args)
        with running(run), prepared(run):
            modules = Modules(self._modules.get, _run_stub)
            frame = modules.frame()
            routing: Routing = {}
            if self._measured is not None:
                routing = self._measured.begin(prepare(frame, modules), routing)
            return run_artifact(self._artifact, self._source, frame, modules, routing)


def _run_stub(module: _ModuleStub, namespace: Namespace, modules: Modules) -> Value:
    return run_artifact(module.artifact, module.source, namespace, modules)


def load_or_compile(
    text: str, source_name: str, modules: ModuleStore, folder: str | os.PathLike[str] | None = None
) -> CachedProgram | LinkedProgram:
    """The compiled program for `text`: from disk if it is there and still right, else compiled and stored.

    A folder that cannot be used makes this slower, never wrong.

    Raises:
        RtfsError: as `compile`.
    """
    folder = folder or default_folder()
    if folder is None:
        return compile(text, source_name=source_name, modules=modules).link()
    path = os.path.join(folder, f"{_key(text, source_name)}{ENTRY}")
    found = _load(path, text, source_name, modules)
    if found is not None:
        return found
    asked = _Asked(modules)
    program = compile(text, source_name=source_name, modules=asked)
    linked = program.link()
    payload = _payload(program, linked, asked.digests)
    if payload is not None:
        write_sealed(path, payload)
    return linked


def kept_code(linked: LinkedProgram) -> bytes | None:
    """The code of a program without module files, for `program_of`; None if a part of it cannot be kept."""
    return _payload(linked.program, linked, {})


def program_of(code: bytes, compiled: Callable[[], ir.Unit], compiled_s: float) -> CachedProgram:
    """The program that `kept_code` gave the code of. As safe as whoever kept it: this is code that Python runs.

    Args:
        compiled: compiles it anew, for functions that are to become wasm, which takes `compiled_s` seconds.
    """
    _, ((_, source, main),) = marshal.loads(code)
    with deep_recursion(ANALYSIS_DEPTH):
        return CachedProgram(_thawed(main), source, {}, compiled, compiled_s)


class _Asked:
    """A module store that notes what was looked for in it, in vain or not."""

    def __init__(self, store: ModuleStore) -> None:
        self._store = store
        #: module → digest of its text and name, None if there was no such module
        self.digests: dict[str, str | None] = {}

    def find(self, name: str) -> tuple[str, str] | None:
        """As the store."""
        found = self._store.find(name)
        self.digests[name] = None if found is None else digest_of(*found)
        return found


def _key(text: str, source_name: str) -> str:
    return digest_of(text, source_name, compiler())


def compiler() -> str:
    """What code depends on beside the text: this package and Python."""
    return digest_of(VERSION, _package(), sys.implementation.cache_tag or "", sys.version)


@cache
def _package() -> str:
    """Sizes and times of this package's files: one that was edited makes other code."""
    found = []
    for folder, folders, files in os.walk(os.path.dirname(__file__)):
        folders.sort()
        for name in sorted(files):
            if name.endswith(".py"):
                status = os.stat(os.path.join(folder, name))
                found.append(f"{name} {status.st_size} {status.st_mtime_ns}")
    return "\n".join(found)


# ---------------------------------------------------------------- files


def _load(path: str, text: str, source_name: str, modules: ModuleStore) -> CachedProgram | None:
    body = read_sealed(path)
    if body is None:
        return None
    asked, ((_, _, main), *others) = marshal.loads(body)
    for name, digest in asked:
        current = modules.find(name)
        if digest != (None if current is None else digest_of(*current)):
            return None
    with deep_recursion(ANALYSIS_DEPTH):  # quoted data may be nested
        units = {name: (source, _thawed(frozen)) for name, source, frozen in others}

        def compiled() -> ir.Unit:
            return compile(text, source_name=source_name, modules=modules).unit

        return CachedProgram(_thawed(main), source_name, units, compiled, _CHARACTER_S * len(text))


# ---------------------------------------------------------------- contents


def _payload(program: Program, linked: LinkedProgram, asked: Mapping[str, str | None]) -> bytes | None:
    """The body of an entry; None if a part cannot be kept. `asked`: modules and the digests of their texts."""
    from rtfs.tiers import asked_for

    units: list[tuple[str | None, ir.Unit | None]] = [(None, program.unit)]
    units += [(name, program.module_unit(name)) for name, digest in asked.items() if digest is not None]
    frozen = []
    try:
        with deep_recursion(ANALYSIS_DEPTH):
            for name, unit in units:
                artifact = None if unit is None else linked.artifact(unit)
                if unit is None or artifact is None or asked_for(unit):  # wasm is made of the IR
                    return None
                frozen.append((name, unit.source, _frozen(artifact)))
            return marshal.dumps((tuple(asked.items()), tuple(frozen)))
    except (NotFrozen, ValueError, RecursionError):  # ValueError: nested deeper than marshal goes
        return None


type _Frozen = tuple[Any, ...]


def _frozen(artifact: Artifact) -> _Frozen:
    """An artifact as data that `marshal` takes.

    Raises:
        NotFrozen: one of its constants has no such form, or only the interpreter can run a module in it.
    """
    constants = tuple(_frozen_constant(constant) for constant in artifact.constants)
    calls = tuple((tuple(span), callee, count) for span, callee, count in artifact.calls)
    return artifact.forms, constants, artifact.prefix, calls


def _frozen_constant(constant: Any) -> Any:
    if type(constant) is not ModuleCode:
        return freeze(constant)
    if constant.artifact is None:
        raise NotFrozen("module")
    about = (constant.name, constant.docstring, constant.exports, constant.source)
    return ("module", *about, _frozen(constant.artifact))


def _thawed(frozen: _Frozen) -> Artifact:
    forms, constants, prefix, calls = frozen
    return Artifact(forms, tuple([_thawed_constant(constant) for constant in constants]), prefix, calls)


def _thawed_constant(frozen: Any) -> Any:
    if type(frozen) is tuple and frozen[0] == "module":
        _, name, docstring, exports, source, artifact = frozen
        return ModuleCode(name, docstring, exports, source, _thawed(artifact), None)
    return thaw(frozen)
