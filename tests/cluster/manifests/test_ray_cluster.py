"""The file for Ray's cluster launcher, checked as `ray up` does before it touches a machine."""

from __future__ import annotations

import copy
import json
import re
import subprocess

import jsonschema
import pytest
from ray.autoscaler._private.util import prepare_config, validate_config
from ray.scripts.scripts import cli

RAY_CLUSTER = "cluster/manifests/ray-cluster.yaml"


@pytest.fixture
def config(read):
    return read(RAY_CLUSTER)[0]


def prepared(config):
    """As Ray sees it: with defaults, and checked against the JSON schema of the installed Ray."""
    ready = prepare_config(copy.deepcopy(config))
    validate_config(ready)
    return ready


def commands(config) -> list[str]:
    lists = ("setup_commands", "head_start_ray_commands", "worker_start_ray_commands")
    return [command for name in lists for command in config[name]]


def test_ray_takes_it(config):
    ready = prepared(config)
    (nodes,) = ready["available_node_types"].values()
    assert nodes["max_workers"] == ready["max_workers"] == len(config["provider"]["worker_ips"])


@pytest.mark.parametrize("slip", [{"max_wokers": 1}, {"idle_timeout_minutes": "5"}])
def test_ray_would_not_take_a_slip(config, slip):
    with pytest.raises(jsonschema.ValidationError):
        prepared({**config, **slip})


def test_the_addresses_are_nobodys(config):
    """Addresses for documentation: nobody logs in to a stranger's machine for having changed nothing."""
    addresses = [config["provider"]["head_ip"], *config["provider"]["worker_ips"]]
    assert all(address.startswith("192.0.2.") for address in addresses)
    assert len(set(addresses)) == len(addresses)


def test_all_commands_are_shell(config):
    for command in commands(config):
        subprocess.run(["bash", "-n", "-c", command], check=True, capture_output=True)


@pytest.mark.parametrize("path", [RAY_CLUSTER, "cluster/manifests/start-local", "docs/running.md"])
def test_ray_knows_all_options(root, path):
    """Of its commands that we write down, each option is one that the installed Ray has."""
    text = re.sub(r"\\\n\s*|\n\s+(?=--)", " ", (root / path).read_text(encoding="utf-8"))
    found = re.findall(r"\bray (start|stop|up|down|exec|dashboard|get-auth-token)\b([^\n`#]*)", text)
    assert any(" --" in rest for _, rest in found)
    for verb, rest in found:
        known = {option for parameter in cli.commands[verb].params for option in parameter.opts}
        assert set(re.findall(r"(?<= )--[a-z-]+", rest)) <= known, rest


def test_the_head_alone_keeps_the_tickets(config):
    head = " ".join(config["head_start_ray_commands"])
    worker = " ".join(config["worker_start_ray_commands"])
    found = re.search(r"--resources='([^']*)'", head)
    assert found
    assert json.loads(found[1]) == {"rtfs_state": 1}
    assert "--resources" not in worker


def test_all_nodes_ask_for_the_token_and_give_out_metrics(config):
    starts = [command for command in commands(config) if "ray start" in command]
    assert len(starts) == 2
    for command in starts:
        assert "RAY_AUTH_MODE=token" in command
        assert "PATH=$HOME/rtfs/.venv/bin:$PATH" in command, "where jobs look for python"
        assert "RTFS_STATE_RESOURCE=rtfs_state" in command
        assert "--metrics-export-port=8080" in command
    assert "~/.ray/auth_token" in config["file_mounts"]


def test_what_the_commands_use_is_brought_along(config, root):
    """The checkout is mounted at ~/rtfs, and what runs there exists."""
    assert config["file_mounts"]["~/rtfs"] == "."
    assert (root / "scripts/setup").is_file()
    assert all("cd ~/rtfs" in command or "~/rtfs/" in command for command in commands(config))
    mounted = {path.replace("~", "$HOME") for path in config["file_mounts"]}
    used = {path for command in commands(config) for path in re.findall(r"RTFS_TOKENS_FILE=(\S+)", command)}
    assert used
    assert used <= mounted


def test_what_each_node_makes_itself_is_not_copied(config):
    assert {".git", ".venv", ".uv"} <= set(config["rsync_exclude"])
