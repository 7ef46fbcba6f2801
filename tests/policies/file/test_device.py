from __future__ import annotations

import re

import pytest

from policies.file.device import PATTERN, fault_of, share_of

SHARES = {
    "cpu": (None, 0.0),
    "cpu:4": (4, 0.0),
    "gpu": (None, 1.0),
    "gpu:1": (None, 1.0),
    "gpu:0.5": (None, 0.5),
    "gpu:2": (None, 2.0),
}


@pytest.mark.parametrize("device", SHARES)
def test_what_a_device_means(device: str) -> None:
    assert re.fullmatch(PATTERN, device)
    assert share_of(device) == SHARES[device]


@pytest.mark.parametrize(
    "device", ["", "cpu:", "cpu:0", "cpu:04", "gpu:", "gpu:.5", "gpu:-1", "tpu", "cpu:1.5", "CPU"]
)
def test_what_is_no_device(device: str) -> None:
    assert not re.fullmatch(PATTERN, device)


def test_what_ray_could_not_give() -> None:
    assert [fault_of(device) for device in SHARES] == [None] * len(SHARES)
    assert fault_of("gpu:0.0") == "a share of a GPU above 0"
    assert fault_of("gpu:1.5") == "a share of one GPU, or a number of whole ones"
