"""Forks: several pieces of a program whose values are all needed, and none of which needs another one first.

What can be observed is as if the pieces ran one after another; they only wait at the same time.

Nothing is made for pieces that do not wait. The part that comes to a fork, its *joiner*, runs the pieces one
after another itself. Only when it must wait in the midst of one is the rest of the pieces handed on to a new
part, a *worker*, which goes on in the same way: it takes up piece after piece until it must wait itself, and
then hands on. Whoever takes up the next piece is the fork's *head*; there is one or none. A worker whose piece
is done becomes the head if there is none, else it is over. So pieces begin in the order of the program, a fork
whose pieces do not wait costs little more than a loop, and however few parts may be made, all pieces are run.

Errors. The first error in the order of the program counts. So when a piece fails, those behind it are
cancelled, and those before it go on, since they may fail, too. The joiner's own piece is the first of all that
are not done, and is cancelled only with the joiner.

Effects. A piece may do what others can observe only when all pieces before it are done: its *turn*.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextvars import copy_context
from typing import Any, Final

from rtfs import errors
from rtfs.overlap.current import current_part
from rtfs.overlap.kept import raise_again
from rtfs.overlap.part import Part
from rtfs.run import STOP_REQUESTS, current_run, poll
from rtfs.values import Value

#: pieces of one fork that wait at the same time
WINDOW: Final = 1024
#: parts of a hub beyond which forks make no more
MOST_PARTS: Final = 4096
#: stands for the value of a piece that is not done
_PENDING: Final = object()


def all_of(*pieces: Callable[[], Value]) -> list[Value]:
    """The values of the pieces, in their order."""
    part = _able()
    if part is None:
        return [piece() for piece in pieces]
    return Fork(part, len(pieces), lambda index: pieces[index]()).run()


def flow(needs: Sequence[Sequence[int]], *pieces: Callable[..., Value]) -> list[Value]:
    """The values of pieces, of which some are called with the values of earlier ones.

    Args:
        needs: for each piece the indexes of the pieces whose values it takes. It begins when these are there.
    """
    part = _able()
    if part is None:
        values: list[Value] = []
        for need, piece in zip(needs, pieces, strict=True):
            values.append(piece(*[values[index] for index in need]))
        return values

    def run(index: int) -> Value:
        need = needs[index]
        return pieces[index](*[fork.value(each) for each in need]) if need else pieces[index]()

    fork = Fork(part, len(pieces), run)
    return fork.run()


def each(call: Callable[[Any], Value], items: Sequence[Any]) -> list[Value]:
    """What `call` answers to each item. For generated code."""
    part = _able()
    if part is None:
        answers = []
        for item in items:
            if STOP_REQUESTS:
                poll()
            answers.append(call(item))
        return answers
    return Fork(part, len(items), lambda index: call(items[index])).run()


def overlapped(call: Callable[..., Value], rows: Sequence[Sequence[Any]]) -> list[Value] | None:
    """What `call` answers to each row of arguments; None, and nothing is called, where nothing can overlap.

    For builtins, which have a faster way then. That is also so where no function of the program runs elsewhere.
    """
    part = _able()
    if part is None or not current_run().may_overlap:
        return None
    return Fork(part, len(rows), lambda index: call(*rows[index])).run()


def _able() -> Part | None:
    """The part under way if it may let others go on."""
    part = current_part()
    return None if part is None or part.alone else part


class Turn:
    """The place of a piece in its fork and those around it: all before it is to be done before its effects."""

    __slots__ = ("_come", "_fork", "_outer", "index")

    def __init__(self, fork: Fork, index: int, outer: Turn | None) -> None:
        self._fork = fork
        self._outer = outer
        self._come = False
        self.index = index

    def next(self, index: int) -> None:
        """The same for another piece of the fork."""
        self.index, self._come = index, False

    def kept(self) -> Turn:
        """The same, also when those whose turn it is have gone on."""
        made = Turn(self._fork, self.index, None if self._outer is None else self._outer.kept())
        made._come = self._come
        return made

    def await_it(self, part: Part) -> None:
        """Wait until all before it is done. Once that is so it stays so.

        Raises:
            LimitError: something before it has failed.
        """
        turn: Turn | None = self
        while turn is not None and not turn._come:
            turn._fork.await_all_before(turn.index, part)
            turn = turn._outer
        self._come = True


class Fork:
    """Pieces of which the values are all needed. `joiner`: the part that comes to it.

    Args:
        piece: runs the piece at an index.
    """

    __slots__ = (
        "_context", "_count", "_error", "_failed", "_handled", "_joiner", "_needed", "_next", "_piece",
        "_prefix", "_turn", "_turns", "_values", "_workers", "depth", "head",
    )  # fmt: skip

    def __init__(self, joiner: Part, count: int, piece: Callable[[int], Value]) -> None:
        self._joiner = joiner
        self._count = count
        self._piece = piece
        #: the next piece to take up
        self._next = 0
        #: who will take it up; None: nobody just now
        self.head: Part | None = joiner
        #: Python frames around its workers, known when the first of them is made: those of the joiner
        self.depth: int | None = None
        self._values: list[Any] = [_PENDING] * count
        #: how many pieces from the first on are done
        self._prefix = 0
        self._workers: dict[Part, None] = {}
        #: the first piece that failed, and its error; -1: all are to end
        self._failed: int | None = None
        self._error: BaseException | None = None
        #: parts that wait for a value, by the index of its piece, and for their turn, by that of their own
        self._needed: dict[int, list[Part]] = {}
        self._turns: dict[int, list[Part]] = {}
        # workers are made deeper inside, where all this may be different
        self._turn = joiner.turn
        self._context = copy_context()
        self._handled = sys.exception()

    def run(self) -> list[Value]:
        """The values of all pieces.

        Raises:
            BaseException: the first error in the order of the pieces.
        """
        joiner = self._joiner
        joiner.forks.append(self)
        try:
            while self._goes_on():
                self._take_up()
                while self._workers:
                    joiner.park(self)
                self.head = joiner
        except BaseException:
            joiner.forks.pop()
            self._end_workers()
            raise
        joiner.forks.pop()
        if self._failed is not None:
            error, self._error = self._error, None
            try:
                raise_again(error)
            finally:
                del error
        return self._values

    def _goes_on(self) -> bool:
        return self._next < self._count and self._failed is None

    def _take_up(self) -> None:
        if STOP_REQUESTS:
            poll()
        index = self._next
        self._next = index + 1
        self._done(index, self._piece(index))

    def _done(self, index: int, value: Value) -> None:
        values, prefix = self._values, self._prefix
        values[index] = value
        while prefix < self._count and values[prefix] is not _PENDING:
            prefix += 1
        if self._needed:
            self._resume(self._needed.pop(index, ()))
        if self._turns:
            for reached in range(self._prefix + 1, prefix + 1):
                self._prefix = reached
                self._resume(self._turns.pop(reached, ()))
        self._prefix = prefix

    def _resume(self, parts: Sequence[Part]) -> None:
        for part in parts:
            part.hub.resume(part, self)

    def value(self, index: int) -> Value:
        """The value of a piece, when it is there. Called in a later piece."""
        while self._values[index] is _PENDING:
            part = current_part()
            assert part is not None
            self._await(self._needed, index, part)
        return self._values[index]

    def await_all_before(self, index: int, part: Part) -> None:
        """Wait in `part` until all pieces before that one are done."""
        while self._prefix < index:
            self._await(self._turns, index, part)

    def _await(self, waiting: dict[int, list[Part]], index: int, part: Part) -> None:
        waiting.setdefault(index, []).append(part)
        part.park(self)

    # ------------------------------------------------------------ workers

    def may_begin(self) -> bool:
        """Whether a worker may take up the next piece."""
        return self._goes_on() and len(self._workers) < WINDOW

    def begin(self) -> None:
        """Let a worker be the head, and begin before all that is ready."""
        joiner = self._joiner
        worker = Part(joiner.hub, self._serve, self._context.copy(), self._handled)
        worker.serves, worker.depth = self, self.depth or 0
        worker.turn = Turn(self, self._count, self._turn)
        worker.on_over = self._over
        # nothing that could fail in the midst: a worker that never began would be waited for
        joiner.hub.ready.appendleft(worker)
        self._workers[worker] = None
        self.head = worker

    def _serve(self, worker: Part) -> None:
        turn = worker.turn
        assert turn is not None
        while self._goes_on():
            index = self._next
            turn.next(index)
            try:
                self._take_up()
            except BaseException as error:
                self._fail(index, error)
                return
            if self.head is None:
                self.head = worker
            elif self.head is not worker:
                return

    def _over(self, worker: Part) -> None:
        if self.head is worker:
            self.head = None
        del self._workers[worker]
        if not self._workers:
            worker.hub.resume(self._joiner, self, first=True)

    # ------------------------------------------------------------ errors

    def _fail(self, index: int, error: BaseException) -> None:
        if not isinstance(error, Exception):  # an interrupt is for the program as a whole
            self._joiner.hub.cancel(self._joiner, error)
        if self._failed is None or index < self._failed:
            self._failed, self._error = index, error
            self._cancel_behind(index)

    def _cancel_behind(self, index: int) -> None:
        reason = errors.BudgetExhausted("cancelled", "something before it has failed")
        for worker in self._workers:
            if worker.turn is not None and worker.turn.index > index:
                worker.hub.cancel(worker, reason)

    def _end_workers(self) -> None:
        self._failed = -1
        self._cancel_behind(-1)
        while self._workers:
            self._joiner.park(self, shielded=True)


def hand_on(part: Part, forks: Sequence[Fork]) -> None:
    """Let workers take up what comes next in `forks`, innermost first. `part`, about to wait, is their head."""
    for fork in forks:
        fork.head = None
    room = MOST_PARTS - len(part.hub.parts) - len(part.hub.ready)
    able = [fork for fork in forks if fork.may_begin()][: max(room, 0)]
    if any(fork.depth is None for fork in able):
        _find_depths(part)
    limit = sys.getrecursionlimit()
    for fork in reversed(able):
        if (fork.depth or 0) < limit:
            fork.begin()


def _find_depths(part: Part) -> None:
    """Find out how many Python frames there are around each of the forks that `part` is in the midst of.

    Workers start with an empty stack, so that what recurs through them would never reach Python's limit. Beyond
    it forks make none, and what recurs does so in one part.
    """
    frames = part.frames()
    places = [index for index, frame in enumerate(frames) if frame.f_code is Fork.run.__code__]
    for fork, place in zip(reversed(part.forks), places, strict=False):
        if fork.depth is None:
            fork.depth = part.depth + len(frames) - place
