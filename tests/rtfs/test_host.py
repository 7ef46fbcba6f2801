"""The hosts that come with the library."""

from __future__ import annotations

import inspect
import io
import time

import pytest

from rtfs import errors
from rtfs.host import CausalContext, ConsoleHost, DictHost, ForwardingHost, Host, MemoryHost, PureHost
from rtfs.run import Limits, Run, running
from rtfs.security import RuntimeContext, call_capability
from rtfs.values import Keyword, List, Map, Vector

K = Keyword.of
METHODS = [name for name in vars(Host) if not name.startswith("_")]


def calls(host, *steps, **limits):
    """The answers to (id, arg…) in one run."""
    with running(Run(host, RuntimeContext.full(), Limits(**limits))):
        return [call_capability(capability_id, list(args)) for capability_id, *args in steps]


@pytest.mark.parametrize("kind", [PureHost, MemoryHost, ForwardingHost, DictHost, ConsoleHost])
@pytest.mark.parametrize("name", METHODS)
def test_every_host_has_every_method_with_the_same_parameters(kind, name):
    expected = inspect.signature(getattr(Host, name)).parameters
    assert list(inspect.signature(getattr(kind, name)).parameters) == list(expected)


@pytest.mark.parametrize("name", METHODS)
def test_a_forwarding_host_forwards(name):
    heard = []

    class Inner:
        def __getattr__(self, attribute):
            return lambda *args: heard.append((attribute, args)) or "answer"

    method = getattr(ForwardingHost(Inner()), name)
    args = tuple(range(len(inspect.signature(method).parameters)))
    answer = method(*args)
    assert heard == [(name, args)]
    assert answer == ("answer" if "-> None" not in str(inspect.signature(getattr(Host, name))) else None) or (
        answer is None
    )


# ---------------------------------------------------------------- memory


def test_context_values():
    host = MemoryHost(context={"a": 1})
    host.set_step_context_value("b", 2)
    assert [host.get_context_value(key) for key in "abc"] == [1, 2, None]


def test_steps_nest_and_an_outer_end_ends_the_inner_ones():
    host = MemoryHost()
    outer = host.notify_step_started("outer")
    inner = host.notify_step_started("inner")
    assert host.causal_context() == CausalContext(step_id=inner)
    host.notify_step_completed(outer, None)
    assert host.causal_context() is None
    host.notify_step_failed(inner, "long gone")


def test_execution_context():
    host = MemoryHost()
    host.set_execution_context("p", ["i", "j"], "a")
    assert host.causal_context() == CausalContext(plan_id="p", intent_id="i", parent_action_id="a")
    host.clear_execution_context()
    assert host.causal_context() is None


@pytest.mark.parametrize(
    ("exposes", "override", "seen"),
    [
        (False, None, None),
        (True, None, {"a": 1, "b": 2}),
        (True, (True, ["a", "z"]), {"a": 1}),
        (True, (True, []), {}),
        (True, (False, None), None),
        # a step cannot widen what the context forbids
        (False, (True, None), None),
    ],
)
def test_exposed_context(exposes, override, seen):
    context = RuntimeContext(level="full", expose_context=exposes, exposed_capabilities=frozenset({"c"}))
    host = MemoryHost(context={"a": 1, "b": 2})
    if override:
        host.set_step_exposure_override(*override)
    assert host.exposed_context(context, "c") == (None if seen is None else Map(seen))
    host.clear_step_exposure_override()
    assert host.exposed_context(context, "c") == (Map({"a": 1, "b": 2}) if exposes else None)


def test_hints():
    host = MemoryHost()
    host.set_execution_hint("runtime.x", 1)
    assert host.execution_hints() == Map({"runtime.x": 1})
    host.clear_all_execution_hints()
    assert host.execution_hints() is None


# ---------------------------------------------------------------- functions


def test_functions_get_the_arguments():
    host = DictHost({"pair": lambda a, b: Vector.of(b, a)})
    assert calls(host, ("pair", 1, 2)) == [Vector.of(2, 1)]


def test_an_unknown_capability_names_the_nearest():
    with pytest.raises(errors.UnknownCapability) as caught:
        calls(DictHost({"weather.now": len}), ("weather.nwo",))
    assert caught.value.hint == "did you mean `weather.now`?"


# ---------------------------------------------------------------- console


