"""Questions in bounded time and with a bounded number of threads."""

from __future__ import annotations

from threading import Event, Thread

import pytest

from policies.engines.asking import Asker, AskFailedError

NAMES = ("local-pure", "remote-a")


def wait_until_idle(asker: Asker) -> None:
    pause = Event()
    while asker.threads:
        pause.wait(0.001)


def test_an_answer_comes_back_as_it_is() -> None:
    seen = []

    def ask(prompt: str, allowed: tuple[str, ...], timeout_s: float) -> str:
        seen.append((prompt, allowed, timeout_s))
        return "answer"

    assert Asker(ask).ask("where?", NAMES, 5.0) == "answer"
    assert seen == [("where?", NAMES, 5.0)]


@pytest.mark.parametrize("error", [ValueError("odd"), KeyError("k"), SystemExit(3), KeyboardInterrupt()])
def test_whatever_the_port_raises_is_no_answer(error: BaseException) -> None:
    def ask(prompt: str, allowed: tuple[str, ...], timeout_s: float) -> str:
        raise error

    asker = Asker(ask)
    with pytest.raises(AskFailedError, match=f"asking failed: {type(error).__name__}"):
        asker.ask("p", NAMES, 5.0)
    wait_until_idle(asker)


def test_a_hung_port_costs_one_thread_each_up_to_the_limit() -> None:
    release = Event()

    def ask(prompt: str, allowed: tuple[str, ...], timeout_s: float) -> str:
        release.wait()
        return "late"

    asker = Asker(ask, limit=3)
    for number in range(3):
        with pytest.raises(AskFailedError, match="no answer within 1 ms"):
            asker.ask(f"p{number}", NAMES, 0.001)
    assert asker.threads == 3
    for _ in range(5):
        with pytest.raises(AskFailedError, match="3 questions still wait for an answer"):
            asker.ask("another", NAMES, 0.001)
    assert asker.threads == 3
    release.set()
    wait_until_idle(asker)
    assert asker.ask("another", NAMES, 5.0) == "late"


def test_a_question_that_ran_out_of_time_is_asked_anew() -> None:
    release, asked = Event(), []

    def ask(prompt: str, allowed: tuple[str, ...], timeout_s: float) -> str:
        asked.append(prompt)
        if len(asked) == 1:
            release.wait()
        return f"answer {len(asked)}"

    asker = Asker(ask)
    with pytest.raises(AskFailedError, match="no answer"):
        asker.ask("p", NAMES, 0.001)
    assert asker.ask("p", NAMES, 5.0) == "answer 2"
    release.set()
    wait_until_idle(asker)


def test_all_who_ask_the_same_at_once_share_one_question() -> None:
    release, begun, asked, answers = Event(), Event(), [], []

    def ask(prompt: str, allowed: tuple[str, ...], timeout_s: float) -> str:
        asked.append(prompt)
        begun.set()
        release.wait()
        return "shared"

    asker = Asker(ask)
    threads = [Thread(target=lambda: answers.append(asker.ask("p", NAMES, 60.0))) for _ in range(5)]
    threads[0].start()
    begun.wait()
    for thread in threads[1:]:
        thread.start()
    assert asker.threads == 1
    release.set()
    for thread in threads:
        thread.join()
    assert answers == ["shared"] * 5
