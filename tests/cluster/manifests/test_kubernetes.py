"""The objects for Kubernetes: each of its kind's shape, all of them naming each other rightly.

The shapes are in kubernetes.schema.yaml beside this file. What Ray itself reads of a RayCluster, its autoscaler
says: it makes an autoscaling config of it, as it does in the pod.
"""

from __future__ import annotations

import copy
import importlib.util
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import ray
import yaml
from ray.autoscaler._private.kuberay.autoscaling_config import _derive_autoscaling_config_from_ray_cr
from ray.autoscaler._private.util import validate_config

from cluster.cli import job
from rtfs.cli.console import UsageError

ROOT = Path(__file__).resolve().parents[3]
FOLDER = Path("cluster/manifests/kubernetes")
SCHEMA = yaml.safe_load(Path(__file__).with_name("kubernetes.schema.yaml").read_text(encoding="utf-8"))
FILES = sorted(path.name for path in (ROOT / FOLDER).iterdir())
IMAGE = "rtfs"

type Object = dict[str, Any]


def problems(thing: Object) -> list[str]:
    """What is wrong with an object."""
    if thing.get("kind") not in SCHEMA["$defs"]:
        return [f"no shape of kind {thing.get('kind')}"]
    schema = {**SCHEMA, "$ref": f"#/$defs/{thing['kind']}", "required": ["apiVersion", "kind", "metadata"]}
    found = jsonschema.Draft202012Validator(schema).iter_errors(thing)
    return [f"{error.json_path}: {error.message}" for error in found]


@pytest.fixture(params=[False, True], ids=["as-it-stands", "options"])
def objects(request, read) -> dict[str, list[Object]]:
    """All objects by their file, without and with the examples in the comments."""
    return {name: read(str(FOLDER / name), options=request.param) for name in FILES}


@pytest.fixture
def by_kind(objects) -> dict[str, list[Object]]:
    found: dict[str, list[Object]] = {}
    for each in (thing for things in objects.values() for thing in things):
        found.setdefault(each["kind"], []).append(each)
    return found


@pytest.fixture
def cluster(by_kind) -> Object:
    (found,) = by_kind["RayCluster"]
    return found


def pods(spec: Object) -> Iterator[tuple[str, Object]]:
    """The pods of a Ray cluster, by group."""
    yield "head", spec["headGroupSpec"]["template"]["spec"]
    for group in spec["workerGroupSpecs"]:
        yield group["groupName"], group["template"]["spec"]


def all_pods(by_kind) -> list[Object]:
    found = [pod for each in by_kind["RayCluster"] for _, pod in pods(each["spec"])]
    found += [pod for each in by_kind["RayService"] for _, pod in pods(each["spec"]["rayClusterConfig"])]
    return found + [each["spec"]["template"]["spec"] for each in by_kind["StatefulSet"]]


def ports(pod: Object) -> dict[str, int]:
    return {port["name"]: port["containerPort"] for port in pod["containers"][0]["ports"]}


# ---------------------------------------------------------------- shapes


@pytest.mark.parametrize("name", FILES)
def test_each_object_has_its_shape(objects, name):
    assert [problems(thing) for thing in objects[name]] == [[] for _ in objects[name]]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["spec", "headGroupSpec", "template", "spec", "containers", 0, "imagee"], "x:1"),
        (["spec", "headGroupSpec", "template", "spec", "containers", 0, "image"], "rtfs:latest"),
        (["spec", "headGroupSpec", "rayStartParams", "num-cpus"], 0),
        (["spec", "headGroupSpec", "template", "spec", "securityContext", "runAsUser"], 0),
        (["spec", "workerGroupSpecs", 0, "minReplicas"], "1"),
        (["spec", "authOptions", "mode"], "tokens"),
        (["spec", "autoscalerOptions", "idleTimeout"], 300),
        (["metadata", "name"], "RTFS"),
    ],
)
def test_a_slip_does_not_pass(read, path, value):
    (thing,) = read(str(FOLDER / "raycluster.yaml"))
    thing = copy.deepcopy(thing)
    place = thing
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert len(problems(thing)) >= 1


