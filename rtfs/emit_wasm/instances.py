"""Functions as they become wasm: each for one kind of every argument, and with what was found out about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from rtfs import ir
from rtfs.emit_wasm.kinds import Kind
from rtfs.emit_wasm.refusal import Refused


class Key(NamedTuple):
    """Which function, which of its arities, for which kinds of arguments and of variables from outside."""

    function: int
    arity: int
    arguments: tuple[Kind, ...]
    captured: tuple[Kind, ...]


@dataclass(slots=True, eq=False)
class Instance:
    """One wasm function."""

    key: Key
    node: ir.Lambda
    arity: ir.Arity
    #: variables from outside, handed over after the arguments
    captured: tuple[ir.Local, ...]
    result: Kind = Kind.NEVER
    #: by id of a node
    kinds: dict[int, Kind] = field(default_factory=dict)
    #: by id of a local
    locals: dict[int, Kind] = field(default_factory=dict)
    #: which instance a call enters, by id of its node; for `map` and the like, of the call of their function
    calls: dict[int, Key] = field(default_factory=dict)
    #: what the variables of a loop are, by its label
    loops: dict[int, list[Kind]] = field(default_factory=dict)
    refused: Refused | None = None

    @property
    def parameters(self) -> list[tuple[ir.Local, Kind]]:
        """The parameters of the wasm function."""
        own = [param.local for param in self.arity.params]
        return list(zip((*own, *self.captured), (*self.key.arguments, *self.key.captured), strict=True))
