from __future__ import annotations

import random
from typing import Any

import pytest

from actors.caches.l2.payload import COMPRESSED_FROM_BYTES, Damaged, read_stored, stored_form
from actors.caches.l2.rows import ZSTD
from rtfs.ir_codec import encode_value
from rtfs.values import Keyword, Map, Vector


@pytest.mark.parametrize(
    ("value", "flags"),
    [
        ("short", 0),
        ("long " * COMPRESSED_FROM_BYTES, ZSTD),
        ("é" * 2000, ZSTD),
        (Map({Keyword.of("b"): 1, "a": Vector([1.0, None])}), 0),
    ],
)
def test_a_value_comes_back(value: Any, flags: int) -> None:
    payload = encode_value(value)
    found_flags, stored = stored_form(payload)
    assert found_flags == flags
    assert len(stored) <= len(payload)
    assert read_stored(found_flags, stored) == (value, len(payload))


def test_what_does_not_get_shorter_stays_as_it_is() -> None:
    noise = random.Random(1).randbytes(4000)
    assert stored_form(noise) == (0, noise)


@pytest.mark.parametrize("stored", [b"", b"RTV1", b"nonsense", b"\x28\xb5\x2f\xfd nonsense"])
@pytest.mark.parametrize("flags", [0, ZSTD])
def test_what_is_no_value_is_damaged(flags: int, stored: bytes) -> None:
    with pytest.raises(Damaged):
        read_stored(flags, stored)


def test_damaged_bytes_give_a_value_or_damage_and_nothing_else() -> None:
    chance = random.Random(3)
    flags, stored = stored_form(encode_value("some words, again and again " * 100))
    for _ in range(2000):
        changed = bytearray(stored)
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
        try:
            read_stored(flags, bytes(changed))
        except Damaged:
            pass
