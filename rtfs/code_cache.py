"""Compiled programs on disk, so that an unchanged file starts without being read again.

An entry is found by the BLAKE2b digest of everything it depends on: the text, its name, this package and
Python. It names the modules that were looked for with it, and the digests of their texts if there were any,
which are compared before it is used. Its own digest, which covers its name, is checked before a byte is
interpreted; a file that is damaged, misplaced, foreign or writable by others counts as absent.

What is stored is code that Python runs, like a `.pyc`: the folder belongs to the user alone. Entries that were
not used for the longest time are removed when there are too many.
"""

from __future__ import annotations

import marshal
import os
import stat
import sys
import time
from _blake2 import blake2b  # that of `hashlib`, which loads OpenSSL as well: 2 ms
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from rtfs.emit_python.artifact import Artifact, ModuleCode, Routing, prepare, run_artifact
from rtfs.emit_python.frozen import NotFrozen, freeze, thaw
from rtfs.namespace import Modules, Namespace
from rtfs.program import ANALYSIS_DEPTH, LinkedProgram, Program, compile, new_run, prepared
from rtfs.run import Limits, deep_recursion, running
from rtfs.sampling import Measured, measures
from rtfs.values import Value
from rtfs.version import VERSION

if TYPE_CHECKING:
    from rtfs import ir
    from rtfs.analyze.environment import ModuleStore
    from rtfs.host import Host
    from rtfs.security import RuntimeContext

_MAGIC: Final = b"RTFSPY3\n"
_DIGEST_BYTES: Final = 32
#: what the folder may hold, and how long a file may take to be written
MOST_ENTRIES: Final = 256
MOST_BYTES: Final = 64 << 20
_WRITING_S: Final = 3600
_ENTRY: Final = ".rtfsc"
#: compiling a text takes so many seconds for each character
_CHARACTER_S: Final = 20e-6
_TEMPORARY: Final = ".rtfsc.tmp"


def default_folder() -> str | None:
    """`$RTFS_CACHE_DIR`, else `rtfs` in the user's cache folder; None for a user who has no folder."""
    named = os.environ.get("RTFS_CACHE_DIR")
    if named:
        return named
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(base, "rtfs") if os.path.isabs(base) else None


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
    path = os.path.join(folder, f"{_key(text, source_name)}{_ENTRY}")
    found = _load(path, text, source_name, modules)
    if found is not None:
        return found
    asked = _Asked(modules)
    program = compile(text, source_name=source_name, modules=asked)
    linked = program.link()
    payload = _payload(program, linked, asked.digests)
    if payload is not None:
        _store(path, payload)
    return linked


class _Asked:
    """A module store that notes what was looked for in it, in vain or not."""

    def __init__(self, store: ModuleStore) -> None:
        self._store = store
        #: module → digest of its text and name, None if there was no such module
        self.digests: dict[str, str | None] = {}

    def find(self, name: str) -> tuple[str, str] | None:
        """As the store."""
        found = self._store.find(name)
        self.digests[name] = None if found is None else _digest(*found)
        return found


def _key(text: str, source_name: str) -> str:
    return _digest(text, source_name, VERSION, _package(), sys.implementation.cache_tag or "", sys.version)


def _digest(*parts: str) -> str:
    digest = blake2b(digest_size=_DIGEST_BYTES)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()


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
    body = _read_verified(path)
    if body is None:
        return None
    asked, ((_, _, main), *others) = marshal.loads(body)
    for name, digest in asked:
        current = modules.find(name)
        if digest != (None if current is None else _digest(*current)):
            return None
    with deep_recursion(ANALYSIS_DEPTH):  # quoted data may be nested
        units = {name: (source, _thawed(frozen)) for name, source, frozen in others}

        def compiled() -> ir.Unit:
            return compile(text, source_name=source_name, modules=modules).unit

        return CachedProgram(_thawed(main), source_name, units, compiled, _CHARACTER_S * len(text))


def _read_verified(path: str) -> bytes | None:
    """The body of an entry whose owner and digest are right. Notes that it was used."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        with open(os.open(path, flags), "rb") as file:
            if not _is_own(os.fstat(file.fileno())):
                return None
            data = file.read()
    except OSError:
        return None
    start = len(_MAGIC) + _DIGEST_BYTES
    body = data[start:]
    if data[:start] != _MAGIC + _seal(path, body):
        return None
    with suppress(OSError):  # on a disk that cannot be written to, nothing is removed either
        os.utime(path)
    return body


def _is_own(status: os.stat_result) -> bool:
    """Whether a file is a plain one of the user, which nobody else can write to."""
    if not stat.S_ISREG(status.st_mode) or status.st_size > MOST_BYTES:
        return False
    return not hasattr(os, "getuid") or (status.st_uid == os.getuid() and not status.st_mode & 0o022)


def _seal(path: str, body: bytes) -> bytes:
    return blake2b(os.path.basename(path).encode() + body, digest_size=_DIGEST_BYTES).digest()


def _store(path: str, body: bytes) -> None:
    """Write an entry so that a reader sees all of it or none. A full or read-only disk is no error."""
    if len(body) > MOST_BYTES // 2:
        return
    folder = os.path.dirname(path)
    with suppress(OSError):
        os.makedirs(folder, mode=0o700, exist_ok=True)
        temporary = os.path.join(folder, f"{os.urandom(8).hex()}{_TEMPORARY}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with open(descriptor, "wb") as file:
                file.write(_MAGIC + _seal(path, body) + body)
            os.replace(temporary, path)
        except OSError:
            os.unlink(temporary)
            raise
        _remove_surplus(folder)


def _remove_surplus(folder: str) -> None:
    """Remove the entries that were not used for the longest time, and what writers that died left behind."""
    kept = nbytes = 0
    for _, size, path in sorted(_entries(folder), reverse=True):
        kept, nbytes = kept + 1, nbytes + size
        if kept > MOST_ENTRIES or nbytes > MOST_BYTES:
            with suppress(FileNotFoundError):
                os.unlink(path)


def _entries(folder: str) -> Iterator[tuple[float, int, str]]:
    """Time of last use, size and path of each entry. Removes old temporary files on the way."""
    with os.scandir(folder) as files:
        for file in files:
            if file.name.endswith(_ENTRY):
                with suppress(FileNotFoundError):
                    status = file.stat(follow_symlinks=False)
                    yield status.st_mtime, status.st_size, file.path
            elif file.name.endswith(_TEMPORARY):
                with suppress(FileNotFoundError):
                    if file.stat(follow_symlinks=False).st_mtime < time.time() - _WRITING_S:
                        os.unlink(file.path)


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