@pytest.mark.parametrize(
    ("call", "printed"),
    [
        (("ccos.io.println",), "\n"),
        (("ccos.io.println", "a", 4.0, None), "a 4 nil\n"),
        (("ccos.io.print", Vector.of("x", K("k"))), '["x" :k]'),
        (("ccos.io.log", List.of(1)), "(1)\n"),
        (("ccos.io.println", "lone \ud800"), "lone \\ud800\n"),
    ],
)
def test_printing(call, printed):
    out = io.StringIO()
    assert calls(ConsoleHost(out), call) == [None]
    assert out.getvalue() == printed


class Terminal(io.StringIO):
    """A stream somebody looks at."""

    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\n\tb é 漢 \u00a0 👩\u200d🚀", "a\n\tb é 漢 \u00a0 👩\u200d🚀\n"),
        ("\x1b[2J\x07\r", "\\u001B[2J\\u0007\\u000D\n"),
        ("\x9b31m\x7f", "\\u009B31m\\u007F\n"),
        ("admin\u202enimda", "admin\\u202Enimda\n"),
    ],
)
def test_a_program_cannot_command_the_terminal(text, shown):
    terminal, pipe = Terminal(), io.StringIO()
    calls(ConsoleHost(terminal), ("ccos.io.println", text))
    calls(ConsoleHost(pipe), ("ccos.io.println", text))
    assert (terminal.getvalue(), pipe.getvalue()) == (shown, text + "\n")


def test_printing_to_a_stream_that_cannot_encode():
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    calls(ConsoleHost(out), ("ccos.io.println", "é"))
    assert raw.getvalue() == b"\\xe9\n"


def test_output_is_charged_before_it_is_written():
    out = io.StringIO()
    with pytest.raises(errors.BudgetExhausted, match="output"):
        calls(ConsoleHost(out), ("ccos.io.println", "ok"), ("ccos.io.println", "more"), output_bytes=4)
    assert out.getvalue() == "ok\n"


@pytest.mark.parametrize(
    ("steps", "answers"),
    [
        ([("ccos.state.kv.get", "k")], [None]),
        ([("ccos.state.kv.put", "k", 1), ("ccos.state.kv.get", "k")], [None, 1]),
        ([("ccos.state.kv.put", Map({K("key"): "k", K("value"): 2})), ("ccos.state.kv.get", "k")], [None, 2]),
        ([("ccos.state.kv.put", Vector.of(1), 3), ("ccos.state.kv.get", Vector.of(1))], [None, 3]),
        ([("ccos.state.kv.put", 1, "int"), ("ccos.state.kv.get", True)], [None, None]),
        ([("ccos.state.counter.inc", "c"), ("ccos.state.counter.inc", "c")], [1, 2]),
        ([("ccos.state.counter.inc", Map({"key": "c", "increment": 5}))], [5]),
        ([("ccos.echo", "x")], ["x"]),
        ([("ccos.system.sleep-ms", 1)], [None]),
        ([("ccos.system.get-env", "RTFS_NO_SUCH_VARIABLE")], [None]),
    ],
)
def test_console_capabilities(steps, answers):
    assert calls(ConsoleHost(io.StringIO()), *steps) == answers


@pytest.mark.parametrize(
    ("steps", "kind"),
    [
        ([("ccos.state.kv.put", "c", "x"), ("ccos.state.counter.inc", "c")], errors.TypeMismatch),
        ([("ccos.state.kv.put", "c", 2**63 - 1), ("ccos.state.counter.inc", "c")], errors.IntegerOverflow),
        ([("ccos.state.counter.inc", Map({"key": "c", "increment": 1.5}))], errors.TypeValidationError),
        ([("ccos.system.get-env", 1)], errors.TypeMismatch),
        ([("ccos.system.get-env", "\ud800")], errors.HostException),
        ([("ccos.system.sleep-ms", "x")], errors.TypeMismatch),
        ([("ccos.io.open-file", "/etc/hosts")], errors.UnknownCapability),
    ],
)
def test_console_errors(steps, kind):
    with pytest.raises(kind):
        calls(ConsoleHost(io.StringIO()), *steps)


def test_sleep_ends_at_the_deadline():
    began = time.monotonic()
    with pytest.raises(errors.BudgetExhausted):
        calls(ConsoleHost(io.StringIO()), ("ccos.system.sleep-ms", 60_000), deadline_s=0.05)
    assert time.monotonic() - began < 5


def test_the_time_is_now():
    [now] = calls(ConsoleHost(io.StringIO()), ("ccos.system.current-timestamp-ms",))
    assert abs(now - time.time() * 1000) < 5_000
