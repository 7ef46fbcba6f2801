"""Arguments of the Serve application, as YAML and command lines give them."""

from __future__ import annotations

import pytest

from cluster.http.app import application
from cluster.http.deployment import ServeArguments


def test_arguments():
    assert ServeArguments.of({}) == ServeArguments()
    found = ServeArguments.of({"namespace": "a", "policy": "p.toml", "evaluators": "3", "tokens_file": None})
    assert found == ServeArguments(namespace="a", policy="p.toml", evaluators=3)
    assert ServeArguments.of({"evaluators": 1}).evaluators == 1


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ({"polcy": "x"}, "did you mean `policy`?"),
        ({"x": 1}, "known are namespace, policy, state_dir, evaluators, tokens_file"),
        ({"policy": 3}, "`policy` must be a text, got 3"),
        ({"evaluators": "many"}, "a whole number from 1, got 'many'"),
        ({"evaluators": 0}, "got 0"),
        ({"evaluators": -1}, "got -1"),
        ({"evaluators": True}, "got True"),
        ({"evaluators": 1.5}, "got 1.5"),
    ],
)
def test_arguments_that_are_none(args, says):
    for make in (ServeArguments.of, application):
        with pytest.raises(ValueError, match=r".") as raised:
            make(args)
        assert says in str(raised.value)
