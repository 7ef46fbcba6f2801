"""What runs show must be in what the analysis says.

Programs are made at random, with secrets in them, and run twice with different secrets; every call of every
function is written down. A function whose arguments carry no label by the analysis
  - never gets a secret (explicit flow), and
  - is called in the same way whatever the secrets are (noninterference: J. Goguen and J. Meseguer, "Security
    Policies and Security Models", 1982). If a run ends with an error, its calls are the first of the other's.
"""

from __future__ import annotations

import random
import re

import pytest
from fuzz_flows import Flows
from fuzz_grammar import Generator

from rtfs import errors
from rtfs.analyze import analyze
from rtfs.host import DictHost
from rtfs.interpret import run_unit
from rtfs.namespace import Modules
from rtfs.passes.privacy import argument_labels
from rtfs.printer import pr_str
from rtfs.program import new_run
from rtfs.reader import read
from rtfs.run import Limits, running
from rtfs.security import RuntimeContext
from rtfs.values import Vector

#: pairs of secrets, one for each run
SECRETS = [(1, 2), (False, 1), ("MARK", "XX"), (0, "MARK"), (3, 0)]
LIMITS = Limits(deadline_s=5.0, depth=200, allocation_bytes=64 << 20)
MARK = "MARK"


class Sources:
    """`secret` is what its name says, and so is what `vault` gives."""

    def of_context(self, key):
        return frozenset("s") if key is None or key == "secret" else frozenset()

    def of_capability(self, id):
        return frozenset("s") if id is None or id == "vault" else frozenset()

    def declassifies(self, symbol):
        return False


def calls_in_run(unit, secret):
    """(id of function, its arguments as text) of every call, and whether the program came to its end."""
    store = {}
    host = DictHost(
        {
            "vault": lambda *args: secret,
            "kv.put": lambda key, value: store.__setitem__(pr_str(key), value),
            "kv.get": lambda key: store.get(pr_str(key)),
            "run": lambda f, *args: f(*args) if callable(f) else None,
            "ccos.state.kv.get": lambda key: store.get(pr_str(key)),
            "ccos.state.kv.put": lambda key, value: store.__setitem__(pr_str(key), value),
            "ccos.io.println": lambda *args: None,
            "ccos.io.log": lambda *args: None,
        },
        context={"secret": secret, "other": 1},
    )
    calls = []

    def recorded(node, body, namespace):
        def call(*args):
            calls.append((id(node), pr_str(Vector(list(args)))))
            return body(*args)

        return call

    modules = Modules(lambda name: None, run_unit, lambda module: recorded)
    with running(new_run(host, RuntimeContext.full(), LIMITS, None)):
        try:
            run_unit(unit, modules.frame(), modules)
        except errors.LimitError:
            return calls, None
        except errors.InternalError:
            raise
        except errors.RtfsError:
            return calls, False
    return calls, True


def leak(text, secrets):
    """What is wrong with the analysis of a program, None if nothing is; and how many calls were compared."""
    unit = analyze(read(text))
    labels = argument_labels([unit], Sources())
    (calls, ended), (other_calls, other_ended) = [calls_in_run(unit, secret) for secret in secrets]
    if ended is None or other_ended is None:
        return None, 0
    clean = [call for call in calls if not labels.get(call[0])]
    other_clean = [call for call in other_calls if not labels.get(call[0])]
    for _, arguments in (*clean, *other_clean):
        if MARK in arguments:
            return f"a function without labels got {arguments}", 0
    count = min(len(clean), len(other_clean))
    for one, other in zip(clean[:count], other_clean[:count], strict=True):
        if one != other:
            return f"a function without labels got {one[1]} in one run, {other[1]} in the other", 0
    if (len(clean) > count and other_ended) or (len(other_clean) > count and ended):
        return "functions without labels were not called equally often", 0
    return None, count


def with_secrets(text, seed):
    """`text` with a secret in place of some of its integers."""
    pick = random.Random(seed)
    places = [
        m for m in re.finditer(r'"(?:[^"\\]|\\.)*"|(?<=[ \[(])\d+(?=[ \])])', text) if m.group()[0] != '"'
    ]
    for m in sorted(pick.sample(places, min(len(places), pick.randint(1, 2))), key=lambda m: -m.start()):
        text = text[: m.start()] + "secret" + text[m.end() :]
    return text


def campaign(programs):
    compared = 0
    for number, text in programs:
        problem, count = leak(text, SECRETS[number % len(SECRETS)])
        assert problem is None, f"{problem} in program {number}:\n{text}"
        compared += count
    return compared


def flows(start, count):
    return [(seed, Flows(seed).program()) for seed in range(start, start + count)]


def any_programs(start, count):
    made = [(seed, with_secrets(Generator(seed).program(), seed)) for seed in range(start, start + count)]
    return [(seed, text) for seed, text in made if readable(text)]


def test_flows():
    assert campaign(flows(0, 500)) > 500


def test_any_programs():
    assert campaign(any_programs(0, 400)) > 50


@pytest.mark.slow
@pytest.mark.parametrize("start", range(1_000, 6_000, 500))
def test_more_programs(start):
    assert campaign([*flows(start, 500), *any_programs(start, 500)]) > 500


def readable(text):
    """Whether it is a program: the secret may stand where no name may."""
    try:
        analyze(read(text))
    except errors.RtfsError:
        return False
    return True