def test_objects_have_names_of_their_own_in_one_namespace(by_kind):
    (namespace,) = by_kind["Namespace"]
    for kind, things in by_kind.items():
        names = [thing["metadata"]["name"] for thing in things]
        assert len(set(names)) == len(names)
        if kind != "Namespace":
            assert {thing["metadata"]["namespace"] for thing in things} == {namespace["metadata"]["name"]}


# ---------------------------------------------------------------- what Ray reads


def test_rays_autoscaler_reads_the_cluster(cluster):
    config = _derive_autoscaling_config_from_ray_cr(cluster)
    validate_config(config)
    types = config["available_node_types"]
    head = types.pop(config["head_node_type"])
    assert head["resources"]["rtfs_state"] == 1
    assert head["resources"]["CPU"] == 0
    assert {"cpu"} <= types.keys() <= {"cpu", "gpu"}
    assert all("rtfs_state" not in each["resources"] for each in types.values())
    assert all(each["min_workers"] <= each["max_workers"] for each in types.values())
    if "gpu" in types:
        assert types["gpu"]["resources"]["GPU"] == 1
        assert types["gpu"]["min_workers"] == 0


def test_the_ray_of_the_cluster_is_the_one_that_is_locked(cluster, root):
    version = cluster["spec"]["rayVersion"]
    assert version == ray.__version__
    assert f"\nray=={version} \\\n" in (root / "requirements.lock").read_text(encoding="utf-8")


def test_the_head_resource_survives_the_shell(cluster):
    """KubeRay writes the value into a command line as it is."""
    (word,) = shlex.split(cluster["spec"]["headGroupSpec"]["rayStartParams"]["resources"])
    assert json.loads(word) == {"rtfs_state": 1}


def test_the_service_stands_on_the_same_cluster(by_kind, cluster):
    (service,) = by_kind["RayService"]
    assert service["spec"]["rayClusterConfig"] == cluster["spec"]


def test_a_service_never_makes_a_second_cluster_for_one_disk(by_kind):
    (service,) = by_kind["RayService"]
    (claim,) = by_kind["PersistentVolumeClaim"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]
    assert service["spec"]["upgradeStrategy"]["type"] == "None"


# ---------------------------------------------------------------- images, ports, places


def test_the_image_is_that_of_this_version(cluster, root):
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    images = {pod["containers"][0]["image"] for _, pod in pods(cluster["spec"])}
    assert images == {f"{IMAGE}:{project['version']}"}
    dockerfile = (root / "cluster/manifests/Dockerfile").read_text(encoding="utf-8")
    assert f"-t {IMAGE}:{project['version']} " in dockerfile
    assert "USER 10001:10001" in dockerfile
    assert {pod["securityContext"]["runAsUser"] for _, pod in pods(cluster["spec"])} == {10001}


def test_ports_agree_with_what_listens(by_kind, cluster):
    (service,) = by_kind["RayService"]
    (monitor,) = by_kind["PodMonitor"]
    serve = yaml.safe_load(service["spec"]["serveConfigV2"])
    head = cluster["spec"]["headGroupSpec"]
    for pod in [pod for _, pod in pods(cluster["spec"])]:
        assert ports(pod)["serve"] == serve["http_options"]["port"] == 8700
        assert ports(pod)["metrics"] == 8080
        assert {each["port"] for each in monitor["spec"]["podMetricsEndpoints"]} <= ports(pod).keys()
    for group in [head, *cluster["spec"]["workerGroupSpecs"]]:
        assert group["rayStartParams"]["metrics-export-port"] == "8080"
    assert ports(head["template"]["spec"])["dashboard"] == 8265


