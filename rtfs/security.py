"""What a program may do, and the way of every effect through that.

`call_capability` is the only way to a host: permission → effects → arguments → input schema → host → output
schema. Nothing reaches the host that failed before it, and nothing but RTFS values and RTFS errors comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import FunctionType, MappingProxyType
from typing import Final, Literal

from rtfs import errors
from rtfs.capabilities import check_input, check_output, default_effects, effect_label
from rtfs.overlap.current import before_effect
from rtfs.run import MIB, Limits, current_run, poll
from rtfs.runtime_facts import RuntimeFacts
from rtfs.values import (
    INT_MAX,
    INT_MIN,
    ErrorValue,
    Keyword,
    List,
    Map,
    ResourceHandle,
    Set,
    Symbol,
    Ticket,
    Timestamp,
    Uuid,
    Value,
    Vector,
)

type Level = Literal["pure", "controlled", "full"]
type Isolation = Literal["inherit", "isolated", "sandboxed"]

_LEVELS: Final = ("pure", "controlled", "full")
_DANGEROUS_EFFECTS: Final = frozenset({":filesystem", ":network"})
_DANGEROUS_IDS: Final = frozenset({"ccos.system.get-env"})
#: a host exception's text in an error is cut after this many characters
_MOST_TEXT: Final = 500


def _empty() -> Mapping[str, Value]:
    return MappingProxyType({})


def _no_effects() -> Mapping[str, frozenset[str]]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeContext:
    """What a run may do. Made by `pure`, `controlled` or `full`.

    `dataclasses.replace` makes a changed one.

    A capability is named by its id, or with others by a prefix that ends in `.*`.

    `facts` say for whom the run is. They permit nothing here; a delegate decides by them where functions run.
    """

    level: Level
    #: None: what the level says, nothing or everything
    allowed_capabilities: frozenset[str] | None = None
    #: None: all that are not denied
    allowed_effects: frozenset[str] | None = None
    #: wins over `allowed_effects`
    denied_effects: frozenset[str] = frozenset()
    #: effects of capabilities that differ from `capabilities.default_effects`
    capability_effects: Mapping[str, frozenset[str]] = field(default_factory=_no_effects, hash=False)
    allow_inherit: bool = True
    allow_isolated: bool = True
    allow_sandboxed: bool = True
    #: values of other plans, looked up last
    cross_plan_params: Mapping[str, Value] = field(default_factory=_empty, hash=False)
    #: whether any capability sees context values; the next three say which ones do
    expose_context: bool = False
    exposed_capabilities: frozenset[str] = frozenset()
    exposed_prefixes: frozenset[str] = frozenset()
    exposed_tags: frozenset[str] = frozenset()
    bounds: Limits = field(default_factory=Limits)
    #: tenant, permissions, privacy labels and the like, for decisions about where functions run
    facts: RuntimeFacts = RuntimeFacts()  # noqa: RUF009 - immutable

    def __post_init__(self) -> None:
        if self.level not in _LEVELS:
            raise ValueError(f"level must be one of {', '.join(_LEVELS)}, got {self.level!r}")
        if self.level == "pure" and self.allowed_capabilities:
            raise ValueError("a pure context allows no capability; use `RuntimeContext.controlled`")
        freeze = object.__setattr__
        for name in ("allowed_capabilities", "exposed_capabilities", "exposed_prefixes", "exposed_tags"):
            freeze(self, name, _names(name, getattr(self, name)))
        for name in ("allowed_effects", "denied_effects"):
            freeze(self, name, _labels(name, getattr(self, name)))
        declared = {
            id_: _labels("effects", each) or frozenset() for id_, each in self.capability_effects.items()
        }
        freeze(self, "capability_effects", MappingProxyType(declared))
        freeze(self, "cross_plan_params", MappingProxyType(dict(self.cross_plan_params)))

    @classmethod
    @cache
    def pure(cls) -> RuntimeContext:
        """No capability; 1 s, 16 MiB."""
        return cls(level="pure", bounds=Limits(deadline_s=1.0, allocation_bytes=16 * MIB))

    @classmethod
    def controlled(cls, allowed: Iterable[str] = ()) -> RuntimeContext:
        """The capabilities in `allowed`; 5 s, 64 MiB."""
        bounds = Limits(deadline_s=5.0, allocation_bytes=64 * MIB)
        return cls(level="controlled", allowed_capabilities=_names("allowed", allowed), bounds=bounds)

    @classmethod
    @cache
    def full(cls) -> RuntimeContext:
        """Every capability, no limits."""
        return cls(level="full")

    def limits(self) -> Limits:
        """What a run in this context may use, unless its caller says otherwise."""
        return self.bounds

    def allows(self, capability_id: str) -> bool:
        """Whether the capability may be called, whatever its effects."""
        if self.level == "pure":
            return False
        if self.allowed_capabilities is None:
            return self.level == "full"
        return _matches(capability_id, self.allowed_capabilities)

    def effects_of(self, capability_id: str) -> frozenset[str]:
        """The effects that calling it has."""
        return self.capability_effects.get(capability_id) or default_effects(capability_id)

    def refused_effect(self, capability_id: str) -> str | None:
        """An effect of the capability that is not permitted here, None if all are."""
        for effect in sorted(self.effects_of(capability_id)):
            if effect in self.denied_effects:
                return effect
            if self.allowed_effects is not None and effect not in self.allowed_effects:
                return effect
        return None

    def authorize(self, capability_id: str) -> None:
        """Permission and effects.

        Raises:
            SecurityViolation: the operation is `capability_authorization` or `effect_policy`.
        """
        if not self.allows(capability_id):
            error = errors.SecurityViolation("capability_authorization", capability_id, self.level)
            error.hint = "whoever runs the program decides what it may call"
            if self.level == "controlled":
                error.hint += f"; at the shell, `--allow {capability_id}` permits this"
            raise error
        self.authorize_effects(capability_id)

    def authorize_effects(self, capability_id: str) -> None:
        """The effects alone: for delegated calls, which are no capabilities that a program names.

        Raises:
            SecurityViolation: the operation is `effect_policy`.
        """
        refused = self.refused_effect(capability_id)
        if refused is not None:
            error = errors.SecurityViolation("effect_policy", capability_id, self.level)
            error.hint = f"the context does not permit the effect `{refused}`"
            raise error

    def authorize_isolation(self, isolation: Isolation, operation: str) -> None:
        """Whether a step may run in this way.

        Raises:
            SecurityViolation: for the capability `isolation:…`.
        """
        if not getattr(self, f"allow_{isolation}"):
            raise errors.SecurityViolation(operation, f"isolation:{isolation}", self.level)

    def requires_microvm(self, capability_id: str) -> bool:
        """Whether a host should carry the call out in a sandbox of its own: files, network, environment."""
        if self.level != "controlled":
            return False
        return capability_id in _DANGEROUS_IDS or bool(self.effects_of(capability_id) & _DANGEROUS_EFFECTS)

    def exposes_context_to(self, capability_id: str, tags: Iterable[str] = ()) -> bool:
        """Whether the capability may see context values: by its id, a prefix of it, or one of its tags."""
        if not self.expose_context:
            return False
        return (
            _matches(capability_id, self.exposed_capabilities)
            or any(capability_id.startswith(prefix) for prefix in self.exposed_prefixes)
            or not self.exposed_tags.isdisjoint(tags)
        )


def _names(parameter: str, names: Iterable[str] | None) -> frozenset[str] | None:
    if isinstance(names, str):  # would be taken apart into its characters
        raise ValueError(f"{parameter} must be a collection of names, got the string {names!r}")
    return None if names is None else frozenset(names)


def _labels(parameter: str, effects: Iterable[str] | None) -> frozenset[str] | None:
    names = _names(parameter, effects)
    return None if names is None else frozenset(map(effect_label, names))


def _matches(capability_id: str, patterns: frozenset[str]) -> bool:
    if capability_id in patterns:
        return True
    return any(each.endswith(".*") and capability_id.startswith(each[:-1]) for each in patterns)


# ---------------------------------------------------------------- the pipeline


def call_capability(capability_id: str, args: list[Value]) -> Value:
    """Carry out `(call id arg…)` for the current run.

    Raises:
        SecurityViolation: the context does not permit it; the host was not asked.
        Generic: the arguments do not fit the capability's map schema.
        TypeValidationError: the arguments or the answer do not belong to their schema.
        HostException: the host failed with a Python exception, or answered something that is no RTFS value.
    """
    run = current_run()
    run.context.authorize(capability_id)
    host = run.host
    schema = ask(capability_id, host.get_capability_input_schema, capability_id)
    if schema is not None:
        from rtfs.capability_arguments import normalise

        args, checked = normalise(capability_id, args, schema)
        check_input(capability_id, checked, schema)
    answer = adopt(capability_id, ask(capability_id, host.execute_capability, capability_id, args))
    check_output(capability_id, answer, ask(capability_id, host.get_capability_output_schema, capability_id))
    poll()
    return answer


def ask[**P, T](what: str, method: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a method of a host; its Python exceptions become HostException, naming `what`.

    Errors of RTFS pass, and so do those that say that the run itself is at its limits. Where parts of the
    program overlap, their calls come in its order.
    """
    before_effect()
    try:
        return method(*args, **kwargs)
    except (errors.RtfsError, RecursionError, MemoryError):
        raise
    except Exception as error:
        raise errors.HostException(f"{what} failed: {_describe(error)}") from error


