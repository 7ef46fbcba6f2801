"""A runtime on a Ray that asks nobody for a token. All other tests have one that does, as is its default."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ray_parts import POLICY

DRIVER = """
import sys
from pathlib import Path
from actors import Runtime

folder = Path(sys.argv[1])
with Runtime.start(folder / "delegation.toml", state_dir=folder, evaluators=1) as rt:
    source = "(defn echo-it [x] :body) (echo-it 7)"
    answers = rt.evaluate(source), rt.submit(source).result(timeout=60)
(folder / "answers").write_text(repr(answers))
"""


@pytest.mark.timeout(150)
def test_a_runtime_starts_and_answers(tmp_path: Path) -> None:
    (tmp_path / "delegation.toml").write_text(POLICY, encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, str(tmp_path)],
        env={**kept, "RAY_AUTH_MODE": "disabled"},
        capture_output=True,
        text=True,
        timeout=140,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "answers").read_text() == "(7, 7)"
