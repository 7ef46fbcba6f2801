"""Signed modules on a runtime: published by the command, run by its evaluators, copied to other nodes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from ray_parts import until

from actors import Runtime, names
from actors.caches.l4.mirror import mirror
from actors.caches.l4.store import ModuleStore
from rtfs.cli.main import main

pytestmark = pytest.mark.slow

OURS = "(defn score [n : int] : int (+ n 1))"
HERE = "(defn ^{:module :published} score [n : int] : int (+ n 1000)) (score n)"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("modules")
    (made / "policy.toml").write_text("[delegation]\n")
    (made / "score.rtfs").write_text(OURS)
    assert main(["keys", "new", "build"]) == 0
    return made


@pytest.fixture(scope="module")
def runtime(folder: Path) -> Iterator[Runtime]:
    with Runtime.start(folder / "policy.toml", state_dir=folder, evaluators=1) as made:
        yield made


def score(runtime: Runtime, n: int = 1) -> str:
    reply = runtime.run(HERE, args={"n": n})
    assert reply.error is None
    return reply.text


def test_published_found_run_and_revoked(runtime: Runtime, folder: Path) -> None:
    assert score(runtime) == "1001"
    publish = ["publish", str(folder / "score.rtfs"), "--key", "build", "--state-dir", str(folder)]
    assert main(publish) == 0
    assert score(runtime) == "2"  # from the next run on
    assert "a signed module has its very interface" in str(runtime.explain(HERE))
    assert [score(runtime, n) for n in (5, 9223372036854775807 - 1)] == ["6", "9223372036854775807"]

    copy = ModuleStore(folder / "elsewhere")  # as another node makes it
    caches = ray.get_actor(names.CACHES, namespace=runtime.spec.namespace)
    mirror(copy, lambda method, *args: ray.get(getattr(caches, method).remote(*args)), -1)
    (module,) = copy.all()
    assert copy.blob(module.manifest.content_hash) is not None
    copy.close()

    assert main(["modules", "revoke", module.id, "--why", "a test", "--state-dir", str(folder)]) == 0
    until(lambda: score(runtime) == "1001")
