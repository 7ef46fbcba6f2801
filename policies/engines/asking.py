"""Questions to a port that may take too long, in bounded time and with a bounded number of threads.

Each question runs in a daemon thread of its own, and the one who asked waits no longer than the time allowed. A
thread whose port hangs cannot be ended; it is left behind and counts until it ends by itself. At most `limit`
threads exist at a time. When that many are hung, nothing more is asked until one of them comes back.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Lock, Thread
from typing import Final

#: prompt, names that may be answered, seconds allowed → the name; the port should keep the time by itself
type Ask = Callable[[str, tuple[str, ...], float], str]

#: questions under way or hung at most
LIMIT: Final = 8


class AskFailedError(Exception):
    """No answer; the text says why."""


class _Question:
    """One question; all who ask the same while it is open wait for the same answer."""

    __slots__ = ("answer", "done", "error")

    def __init__(self) -> None:
        self.done = Event()
        self.answer: object = None
        self.error: BaseException | None = None


class Asker:
    """Thread-safe."""

    def __init__(self, ask: Ask, *, limit: int = LIMIT) -> None:
        self._ask = ask
        self._limit = limit
        self._open: dict[tuple[str, tuple[str, ...]], _Question] = {}
        self._threads = 0
        self._lock = Lock()

    @property
    def threads(self) -> int:
        """Threads that are asking now, hung ones among them."""
        return self._threads

    def ask(self, prompt: str, allowed: tuple[str, ...], timeout_s: float) -> object:
        """What the port answered, whatever it is.

        Raises:
            AskFailedError: no answer in time, the port raised, or too many questions hang.
        """
        question = self._begin(prompt, allowed, timeout_s)
        if not question.done.wait(timeout_s):
            self._forget((prompt, allowed), question)
            raise AskFailedError(f"no answer within {timeout_s * 1000:g} ms")
        if question.error is not None:
            raise AskFailedError(f"asking failed: {type(question.error).__name__}: {question.error}")
        return question.answer

    def _begin(self, prompt: str, allowed: tuple[str, ...], timeout_s: float) -> _Question:
        key = (prompt, allowed)
        with self._lock:
            question = self._open.get(key)
            if question is not None:
                return question
            if self._threads >= self._limit:
                raise AskFailedError(f"{self._threads} questions still wait for an answer")
            question = _Question()
            thread = Thread(
                target=self._run, args=(key, question, timeout_s), name="rtfs-model-choice", daemon=True
            )
            try:
                thread.start()
            except RuntimeError as error:
                raise AskFailedError(f"no thread to ask in: {error}") from error
            self._threads += 1
            self._open[key] = question
            return question

    def _run(self, key: tuple[str, tuple[str, ...]], question: _Question, timeout_s: float) -> None:
        try:
            question.answer = self._ask(key[0], key[1], timeout_s)
        except BaseException as error:  # it is handed to those who wait
            question.error = error
        finally:
            with self._lock:
                self._threads -= 1
            self._forget(key, question)
            question.done.set()

    def _forget(self, key: tuple[str, tuple[str, ...]], question: _Question) -> None:
        with self._lock:
            if self._open.get(key) is question:
                del self._open[key]
