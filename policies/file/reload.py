"""The policy in force, replaced while engines run.

A new text is read and checked first. If it is in order, its rulebook takes the place of the old one in
`Current` by one assignment, and engines see it from their next decision on; if not, nothing changes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Final

from policies.errors import PolicyError, PolicyFileError, PolicyProblem
from policies.file.diff import Change, diff_policies
from policies.file.load import load_policy, read_policy_text
from policies.file.policy import Policy
from policies.rules.rulebook import Current, Rulebook

#: policies before the one in force that can be gone back to
_KEPT: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadResult:
    """What became of a reload."""

    #: the policy in force now
    policy: Policy
    #: whether it is another one than before
    swapped: bool = False
    changes: tuple[Change, ...] = ()
    #: why the new text was refused; empty if it was not
    problems: tuple[PolicyProblem, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the text was accepted, even if it changed nothing."""
        return not self.problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Swapped:
    """What subscribers are told."""

    old: Policy
    new: Policy
    changes: tuple[Change, ...]


type Subscriber = Callable[[Swapped], None]


class PolicyHolder:
    """Holds a `Current` and replaces its rulebook. May be used from several threads at once.

    Subscribers are told of swaps one after the other, in the order in which they came into force, by the thread
    that swapped. They may call the holder, but must not wait for another thread that does.
    """

    def __init__(self, current: Current) -> None:
        self.current = current
        self._lock = RLock()
        self._before: deque[Rulebook] = deque(maxlen=_KEPT)
        self._subscribers: list[Subscriber] = []

    @classmethod
    def of(cls, policy: Policy) -> PolicyHolder:
        """A holder with `policy` in force."""
        return cls(Current(Rulebook(policy)))

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self.current.rulebook.policy

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call `subscriber` after every swap. Answers a function that ends it, which may be called twice."""
        with self._lock:
            self._subscribers.append(subscriber)
        return lambda: self._unsubscribe(subscriber)

    def _unsubscribe(self, subscriber: Subscriber) -> None:
        with self._lock:
            if subscriber in self._subscribers:
                self._subscribers.remove(subscriber)

    def reload(
        self, text: str, *, source: str = "delegation.toml", environ: Mapping[str, str] | None = None
    ) -> ReloadResult:
        """Put the policy `text` in force, or keep the one that is and say what is wrong.

        Raises:
            ExceptionGroup: the policy is in force, but subscribers failed; all of them were told.
        """
        try:
            policy = load_policy(text, source=source, environ=environ)
        except PolicyFileError as error:
            return ReloadResult(policy=self.policy, problems=error.problems)
        return self.replace(policy)

    def reload_file(self, path: str | Path, *, environ: Mapping[str, str] | None = None) -> ReloadResult:
        """Like `reload`, from a file; one that cannot be read changes nothing, either."""
        try:
            text = read_policy_text(path)
        except PolicyFileError as error:
            return ReloadResult(policy=self.policy, problems=error.problems)
        return self.reload(text, source=str(path), environ=environ)

    def replace(self, policy: Policy) -> ReloadResult:
        """Put a loaded policy in force.

        Raises:
            ExceptionGroup: as for `reload`.
        """
        rulebook = Rulebook(policy)
        with self._lock:
            old = self.current.rulebook
            if _same(old.policy, policy):
                return ReloadResult(policy=old.policy)
            self._before.append(old)
            return self._swap(old, rulebook)

    def rollback(self) -> ReloadResult:
        """Put the policy in force again that was before the last swap.

        Raises:
            PolicyError: there is none.
            ExceptionGroup: as for `reload`.
        """
        with self._lock:
            if not self._before:
                raise PolicyError("no earlier policy is kept to go back to")
            return self._swap(self.current.rulebook, self._before.pop())

    def _swap(self, old: Rulebook, new: Rulebook) -> ReloadResult:
        swapped = Swapped(old=old.policy, new=new.policy, changes=diff_policies(old.policy, new.policy))
        self.current.rulebook = new
        failures: list[Exception] = []
        for subscriber in tuple(self._subscribers):
            try:
                subscriber(swapped)
            except Exception as failure:  # raised below: the others are told all the same
                failures.append(failure)
        if failures:
            raise ExceptionGroup("the policy is in force, but subscribers failed", failures)
        return ReloadResult(policy=new.policy, swapped=True, changes=swapped.changes)


def _same(old: Policy, new: Policy) -> bool:
    """Whether both decide alike and say the same places for it."""
    return (old.version, old.source, old.lines) == (new.version, new.source, new.lines)
