"""Forms of the reference that the purity policy removed: each raises NotImplemented, naming its substitute."""

from __future__ import annotations

from typing import Final

from rtfs import ir
from rtfs.analyze.core import Call, constant, primitive, special
from rtfs.analyze.scope import Scope

_PUT: Final = "(call :ccos.state.kv.put key value)"
_GET: Final = "(call :ccos.state.kv.get key)"
_COUNT: Final = "(call :ccos.state.counter.inc key)"
SUBSTITUTES: Final[dict[str, str]] = {
    "set!": f"let or loop, or for state {_PUT}",
    "atom": f"{_PUT} and {_GET}: state lives with the host",
    "deref": _GET,
    "reset!": _PUT,
    "swap!": f"{_GET} and {_PUT}, or {_COUNT}",
    "assoc!": "(kv/assoc! key k v)",
    "parallel": "(step-parallel form…), or (async form) and (await ticket)",
    "with-resource": "(try … (finally …))",
    "log-step": "(log message), or (step name form…)",
    "discover-agents": "(call :ccos.agent.discover …)",
    "task": "(plan name …)",
}


@special(*SUBSTITUTES, shadowable=True)
def removed(call: Call, scope: Scope) -> ir.Node:
    """Raises NotImplemented when it is run, so that a program's `catch` may see it."""
    message = f"`{call.head}` is not part of the language; use {SUBSTITUTES[call.head]}"
    return primitive("not-implemented", constant(message, call.span), span=call.span)
