"""Runs the examples in the docstrings of all builtins."""

import pytest

import rtfs
from rtfs.errors import RtfsError
from rtfs.host import DictHost
from rtfs.security import RuntimeContext
from rtfs.stdlib.table import BUILTINS
from rtfs.values import Keyword, Map

EXAMPLES = [
    pytest.param(builtin, source, expected, id=source)
    for builtin in dict.fromkeys(BUILTINS.values())
    for source, expected in builtin.examples
]


def _host():
    """The host that the examples of effects suppose."""
    stored = {}
    return DictHost(
        {
            "ccos.echo": lambda x: x,
            "ccos.io.log": lambda *values: None,
            "ccos.io.println": lambda *values: None,
            "ccos.system.current-timestamp-ms": lambda: 1_700_000_000_000,
            "ccos.system.get-env": {"USER": "ada"}.get,
            "ccos.system.sleep-ms": lambda ms: None,
            "ccos.io.file-exists": lambda path: path == "notes.txt",
            "ccos.io.open-file": lambda path: "remember the milk",
            "ccos.network.http-fetch": lambda *request: Map({Keyword.of("status"): 200}),
            "ccos.capability.load": lambda id: None,
            "ccos.state.kv.get": stored.get,
            "ccos.state.kv.put": stored.__setitem__,
        }
    )


@pytest.mark.parametrize(("builtin", "source", "expected"), EXAMPLES)
def test_example(builtin, source, expected):
    effects = {"host": _host(), "context": RuntimeContext.full()} if builtin.effect else {}
    try:
        outcome = rtfs.pr_str(rtfs.evaluate(source, **effects))
    except RtfsError as error:
        outcome = f"!{error.category}"
    assert outcome == expected
