"""How services are asked for values of a type, and which of it they understand.

    json-schema         `response_format` with the type as a strict JSON Schema: the service keeps to it
    json-object-schema  JSON, with the schema as llama.cpp and others take it
    json-object         JSON; the schema stands in the prompt
    prompt              no word of it outside the prompt

In every one of them the answer is checked. `structured = "auto"` begins at the top and goes down one step when
a service refuses a request for its `response_format`, or answers as if it had not been asked. What is learnt
is remembered for the endpoint and the model, or for a type alone whose schema is refused, and forgotten after
an hour, since services learn too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, NamedTuple

from actors.remote.openai.service_errors import Field

type Mode = Literal["json-schema", "json-object-schema", "json-object", "prompt"]

#: steps by what the policy says of `structured`, the best first
LADDERS: Final[Mapping[str, tuple[Mode, ...]]] = {
    "auto": ("json-schema", "json-object-schema", "json-object", "prompt"),
    "json-schema": ("json-schema",),
    "json-object": ("json-object-schema", "json-object"),
    "prompt": ("prompt",),
}
#: how long it is remembered what a service does not understand, seconds
REMEMBERED_S: Final = 3600.0
#: things that are remembered; one more and all are forgotten
_MOST: Final = 4096


class ServiceKey(NamedTuple):
    """What understands requests one way."""

    url: str
    model: str


class _Learnt(NamedTuple):
    service: ServiceKey
    #: what it does not understand
    what: Mode | Field
    #: of which type; None: of all
    type_text: str | None


class Dialects:
    """What services do not understand. Safe to use from many threads.

    Args:
        now: seconds that never go back.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        #: when it is forgotten
        self._learnt: dict[_Learnt, float] = {}
        self._lock = threading.Lock()

    def mode(self, service: ServiceKey, structured: str, type_text: str) -> Mode:
        """How to ask for a value of a type; the last way if it understands none."""
        ladder = LADDERS[structured]
        for mode in ladder:
            if not (self._lacks(service, mode, None) or self._lacks(service, mode, type_text)):
                return mode
        return ladder[-1]

    def lower(self, service: ServiceKey, structured: str, mode: Mode, type_text: str | None) -> bool:
        """`mode` is not understood, for a type or for all; whether there is another way to ask."""
        if mode == LADDERS[structured][-1]:
            return False
        self._learn(_Learnt(service, mode, type_text))
        return True

    def takes(self, service: ServiceKey, field: Field) -> bool:
        """Whether it takes this field, as far as is known."""
        return not self._lacks(service, field, None)

    def without(self, service: ServiceKey, field: Field) -> None:
        """It does not take this field."""
        self._learn(_Learnt(service, field, None))

    def _lacks(self, service: ServiceKey, what: Mode | Field, type_text: str | None) -> bool:
        until = self._learnt.get(_Learnt(service, what, type_text))
        return until is not None and self._now() < until

    def _learn(self, learnt: _Learnt) -> None:
        with self._lock:
            if len(self._learnt) >= _MOST:
                self._learnt = {}
            self._learnt[learnt] = self._now() + REMEMBERED_S


def response_format(mode: Mode, schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """The field of a request that asks for a value of the schema, None for a prompt alone."""
    if mode == "json-schema":
        named = {"name": "answer", "strict": True, "schema": schema}
        return {"type": "json_schema", "json_schema": named}
    if mode == "json-object-schema":
        return {"type": "json_object", "schema": schema}
    return {"type": "json_object"} if mode == "json-object" else None
