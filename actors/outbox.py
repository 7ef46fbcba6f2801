"""Messages to an actor, gathered while the last ones are on their way."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

#: messages that may wait; more than that and the oldest are dropped
MOST_WAITING: Final = 10_000

#: sends messages and calls back, from any thread, with None or what went wrong
type Send[T] = Callable[[list[T], Callable[[BaseException | None], None]], None]


class Outbox[T]:
    """Sends what is put into it, one message after the other, many together. Nobody who puts waits or fails.

    Args:
        send: sends some of them.
        lost: told of messages that did not arrive, and why.
        every_s: how long messages are gathered; 0: what can be sent is sent at once.
    """

    def __init__(
        self, send: Send[T], lost: Callable[[int, BaseException], None], *, every_s: float = 0.0
    ) -> None:
        self._send = send
        self._every_s = every_s
        self._lost = lost
        self._waiting: list[T] = []
        self._is_sending = False
        self._lock = threading.Lock()

    def put(self, message: T) -> None:
        """Send it, after all that were put before it."""
        dropped = 0
        with self._lock:
            self._waiting.append(message)
            if len(self._waiting) > MOST_WAITING:
                dropped = MOST_WAITING // 10
                del self._waiting[:dropped]
            begin = not self._is_sending
            self._is_sending = True
        if dropped:
            self._lost(dropped, OverflowError("the receiver is too slow"))
        if begin:
            self._soon()

    def _soon(self) -> None:
        if self._every_s:
            timer = threading.Timer(self._every_s, self._next)
            timer.daemon = True
            timer.start()
        else:
            self._next()

    def _next(self) -> None:
        with self._lock:
            messages, self._waiting = self._waiting, []

        is_over = False

        def sent(error: BaseException | None) -> None:
            nonlocal is_over
            if is_over:
                return
            is_over = True
            try:
                if error is not None:
                    self._lost(len(messages), error)
            finally:
                with self._lock:
                    self._is_sending = again = bool(self._waiting)
                if again:
                    self._soon()

        try:
            self._send(messages, sent)
        except Exception as error:  # a message that cannot be sent takes those with it, not all that come later
            sent(error)
