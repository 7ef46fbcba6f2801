import pytest

from rtfs.errors import HostException, RtfsError
from rtfs.host import DictHost, MemoryHost
from rtfs.printer import pr_str
from rtfs.run import Limits, Run, running
from rtfs.security import RuntimeContext
from rtfs.stdlib.table import BUILTINS
from rtfs.values import Keyword, Map, Symbol, Vector

#: name, arguments → the capability called and its arguments, printed
CALLS = [
    ("call", (Keyword.of("a.b"), 1, "x"), "a.b", '[1 "x"]'),
    ("call", ("a.b",), "a.b", "[]"),
    ("log", ("a", 1), "ccos.io.log", '["a" 1]'),
    ("tool/log", (), "ccos.io.log", "[]"),
    ("tool.log", (None,), "ccos.io.log", "[nil]"),
    ("println", ("a", Keyword.of("k")), "ccos.io.println", '["a" :k]'),
    ("step", (1,), "ccos.io.println", "[1]"),
    ("current-time-millis", (), "ccos.system.current-timestamp-ms", "[]"),
    ("tool/time-ms", (), "ccos.system.current-timestamp-ms", "[]"),
    ("tool.time-ms", (), "ccos.system.current-timestamp-ms", "[]"),
    ("get-env", ("HOME",), "ccos.system.get-env", '["HOME"]'),
    ("file-exists?", ("f",), "ccos.io.file-exists", '["f"]'),
    ("tool/open-file", ("f",), "ccos.io.open-file", '["f"]'),
    ("http-fetch", ("u", Map({})), "ccos.network.http-fetch", '["u" {}]'),
    ("tool/http-fetch", ("u",), "ccos.network.http-fetch", '["u"]'),
    ("thread/sleep", (5,), "ccos.system.sleep-ms", "[5]"),
    ("load-capability", ("a.b",), "ccos.capability.load", '["a.b"]'),
]
RETURN_NIL = {"println", "step"}


class _Recorder(MemoryHost):
    """Answers every call with its number."""

    def __init__(self):
        super().__init__(context={"user": "ada"})
        self.calls = []

    def execute_capability(self, capability_id, args):
        self.calls.append((capability_id, pr_str(Vector(list(args)))))
        return len(self.calls)


def _running(host, context=None):
    return running(Run(host, context or RuntimeContext.full(), Limits()))


@pytest.mark.parametrize(("name", "args", "capability", "printed"), CALLS)
def test_each_calls_its_capability(name, args, capability, printed):
    host = _Recorder()
    with _running(host):
        value = BUILTINS[name].function(*args)
    assert host.calls == [(capability, printed)]
    assert value == (None if name in RETURN_NIL else 1)


@pytest.mark.parametrize(("name", "args", "capability", "printed"), CALLS)
def test_none_gets_past_the_security_context(name, args, capability, printed):
    host = _Recorder()
    with _running(host, RuntimeContext.pure()), pytest.raises(RtfsError) as caught:
        BUILTINS[name].function(*args)
    assert caught.value.category == "SecurityViolation"
    assert caught.value.capability == capability
    assert host.calls == []


def test_every_effect_is_declared():
    names = {name for name, builtin in BUILTINS.items() if builtin.module == "effects"}
    assert all(BUILTINS[name].effect for name in names)
    tested = {name for name, *_ in CALLS}
    assert names - tested == {
        "kv/assoc!", "kv/dissoc!", "kv/conj!", "context/get", "context/set", "ccos.context/set",
    }  # fmt: skip


@pytest.mark.parametrize("id_", [42, None, Symbol.of("a"), Vector(["a"])])
def test_call_needs_an_id(outcome, run, id_):
    assert outcome("call", id_) == "!TypeError"


@pytest.fixture
def store():
    """What the host keeps by key, inside a run."""
    kept = {}
    host = DictHost({"ccos.state.kv.get": kept.get, "ccos.state.kv.put": kept.__setitem__})
    with _running(host):
        yield kept


A, B = Keyword.of("a"), Keyword.of("b")


@pytest.mark.parametrize(
    ("before", "name", "args", "after"),
    [
        (None, "kv/assoc!", (A, 1), "{:a 1}"),
        (Map({A: 1}), "kv/assoc!", (A, 2, B, 3), "{:a 2 :b 3}"),
        (Vector([1]), "kv/assoc!", (0, 2), "[2]"),
        (None, "kv/dissoc!", (A,), "{}"),
        (Map({A: 1, B: 2}), "kv/dissoc!", (A, "c"), "{:b 2}"),
        (None, "kv/conj!", (1, 2), "[1 2]"),
        (Vector([1]), "kv/conj!", (2,), "[1 2]"),
    ],
)
def test_keys_and_values(store, before, name, args, after):
    if before is not None:
        store["key"] = before
    assert pr_str(BUILTINS[name].function("key", *args)) == after
    assert pr_str(store["key"]) == after


def test_a_failed_change_stores_nothing(store, outcome):
    store["key"] = 1
    assert outcome("kv/assoc!", "key", A, 1) == "!TypeError"
    assert outcome("kv/assoc!", "key", A, 1, B) == "!ArityMismatch"
    assert store == {"key": 1}


@pytest.mark.parametrize("key", ["user", Keyword.of("user"), Symbol.of("user")])
def test_context(key):
    with _running(_Recorder()):
        assert BUILTINS["context/get"].function(key) == "ada"
        assert BUILTINS["context/set"].function(key, 7) is None
        assert BUILTINS["context/get"].function("user") == 7
        assert BUILTINS["ccos.context/set"].function("user", 8) is None
        assert BUILTINS["context/get"].function(key) == 8
        assert BUILTINS["context/get"].function("nobody") is None


def test_context_key(outcome, run):
    assert outcome("context/get", 1) == "!TypeError"
    assert outcome("context/set", None, 1) == "!TypeError"


class _Broken(MemoryHost):
    def get_context_value(self, key):
        raise OSError("disk on fire")

    def set_step_context_value(self, key, value):
        raise KeyError(key)


@pytest.mark.parametrize(("name", "args"), [("context/get", ("k",)), ("context/set", ("k", 1))])
def test_a_failing_host_gives_an_rtfs_error(name, args):
    with _running(_Broken()), pytest.raises(HostException, match=f"{name} failed"):
        BUILTINS[name].function(*args)
