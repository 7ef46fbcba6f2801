"""Compiled units, and running them. Needs nothing of the compiler, so that what is on disk starts fast."""

from __future__ import annotations

from collections.abc import Mapping
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from rtfs.emit_python.blame import blamed
from rtfs.emit_python.helpers import base_globals
from rtfs.namespace import Modules, Namespace, module_value
from rtfs.values import Value

if TYPE_CHECKING:
    from rtfs import ir
    from rtfs.emit_python.arguments import Call


class Artifact(NamedTuple):
    """A compiled unit, or some of its forms."""

    #: for each form the code of a function without parameters that returns its value
    forms: tuple[CodeType, ...]
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


class Routed(Protocol):
    """What runs in place of a form in which a function is delegated."""

    def run(self, code: CodeType, namespace: Namespace, modules: Modules) -> Value:
        """The form's value. `code` runs the form as it is when nothing is delegated."""


#: forms, by their index, that run otherwise than they were compiled
type Routing = Mapping[int, Routed]
_NOTHING: Routing = {}


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


def install(artifact: Artifact, source: str, namespace: Namespace, modules: Modules) -> None:
    """Make known in `namespace` what the code of `artifact` names."""
    names = prepare(namespace, modules)
    prefix = artifact.prefix
    for index, value in enumerate(artifact.constants):
        names[f"k·{prefix}·{index}"] = value
    # a session may load a changed file again under its old name, while functions of the first time live on
    names["rt·units"][source] = names["rt·units"].get(source, ()) + artifact.calls


def run_artifact(
    artifact: Artifact, source: str, namespace: Namespace, modules: Modules, routing: Routing = _NOTHING
) -> Value:
    """Run a compiled unit in `namespace`. The value of its last form, nil if it has none.

    Raises:
        RtfsError: whatever the program raises.
    """
    install(artifact, source, namespace, modules)
    value: Value = None
    try:
        if not routing:
            names = namespace.values
            for code in artifact.forms:
                value = FunctionType(code, names)()
            return value
        for index, code in enumerate(artifact.forms):
            routed = routing.get(index)
            value = run_form(code, namespace) if routed is None else routed.run(code, namespace, modules)
    except Exception as exc:
        error = blamed(exc)
        raise error.with_traceback(None) from None
    return value


def run_form(code: CodeType, namespace: Namespace) -> Value:
    """The value of one compiled form."""
    return FunctionType(code, namespace.values)()


def run_module(modules: Modules, code: ModuleCode, routing: Routing = _NOTHING) -> Value:
    """Run a `module` form in a frame of its own."""
    if code.artifact is None:
        return interpret_module(modules, code)
    namespace = modules.frame(code.name)
    namespace.exports = frozenset(code.exports)
    run_artifact(code.artifact, code.source, namespace, modules, routing)
    modules.add(namespace)
    return module_value(code.name, code.docstring, code.exports)


def interpret_module(modules: Modules, code: ModuleCode) -> Value:
    """Have the interpreter run a `module` form that was compiled just now."""
    from rtfs import interpret, ir

    assert code.node is not None
    unit = ir.Unit(source=code.source, forms=(code.node,), defines=(), stable=frozenset())
    return interpret.run_unit(unit, modules.frame(code.name), modules)
