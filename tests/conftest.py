"""What all tests share.

Hypothesis examples do not depend on how busy the machine is, and nothing is written to the user's folders.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", parent=settings.get_profile("default"), max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Garbage collection passes over the tests themselves: there are twenty thousand, and none is garbage."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Caches and history of the tests, and of the processes they start, go to a folder of theirs."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("RTFS_CACHE_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
            patch.setenv(name, str(tmp_path_factory.mktemp(name.lower())))
        yield


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """What a test sets up for our loggers is gone after it."""
    ours = logging.getLogger("rtfs")
    handlers, level, propagate = list(ours.handlers), ours.level, ours.propagate
    yield
    ours.handlers[:], ours.propagate = handlers, propagate
    ours.setLevel(level)


@pytest.fixture(autouse=True)
def _no_ray(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that is not marked `ray` starts none: it would not run beside others."""
    yield
    ray = sys.modules.get("ray")
    if ray is not None and request.node.get_closest_marker("ray") is None and ray.is_initialized():
        ray.shutdown()
        pytest.fail("this test started Ray; mark it with `@pytest.mark.ray`, or do without")
