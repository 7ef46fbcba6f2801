"""Lexical scopes: frames, the names in them, and where `recur` may go.

A *frame* is what `def` binds in: the body of a function, `let`, `loop`, `for`, `catch`, … A name that a frame
defines by `def` somewhere is known in it from the start (*hoisted*): a function made before the definition ran
sees it afterwards. Code of the frame's own function that stands before the definition still means the outer
name. The functions among the values of one `let` see each other by the same rule.

A scope copies its parent's names while they are few and chains to it when they are many, so that neither
finding a name nor opening a scope takes long in deeply nested programs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rtfs.ir import Local

if TYPE_CHECKING:
    from rtfs.analyze.core import Analysis

_FEW_NAMES: Final = 64


class Function:
    """Identity of the function whose code is being analysed."""

    __slots__ = ()


@dataclass(slots=True, eq=False)
class Name:
    """What a name means in a frame."""

    local: Local
    #: the function that the frame belongs to
    function: Function
    #: whether code of that same function sees it yet
    active: bool
    #: what code that does not see it sees instead
    outer: Name | None


@dataclass(frozen=True, slots=True)
class RecurTarget:
    """The loop or function arity that a `recur` goes back to."""

    label: int
    count: int
    what: str


class Scope:
    """The names visible at one place. A frame, or the top level of a module (`is_top`)."""

    __slots__ = ("_base", "_names", "_own", "analysis", "function", "is_top", "recur")

    def __init__(self, analysis: Analysis) -> None:
        """The top level of `analysis`."""
        self.analysis = analysis
        self.function = Function()
        self.recur: RecurTarget | None = None
        self.is_top = True
        self._own: dict[str, Name] = {}
        self._names: dict[str, Name] = {}
        self._base: Scope | None = None

    def child(self) -> Scope:
        """A new frame of the same function."""
        made = Scope.__new__(Scope)
        made.analysis = self.analysis
        made.function = self.function
        made.recur = self.recur
        made.is_top = False
        made._own = {}
        if len(self._names) < _FEW_NAMES:
            made._names = self._names.copy()
            made._base = self._base
        else:
            made._names = {}
            made._base = self
        return made

    def function_scope(self) -> Scope:
        """The frame of a function made here."""
        made = self.child()
        made.function = Function()
        made.recur = None
        return made

    def _entry(self, name: str) -> Name | None:
        scope: Scope | None = self
        while scope is not None:
            found = scope._names.get(name)
            if found is not None:
                return found
            scope = scope._base
        return None

    def find(self, name: str) -> Local | None:
        """The local that `name` means here; None if it is not lexically bound."""
        found = self._entry(name)
        while found is not None and not found.active and found.function is self.function:
            found = found.outer
        return None if found is None else found.local

    def new_local(self, name: str) -> Local:
        """A local that no name reaches."""
        return Local(self.analysis.shared.next_id(), name)

    def bind(self, name: str) -> Local:
        """Bind `name` in this frame from here on."""
        local = self.new_local(name)
        self._own[name] = self._names[name] = Name(local, self.function, True, None)
        return local

    def expect(self, name: str) -> Name:
        """Bind `name`, so far only for functions made here; see `reach`."""
        made = Name(self.new_local(name), self.function, False, self._entry(name))
        self._own[name] = self._names[name] = made
        return made

    def show(self, name: str, entry: Name) -> None:
        """Let `name` mean `entry`, an expected one, from here on for functions made here."""
        self._own[name] = self._names[name] = entry

    def hoist(self, names: Iterable[str]) -> None:
        """Expect the names that `def` will bind in this frame."""
        for name in names:
            if name not in self._own:
                self.expect(name)

    def define(self, name: str) -> Local:
        """The local that a `def` of this frame assigns; from here on the name is seen by all its code."""
        entry = self._own.get(name)
        if entry is None:
            return self.bind(name)
        entry.active = True
        self._names[name] = entry
        return entry.local
