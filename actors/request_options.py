"""What a driver may say of a program that it has run, and the request that becomes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, TypedDict

from actors.requests import DEFAULT_LIMITS, CacheUse, Call, OnTargetDown, RunRequest
from rtfs.convert import from_python
from rtfs.run import Limits
from rtfs.security import RuntimeContext
from rtfs.spell import nearest
from rtfs.values import Value


class RequestOptions(TypedDict, total=False):
    """Options of `Runtime.evaluate`, `run`, `submit` and `explain`."""

    #: values that the program finds under these names; plain Python data is converted
    args: Mapping[str, Any]
    #: a function of the program to be called, and its arguments
    call: tuple[str, *tuple[Value, ...]]
    #: what the run may do, and for whom it is; its bounds count unless `limits` are given
    context: RuntimeContext
    limits: Limits
    #: texts of modules by name
    modules: Mapping[str, str]
    source_name: str
    on_target_down: OnTargetDown
    #: what the run wants of the caches of results
    cache: CacheUse
    #: id of the ticket; a submission with an id that is known is the same submission
    ticket_id: str


def request_for(source: str, options: RequestOptions) -> RunRequest:
    """The request for a program.

    Raises:
        TypeError: an option that there is not.
        ValueError: the context says something that the request cannot say, so that the run might do more.
    """
    known = RequestOptions.__annotations__
    for name in sorted(options.keys() - known.keys()):
        near = nearest(name, known)
        hint = f"did you mean `{near}`?" if near else f"there are {', '.join(f'`{each}`' for each in known)}"
        raise TypeError(f"unknown option `{name}`; {hint}")
    request = RunRequest(source=source, limits=options.get("limits", DEFAULT_LIMITS))
    context = options.get("context")
    if context is not None:
        request = _in_context(request, context, options.get("limits"))
    called = options.get("call")
    return replace(
        request,
        args={name: from_python(value) for name, value in options.get("args", {}).items()},
        call=None if called is None else Call(function=called[0], args=tuple(map(from_python, called[1:]))),
        modules=options.get("modules", {}),
        source_name=options.get("source_name", request.source_name),
        on_target_down=options.get("on_target_down", request.on_target_down),
        ticket_id=options.get("ticket_id"),
        cache=options.get("cache", request.cache),
    )


def _in_context(request: RunRequest, context: RuntimeContext, limits: Limits | None) -> RunRequest:
    allowed = context.allowed_capabilities
    made = replace(
        request,
        level=context.level,
        allowed=tuple(sorted(allowed)) if allowed is not None else (),
        denied_effects=context.denied_effects,
        facts=context.facts,
        limits=limits or context.bounds,
    )
    found = made.context()
    for each in fields(RuntimeContext):
        if each.name != "bounds" and getattr(found, each.name) != getattr(context, each.name):
            raise ValueError(
                f"`{each.name}` of a context cannot be handed on to another process; say it with "
                "`RuntimeContext.pure`, `controlled` or `full`, `denied_effects` and `facts`"
            )
    return made
