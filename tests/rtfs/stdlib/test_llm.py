"""The builtin `llm-execute`: its two ways of taking arguments."""

from __future__ import annotations

import pytest

from rtfs import errors
from rtfs.host import PureHost
from rtfs.run import Limits, Run, running
from rtfs.security import RuntimeContext
from rtfs.stdlib.llm import llm_execute_builtin
from rtfs.stdlib.registry import REGISTERED
from rtfs.values import Keyword

MODEL, PROMPT, SYSTEM = map(Keyword.of, ("model", "prompt", "system"))


def execute(*args):
    with running(Run(PureHost(), RuntimeContext.full(), Limits())):
        return llm_execute_builtin(*args)


@pytest.mark.parametrize(
    ("args", "answer"),
    [
        (("echo-model", "p"), "p"),
        (("echo-model", "p", None), "p"),
        (("echo-model", "p", "s"), "s\n\np"),
        ((PROMPT, "p", MODEL, "echo-model"), "p"),
        ((MODEL, "echo-model", PROMPT, "p", SYSTEM, "s"), "s\n\np"),
    ],
)
def test_shapes(args, answer):
    assert execute(*args) == answer


@pytest.mark.parametrize(
    "args",
    [
        (),
        ("m",),
        ("m", "p", "s", "more"),
        ("m", 1),
        (MODEL, "m"),
        (MODEL, "m", PROMPT),
        (MODEL, "m", MODEL, "m", PROMPT, "p"),
        (MODEL, "m", Keyword.of("promt"), "p"),
        (MODEL, "m", "prompt", "p"),
    ],
)
def test_bad_shapes(args):
    with pytest.raises(errors.InvalidArguments):
        execute(*args)


def test_it_is_registered_as_an_effect():
    assert REGISTERED["llm-execute"].effect
