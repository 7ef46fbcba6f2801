"""What fits no other group."""

from __future__ import annotations

from typing import NoReturn

from rtfs.errors import Generic
from rtfs.overlap.current import before_effect
from rtfs.run import current_run
from rtfs.stdlib.registry import BY_FUNCTION, builtin
from rtfs.stdlib.strings import string
from rtfs.values import Keyword, Map, Symbol, Value, is_function


@builtin("identity", "process-data")
def identity(x: Value) -> Value:
    """The argument itself.

    (identity 1) => 1
    (map identity [1 nil]) => [1 nil]
    """
    return x


@builtin("read-file")
def read_file(path: Value) -> NoReturn:
    """Always an error: the language reads no files. It names the capability to call instead.

    (read-file "notes.txt") => !Generic
    """
    raise Generic("read-file is not part of the language; use (call :ccos.io.read-file path)")


@builtin("meta")
def meta(x: Value) -> Value:
    """The metadata of a function as a map, its docstring under `:doc`; nil for a value without any.

    (:doc (meta inc)) => "Add one."
    (meta [1]) => nil
    """
    if not is_function(x):
        return None
    entry = BY_FUNCTION.get(x)
    if entry is not None:
        return Map({Keyword.of("doc"): entry.doc})
    node = getattr(x, "rtfs_lambda", None)  # set by the backend that made the function
    if node is None:
        return None
    found = {} if node.doc is None else {Keyword.of("doc"): node.doc}
    found.update((Keyword.of(name), value) for name, value in node.metadata)
    return Map(found) if found else None


@builtin("gensym")
def gensym(prefix: Value = "G__") -> Value:
    """A symbol that no earlier call in this run has given.

    (symbol? (gensym)) => true
    (= (gensym "x") (gensym "x")) => false
    """
    before_effect()
    run = current_run()
    run.serial += 1
    return Symbol.of(f"{string(prefix, 'gensym')}{run.serial}")
