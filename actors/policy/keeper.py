"""Keeps the policy of a runtime: checks what is to come into force, remembers what was, says when it changes.

The history and the number of the policy in force are in a file, so that a keeper that was killed goes on where
it stood. A keeper of another runtime (`epoch`) begins with the policy it is given, and counts on.

The money is kept here too (`actors.policy.treasurer`), since budgets are the policy's.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from threading import RLock
from typing import Any, Final

from actors.folders import replace_file
from actors.policy.state import PolicyState
from actors.service import ConflictError, PolicyChange, PolicyView
from policies.errors import PolicyFileError
from policies.file.diff import diff_policies
from policies.file.environment import PREFIX
from policies.file.load import load_policy
from policies.file.policy import Policy
from policies.running.runner import Observation

_log = logging.getLogger("rtfs.policy")

#: policies before the one in force that can be gone back to
MOST_KEPT: Final = 8
#: a variable that adds a model, beside those that override keys
_MODEL_VARIABLE: Final = "RTFS_LOCAL_MODEL_PATH"


def policy_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that the policy depends on, secrets not among them."""
    return {
        name: value
        for name, value in environ.items()
        if name.upper().startswith(PREFIX) or name == _MODEL_VARIABLE
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeTotals:
    """What came of the tries of one target, in all processes."""

    calls: int
    failures: int
    latency_ms: float
    cost_usd: float


class PolicyKeeper:
    """The source of truth about the policy. Safe to use from many threads.

    Args:
        text: the policy to begin with.
        environ: overrides keys, and has the secrets that routes need.
        file: where the history is kept.
        epoch: tells runtimes that use the same file apart.
        changed: told of each policy that came into force, the first one included.

    Raises:
        PolicyFileError: `text` is no policy.
    """

    def __init__(
        self,
        text: str,
        *,
        source: str,
        environ: Mapping[str, str],
        file: Path,
        epoch: str,
        changed: Callable[[PolicyState], None] = lambda state: None,
    ) -> None:
        self._environ = dict(environ)
        self._file = file
        self._epoch = epoch
        self._changed = changed
        self._lock = RLock()
        self._totals: dict[str, Counter[str]] = {}
        kept = self._read()
        self._history: list[PolicyState] = [] if kept is None else kept[1]
        if kept is not None and kept[0] == epoch:
            self._policy = self._load(self._history[-1].text, self._history[-1].source)
            return
        number = self._history[-1].number + 1 if self._history else 1
        self._push(self._history, self._load(text, source), text, source, number)

    @property
    def state(self) -> PolicyState:
        """The policy in force."""
        return self._history[-1]

    @property
    def policy(self) -> Policy:
        """The policy in force, loaded."""
        return self._policy

    def view(self) -> PolicyView:
        """The policy in force, for people."""
        with self._lock:
            state, version = self.state, self._policy.version
        return PolicyView(version=version, text=state.text, source=state.source, number=state.number)

    def replace(self, text: str, *, source: str, expected: int | None = None) -> PolicyChange:
        """Put `text` in force, or say what is wrong with it; then the old policy stays.

        Raises:
            ConflictError: the number of the policy in force is not `expected`.
        """
        with self._lock:
            self._expect(expected)
            try:
                policy = self._load(text, source)
            except PolicyFileError as error:
                problems = tuple(map(str, error.problems))
                return PolicyChange(policy=self.view(), swapped=False, problems=problems)
            return self._swap(policy, text, source)

    def rollback(self, expected: int | None = None) -> PolicyChange:
        """Put the policy in force again that was before.

        Raises:
            ConflictError: there is none, it cannot be used any more, or the number is not `expected`.
        """
        with self._lock:
            self._expect(expected)
            if len(self._history) < 2:
                raise ConflictError("no earlier policy is kept to go back to")
            before = self._history[-2]
            try:
                policy = self._load(before.text, before.source)
            except PolicyFileError as error:
                raise ConflictError(f"the policy before cannot be used any more: {error}") from error
            old, number = self._policy, self.state.number + 1
            self._push(self._history[:-2], policy, before.text, before.source, number)
            return PolicyChange(policy=self.view(), swapped=True, changes=_lines(old, policy))

    def report(self, observations: Iterable[Observation]) -> None:
        """Count how tries of targets went."""
        with self._lock:
            for each in observations:
                total = self._totals.setdefault(each.target, Counter())
                total["calls"] += 1
                total["failures"] += each.cause is not None
                total["latency_us"] += _count(each.latency_ms / 1000)
                total["cost_micro_usd"] += _count(each.cost_usd)

    def totals(self) -> dict[str, OutcomeTotals]:
        """What came of the tries of each target."""
        with self._lock:
            return {
                target: OutcomeTotals(
                    calls=total["calls"],
                    failures=total["failures"],
                    latency_ms=total["latency_us"] / 1000,
                    cost_usd=total["cost_micro_usd"] / 1_000_000,
                )
                for target, total in self._totals.items()
            }

    def _expect(self, expected: int | None) -> None:
        if expected is not None and expected != self.state.number:
            raise ConflictError(f"expected policy number {expected}, got {self.state.number} in force")

    def _load(self, text: str, source: str) -> Policy:
        return load_policy(text, source=source, environ=self._environ)

    def _swap(self, policy: Policy, text: str, source: str) -> PolicyChange:
        old = self._policy
        if (old.version, text, source) == (policy.version, self.state.text, self.state.source):
            return PolicyChange(policy=self.view(), swapped=False)
        self._push(self._history, policy, text, source, self.state.number + 1)
        return PolicyChange(policy=self.view(), swapped=True, changes=_lines(old, policy))

    def _push(self, before: list[PolicyState], policy: Policy, text: str, source: str, number: int) -> None:
        """Keep a policy as the one after `before`, then put it in force, and say so.

        Raises:
            OSError: it cannot be kept; nothing has changed.
        """
        state = PolicyState(
            text=text,
            source=source,
            overrides=policy_variables(self._environ),
            number=number,
            version=policy.version,
        )
        history = [*before, state][-MOST_KEPT - 1 :]
        document = {"epoch": self._epoch, "history": [asdict(each) for each in history]}
        replace_file(self._file, json.dumps(document))
        self._history, self._policy = history, policy
        self._changed(state)

    def _read(self) -> tuple[str, list[PolicyState]] | None:
        """What an earlier keeper left: its epoch and history; None if there is nothing of use."""
        try:
            found: Any = json.loads(self._file.read_text(encoding="utf-8", errors="surrogatepass"))
            history = [_state(each) for each in found["history"]]
            return (str(found["epoch"]), history) if history else None
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            aside = self._file.with_suffix(".damaged")
            _log.error(
                "the history of the policy in %s is damaged and kept as %s: %s", self._file, aside, error
            )
            self._file.replace(aside)
            return None


def _state(row: Any) -> PolicyState:
    """A policy as it was kept. Raises ValueError, TypeError: it is damaged."""
    state = PolicyState(**row)
    if type(state.overrides) is not dict:
        raise ValueError("the overrides of a policy in it are no object")
    texts = (state.text, state.source, state.version, *state.overrides.keys(), *state.overrides.values())
    if type(state.number) is not int or any(type(text) is not str for text in texts):
        raise ValueError("a policy in it has fields of other types")
    return state


def _count(amount: float) -> int:
    """An amount in millionths; what is no number counts as nothing."""
    return int(amount * 1_000_000) if isfinite(amount) else 0


def _lines(old: Policy, new: Policy) -> tuple[str, ...]:
    return tuple(map(str, diff_policies(old, new)))
