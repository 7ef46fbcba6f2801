"""Names of actors: two runtimes never meet, nor do two replicas."""

from __future__ import annotations

import pytest

from actors import names


@pytest.mark.parametrize("runtime", ["default", "a", "Team-7_b.c", "x" * 64])
def test_a_runtime_has_a_namespace_of_its_own(runtime: str) -> None:
    assert names.namespace(runtime) == f"rtfs-{runtime}"


@pytest.mark.parametrize("runtime", ["", " ", "..", "../x", "a/b", "-a", ".a", "a\n", "é", "x" * 65])
def test_what_is_no_name_for_a_runtime(runtime: str) -> None:
    with pytest.raises(ValueError, match="expected a runtime's name of up to 64 letters"):
        names.namespace(runtime)


def test_actors_of_a_runtime_have_different_names() -> None:
    made = [
        *(names.CONTROL, names.POLICY, names.TICKETS),
        *(names.evaluator(number) for number in (0, 1, 11)),
        *(names.model("m", replica, digest) for replica in (0, 1) for digest in ("aa", "bb")),
        names.model("m-1", 0, "aa"),
    ]
    assert len(set(made)) == len(made)
