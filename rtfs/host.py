"""Hosts: who answers when a program asks for something beyond itself.

    Host              the protocol
    ForwardingHost    passes everything on to another host; for those that change a part
    PureHost          offers nothing
    └── MemoryHost    keeps context values, hints and steps in memory
        └── DictHost  capabilities are Python functions
            └── ConsoleHost   prints, keeps keys and values, tells the time

A call reaches `execute_capability` only through `rtfs.security.call_capability`, which has checked it.
Programs are suspended by `rtfs.stepping`; its outcomes are exported here too.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TextIO, override

from rtfs import errors
from rtfs.capabilities import Capability
from rtfs.host_protocol import (
    CausalContext,
    Complete,
    ForwardingHost,
    Host,
    HostCall,
    HostCallMetadata,
    Outcome,
    PureHost,
    RequiresHost,
)
from rtfs.run import charge_output, poll
from rtfs.security import RuntimeContext
from rtfs.values import INT_MAX, INT_MIN, Keyword, Map, Value, member_key, type_name

if TYPE_CHECKING:
    from rtfs.types.model import MapType, Type

__all__ = [
    "CausalContext",
    "Complete",
    "ConsoleHost",
    "DictHost",
    "ForwardingHost",
    "Host",
    "HostCall",
    "HostCallMetadata",
    "MemoryHost",
    "Outcome",
    "PureHost",
    "RequiresHost",
]

#: how long a sleeping program goes without a look at its limits, seconds
_SLEEP_SLICE_S: Final = 0.02


class MemoryHost(PureHost):
    """Keeps context values, hints, steps and what the run belongs to in memory; offers no capability.

    Args:
        context: the context values that a program finds, by name.
    """

    def __init__(self, *, context: Mapping[str, Value] | None = None) -> None:
        self._context: dict[str, Value] = dict(context or {})
        self._hints: dict[Value, Value] = {}
        self._overrides: list[tuple[bool, Sequence[str] | None]] = []
        self._steps: list[str] = []
        self._steps_started = 0
        self._causal = CausalContext()

    @override
    def notify_step_started(self, name: str) -> str:
        self._steps_started += 1
        step_id = f"{name}#{self._steps_started}"
        self._steps.append(step_id)
        return step_id

    @override
    def notify_step_completed(self, step_id: str, value: Value) -> None:
        self._end_step(step_id)

    @override
    def notify_step_failed(self, step_id: str, message: str) -> None:
        self._end_step(step_id)

    def _end_step(self, step_id: str) -> None:
        if step_id in self._steps:
            del self._steps[self._steps.index(step_id) :]

    @override
    def set_execution_context(self, plan_id: str, intent_ids: Sequence[str], parent_action_id: str) -> None:
        intent_id = intent_ids[0] if intent_ids else None
        self._causal = CausalContext(plan_id=plan_id, intent_id=intent_id, parent_action_id=parent_action_id)

    @override
    def clear_execution_context(self) -> None:
        self._causal = CausalContext()

    @override
    def set_step_exposure_override(self, expose: bool, context_keys: Sequence[str] | None) -> None:
        self._overrides.append((expose, context_keys))

    @override
    def clear_step_exposure_override(self) -> None:
        if self._overrides:
            self._overrides.pop()

    @override
    def get_context_value(self, key: str) -> Value:
        return self._context.get(key)

    @override
    def set_step_context_value(self, key: str, value: Value) -> None:
        self._context[key] = value

    @override
    def set_execution_hint(self, key: str, value: Value) -> None:
        self._hints[key] = value

    @override
    def clear_all_execution_hints(self) -> None:
        self._hints.clear()

    def causal_context(self) -> CausalContext | None:
        """What a call made now belongs to, None if that is not known."""
        found = replace(self._causal, step_id=self._steps[-1] if self._steps else None)
        return None if found == CausalContext() else found

    def execution_hints(self) -> Map | None:
        """The hints of a call made now."""
        return Map(dict(self._hints)) if self._hints else None

    def exposed_context(
        self, context: RuntimeContext, capability_id: str, tags: frozenset[str] = frozenset()
    ) -> Map | None:
        """The context values that a capability may see now, None if it may see none."""
        keys: Sequence[str] | None = None
        exposed = context.exposes_context_to(capability_id, tags)
        if self._overrides:
            # A step may narrow what the security context exposes, never widen it.
            wanted, keys = self._overrides[-1]
            exposed = exposed and wanted
        if not exposed:
            return None
        return Map({key: value for key, value in self._context.items() if keys is None or key in keys})


class DictHost(MemoryHost):
    """Capabilities are Python functions over RTFS values, by id.

    A function is called with the arguments of the call. With a `Capability` it can declare schemas and tags.
    """

    def __init__(
        self,
        capabilities: Mapping[str, Callable[..., Value] | Capability],
        *,
        context: Mapping[str, Value] | None = None,
    ) -> None:
        super().__init__(context=context)
        self.capabilities: dict[str, Capability] = {
            capability_id: each if isinstance(each, Capability) else Capability(function=each)
            for capability_id, each in capabilities.items()
        }

    @override
    def execute_capability(self, capability_id: str, args: list[Value]) -> Value:
        found = self.capabilities.get(capability_id)
        if found is None:
            raise _unknown_capability(capability_id, self.capabilities)
        return found.function(*args)

    @override
    def get_capability_input_schema(self, capability_id: str) -> Type | None:
        found = self.capabilities.get(capability_id)
        return found.input_schema if found else None

    @override
    def get_capability_output_schema(self, capability_id: str) -> Type | None:
        found = self.capabilities.get(capability_id)
        return found.output_schema if found else None


def _unknown_capability(capability_id: str, known: Mapping[str, Any]) -> errors.UnknownCapability:
    from rtfs.spell import nearest

    error = errors.UnknownCapability(capability_id)
    name = nearest(capability_id, known)
    if name is not None:
        error.hint = f"did you mean `{name}`?"
    return error


#: what the capabilities of the console take: required keys, and optional ones with their types
_FIELDS: Final[Mapping[str, tuple[tuple[str, ...], tuple[tuple[str, str], ...]]]] = {
    "ccos.state.kv.get": (("key",), ()),
    "ccos.state.kv.put": (("key", "value"), ()),
    "ccos.state.counter.inc": (("key",), (("increment", "int"),)),
}


@cache
def _schema(capability_id: str) -> MapType:
    """The input schema of a capability in `_FIELDS`. Made when it is asked for: few programs keep state."""
    from rtfs.types.model import MapEntry, MapType, Primitive

    required, optional = _FIELDS[capability_id]
    entries = [MapEntry(key, Primitive("any"), False) for key in required]
    entries += [MapEntry(key, Primitive(kind), True) for key, kind in optional]
    return MapType(tuple(entries))


class ConsoleHost(DictHost):
    """The host of the command line: prints to `out`, keeps keys and values, tells the time.

    Offers no files and no network. What of this a program may use, its security context says. If `out` is a
    terminal, characters that would command it are printed as escapes.
    """

    def __init__(self, out: TextIO, *, context: Mapping[str, Value] | None = None) -> None:
        self._out = out
        self._at_terminal = out.isatty()
        self._store: dict[Any, Value] = {}
        super().__init__(
            {
                "ccos.io.println": self._println,
                "ccos.io.print": self._print,
                "ccos.io.log": self._println,
                "ccos.echo": lambda value: value,
                "ccos.state.kv.get": self._kv_get,
                "ccos.state.kv.put": self._kv_put,
                "ccos.state.counter.inc": self._increment,
                "ccos.system.current-timestamp-ms": lambda: time.time_ns() // 1_000_000,
                "ccos.system.get-env": _environment_variable,
                "ccos.system.sleep-ms": _sleep,
            },
            context=context,
        )

    @override
    def get_capability_input_schema(self, capability_id: str) -> Type | None:
        if capability_id in _FIELDS:
            return _schema(capability_id)
        return super().get_capability_input_schema(capability_id)

    def _println(self, *values: Value) -> None:
        self._write(values, "\n")

    def _print(self, *values: Value) -> None:
        self._write(values, "")

    def _write(self, values: tuple[Value, ...], end: str) -> None:
        from rtfs.printer import to_str

        text = " ".join(map(to_str, values)) + end
        if self._at_terminal:
            from rtfs.report import for_terminal

            text = for_terminal(text)
        data = text.encode("utf-8", "backslashreplace")
        charge_output(len(data))
        encoding = self._out.encoding or "utf-8"
        self._out.write(data.decode("utf-8").encode(encoding, "backslashreplace").decode(encoding))

    def _kv_get(self, request: Map) -> Value:
        return self._store.get(member_key(_field(request, "key")))

    def _kv_put(self, request: Map) -> None:
        self._store[member_key(_field(request, "key"))] = _field(request, "value")

    def _increment(self, request: Map) -> int:
        key = member_key(_field(request, "key"))
        old = self._store.get(key, 0)
        if type(old) is not int:
            raise errors.TypeMismatch("integer", type_name(old), "ccos.state.counter.inc")
        new = old + _field(request, "increment", 1)
        if not INT_MIN <= new <= INT_MAX:
            raise errors.IntegerOverflow("ccos.state.counter.inc")
        self._store[key] = new
        return int(new)


def _field(request: Map, name: str, default: Value = None) -> Value:
    """A field of a map that passed its schema: under its keyword, else under its string."""
    key = Keyword.of(name)
    return request[key] if key in request else request.get(name, default)


def _environment_variable(name: Value) -> str | None:
    if type(name) is not str:
        raise errors.TypeMismatch("string", type_name(name), "ccos.system.get-env")
    return os.environ.get(name)


def _sleep(ms: Value) -> None:
    if type(ms) not in (int, float):
        raise errors.TypeMismatch("number", type_name(ms), "ccos.system.sleep-ms")
    end = time.monotonic() + ms / 1000
    while (left_s := end - time.monotonic()) > 0:
        time.sleep(min(left_s, _SLEEP_SLICE_S))
        poll()
