"""Names of targets, both ways."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.errors import PolicyError
from policies.targets import parse_target, target_name
from rtfs.delegation import ExecTarget, L4CacheHit, LocalModel, LocalPure, RemoteModel

NAMES = [
    ("local-pure", LocalPure()),
    ("local-codellama-7b", LocalModel("codellama-7b")),
    ("remote-openai", RemoteModel("openai")),
    ("remote-remote-x", RemoteModel("remote-x")),
    ("l4-sha256:ab", L4CacheHit("sha256:ab", "")),
]


@pytest.mark.parametrize(("name", "target"), NAMES)
def test_both_ways(name: str, target: ExecTarget) -> None:
    assert parse_target(name) == target
    assert target_name(target) == name


@pytest.mark.parametrize("name", ["", "local", "local-", "-x", "openai", "Remote-openai", "l5-x"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(PolicyError, match="expected a target name, `local-pure`"):
        parse_target(name)


@given(
    st.one_of(
        st.builds(RemoteModel, st.text(min_size=1)),
        st.builds(LocalModel, st.text(min_size=1).filter("pure".__ne__)),
    )
)
def test_names_lose_nothing(target: ExecTarget) -> None:
    assert parse_target(target_name(target)) == target
