"""Which operation a path and a method mean. The table of operations is in `operations`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from cluster.http.problems import Problem
from rtfs.spell import nearest

if TYPE_CHECKING:
    from pydantic import BaseModel

    from cluster.http.exchange import Exchange

#: the only part of a path that varies
PARAMETER: Final = "{id}"

#: who may: everybody who can connect; who is recognised; administrators; as the settings say
type Who = Literal["anyone", "caller", "admin", "metrics"]
type Handler = Callable[[Exchange], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer of an operation, for the OpenAPI document."""

    status: int
    text: str
    #: None: `content_type` is not JSON, or there is no body
    model: type[BaseModel] | None = None
    content_type: str = "application/json"
    #: headers that it may have
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter of the query or a header."""

    name: str
    text: str
    schema: Mapping[str, Any]
    place: Literal["query", "header"] = "query"
    example: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What one method of one path does."""

    method: str
    path: str
    handle: Handler
    who: Who
    summary: str
    #: name → value
    examples: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    text: str = ""
    parameters: tuple[Parameter, ...] = ()
    #: content type → model of the body; None: any text
    bodies: Mapping[str, type[BaseModel] | None] = field(default_factory=lambda: MappingProxyType({}))
    answers: tuple[Answer, ...] = ()
    #: codes of problems beside those that its kind always has
    problems: tuple[str, ...] = ()


class Routing:
    """Finds operations."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._by_path: dict[str, dict[str, Operation]] = {}
        for each in operations:
            self._by_path.setdefault(each.path, {})[each.method] = each
        #: count of segments, and the fixed ones → template
        self._templates: dict[tuple[str | None, ...], str] = {
            tuple(None if part == PARAMETER else part for part in path.split("/")): path
            for path in self._by_path
            if PARAMETER in path
        }

    def find(self, path: str, method: str) -> tuple[Operation, str]:
        """The operation, and the part of the path that varies, or ``.

        Raises:
            Problem: there is none.
        """
        parameter = ""
        methods = self._by_path.get(path)
        if methods is None or PARAMETER in path:
            methods, parameter = self._find_template(path)
        found = methods.get(method) or (methods.get("GET") if method == "HEAD" else None)
        if found is None:
            allowed = sorted(methods)
            detail = f"`{method[:20]}` is not among {', '.join(allowed)}"
            raise Problem("method-not-allowed", detail, headers=(("allow", ", ".join(allowed)),))
        return found, parameter

    def _find_template(self, path: str) -> tuple[dict[str, Operation], str]:
        parts = path.split("/")
        for at in range(1, min(len(parts), 8)):
            template = self._templates.get((*parts[:at], None, *parts[at + 1 :]))
            if template is not None and parts[at]:
                return self._by_path[template], parts[at]
        near = nearest(path, self._by_path)
        shown = path[:64] if path.isprintable() else ascii(path[:64])
        advice = f"did you mean `{near}`?" if near else "`/docs` lists all paths"
        raise Problem("not-found", f"no path `{shown}`; {advice}")
