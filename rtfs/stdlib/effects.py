"""What only the host can do. Each of these is a call of a capability, or reads or writes the host's context.

All calls go through the security pipeline; without a host that offers the capability they are errors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rtfs.errors import ArityMismatch
from rtfs.run import current_run
from rtfs.security import adopt, ask, call_capability
from rtfs.stdlib.iteration import not_a
from rtfs.stdlib.registry import REGISTERED, builtin
from rtfs.values import EMPTY_MAP, EMPTY_VECTOR, Keyword, Symbol, Value

_KV_GET: Final = "ccos.state.kv.get"
_KV_PUT: Final = "ccos.state.kv.put"


@builtin("call", effect=True)
def call(id: Value, *args: Value) -> Value:
    """Call a capability of the host by its id, a keyword or string.

    (call :ccos.echo "hi") => "hi"
    (call 42) => !TypeError
    """
    name = id.name if type(id) is Keyword else id
    if type(name) is not str:
        raise not_a(id, "string or keyword", "call")
    return call_capability(name, list(args))


@builtin("log", "tool/log", "tool.log", effect=True)
def log(*values: Value) -> Value:
    """Write values to the host's log.

    (log "started") => nil
    """
    return call_capability("ccos.io.log", list(values))


@builtin("println", effect=True)
def println(*values: Value) -> Value:
    """Print values on a line of the host's output. Returns nil.

    (println "total:" 3) => nil
    """
    call_capability("ccos.io.println", list(values))
    return None


@builtin("step", effect=True)
def step(*values: Value) -> Value:
    """As a function, print values like println. With a literal name first, `step` is a form of the language.

    (apply step [1 2]) => nil
    """
    call_capability("ccos.io.println", list(values))
    return None


@builtin("current-time-millis", "tool/time-ms", "tool.time-ms", effect=True)
def current_time_millis() -> Value:
    """Milliseconds since 1970 by the host's clock.

    (int? (current-time-millis)) => true
    """
    return call_capability("ccos.system.current-timestamp-ms", [])


@builtin("get-env", effect=True)
def get_env(name: Value) -> Value:
    """A variable of the host's environment.

    (get-env "USER") => "ada"
    """
    return call_capability("ccos.system.get-env", [name])


@builtin("file-exists?", effect=True)
def file_exists(path: Value) -> Value:
    """Whether the host has a file of that path.

    (file-exists? "notes.txt") => true
    """
    return call_capability("ccos.io.file-exists", [path])


@builtin("tool/open-file", effect=True)
def open_file(path: Value) -> Value:
    """Have the host open a file.

    (tool/open-file "notes.txt") => "remember the milk"
    """
    return call_capability("ccos.io.open-file", [path])


@builtin("http-fetch", "tool/http-fetch", effect=True)
def http_fetch(*request: Value) -> Value:
    """Have the host fetch a URL. Takes what its capability `ccos.network.http-fetch` takes.

    (http-fetch "https://example.com") => {:status 200}
    """
    return call_capability("ccos.network.http-fetch", list(request))


@builtin("thread/sleep", effect=True)
def thread_sleep(ms: Value) -> Value:
    """Have the host wait for that many milliseconds.

    (thread/sleep 10) => nil
    """
    return call_capability("ccos.system.sleep-ms", [ms])


@builtin("load-capability", effect=True)
def load_capability(id: Value) -> Value:
    """Have the host make a capability available.

    (load-capability :ccos.echo) => nil
    """
    return call_capability("ccos.capability.load", [id])


# ---------------------------------------------------------------- keys and values


def _update(key: Value, change: str, empty: Value, args: tuple[Value, ...]) -> Value:
    """Read what is stored under `key`, apply a builtin to it, store and return the result."""
    function: Callable[..., Value] = REGISTERED[change].function
    old = call_capability(_KV_GET, [key])
    new = function(empty if old is None else old, *args)
    call_capability(_KV_PUT, [key, new])
    return new


@builtin("kv/assoc!", effect=True)
def kv_assoc(key: Value, k: Value, v: Value, *more: Value) -> Value:
    """Set entries of the map that the host stores under a key. Returns the new map.

    (kv/assoc! "totals" :errors 3) => {:errors 3}
    """
    if len(more) % 2:
        raise ArityMismatch("kv/assoc!", "a key and pairs of k and v", 3 + len(more))
    return _update(key, "assoc", EMPTY_MAP, (k, v, *more))


@builtin("kv/dissoc!", effect=True)
def kv_dissoc(key: Value, k: Value, *more: Value) -> Value:
    """Remove entries of the map that the host stores under a key. Returns the new map.

    (do (kv/assoc! "totals" :errors 3 :lines 9) (kv/dissoc! "totals" :errors)) => {:lines 9}
    """
    return _update(key, "dissoc", EMPTY_MAP, (k, *more))


@builtin("kv/conj!", effect=True)
def kv_conj(key: Value, x: Value, *more: Value) -> Value:
    """Add items to the collection that the host stores under a key, a vector at first. Returns the new one.

    (do (kv/conj! "seen" 7) (kv/conj! "seen" 8)) => [7 8]
    """
    return _update(key, "conj", EMPTY_VECTOR, (x, *more))


# ---------------------------------------------------------------- context


def _context_key(key: Value, operation: str) -> str:
    name = key.name if type(key) is Keyword or type(key) is Symbol else key
    if type(name) is str:
        return name
    raise not_a(key, "keyword, string or symbol", operation)


@builtin("context/get", effect=True)
def context_get(key: Value) -> Value:
    """A value of the host's context, nil if there is none of that name.

    (context/get :nothing) => nil
    """
    name = _context_key(key, "context/get")
    return adopt("context/get", ask("context/get", current_run().host.get_context_value, name))


@builtin("context/set", "ccos.context/set", effect=True)
def context_set(key: Value, value: Value) -> Value:
    """Set a value of the host's context. Returns nil.

    (do (context/set :user "ada") (context/get :user)) => "ada"
    """
    name = _context_key(key, "context/set")
    ask("context/set", current_run().host.set_step_context_value, name, value)
    return None
