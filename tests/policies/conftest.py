"""Policies and calls in few words, for the tests of decisions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from policies.context import CallContext, CallFacts, DelegationMetadata
from policies.file.load import load_policy
from policies.rules.rulebook import Current, Rulebook
from policies.world import World
from rtfs.delegation import DelegationHint, FunctionInfo, RuntimeFacts


@pytest.fixture(scope="session")
def book() -> Callable[[str], Rulebook]:
    """The rulebook of a policy file's text; what stands before the first table belongs to `[delegation]`."""
    return lambda text: Rulebook(load_policy(f"[delegation]\n{text}"))


@pytest.fixture(scope="session")
def current(book: Callable[[str], Rulebook]) -> Callable[..., Current]:
    """What is in force under the text of a policy file and the fields of a world."""
    return lambda text, **world: Current(book(text), World(**world))


@pytest.fixture(scope="session")
def call() -> Callable[..., CallContext]:
    """A call of a function, by the facts that a test is about; the others are as bare as can be."""

    def make(
        symbol: str = "f",
        *,
        types: tuple[str | None, ...] = (),
        size: int | None = None,
        declared: tuple[str, ...] = ("any",),
        returns: str = "any",
        aliases: Mapping[str, str] | None = None,
        labels: frozenset[str] | set[str] = frozenset(),
        capabilities: frozenset[str] | set[str] = frozenset(),
        variadic: bool = False,
        hint: DelegationHint | None = None,
        metadata: DelegationMetadata | None = None,
        **runtime: object,
    ) -> CallContext:
        function = FunctionInfo(
            symbol=symbol,
            doc=None,
            parameters=tuple(f"p{at}" for at in range(len(declared))),
            parameter_types=declared,
            return_type=returns,
            hint=hint,
            metadata={},
            ir_hash="0" * 64,
            aliases=aliases or {},
            labels=frozenset(labels),
            capabilities=frozenset(capabilities),
            variadic=variadic,
        )
        facts = RuntimeFacts(**runtime)  # type: ignore[arg-type]
        made = CallFacts(function=function, arg_types=types, size=size, runtime=facts)
        return CallContext.of(made, metadata=metadata)

    return make
