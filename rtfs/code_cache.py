"""Compiled programs on disk, so that an unchanged file starts without being read again.

An entry is found by the SHA-256 of everything it depends on: the text, its name, the version of this package
and of Python. It names the modules that were read with it and the digests of their texts, which are compared
before it is used. Its own digest is checked before a byte of it is interpreted; a file that is damaged,
foreign or writable by others counts as absent.

What is stored is code that Python runs, like a `.pyc`: the folder belongs to the user alone.
"""

from __future__ import annotations

import marshal
import os
import sys
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rtfs.emit_python.artifact import Artifact, ModuleCode, run_artifact
from rtfs.emit_python.frozen import NotFrozen, freeze, thaw
from rtfs.namespace import Modules, Namespace
from rtfs.program import LinkedProgram, Program, compile, new_run, prepared
from rtfs.run import Limits, running
from rtfs.values import Value
from rtfs.version import VERSION

if TYPE_CHECKING:
    from rtfs import ir
    from rtfs.analyze.environment import ModuleStore
    from rtfs.host import Host
    from rtfs.security import RuntimeContext

_MAGIC: Final = b"RTFSPY1\n"
_DIGEST_BYTES: Final = 32


def default_folder() -> Path:
    """`$RTFS_CACHE_DIR`, else `rtfs` in the user's cache folder."""
    named = os.environ.get("RTFS_CACHE_DIR")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "rtfs"


class _ModuleStub:
    """Stands for the unit of a module whose code is here already."""

    __slots__ = ("artifact", "source")

    def __init__(self, source: str, artifact: Artifact) -> None:
        self.source = source
        self.artifact = artifact


class CachedProgram:
    """A compiled program as it comes from disk. Runs as a `LinkedProgram` without a delegate does."""

    def __init__(self, artifact: Artifact, source: str, modules: Mapping[str, tuple[str, Artifact]]) -> None:
        self._artifact = artifact
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
            return run_artifact(self._artifact, self._source, modules.frame(), modules)


def _run_stub(module: _ModuleStub, namespace: Namespace, modules: Modules) -> Value:
    return run_artifact(module.artifact, module.source, namespace, modules)


def load_or_compile(
    text: str, source_name: str, modules: ModuleStore, folder: Path | None = None
) -> CachedProgram | LinkedProgram:
    """The compiled program for `text`: from disk if it is there and still right, else compiled and stored.

    A folder that cannot be used makes this slower, never wrong.

    Raises:
        RtfsError: as `compile`.
    """
    folder = folder or default_folder()
    path = folder / f"{_key(text, source_name)}.rtfsc"
    found = _load(path, source_name, modules)
    if found is not None:
        return found
    program = compile(text, source_name=source_name, modules=modules)
    linked = program.link()
    payload = _payload(program, linked)
    if payload is not None:
        _store(path, payload)
    return linked


def _key(text: str, source_name: str) -> str:
    parts = (text, source_name, VERSION, sys.implementation.cache_tag or "", sys.version)
    digest = sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()


# ---------------------------------------------------------------- files


def _load(path: Path, source_name: str, modules: ModuleStore) -> CachedProgram | None:
    body = _read_verified(path)
    if body is None:
        return None
    dependencies, ((_, _, main), *others) = marshal.loads(body)
    for name, digest in dependencies:
        current = modules.find(name)
        if current is None or sha256(current[0].encode("utf-8", "surrogatepass")).hexdigest() != digest:
            return None
    units = {name: (source, _thawed(frozen)) for name, source, frozen in others}
    return CachedProgram(_thawed(main), source_name, units)


def _read_verified(path: Path) -> bytes | None:
    """The body of an entry whose owner and digest are right."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if hasattr(os, "getuid") and (status.st_uid != os.getuid() or status.st_mode & 0o022):
                return None
            data = file.read()
    except OSError:
        return None
    start = len(_MAGIC) + _DIGEST_BYTES
    if not data.startswith(_MAGIC) or sha256(data[start:]).digest() != data[len(_MAGIC) : start]:
        return None
    return data[start:]


def _store(path: Path, body: bytes) -> None:
    """Write an entry so that a reader sees all of it or none. A full or read-only disk is no error."""
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(_MAGIC + sha256(body).digest() + body)
        temporary.replace(path)
    except OSError:
        return


# ---------------------------------------------------------------- contents


def _payload(program: Program, linked: LinkedProgram) -> bytes | None:
    """The body of an entry; None if a part cannot be kept."""
    units: list[tuple[str | None, ir.Unit | None]] = [(None, program.unit)]
    units += [(name, program.module_unit(name)) for name, _ in program.unit.dependencies]
    frozen = []
    try:
        for name, unit in units:
            artifact = None if unit is None else linked.artifact(unit)
            if unit is None or artifact is None:
                return None
            frozen.append((name, unit.source, _frozen(artifact)))
        return marshal.dumps((program.unit.dependencies, tuple(frozen)))
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
    return artifact.code, constants, artifact.prefix, calls


def _frozen_constant(constant: Any) -> Any:
    if type(constant) is not ModuleCode:
        return freeze(constant)
    if constant.artifact is None:
        raise NotFrozen("module")
    about = (constant.name, constant.docstring, constant.exports, constant.source)
    return ("module", *about, _frozen(constant.artifact))


def _thawed(frozen: _Frozen) -> Artifact:
    code, constants, prefix, calls = frozen
    return Artifact(code, tuple([_thawed_constant(constant) for constant in constants]), prefix, calls)


def _thawed_constant(frozen: Any) -> Any:
    if type(frozen) is tuple and frozen[0] == "module":
        _, name, docstring, exports, source, artifact = frozen
        return ModuleCode(name, docstring, exports, source, _thawed(artifact), None)
    return thaw(frozen)
