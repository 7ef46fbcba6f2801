from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.tickets.errors import InvalidTicket
from actors.tickets.ids import check_prefix, check_ticket_id, is_ticket_id, new_ticket_id

GOOD = "01k8v3q2wd7m0c9x5t2hqk4bne"


@given(st.lists(st.integers(0, 2**45), min_size=2, max_size=5))
def test_ids_sort_by_time(milliseconds: list[int]) -> None:
    ids = [new_ticket_id(each / 1000 + 0.0001) for each in milliseconds]
    assert all(map(is_ticket_id, ids))
    by_id = [when for _, when in sorted(zip(ids, milliseconds, strict=True))]
    assert by_id == sorted(milliseconds)


def test_ids_of_one_moment_differ_in_all_their_random_bits() -> None:
    ids = [new_ticket_id(1_700_000_000.0) for _ in range(2_000)]
    assert len({each[:10] for each in ids}) == 1
    assert len({each[10:] for each in ids}) == len(ids)
    for place in range(10, 26):
        assert len({each[place] for each in ids}) == 32


@pytest.mark.parametrize(
    "text",
    [
        "",
        GOOD[:-1],
        GOOD + "0",
        GOOD + "\n",
        "8" + GOOD[1:],
        GOOD.upper(),
        GOOD[:-1] + "u",
        GOOD[:-1] + "٣",
        "../../../../../../etc/pass",
        "..%2f..%2f..%2f..%2f..%2fx",
        GOOD[:-1] + "/",
        GOOD[:-1] + "\0",
        "x" * 10_000,
    ],
)
def test_what_is_no_id(text: str) -> None:
    assert not is_ticket_id(text)
    with pytest.raises(InvalidTicket, match="expected a ticket id") as caught:
        check_ticket_id(text)
    assert len(str(caught.value)) < 200
    assert str(caught.value).isprintable()


def test_the_beginning_of_an_id() -> None:
    assert check_prefix(GOOD[:5]) == GOOD[:5]
    assert check_prefix(GOOD) == GOOD
    for text in ("", "../", GOOD + "0", "u"):
        with pytest.raises(InvalidTicket, match="beginning of a ticket id"):
            check_prefix(text)