def test_every_mount_has_its_volume_and_every_volume_is_mounted(by_kind):
    for pod in all_pods(by_kind):
        mounted = {mount["name"] for container in pod["containers"] for mount in container["volumeMounts"]}
        templates = {"data"} if pod["containers"][0]["name"] == "redis" else set()
        assert mounted == {volume["name"] for volume in pod.get("volumes", [])} | templates


def test_the_autoscaler_mounts_what_the_head_has(cluster):
    head = cluster["spec"]["headGroupSpec"]["template"]["spec"]
    mounts = cluster["spec"]["autoscalerOptions"]["volumeMounts"]
    assert {mount["name"] for mount in mounts} <= {volume["name"] for volume in head["volumes"]}


def test_a_read_only_root_leaves_ray_a_place_to_write(by_kind, cluster):
    for _, pod in pods(cluster["spec"]):
        (container,) = pod["containers"]
        empty = {volume["name"] for volume in pod["volumes"] if "emptyDir" in volume}
        writable = {mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] in empty}
        assert "/tmp" in writable
        assert variables(pod)["HOME"] in writable


def test_secrets_claims_and_maps_that_are_named_exist(by_kind):
    secrets = {each["metadata"]["name"]: each["stringData"] for each in by_kind["Secret"]}
    claims = {each["metadata"]["name"] for each in by_kind["PersistentVolumeClaim"]}
    for pod in all_pods(by_kind):
        for volume in pod.get("volumes", []):
            if "secret" in volume:
                assert volume["secret"]["secretName"] in secrets
            if "persistentVolumeClaim" in volume:
                assert volume["persistentVolumeClaim"]["claimName"] in claims
        for source in pod["containers"][0].get("envFrom", []):
            assert source["secretRef"]["name"] in secrets
    (cluster,) = by_kind["RayCluster"]
    # the key that KubeRay looks for
    assert list(secrets[cluster["spec"]["authOptions"]["secretName"]]) == ["auth_token"]


def test_examples_of_secrets_hold_none(by_kind):
    assert {value for each in by_kind["Secret"] for value in each["stringData"].values()} == {""}


def places(pod: Object) -> dict[str, str]:
    return {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}


def variables(pod: Object) -> dict[str, str | None]:
    return {each["name"]: each.get("value") for each in pod["containers"][0]["env"]}


def test_policy_and_state_are_where_things_are_mounted(by_kind, cluster):
    """Jobs begin where Ray was started, and take the policy of that folder; Serve is told its path."""
    (service,) = by_kind["RayService"]
    (app,) = yaml.safe_load(service["spec"]["serveConfigV2"])["applications"]
    head = cluster["spec"]["headGroupSpec"]["template"]["spec"]
    for _, pod in pods(cluster["spec"]):
        assert app["args"]["policy"] == f"{places(pod)['policy']}/delegation.toml"
        assert pod["containers"][0]["workingDir"] == places(pod)["policy"]
        assert variables(pod)["RTFS_STATE_DIR"] == places(head)["state"]
        assert variables(pod)["RTFS_STATE_RESOURCE"] == "rtfs_state"


def test_tokens_are_where_the_variable_says(by_kind, cluster):
    (tokens,) = [each for each in by_kind["Secret"] if each["metadata"]["name"] == "rtfs-tokens"]
    (key,) = tokens["stringData"]
    for _, pod in pods(cluster["spec"]):
        assert variables(pod)["RTFS_TOKENS_FILE"] == f"{places(pod)['tokens']}/{key}"


def test_only_the_head_mounts_the_state(cluster):
    assert [group for group, pod in pods(cluster["spec"]) if "state" in places(pod)] == ["head"]


