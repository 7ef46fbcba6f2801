"""Where a function runs: targets, hints and the port through which an engine takes part in linking."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from rtfs.runtime_facts import Fact as Fact
from rtfs.runtime_facts import RuntimeFacts as RuntimeFacts
from rtfs.values import Value


@dataclass(frozen=True, slots=True)
class LocalPure:
    """The pure evaluator of this process."""


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model on this machine."""

    id: str


@dataclass(frozen=True, slots=True)
class RemoteModel:
    """A remote model or cluster."""

    id: str


@dataclass(frozen=True, slots=True)
class L4CacheHit:
    """A signed compiled module out of the cache."""

    storage_pointer: str
    signature: str


type ExecTarget = LocalPure | LocalModel | RemoteModel | L4CacheHit


@dataclass(frozen=True, slots=True)
class DelegationHint:
    """`^:delegation …` on a function, as written.

    `kind` `local`: `id` is None. `local-model`, `remote`: `id` names the model or provider.
    `target`: `id` is the text of `{:target "…"}` that is none of the above, a target name of the policy
    file or a provider id; only an engine that knows the policy can resolve it.
    """

    kind: Literal["local", "local-model", "remote", "target"]
    id: str | None = None

    def to_exec_target(self) -> ExecTarget:
        """The target meant.

        A `target` hint is read by the naming rule of the policy file: `local-pure`, `local-<model>`,
        `remote-<provider>`; any other text is a remote provider's id.
        """
        name = self.id or ""
        if self.kind == "local":
            return LocalPure()
        if self.kind == "local-model":
            return LocalModel(name)
        if self.kind == "remote":
            return RemoteModel(name)
        if name == "local-pure":
            return LocalPure()
        if name.startswith("local-"):
            return LocalModel(name.removeprefix("local-"))
        return RemoteModel(name.removeprefix("remote-"))


@dataclass(frozen=True, slots=True)
class FunctionInfo:
    """What an engine may know about a function when it is asked where it runs."""

    #: qualified name, `module/name`; the bare name outside modules; `fn@line:column` if anonymous
    symbol: str
    doc: str | None
    #: parameter names in order; the rest parameter last
    parameters: tuple[str, ...]
    #: RTFS type of each parameter as text, `any` where none was declared
    parameter_types: tuple[str, ...]
    return_type: str
    hint: DelegationHint | None
    metadata: Mapping[str, Value]
    #: SHA-256 of the function's IR, hex
    ir_hash: str
    #: privacy labels that the arguments of any call of it may carry, by the flow of data in the program
    labels: frozenset[str] = frozenset()
    #: ids of the capabilities that its body may call; `*` if one of them is known only when it runs
    capabilities: frozenset[str] = frozenset()
    #: whether calls may bring more or fewer arguments than there are `parameters`, or others: the function has
    #: a rest parameter or several arities
    variadic: bool = False
    #: type names that the types above reach → what they stand for, as text. One that the program defines twice,
    #: or in a text of its own, is not there
    aliases: Mapping[str, str] = field(default_factory=dict)
    #: SHA-256, hex, of the function with all that it calls (`rtfs.slices.Reach.digest`); empty if it cannot
    #: stand by itself
    body_hash: str = ""


class ByArguments:
    """An answer of `Delegate.target`: the arguments of each call decide. One object, `BY_ARGUMENTS`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "BY_ARGUMENTS"


BY_ARGUMENTS: Final = ByArguments()


class PrivacySources(Protocol):
    """Which privacy labels come in from outside a program, and which functions may take labels away."""

    def of_context(self, key: str | None) -> frozenset[str]:
        """Labels of the host's context value `key`; None stands for a key known only when it is used."""

    def of_capability(self, id: str | None) -> frozenset[str]:
        """Labels of what the capability `id` answers; None as above."""

    def declassifies(self, symbol: str) -> bool:
        """Whether results of the function `symbol` carry no label, whatever went in."""


class Delegate(Protocol):
    """Decides at link time where each function runs, and makes the stub for those that run elsewhere."""

    @property
    def version(self) -> str:
        """Changes whenever any answer of `target` may; part of the key of linked code."""

    @property
    def sources(self) -> PrivacySources | None:
        """Where privacy labels come from; None if the delegate looks at none."""

    def target(self, function: FunctionInfo, facts: RuntimeFacts) -> ExecTarget | ByArguments:
        """Where `function` runs. Asked once per function and link; hinted functions are not asked.

        What it raises, and what `bind` raises, reaches whoever links or runs the program as it is.
        """

    def bind(
        self,
        function: FunctionInfo,
        target: ExecTarget | ByArguments,
        facts: RuntimeFacts,
        body: Callable[..., Value],
    ) -> Callable[..., Value]:
        """A callable to stand for `function`. `body` runs the function here; it is the last fallback.

        Answers must belong to the function's declared return type, since calls are compiled to rely on it. The
        linker checks that of every target but `BY_ARGUMENTS`, where calls that stay here must not pay for it.
        """
