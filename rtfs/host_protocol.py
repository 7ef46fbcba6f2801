"""What a host must answer, what a suspended program asks for, and the host that offers nothing.

`rtfs.host` exports these names beside the hosts that come with the library.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol, override

from rtfs import errors
from rtfs.values import Map, Value

if TYPE_CHECKING:
    from rtfs.security import RuntimeContext
    from rtfs.types.model import Type


class Host(Protocol):
    """What a program may ask for. Called on the thread of the run, while it waits."""

    def execute_capability(self, capability_id: str, args: list[Value]) -> Value:
        """Carry out a call that passed the checks of `rtfs.security`."""

    def get_capability_input_schema(self, capability_id: str) -> Type | None:
        """What the arguments must be; None: anything."""

    def get_capability_output_schema(self, capability_id: str) -> Type | None:
        """What the answer must be; None: anything."""

    def notify_step_started(self, name: str) -> str:
        """A step begins. Returns the id by which the other notifications name it."""

    def notify_step_completed(self, step_id: str, value: Value) -> None:
        """The step ended with a value."""

    def notify_step_failed(self, step_id: str, message: str) -> None:
        """The step ended with an error, whose text this is."""

    def set_execution_context(self, plan_id: str, intent_ids: Sequence[str], parent_action_id: str) -> None:
        """What the run belongs to; becomes the causal context of its calls."""

    def clear_execution_context(self) -> None:
        """It belongs to nothing any more."""

    def set_step_exposure_override(self, expose: bool, context_keys: Sequence[str] | None) -> None:
        """Inside a step: whether calls see context values, and which; None: all."""

    def clear_step_exposure_override(self) -> None:
        """The step that set the latest override ends."""

    def get_context_value(self, key: str) -> Value:
        """A context value, nil if there is none."""

    def set_step_context_value(self, key: str, value: Value) -> None:
        """Set a context value."""

    def set_execution_hint(self, key: str, value: Value) -> None:
        """`^{:runtime.x v}`: a hint for the calls that follow."""

    def clear_all_execution_hints(self) -> None:
        """The form with hints ended."""

    def prepare_execution(self) -> None:
        """A run begins."""

    def cleanup_execution(self) -> None:
        """It ended, in whatever way."""


# ---------------------------------------------------------------- outcomes


@dataclass(frozen=True, slots=True, kw_only=True)
class CausalContext:
    """What a call belongs to, as far as it is known."""

    parent_action_id: str | None = None
    intent_id: str | None = None
    step_id: str | None = None
    plan_id: str | None = None


class HostCallMetadata(NamedTuple):
    """How a call should be carried out."""

    timeout_ms: int | None = None
    idempotency_key: str | None = None
    semantic_hash: tuple[float, ...] | None = None
    #: context values that this capability may see
    context: Map | None = None
    execution_hints: Map | None = None


class HostCall(NamedTuple):
    """A capability call that the embedder is asked to carry out."""

    capability_id: str
    args: tuple[Value, ...]
    security_context: RuntimeContext
    causal_context: CausalContext | None = None
    metadata: HostCallMetadata | None = None


class Complete(NamedTuple):
    """The program ended with this value."""

    value: Value


class RequiresHost(NamedTuple):
    """The program waits for the answer to this call."""

    call: HostCall


type Outcome = Complete | RequiresHost


# ---------------------------------------------------------------- hosts


class PureHost(Host):
    """Offers nothing: the default."""

    @override
    def execute_capability(self, capability_id: str, args: list[Value]) -> Value:
        raise errors.Generic(
            f"Capability '{capability_id}' not available in pure RTFS mode: "
            "run the program with a host that offers it"
        )

    @override
    def get_capability_input_schema(self, capability_id: str) -> Type | None:
        return None

    @override
    def get_capability_output_schema(self, capability_id: str) -> Type | None:
        return None

    @override
    def notify_step_started(self, name: str) -> str:
        return name

    @override
    def notify_step_completed(self, step_id: str, value: Value) -> None:
        pass

    @override
    def notify_step_failed(self, step_id: str, message: str) -> None:
        pass

    @override
    def set_execution_context(self, plan_id: str, intent_ids: Sequence[str], parent_action_id: str) -> None:
        pass

    @override
    def clear_execution_context(self) -> None:
        pass

    @override
    def set_step_exposure_override(self, expose: bool, context_keys: Sequence[str] | None) -> None:
        pass

    @override
    def clear_step_exposure_override(self) -> None:
        pass

    @override
    def get_context_value(self, key: str) -> Value:
        return None

    @override
    def set_step_context_value(self, key: str, value: Value) -> None:
        pass

    @override
    def set_execution_hint(self, key: str, value: Value) -> None:
        pass

    @override
    def clear_all_execution_hints(self) -> None:
        pass

    @override
    def prepare_execution(self) -> None:
        pass

    @override
    def cleanup_execution(self) -> None:
        pass


class ForwardingHost(Host):
    """Passes everything on to `inner`. Subclass it to change a part."""

    def __init__(self, inner: Host) -> None:
        self.inner = inner

    @override
    def execute_capability(self, capability_id: str, args: list[Value]) -> Value:
        return self.inner.execute_capability(capability_id, args)

    @override
    def get_capability_input_schema(self, capability_id: str) -> Type | None:
        return self.inner.get_capability_input_schema(capability_id)

    @override
    def get_capability_output_schema(self, capability_id: str) -> Type | None:
        return self.inner.get_capability_output_schema(capability_id)

    @override
    def notify_step_started(self, name: str) -> str:
        return self.inner.notify_step_started(name)

    @override
    def notify_step_completed(self, step_id: str, value: Value) -> None:
        self.inner.notify_step_completed(step_id, value)

    @override
    def notify_step_failed(self, step_id: str, message: str) -> None:
        self.inner.notify_step_failed(step_id, message)

    @override
    def set_execution_context(self, plan_id: str, intent_ids: Sequence[str], parent_action_id: str) -> None:
        self.inner.set_execution_context(plan_id, intent_ids, parent_action_id)

    @override
    def clear_execution_context(self) -> None:
        self.inner.clear_execution_context()

    @override
    def set_step_exposure_override(self, expose: bool, context_keys: Sequence[str] | None) -> None:
        self.inner.set_step_exposure_override(expose, context_keys)

    @override
    def clear_step_exposure_override(self) -> None:
        self.inner.clear_step_exposure_override()

    @override
    def get_context_value(self, key: str) -> Value:
        return self.inner.get_context_value(key)

    @override
    def set_step_context_value(self, key: str, value: Value) -> None:
        self.inner.set_step_context_value(key, value)

    @override
    def set_execution_hint(self, key: str, value: Value) -> None:
        self.inner.set_execution_hint(key, value)

    @override
    def clear_all_execution_hints(self) -> None:
        self.inner.clear_all_execution_hints()

    @override
    def prepare_execution(self) -> None:
        self.inner.prepare_execution()

    @override
    def cleanup_execution(self) -> None:
        self.inner.cleanup_execution()
