"""What is known about capabilities: their description, the effects of their ids, their schemas."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rtfs import errors
from rtfs.values import Value

if TYPE_CHECKING:
    from rtfs.types.model import Type


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """A capability that a host offers: a Python function over RTFS values, and what it declares.

    With a map `input_schema` the function gets one map, whichever way the program passed its arguments.
    """

    function: Callable[..., Value]
    input_schema: Type | None = None
    output_schema: Type | None = None
    #: for the exposure of context values by tag
    tags: frozenset[str] = frozenset()
    doc: str | None = None


# ---------------------------------------------------------------- effects (language.md §8)

_COMPUTE: Final = frozenset({":compute"})

_EFFECTS_BY_ID: Final[dict[str, frozenset[str]]] = {
    "ccos.io.log": _COMPUTE,
    "ccos.io.print": _COMPUTE,
    "ccos.io.println": _COMPUTE,
    "ccos.user.ask": frozenset({":io", ":user-interaction"}),
    "ccos.network.http-fetch": frozenset({":network"}),
    "ccos.ai.llm-execute": frozenset({":ai"}),
    "remote-rtfs.execute": frozenset({":network"}),
}

#: tried in order after the exact ids
_EFFECTS_BY_PREFIX: Final[tuple[tuple[str, frozenset[str]], ...]] = (
    ("ccos.io.", frozenset({":filesystem"})),
    ("ccos.network.", frozenset({":network"})),
    ("ccos.system.", frozenset({":system"})),
    ("ccos.agent.", frozenset({":agent"})),
    ("ccos.stream.", frozenset({":streaming"})),
    ("model-call:", frozenset({":ai"})),
)


#: capabilities that builtins call, by each name of these; `call` calls the one it is given
BUILTIN_CAPABILITIES: Final[Mapping[str, frozenset[str]]] = {
    **dict.fromkeys(("log", "tool/log", "tool.log"), frozenset({"ccos.io.log"})),
    **dict.fromkeys(("println", "step"), frozenset({"ccos.io.println"})),
    **dict.fromkeys(
        ("current-time-millis", "tool/time-ms", "tool.time-ms"),
        frozenset({"ccos.system.current-timestamp-ms"}),
    ),
    "get-env": frozenset({"ccos.system.get-env"}),
    "file-exists?": frozenset({"ccos.io.file-exists"}),
    "tool/open-file": frozenset({"ccos.io.open-file"}),
    **dict.fromkeys(("http-fetch", "tool/http-fetch"), frozenset({"ccos.network.http-fetch"})),
    "thread/sleep": frozenset({"ccos.system.sleep-ms"}),
    "load-capability": frozenset({"ccos.capability.load"}),
    **dict.fromkeys(
        ("kv/assoc!", "kv/dissoc!", "kv/conj!"), frozenset({"ccos.state.kv.get", "ccos.state.kv.put"})
    ),
    "llm-execute": frozenset({"ccos.ai.llm-execute"}),
}


def effect_label(text: str) -> str:
    """An effect's name as it is compared: `Network` and `:network` are `:network`."""
    return ":" + text.strip().removeprefix(":").lower()


def default_effects(capability_id: str) -> frozenset[str]:
    """The effects of a capability for which nothing else was declared."""
    known = _EFFECTS_BY_ID.get(capability_id)
    if known is not None:
        return known
    for prefix, effects in _EFFECTS_BY_PREFIX:
        if capability_id.startswith(prefix):
            return effects
    return _COMPUTE


# ---------------------------------------------------------------- schemas


def check_input(capability_id: str, value: Value, schema: Type | None) -> None:
    """Check normalised arguments.

    Raises:
        TypeValidationError: `Input validation failed: …`.
    """
    _check(capability_id, value, schema, "Input")


def check_output(capability_id: str, value: Value, schema: Type | None) -> None:
    """Check what the host answered.

    Raises:
        TypeValidationError: `Output validation failed: …`.
    """
    _check(capability_id, value, schema, "Output")


def _check(capability_id: str, value: Value, schema: Type | None, side: str) -> None:
    if schema is None:
        return
    from rtfs.types.check import TypeEnv, checker

    try:
        checker(schema, TypeEnv())(value, side.lower())
    except errors.TypeValidationError as error:
        problem = errors.TypeValidationError(f"{side} validation failed: {error.message}")
        problem.hint = f"this is the {side.lower()} schema of capability `{capability_id}`"
        raise problem from error
