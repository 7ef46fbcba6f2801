"""`try`: which errors a `catch` clause handles is decided here, from the names of language.md §7."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rtfs import errors, ir
from rtfs.analyze.core import Call, body, frame_body, special
from rtfs.analyze.scope import Scope
from rtfs.analyze.syntax import Item, describe, invalid, items_of
from rtfs.values import Keyword, List, Symbol, Value

#: stands for exceptions of the host that were none of RTFS's
_HOST_EXCEPTION: Final = "HostException"
_AGENT: Final = ("AgentDiscoveryError", "AgentCommunicationError", "AgentProfileError")
_HOST: Final = (
    "UnknownCapability",
    "IoError",
    "NetworkError",
    "JsonError",
    "StorageError",
    "ResourceError",
    *_AGENT,
    _HOST_EXCEPTION,
)
#: categories of which only the names are left
_LEGACY: Final = (*_AGENT, "InvalidTaskDefinition", "InvalidParallelExpression")


def _categories() -> tuple[str, ...]:
    """Every category that can be caught."""
    found: dict[str, None] = {}
    todo: list[type[errors.RtfsError]] = [errors.RtfsError]
    while todo:
        kind = todo.pop()
        todo.extend(kind.__subclasses__())
        if kind.catchable and "category" in vars(kind):
            found[kind.category] = None
    del found[errors.RtfsError.category]
    return (*found, *_LEGACY)


CATEGORIES: Final = _categories()
_RUNTIME: Final = tuple(name for name in CATEGORIES if name not in (*_HOST, "TypeValidationError"))
GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "RuntimeError": _RUNTIME,
    "RuntimeException": _RUNTIME,
    "HostError": _HOST,
    "ValidationError": ("TypeValidationError",),
    "ArithmeticException": ("DivisionByZero", "IntegerOverflow"),
    "IllegalArgumentException": ("InvalidArgument", "InvalidArguments", "ArityMismatch", "TypeError"),
    "IndexOutOfBoundsException": ("IndexOutOfBounds",),
    "SecurityError": ("SecurityViolation",),
}
#: names that catch everything
_ALL: Final = frozenset(("_", "Exception", "Error", "Throwable"))
#: every spelling of a category or group: as it is, and in kebab case
_SELECTORS: Final[dict[str, tuple[str, ...]]] = {
    spelling: members
    for name, members in {**{name: (name,) for name in CATEGORIES}, **GROUPS}.items()
    for spelling in (name, errors.kebab(name))
}


@dataclass(frozen=True, slots=True)
class _Clause:
    """`(catch selector name also? body…)` taken apart."""

    selector: ir.Selector
    name: str
    also: str | None
    body: Sequence[Item]


@special("try")
def try_(call: Call, scope: Scope) -> ir.Node:
    """`(try body* (catch …)* (finally body+)?)`."""
    body_items, catches, final = _split(call)
    made = body(body_items, scope, call.span)
    handlers = tuple([_catch(item, scope) for item in catches])
    last = None if final is None else body(items_of(final.form, final.span)[1:], scope, final.span)
    return ir.Try(made, handlers, last, span=call.span)


def _split(call: Call) -> tuple[list[Item], list[Item], Item | None]:
    """Body forms, `catch` clauses, `finally` clause."""
    body_items: list[Item] = []
    catches: list[Item] = []
    final: Item | None = None
    for item in call.args:
        head = _head(item.form)
        if final is not None:
            raise invalid("`finally` is the last clause of `try`", final.span)
        if head == "catch":
            catches.append(item)
        elif head == "finally":
            final = item
            if len(item.form) == 1:
                raise invalid("`finally` has no body", item.span)
        elif catches:
            raise invalid("after the first `catch` only `catch` and `finally` may follow", item.span)
        else:
            body_items.append(item)
    if not catches and final is None:
        raise invalid("`try` has neither `catch` nor `finally`", call.span)
    return body_items, catches, final


def _head(form: Value) -> str | None:
    if type(form) is not List or not form or type(form[0]) is not Symbol:
        return None
    return str(form[0].name)


def _catch(item: Item, scope: Scope) -> ir.Catch:
    clause = _split_catch(item)
    inner = scope.child()
    also = None if clause.also is None else inner.bind(clause.also)
    local = inner.bind(clause.name)
    return ir.Catch(clause.selector, local, also, frame_body(clause.body, inner, item.span))


def _split_catch(item: Item) -> _Clause:
    parts = items_of(item.form, item.span)[1:]
    if len(parts) < 2:
        raise invalid("`catch` has the shape `(catch Kind name form…)` or `(catch name form…)`", item.span)
    first, second = parts[0].form, parts[1].form
    named = type(second) is Symbol and len(parts) > 2
    if type(first) is Symbol and not named:
        return _Clause(ir.CatchAll(), first.name, None, parts[1:])
    if type(first) not in (Symbol, Keyword, str):
        raise invalid(f"`catch` takes a name, keyword or string first, got {describe(first)}", parts[0].span)
    if not named:
        raise invalid(f"`(catch {describe(first)[1:-1]} …)` takes a name for the error, then a body", item.span)
    selector = _selector(first)
    both = type(first) is Symbol and isinstance(selector, ir.CatchAll) and first.name not in _ALL
    return _Clause(selector, second.name, first.name if both else None, parts[2:])


def _selector(form: Value) -> ir.Selector:
    name = form if type(form) is str else form.name
    if type(form) is Symbol and name in _ALL:
        return ir.CatchAll()
    if type(form) is Keyword and name == "default":
        return ir.CatchAll()
    plain = name.removeprefix("error/")
    members = _SELECTORS.get(plain)
    # `generic` alone would be a likely name for the error itself
    if members is not None and (type(form) is not Symbol or plain[:1].isupper() or "-" in plain):
        return ir.CatchCategory(name, members)
    if type(form) is Symbol and not name[:1].isupper():
        return ir.CatchAll()
    return ir.CatchThrown(plain, Symbol.of(name) if type(form) is Symbol else form)