def test_redis_is_where_ray_looks_for_it(by_kind, cluster):
    wanted = cluster["spec"].get("gcsFaultToleranceOptions")
    (service,) = by_kind["Service"]
    (redis,) = by_kind["StatefulSet"]
    assert service["spec"]["selector"] == redis["spec"]["selector"]["matchLabels"]
    assert service["spec"]["selector"] == redis["spec"]["template"]["metadata"]["labels"]
    assert redis["spec"]["serviceName"] == service["metadata"]["name"]
    (variable,) = redis["spec"]["template"]["spec"]["containers"][0]["env"]
    if wanted is not None:  # with the options
        assert wanted["redisAddress"] == f"{service['metadata']['name']}:{service['spec']['ports'][0]['port']}"
        assert wanted["redisPassword"]["valueFrom"] == variable["valueFrom"]


def test_every_example_in_a_comment_is_taken_up_somewhere(read):
    """The options below the `#:` are seen by the tests above, not lost to a slip in the marks."""
    (plain,) = read(str(FOLDER / "raycluster.yaml"))
    (full,) = read(str(FOLDER / "raycluster.yaml"), options=True)
    assert full["spec"].keys() - plain["spec"].keys() == {"gcsFaultToleranceOptions"}
    groups = [[each["groupName"] for each in thing["spec"]["workerGroupSpecs"]] for thing in (plain, full)]
    assert groups == [["cpu"], ["cpu", "gpu"]]


# ---------------------------------------------------------------- the job


def test_the_job_runs_on_that_cluster(by_kind, cluster):
    (job,) = by_kind["RayJob"]
    assert job["spec"]["clusterSelector"] == {"ray.io/cluster": cluster["metadata"]["name"]}


def test_the_job_runs_a_program_that_is_in_the_image(by_kind, root):
    (thing,) = by_kind["RayJob"]
    words = shlex.split(thing["spec"]["entrypoint"])
    assert words[:3] == ["python", "-m", "cluster.job"]
    assert importlib.util.find_spec("cluster.job") is not None
    program = Path(words[3])
    assert program.parts[:2] == ("/", "app")
    path = program.relative_to("/app")
    assert (root / path).is_file()
    dockerfile = (root / "cluster/manifests/Dockerfile").read_text(encoding="utf-8")
    assert f"COPY {path.parts[0]} {path.parts[0]}\n" in dockerfile
    job.parse(words[3:])
    with pytest.raises(UsageError):
        job.parse([*words[3:], "--argh"])


# ---------------------------------------------------------------- the guide


@pytest.fixture
def guide(root) -> str:
    return (root / "docs/running.md").read_text(encoding="utf-8")


def test_the_guide_makes_the_secrets_that_are_named(guide, by_kind, cluster):
    made = dict(re.findall(r"create secret generic (\S+) --from-(?:literal|file)=(\w+)=", guide))
    shown = {each["metadata"]["name"]: next(iter(each["stringData"])) for each in by_kind["Secret"]}
    (redis,) = by_kind["StatefulSet"]
    (variable,) = redis["spec"]["template"]["spec"]["containers"][0]["env"]
    wanted = variable["valueFrom"]["secretKeyRef"]
    assert made == {**shown, wanted["name"]: wanted["key"]}
    (policy,) = re.findall(r"create configmap (\S+) --from-file=delegation\.toml", guide)
    head = cluster["spec"]["headGroupSpec"]["template"]["spec"]
    assert policy in {volume["configMap"]["name"] for volume in head["volumes"] if "configMap" in volume}


def test_the_guide_and_the_manifests_name_files_that_are_there(guide, root):
    texts = {"docs/running.md": guide}
    for path in (root / "cluster").rglob("*"):
        if path.suffix in {".yaml", ".yml"} or path.name in {"Dockerfile", "start-local"}:
            texts[str(path.relative_to(root))] = path.read_text(encoding="utf-8")
    named = {
        (where, path)
        for where, text in texts.items()
        for path in re.findall(r"(?<![\w./-])(?:cluster|docs|scripts|examples)/[\w./-]*\w", text)
    }
    assert ("docs/running.md", "cluster/manifests/kubernetes/rayservice.yaml") in named
    assert sorted(each for each in named if not (root / each[1]).exists()) == []
