"""What is asked of a model, and what it answers. A leaf module: everything about models builds on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Final, NamedTuple

from policies.errors import TargetFailed
from rtfs.delegation import FunctionInfo
from rtfs.ir_codec import encode_value
from rtfs.values import Map, Value, Vector

#: a parameter of sampling and the like
type Option = str | int | float | bool | None

#: functions whose facts are kept, by what made them
_KEPT: Final = 1024
_NO_OPTIONS: Final[Mapping[str, Option]] = MappingProxyType({})
_NO_USAGE: Final[Mapping[str, int]] = MappingProxyType({})


def _no_metadata() -> Map:
    return Map({})


@dataclass(frozen=True, kw_only=True)
class FunctionFacts:
    """What a model may know about the function that it stands for. Texts as in `FunctionInfo`."""

    symbol: str
    doc: str | None = None
    parameters: tuple[str, ...] = ()
    parameter_types: tuple[str, ...] = ()
    return_type: str = "any"
    metadata: Map = field(default_factory=_no_metadata)
    #: type names that these types reach → what they stand for
    aliases: Mapping[str, str] = field(default_factory=dict, hash=False)

    @classmethod
    def of(cls, function: FunctionInfo) -> FunctionFacts:
        """Those of `function`; the same object for the same object."""
        known = _facts_of.get(id(function))
        if known is not None and known[0] is function:
            return known[1]
        made = cls(
            symbol=function.symbol,
            doc=function.doc,
            parameters=function.parameters,
            parameter_types=function.parameter_types,
            return_type=function.return_type,
            metadata=Map(dict(function.metadata)),
            aliases=function.aliases,
        )
        if len(_facts_of) >= _KEPT:
            _facts_of.clear()
        _facts_of[id(function)] = function, made
        return made

    @cached_property
    def encoded(self) -> bytes:
        """As bytes. Raises StorageError if the metadata cannot be stored."""
        lists = Vector([*self.parameters]), Vector([*self.parameter_types])
        parts = [self.symbol, self.doc, *lists, self.return_type, self.metadata]
        if self.aliases:
            parts.append(Map(dict(self.aliases)))
        return encode_value(Vector(parts))


#: id of a function's description → it, which keeps the id its own, and its facts
_facts_of: Final[dict[int, tuple[FunctionInfo, FunctionFacts]]] = {}


class InferenceRequest(NamedTuple):
    """One call of a function, for a model to answer. A tuple, since every delegated call makes two of them."""

    function: FunctionFacts
    args: tuple[Value, ...]
    #: by which it can be cancelled, unlike that of any other request that the model has; empty: it cannot be
    id: str = ""
    #: time that the answer may take
    timeout_s: float = 60.0
    #: money that the answer may cost; None: no bound
    max_cost_usd: float | None = None
    tenant: str = ""
    run_id: str = ""
    #: parameters of sampling by name, `temperature` or `seed`; a model passes over those it does not know
    options: Mapping[str, Option] = _NO_OPTIONS


class InferenceResponse(NamedTuple):
    """What a model answered."""

    #: an RTFS value
    value: Value
    #: the words that the value was made from
    text: str | None = None
    #: 0 to 1; None: the model says nothing about it
    confidence: float | None = None
    cost_usd: float = 0.0
    #: what was used of what is counted: `prompt_tokens`
    usage: Mapping[str, int] = _NO_USAGE
    #: None: the model did not measure it
    latency_ms: float | None = None
    model_version: str = ""


type Reply = InferenceResponse | TargetFailed
