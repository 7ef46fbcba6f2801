"""Messages on their way: in order, one message at a time, and nobody who puts one waits or fails."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from actors import outbox as module
from actors.outbox import Outbox

type Sent = Callable[[BaseException | None], None]

PATIENCE_S = 20.0


class Wire:
    """Where messages go; the test says when they have arrived."""

    def __init__(self) -> None:
        self.under_way: list[tuple[list[int], Sent]] = []
        self.arrived: list[list[int]] = []
        self.lost: list[tuple[int, str]] = []

    def send(self, messages: list[int], sent: Sent) -> None:
        assert not self.under_way, "one message is on its way already"
        self.under_way.append((messages, sent))

    def note_lost(self, count: int, error: BaseException) -> None:
        self.lost.append((count, str(error)))

    def arrive(self, error: BaseException | None = None) -> None:
        ((messages, sent),) = self.under_way
        self.under_way.clear()
        if error is None:
            self.arrived.append(messages)
        sent(error)


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def outbox(wire: Wire) -> Outbox[int]:
    return Outbox(wire.send, wire.note_lost)


def test_what_comes_while_a_message_is_on_its_way_goes_together(outbox: Outbox[int], wire: Wire) -> None:
    for number in range(5):
        outbox.put(number)
    assert [messages for messages, _ in wire.under_way] == [[0]]
    wire.arrive()
    outbox.put(5)
    wire.arrive()
    wire.arrive()
    assert wire.arrived == [[0], [1, 2, 3, 4], [5]]
    assert (wire.under_way, wire.lost) == ([], [])
    outbox.put(6)  # it was idle and begins anew
    wire.arrive()
    assert wire.arrived[-1] == [6]


def test_lost_messages_are_told_and_the_others_go_on(outbox: Outbox[int], wire: Wire) -> None:
    for number in range(3):
        outbox.put(number)
    wire.arrive(ConnectionError("it died"))
    wire.arrive()
    assert wire.lost == [(1, "it died")]
    assert wire.arrived == [[1, 2]]


def test_what_waits_is_bounded_and_the_oldest_go(
    outbox: Outbox[int], wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 20)
    for number in range(22):
        outbox.put(number)
    assert wire.lost == [(2, "the receiver is too slow")]
    wire.arrive()
    wire.arrive()
    assert wire.arrived == [[0], [*range(3, 22)]]


@pytest.mark.parametrize("told_before", [False, True])
def test_a_sender_that_breaks_does_not_stop_what_comes_later(told_before: bool) -> None:
    lost: list[int] = []
    arrived: list[list[str]] = []

    def send(messages: list[str], sent: Sent) -> None:
        if "bad" in messages:
            if told_before:
                sent(OSError("no way"))
            raise TypeError("cannot be sent")
        arrived.append(messages)
        sent(None)

    outbox: Outbox[str] = Outbox(send, lambda count, error: lost.append(count))
    for message in ("a", "bad", "b"):
        outbox.put(message)
    assert (arrived, lost) == ([["a"], ["b"]], [1])


def test_many_threads_one_order_for_each(wire: Wire) -> None:
    arrived: list[tuple[int, int]] = []
    sending = threading.Lock()
    done = threading.Semaphore(0)

    def send(messages: list[tuple[int, int]], sent: Sent) -> None:
        assert sending.acquire(blocking=False), "two messages are on their way"

        def arrive() -> None:
            arrived.extend(messages)
            done.release(len(messages))
            sending.release()
            sent(None)

        threading.Thread(target=arrive).start()

    outbox: Outbox[tuple[int, int]] = Outbox(send, wire.note_lost)

    def put_many(who: int) -> None:
        for number in range(200):
            outbox.put((who, number))

    threads = [threading.Thread(target=put_many, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(800):
        assert done.acquire(timeout=PATIENCE_S)
    for thread in threads:
        thread.join()
    assert [[n for who, n in arrived if who == each] for each in range(4)] == [list(range(200))] * 4
    assert wire.lost == []


def test_messages_are_gathered_for_a_while() -> None:
    arrived: list[list[int]] = []
    told = threading.Event()

    def send(messages: list[int], sent: Sent) -> None:
        arrived.append(messages)
        sent(None)
        told.set()

    outbox: Outbox[int] = Outbox(send, lambda count, error: None, every_s=0.2)
    for number in range(3):
        outbox.put(number)
    assert arrived == []
    assert told.wait(PATIENCE_S)
    assert arrived == [[0, 1, 2]]
