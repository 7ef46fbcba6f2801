"""What a runtime consists of."""

from __future__ import annotations

from actors.control.spec import RuntimeSpec


def test_parts_with_state_stay_on_the_node_of_their_folder() -> None:
    assert RuntimeSpec(namespace="rtfs-a", state_dir="/s").pinned == {}
    (pin,) = RuntimeSpec(namespace="rtfs-a", state_dir="/s", state_resource="disk").pinned.items()
    assert pin[0] == "disk"
    assert 0 < pin[1] < 0.01  # two parts of many runtimes fit on a node that has one of it
