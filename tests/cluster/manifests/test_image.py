"""The container file, and the script for one machine."""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
import subprocess
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

MANIFESTS = Path("cluster/manifests")
#: names of files that hold secrets
SECRET = ("*token*", "*secret*", "*.pem", "*.key", ".env*", "id_*", ".git")


class Instruction(NamedTuple):
    word: str
    rest: str


@pytest.fixture
def instructions(root) -> list[Instruction]:
    text = (root / MANIFESTS / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\s*\\\n\s*", " ", "\n".join(lines))
    return [Instruction(*line.split(maxsplit=1)) for line in joined.splitlines()]


@pytest.fixture
def stages(instructions) -> list[list[Instruction]]:
    found: list[list[Instruction]] = []
    for each in instructions:
        if each.word == "FROM":
            found.append([])
        found[-1].append(each)
    return found


def of(instructions, word: str) -> list[str]:
    return [each.rest for each in instructions if each.word == word]


def variables(instructions) -> dict[str, str]:
    pairs = [pair for rest in of(instructions, "ENV") for pair in shlex.split(rest)]
    return dict(pair.split("=", 1) for pair in pairs)


def copied(instructions) -> list[str]:
    """Paths that come out of the checkout."""
    paths = []
    for rest in of(instructions, "COPY"):
        words = shlex.split(rest)
        if not words[0].startswith("--from="):
            paths.extend(words[:-1])
    return paths


def test_all_instructions_are_known(instructions):
    known = {"FROM", "RUN", "ENV", "WORKDIR", "COPY", "USER", "EXPOSE", "HEALTHCHECK", "CMD"}
    assert {each.word for each in instructions} == known


def test_both_stages_begin_with_the_python_that_is_required(stages, root):
    bases = [stage[0].rest.split()[0] for stage in stages]
    assert len(bases) == 2
    assert set(bases) == {"python:3.12-slim"}
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["requires-python"].startswith(">=3.12")


def test_it_runs_as_a_user_without_rights(stages):
    final = stages[-1]
    (user,) = of(final, "USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user), "Kubernetes compares numbers"
    words = [each.word for each in final]
    assert "RUN" not in words[words.index("USER") :]
    assert any(f"--uid {user.split(':')[0]} " in rest for rest in of(final, "RUN"))


def test_what_is_copied_is_there_and_no_secret(instructions, root):
    paths = copied(instructions)
    assert paths
    for path in paths:
        assert (root / path).exists(), path
        assert not any(fnmatch.fnmatch(Path(path).name, glob) for glob in SECRET), path


def test_no_secret_is_baked_in(instructions):
    for name in variables(instructions):
        assert not re.search(r"TOKEN|SECRET|PASSWORD|_KEY", name), name


def test_only_what_is_copied_reaches_the_builder(instructions, root):
    lines = (root / MANIFESTS / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    allowed = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    assert allowed == {path.split("/")[0] for path in copied(instructions)}
    assert "**/.*" in rules


def test_packages_come_locked_and_with_their_hashes(stages, root):
    installs = [rest for rest in of(stages[0], "RUN") if "uv pip install" in rest]
    assert len(installs) == 2
    packages, project = installs
    assert "--require-hashes --constraint requirements.lock --extra ray -r pyproject.toml" in packages
    assert "--no-deps --build-constraints requirements.lock ." in project
    setup = (root / "scripts/setup").read_text(encoding="utf-8")
    (wanted,) = re.findall(r"UV_WANTED=(\S+)", setup)
    assert f"uv=={wanted}" in " ".join(of(stages[0], "RUN"))


def test_the_packages_of_the_project_are_all_copied(stages, root):
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert set(wheel) | {project["project"]["readme"]} <= set(copied(stages[0]))


def test_it_serves_and_says_whether_it_does(stages):
    final = stages[-1]
    (command,) = [json.loads(rest) for rest in of(final, "CMD")]
    assert command[:2] == ["rtfs", "serve"]
    port = command[command.index("--port") + 1]
    assert port == "8700"
    (health,) = of(final, "HEALTHCHECK")
    assert f"http://127.0.0.1:{port}/healthz" in health
    assert port in of(final, "EXPOSE")[0].split()
    policy = Path(command[command.index("--policy") + 1])
    (workdir,) = of(final, "WORKDIR")
    assert policy.parent == Path(workdir)
    assert policy.name in copied(final)


def test_ray_asks_for_its_token_in_it(stages):
    assert variables(stages[-1])["RAY_AUTH_MODE"] == "token"


# ---------------------------------------------------------------- start-local


def test_start_local_is_a_script_that_can_be_run(root):
    script = root / MANIFESTS / "start-local"
    assert script.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", str(script)], check=True, capture_output=True)


def test_start_local_declares_what_the_cluster_files_do(root):
    text = (root / MANIFESTS / "start-local").read_text(encoding="utf-8")
    found = re.search(r"--resources='([^']*)'", text)
    assert found
    assert json.loads(found[1]) == {"rtfs_state": 1}
    assert "export RAY_AUTH_MODE=token" in text
    assert "export RTFS_STATE_RESOURCE=rtfs_state" in text
    assert "--metrics-export-port=8080" in text
    assert (root / re.findall(r"serve deploy .* (\S+)$", text, re.MULTILINE)[0]).is_file()
