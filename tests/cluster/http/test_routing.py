"""Paths and methods to operations; settings."""

from __future__ import annotations

import pytest

from cluster.http.operations import OPERATIONS
from cluster.http.problems import Problem
from cluster.http.routing import PARAMETER, Routing
from cluster.http.settings import HttpSettings

ROUTING = Routing(OPERATIONS)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: f"{each.method} {each.path}")
def test_every_operation_is_found(operation):
    found, parameter = ROUTING.find(operation.path.replace(PARAMETER, "abc"), operation.method)
    assert found is operation
    assert parameter == ("abc" if PARAMETER in operation.path else "")


def test_a_template_is_no_path():
    """`/v1/tickets/{id}` as it stands is a ticket of an odd name."""
    found, parameter = ROUTING.find("/v1/tickets/{id}", "GET")
    assert (found.path, parameter) == ("/v1/tickets/{id}", "{id}")


@pytest.mark.parametrize(
    "path", ["", "/v1", "/v1/tickets//result", "/v1/tickets/a/b/c", "/v1/tickets/a/result/"]
)
def test_paths_that_there_are_not(path):
    with pytest.raises(Problem) as raised:
        ROUTING.find(path, "GET")
    assert raised.value.code == "not-found"


@pytest.mark.parametrize("name", ["max_body_bytes", "heartbeat_s", "max_streams", "watch_after_s"])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_bounds_are_above_zero(name, value):
    with pytest.raises(ValueError, match=f"{name} must be above 0"):
        HttpSettings(**{name: value})
