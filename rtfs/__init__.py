"""RTFS, a small pure Lisp for plans.

    >>> import rtfs
    >>> rtfs.evaluate("(+ 1 2)")
    3
    >>> rtfs.pr_str(rtfs.evaluate('{:a [1 "b"]}'))
    '{:a [1 "b"]}'

Everything here is loaded when it is first used, so that importing costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rtfs.convert import from_python, to_python
    from rtfs.delegation import (
        Delegate,
        DelegationHint,
        ExecTarget,
        FunctionInfo,
        L4CacheHit,
        LocalModel,
        LocalPure,
        RemoteModel,
    )
    from rtfs.errors import LimitError, ReadError, RtfsError, Span
    from rtfs.host import Complete, Host, HostCall, PureHost, RequiresHost
    from rtfs.printer import pr_str, to_str
    from rtfs.program import FileModules, LinkedProgram, Program, compile, evaluate
    from rtfs.reader import read
    from rtfs.run import Limits
    from rtfs.security import RuntimeContext
    from rtfs.session import Session
    from rtfs.stepping import Stepper
    from rtfs.values import Keyword, List, Map, Set, Symbol, Vector

__all__ = [
    "Complete",
    "Delegate",
    "DelegationHint",
    "ExecTarget",
    "FileModules",
    "FunctionInfo",
    "Host",
    "HostCall",
    "Keyword",
    "L4CacheHit",
    "LimitError",
    "Limits",
    "LinkedProgram",
    "List",
    "LocalModel",
    "LocalPure",
    "Map",
    "Program",
    "PureHost",
    "ReadError",
    "RemoteModel",
    "RequiresHost",
    "RtfsError",
    "RuntimeContext",
    "Session",
    "Set",
    "Span",
    "Stepper",
    "Symbol",
    "Vector",
    "compile",
    "evaluate",
    "from_python",
    "pr_str",
    "read",
    "to_python",
    "to_str",
]

#: name → module that defines it
_HOMES = {
    **dict.fromkeys(("from_python", "to_python"), "convert"),
    **dict.fromkeys(
        (
            "Delegate",
            "DelegationHint",
            "ExecTarget",
            "FunctionInfo",
            "L4CacheHit",
            "LocalModel",
            "LocalPure",
            "RemoteModel",
        ),
        "delegation",
    ),
    **dict.fromkeys(("LimitError", "ReadError", "RtfsError", "Span"), "errors"),
    **dict.fromkeys(("Complete", "Host", "HostCall", "PureHost", "RequiresHost"), "host"),
    **dict.fromkeys(("pr_str", "to_str"), "printer"),
    **dict.fromkeys(("FileModules", "LinkedProgram", "Program", "compile", "evaluate"), "program"),
    "read": "reader",
    "Limits": "run",
    "RuntimeContext": "security",
    "Session": "session",
    "Stepper": "stepping",
    **dict.fromkeys(("Keyword", "List", "Map", "Set", "Symbol", "Vector"), "values"),
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'rtfs' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"rtfs.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
