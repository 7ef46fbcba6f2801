"""One runtime on a Ray of its own for all tests of this folder: starting one takes longer than any of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ray_parts import POLICY, Killer

from actors import Runtime


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.ray)
            item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore::FutureWarning"))


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    folder = tmp_path_factory.mktemp("runtime")
    policy = folder / "delegation.toml"
    policy.write_text(POLICY, encoding="utf-8")
    with Runtime.start(policy, name="tests", state_dir=folder, evaluators=2) as started:
        yield started


@pytest.fixture
def killer(runtime: Runtime) -> Killer:
    return Killer(runtime)
