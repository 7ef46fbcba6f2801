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
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rtfs import ir
from rtfs.emit_python.backend import Artifact, ModuleCode, run_artifact
from rtfs.errors import Span, StorageError
from rtfs.ir_codec import decode, encode
from rtfs.namespace import Modules, Namespace
from rtfs.program import LinkedProgram, Program, compile, new_run, prepared
from rtfs.run import Limits, running
from rtfs.values import Keyword, Value

if TYPE_CHECKING:
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


class CachedProgram:
    """A compiled program as it comes from disk. Runs as a `LinkedProgram` without a delegate does."""

    def __init__(self, artifact: Artifact, source: str, modules: Mapping[str, tuple[str, Artifact]]) -> None:
        self._artifact = artifact
        self._source = source
        self._units = {
            name: ir.Unit(source=module_source, forms=(), defines=(), stable=frozenset())
            for name, (module_source, _) in modules.items()
        }
        self._artifacts = {id(self._units[name]): code for name, (_, code) in modules.items()}

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
            modules = Modules(self._units.get, self._run_module)
            return run_artifact(self._artifact, self._source, modules.frame(), modules)

    def _run_module(self, unit: ir.Unit, namespace: Namespace, modules: Modules) -> Value:
        return run_artifact(self._artifacts[id(unit)], unit.source, namespace, modules)


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
    from rtfs.version import VERSION

    parts = (text, source_name, VERSION, str(ir.IR_VERSION), sys.implementation.cache_tag or "", sys.version)
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
    dependencies, main, others = marshal.loads(body)
    for name, digest in dependencies:
        current = modules.find(name)
        if current is None or sha256(current[0].encode("utf-8", "surrogatepass")).hexdigest() != digest:
            return None
    try:
        units = {name: (source, _thawed(frozen)) for name, source, frozen in others}
        return CachedProgram(_thawed(main), source_name, units)
    except StorageError:
        return None


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
    """The body of an entry; None if a part can only be interpreted."""
    main = linked.artifact(program.unit)
    dependencies = program.unit.dependencies
    if main is None:
        return None
    frozen_main = _frozen(main)
    others = []
    for name, _ in dependencies:
        unit = program.module_unit(name)
        artifact = None if unit is None else linked.artifact(unit)
        frozen = None if artifact is None else _frozen(artifact)
        if unit is None or frozen is None:
            return None
        others.append((name, unit.source, frozen))
    if frozen_main is None:
        return None
    return marshal.dumps((dependencies, frozen_main, tuple(others)))


type _Frozen = tuple[Any, ...]


def _frozen(artifact: Artifact) -> _Frozen | None:
    """An artifact as data that `marshal` takes. Constants other than keywords and modules travel as IR."""
    tags: list[Any] = []
    nodes: list[ir.Node] = []
    for constant in artifact.constants:
        if type(constant) is Keyword:
            tags.append(constant.name)
        elif isinstance(constant, ModuleCode):
            inner = None if constant.artifact is None else _frozen(constant.artifact)
            if inner is None:
                return None
            tags.append(("module", len(nodes), constant.source, inner))
            nodes.append(_shell(constant.node))
        else:
            tag, node = _as_node(constant)
            tags.append((tag, len(nodes)))
            nodes.append(node)
    data = encode(ir.Unit(source="", forms=tuple(nodes), defines=(), stable=frozenset())) if nodes else b""
    calls = tuple((tuple(span), callee, count) for span, callee, count in artifact.calls)
    return artifact.code, artifact.prefix, calls, tuple(tags), data


def _shell(node: ir.ModuleForm) -> ir.ModuleForm:
    """A module form without its body, which is code already."""
    return ir.ModuleForm(
        name=node.name, docstring=node.docstring, exports=node.exports, defines=node.defines, body=()
    )


def _as_node(constant: Any) -> tuple[str, ir.Node]:
    """A node that carries `constant` through the codec, and how to get it out again."""
    nothing = ir.Constant(value=None)
    if isinstance(constant, ir.Node):
        return "node", constant
    if isinstance(constant, ir.CatchAll | ir.CatchCategory | ir.CatchThrown):
        catch = ir.Catch(constant, ir.Local(0, "e"), None, nothing)
        return "selector", ir.Try(body=nothing, catches=(catch,), final=None)
    if type(constant).__module__ == "rtfs.types":
        return "type", ir.Cast(value=nothing, type=constant, label="")
    return "value", ir.Constant(value=constant)


_OUT: Final[dict[str, Callable[[Any], Any]]] = {
    "node": lambda node: node,
    "selector": lambda node: node.catches[0].selector,
    "type": lambda node: node.type,
    "value": lambda node: node.value,
}


def _thawed(frozen: _Frozen) -> Artifact:
    code, prefix, calls, tags, data = frozen
    nodes = decode(data).forms if data else ()
    constants: list[Any] = []
    for tag in tags:
        if type(tag) is str:
            constants.append(Keyword.of(tag))
        elif tag[0] == "module":
            _, index, source, inner = tag
            node = nodes[index]
            assert isinstance(node, ir.ModuleForm)
            constants.append(ModuleCode(node, source, _thawed(inner)))
        else:
            constants.append(_OUT[tag[0]](nodes[tag[1]]))
    return Artifact(code, tuple(constants), prefix, tuple((Span(*span), c, n) for span, c, n in calls))
