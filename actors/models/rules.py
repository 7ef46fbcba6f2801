"""A model that answers by rules out of a file, which may change while it runs.

Before it answers it looks, at most once a second, whether the file is another one. New rules take the place of
the old ones at once; rules that cannot be used are told in `problems` and in the log, and the old ones stay.

What is judged is the text of all arguments: strings as they are, keywords by name, other values as they are
printed. A label's value is answered as it is if the function may return it; if not, a keyword as a string or a
string as a keyword, where that may be returned. Else the reply is a failure, `bad-reply`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from actors.models.errors import ModelError, RulesFileError
from actors.models.inference import InferenceRequest, InferenceResponse, Reply
from actors.models.provider import ModelProvider
from actors.models.rule_set import Label, RuleSet
from actors.models.rules_file import read_rules_file
from actors.models.texts import text_of
from policies.errors import TargetFailed
from policies.file.schema import LocalModelEntry
from policies.running.replies import reply_test
from rtfs.errors import Generic, RtfsError
from rtfs.values import Keyword, Value

_log = logging.getLogger(__name__)

#: seconds between two looks at the file
LOOK_EVERY_S: Final = 1.0

#: what tells one state of a file from another; None: it cannot be looked at
type _Stamp = tuple[int, ...] | None


class RulesModel(ModelProvider):
    """Answers by the rules in a file.

    Args:
        id: the model's name.
        path: of the file.
        clock: seconds that never go back.
    """

    max_batch = 256
    concurrency = 2

    def __init__(self, id: str, path: str | Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(id)
        self._path = Path(path)
        self._clock = clock
        self._rules: RuleSet | None = None
        self._stamp: _Stamp = None
        self._look_at = 0.0
        self._looking = threading.Lock()
        self._problems: tuple[str, ...] = ()

    @classmethod
    def of(cls, id: str, entry: LocalModelEntry) -> RulesModel:
        """The one that a policy describes. Raises ModelError if it names no file."""
        if entry.path is None:
            raise ModelError(f"model `{id}`: expected the `path` of a rules file, it is missing")
        return cls(id, entry.path)

    @property
    def version(self) -> str:
        """The hash of the rules in force."""
        return self._current().version

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the file, if rules that it had before are in force."""
        return self._problems

    def load(self) -> None:
        """Read the file. Raises RulesFileError."""
        with self._looking:
            if self._rules is None:
                self._stamp = _stamp(self._path)
                self._rules = read_rules_file(self._path)
                self._look_at = self._clock() + LOOK_EVERY_S

    def infer(self, request: InferenceRequest) -> InferenceResponse:
        """The value of the label that the rules give the arguments."""
        return self._answer(self._current(), request)

    def infer_batch(self, requests: Sequence[InferenceRequest]) -> list[Reply]:
        """A reply for each of the requests, all by the same rules."""
        rules = self._current()
        return [self._tried(rules, request) for request in requests]

    def _tried(self, rules: RuleSet, request: InferenceRequest) -> Reply:
        try:
            return self._answer(rules, request)
        except TargetFailed as failure:
            return failure

    def _answer(self, rules: RuleSet, request: InferenceRequest) -> InferenceResponse:
        try:
            label, confidence = rules.judge(text_of(request.args))
        except Generic as error:
            raise TargetFailed("bad-request", f"the model `{self.id}`: {error.message}") from error
        value = self._value(label, request.function.return_type)
        return InferenceResponse(value, label.name, confidence, model_version=rules.version)

    def _value(self, label: Label, return_type: str) -> Value:
        """What a function of that type answers for a label."""
        try:
            may_return = reply_test(return_type)
        except RtfsError as error:
            raise TargetFailed("bad-request", f"`{return_type[:200]}` is no type") from error
        for value in (label.value, _other_form(label.value)):
            if may_return(value):
                return value
        detail = f"the label `{label.name}` of the model `{self.id}` is no {return_type[:200]}"
        raise TargetFailed("bad-reply", detail)

    # ------------------------------------------------------------ the file

    def _current(self) -> RuleSet:
        """The rules in force. One thread at a time looks at the file; the others do not wait for it."""
        if self._rules is None:
            self.load()
        if self._clock() >= self._look_at and self._looking.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._looking.release()
        assert self._rules is not None
        return self._rules

    def _look(self) -> None:
        self._look_at = self._clock() + LOOK_EVERY_S
        stamp = _stamp(self._path)
        if stamp == self._stamp:
            return
        # before it is read: a file that is written meanwhile has another one next time
        self._stamp = stamp
        try:
            self._rules = read_rules_file(self._path)
        except RulesFileError as error:
            self._problems = tuple(map(str, error.problems))
            more = f" and {len(self._problems) - 1} more" if len(self._problems) > 1 else ""
            _log.warning("the model `%s` keeps its old rules: %s%s", self.id, self._problems[0], more)
        else:
            self._problems = ()
            _log.info("the model `%s` has new rules, version %s", self.id, self._rules.version[:12])


def _stamp(path: Path) -> _Stamp:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


def _other_form(value: Value) -> Value:
    """A keyword as a string, a string as a keyword."""
    if isinstance(value, Keyword):
        return value.name
    return Keyword.of(value) if isinstance(value, str) else value
