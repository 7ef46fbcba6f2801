"""The Serve config: read by Ray's own schema, and naming what there is."""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path

import pydantic
import pytest
import yaml

with warnings.catch_warnings():  # Ray's own, about its use of pydantic
    warnings.simplefilter("ignore", DeprecationWarning)
    from ray.serve import Application
    from ray.serve.schema import ServeDeploySchema

from actors.names import DEFAULT_RUNTIME
from cluster.http.deployment import ServeArguments

SERVE = "cluster/serve.yaml"
RAY_SERVICE = "cluster/manifests/kubernetes/rayservice.yaml"
#: for whoever starts Ray in the root of the checkout, and in the image
WHERE = ("checkout", "image")


@pytest.fixture(params=WHERE)
def config(request, read):
    if request.param == "checkout":
        return read(SERVE)[0]
    return yaml.safe_load(read(RAY_SERVICE)[0]["spec"]["serveConfigV2"])


def unknown_keys(given: object, read_back: object, path: str = "") -> list[str]:
    """Keys that the schema does not know and lets pass."""
    if isinstance(given, dict) and isinstance(read_back, dict):
        return [
            found
            for key, value in given.items()
            for found in (
                unknown_keys(value, read_back[key], f"{path}.{key}") if key in read_back else [f"{path}.{key}"]
            )
        ]
    if isinstance(given, list) and isinstance(read_back, list):
        pairs = zip(given, read_back, strict=True)
        return [found for a, b in pairs for found in unknown_keys(a, b, f"{path}[]")]
    return []


def fields(model: type[pydantic.BaseModel]) -> set[str]:
    return set(model.model_fields)


def test_ray_reads_it(config):
    schema = ServeDeploySchema.model_validate(config)
    assert [app.name for app in schema.applications] == ["rtfs"]
    assert schema.applications[0].route_prefix == "/"
    assert schema.http_options.port == 8700


def test_it_has_no_key_that_ray_would_ignore(config):
    schema = ServeDeploySchema.model_validate(config)
    assert unknown_keys({k: v for k, v in config.items() if k != "http_options"}, schema.model_dump()) == []
    assert set(config["http_options"]) <= fields(type(schema.http_options))
    with_slip = {**config, "proxy_lokation": "HeadOnly"}
    assert unknown_keys(with_slip, ServeDeploySchema.model_validate(with_slip).model_dump()) != []


def test_the_two_differ_in_places_and_numbers_only(read):
    laptop = read(SERVE)[0]
    image = yaml.safe_load(read(RAY_SERVICE)[0]["spec"]["serveConfigV2"])
    assert laptop["http_options"].pop("host") == "127.0.0.1"
    assert image["http_options"].pop("host") == "0.0.0.0"
    one, other = laptop["applications"][0].pop("args"), image["applications"][0].pop("args")
    assert laptop == image
    assert one.keys() == other.keys()
    assert {key for key in one if one[key] != other[key]} == {"policy", "evaluators"}


def test_the_policy_of_the_checkout_is_there(read, root: Path):
    args = read(SERVE)[0]["applications"][0]["args"]
    assert (root / args["policy"]).is_file()


def test_the_application_is_there_and_takes_the_arguments(config):
    app = config["applications"][0]
    module, _, name = app["import_path"].partition(":")
    builder = getattr(importlib.import_module(module), name)
    assert isinstance(builder(app["args"]), Application)
    with pytest.raises(ValueError, match="no argument `evaluatos`"):
        builder({**app["args"], "evaluatos": 1})


def test_jobs_find_the_runtime_without_being_told_its_name(config):
    assert config["applications"][0]["args"]["namespace"] == DEFAULT_RUNTIME


def test_the_example_in_the_comments_is_an_argument(read):
    (config,) = read(SERVE, options=True)
    assert ServeArguments.of(config["applications"][0]["args"]).state_dir
