"""Compiled units, and running them. Needs nothing of the compiler, so that what is on disk starts fast."""

from __future__ import annotations

from types import CodeType
from typing import TYPE_CHECKING, Any, NamedTuple

from rtfs.emit_python.blame import Call, blamed
from rtfs.emit_python.helpers import base_globals
from rtfs.emit_python.names import MAIN
from rtfs.namespace import Modules, Namespace, module_value
from rtfs.values import Value

if TYPE_CHECKING:
    from rtfs import ir


class Artifact(NamedTuple):
    """A compiled unit."""

    code: CodeType
    #: values that the code names `k·prefix·index`
    constants: tuple[Any, ...]
    prefix: str
    #: every call of a function in the code, for errors
    calls: tuple[Call, ...]


class ModuleCode(NamedTuple):
    """A `module` form, compiled."""

    name: str
    docstring: str | None
    exports: tuple[str, ...]
    source: str
    #: None: only the interpreter can run it, from `node`
    artifact: Artifact | None
    node: ir.ModuleForm | None


def prepare(namespace: Namespace, modules: Modules) -> dict[str, Any]:
    """The names that generated code sees besides the program's own, made once per namespace."""
    names = namespace.values.get("__builtins__")
    if names is None:
        names = base_globals().copy()
        names["rt·namespace"] = namespace
        names["rt·modules"] = modules
        names["rt·units"] = {}
        namespace.values["__builtins__"] = names
    found: dict[str, Any] = names
    return found


def run_artifact(artifact: Artifact, source: str, namespace: Namespace, modules: Modules) -> Value:
    """Run a compiled unit in `namespace`.

    Raises:
        RtfsError: whatever the program raises.
    """
    names = prepare(namespace, modules)
    prefix = artifact.prefix
    for index, value in enumerate(artifact.constants):
        names[f"k·{prefix}·{index}"] = value
    # a session may load a changed file again under its old name, while functions of the first time live on
    names["rt·units"][source] = names["rt·units"].get(source, ()) + artifact.calls
    try:
        exec(artifact.code, namespace.values)
        return namespace.values.pop(MAIN)()
    except Exception as exc:
        error = blamed(exc)
        raise error.with_traceback(None) from None


def run_module(modules: Modules, code: ModuleCode) -> Value:
    """Run a `module` form in a frame of its own."""
    namespace = modules.frame(code.name)
    if code.artifact is None:
        from rtfs import interpret, ir

        assert code.node is not None
        unit = ir.Unit(source=code.source, forms=(code.node,), defines=(), stable=frozenset())
        return interpret.run_unit(unit, namespace, modules)
    namespace.exports = frozenset(code.exports)
    run_artifact(code.artifact, code.source, namespace, modules)
    modules.add(namespace)
    return module_value(code.name, code.docstring, code.exports)
