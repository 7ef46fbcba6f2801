from __future__ import annotations

import threading
import time

from actors.caches.l3.read_write_lock import ReadWriteLock


def test_many_read_and_one_writes() -> None:
    lock, inside, most_readers, wrong = ReadWriteLock(), [0, 0], [0], list[str]()
    barrier = threading.Barrier(4)

    def read() -> None:
        for _ in range(200):
            with lock.reading:
                inside[0] += 1
                if inside[1]:
                    wrong.append("read while one wrote")
                inside[0] -= 1

    def meet() -> None:
        with lock.reading:
            barrier.wait(10)
            most_readers[0] = 4

    def write() -> None:
        for _ in range(50):
            with lock.writing:
                inside[1] += 1
                time.sleep(0.0002)
                if inside[1] != 1:
                    wrong.append("two wrote")
                inside[1] -= 1

    for work in ([meet] * 4, [read, read, write, write]):
        threads = [threading.Thread(target=each) for each in work]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert not any(thread.is_alive() for thread in threads)
    assert most_readers == [4]
    assert wrong == []


def test_who_waits_to_write_goes_first() -> None:
    lock, order = ReadWriteLock(), list[str]()
    lock.reading.__enter__()

    def write() -> None:
        with lock.writing:
            order.append("writer")

    def read() -> None:
        with lock.reading:
            order.append("reader")

    writer, reader = threading.Thread(target=write), threading.Thread(target=read)
    writer.start()
    while not lock._gate.locked():
        time.sleep(0.001)
    reader.start()
    lock.reading.__exit__()
    writer.join(10)
    reader.join(10)
    assert order == ["writer", "reader"]
