"""What a name means: lexical, global of the program, imported, builtin, of a module, or known only when run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rtfs import ir
from rtfs.analyze.environment import Environment
from rtfs.analyze.scope import Scope
from rtfs.analyze.syntax import invalid
from rtfs.errors import Span

#: the module that holds all builtins
STDLIB = "stdlib"


def builtins() -> Mapping[str, Any]:
    """The standard library by name, imported on first use."""
    from rtfs.stdlib.table import BUILTINS

    return BUILTINS


def reference(name: str, span: Span, scope: Scope) -> ir.Node:
    """The node that reads `name`."""
    local = scope.find(name)
    if local is not None:
        return ir.LocalRef(local, span=span)
    environment = scope.analysis.environment
    if name in environment.globals:
        return ir.GlobalRef(name, span=span)
    if name in environment.macros:
        raise invalid(f"`{name}` is a macro, which is no value; call it or wrap it in `fn`", span)
    return _builtin(name, span, environment) or _qualified(name, span, scope) or ir.DynamicRef(name, span=span)


def _builtin(name: str, span: Span, environment: Environment) -> ir.Node | None:
    name = environment.builtin_names.get(name, name)
    return ir.BuiltinRef(name, span=span) if name in builtins() else None


def split_qualified(name: str) -> tuple[str, str] | None:
    """`a.b/x` → (`a.b`, `x`); None for a plain name and for `/` itself."""
    module, slash, member = name.partition("/")
    return (module, member) if slash and module and member else None


def _qualified(name: str, span: Span, scope: Scope) -> ir.Node | None:
    parts = split_qualified(name)
    if parts is None:
        return None
    module, member = parts
    environment = scope.analysis.environment
    module = environment.aliases.get(module, module)
    found = builtin_member(module, member)
    if found is not None:
        return ir.BuiltinRef(found, span=span)
    if module not in environment.modules.loading:  # so that its text counts among the unit's dependencies
        scope.analysis.shared.depend_on(environment.find_module(module, span))
    return ir.QualifiedRef(module, member, span=span)


def builtin_member(module: str, member: str) -> str | None:
    """The builtin that `module/member` means, if module is one of the standard library."""
    name = member if module == STDLIB else f"{module}/{member}"
    return name if name in builtins() else None


def is_builtin_module(module: str) -> bool:
    """Whether the standard library has a module of this name."""
    return module == STDLIB or any(name.startswith(f"{module}/") for name in builtins())