def _describe(error: Exception) -> str:
    try:
        text = str(error)
    except Exception:
        # The host's exception cannot even be printed; its class says enough, and it is chained as the cause.
        text = ""
    name = type(error).__name__
    return f"{name}: {text[:_MOST_TEXT]}" if text else name


_VALUE_TYPES: Final = frozenset(
    (
        *(type(None), bool, float, str, Keyword, Symbol, Vector, List, Map, Set),
        *(FunctionType, Timestamp, Uuid, ResourceHandle, ErrorValue),
    )
)


def adopt(what: str, answer: object) -> Value:
    """An answer of a host as an RTFS value; Python's lists, tuples, dicts and sets are converted.

    Raises:
        HostException: it is neither.
    """
    kind = type(answer)
    if kind in _VALUE_TYPES or isinstance(answer, Ticket):
        return answer
    if kind is int:
        assert isinstance(answer, int)
        if INT_MIN <= answer <= INT_MAX:
            return answer
        raise errors.HostException(f"{what} answered an integer of more than 64 bits")
    if kind in (list, tuple, dict, set, frozenset):
        from rtfs.convert import from_python

        try:
            return from_python(answer)
        except errors.TypeMismatch as error:
            raise errors.HostException(f"{what} answered no RTFS value: {error.text()}") from error
    raise errors.HostException(f"{what} answered no RTFS value, but a Python {kind.__name__}")
