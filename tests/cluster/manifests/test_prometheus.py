"""What Prometheus reads."""

from __future__ import annotations

import re

from ray._private.ray_constants import PROMETHEUS_SERVICE_DISCOVERY_FILE

PROMETHEUS = "cluster/manifests/prometheus.yml"
DURATION = re.compile(r"\d+(ms|s|m|h|d)")
#: the keys that we use, of Prometheus 2 and 3
GLOBAL = {"scrape_interval", "evaluation_interval"}
SCRAPE = {"job_name", "file_sd_configs"}
FILES = {"files", "refresh_interval"}


def test_its_keys_are_those_of_prometheus(read):
    (config,) = read(PROMETHEUS)
    assert set(config) == {"global", "scrape_configs"}
    assert set(config["global"]) <= GLOBAL
    assert all(DURATION.fullmatch(value) for value in config["global"].values())
    for job in config["scrape_configs"]:
        assert set(job) <= SCRAPE
        for files in job["file_sd_configs"]:
            assert set(files) <= FILES
            assert DURATION.fullmatch(files["refresh_interval"])


def test_jobs_have_names_of_their_own(read):
    names = [job["job_name"] for job in read(PROMETHEUS)[0]["scrape_configs"]]
    assert names
    assert len(set(names)) == len(names)


def test_it_looks_where_ray_says_which_nodes_there_are(read):
    (job,) = read(PROMETHEUS)[0]["scrape_configs"]
    (files,) = job["file_sd_configs"]
    assert files["files"] == [f"/tmp/ray/{PROMETHEUS_SERVICE_DISCOVERY_FILE}"]
