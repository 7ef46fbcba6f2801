"""What generated code calls: the globals named `rt·…`, and every builtin under its own name.

They stand in the `__builtins__` of the generated code's globals, so that a program's own definition of a
name simply shadows the builtin of that name, as in the language. `b·name` is the builtin whatever the program
defines.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rtfs import border, errors, primitives
from rtfs.emit_python.frozen import TypeConstant
from rtfs.namespace import Modules, Namespace, global_key, rest_label
from rtfs.overlap import fork
from rtfs.overlap.race import first_of
from rtfs.run import STOP_REQUESTS, poll
from rtfs.stdlib import arithmetic
from rtfs.stdlib.iteration import items
from rtfs.stdlib.registry import expected_arity
from rtfs.values import MAP_KEY_TYPES, ErrorValue, Keyword, List, Map, Set, Value, Vector, type_name

if TYPE_CHECKING:
    from rtfs import ir


class TailCall:
    """A call that the calling function left to its caller. `check` is owed on the final value."""

    __slots__ = ("args", "check", "fn", "site")

    def __init__(self, site: Site, fn: Callable[..., Value], args: tuple[Value, ...]) -> None:
        self.site = site
        self.fn = fn
        self.args = args
        self.check: Check | None = None


#: where a tail call stands: source and span
type Site = tuple[str, int, int, int, int]
#: (type, label, namespace) of a declared return type
type Check = tuple[TypeConstant, str, Namespace]


def tail(site: Site, fn: Any, *args: Value) -> TailCall:
    """A tail call of `fn`, of its entry that bounces if it has one."""
    return TailCall(site, getattr(fn, "rtfs_raw", fn) if type(fn) is FunctionType else fn, args)


def tail_checked(
    declared: TypeConstant, label: str, namespace: Namespace, site: Site, fn: Any, *args: Value
) -> TailCall:
    """The same from a function with a declared return type."""
    call = tail(site, fn, *args)
    call.check = (declared, label, namespace)
    return call


def bounce(result: Value) -> Value:
    """Run tail calls until a value comes out. `blame` looks at `call`."""
    if type(result) is not TailCall:
        return result
    owed: dict[int, Check] = {}
    while type(result) is TailCall:
        if STOP_REQUESTS:
            poll()
        call = result
        if call.check is not None:
            owed.pop(id(call.check[0]), None)
            owed[id(call.check[0])] = call.check
        result = call.fn(*call.args)
    for declared, label, namespace in reversed(list(owed.values())):
        namespace.check(declared.type)(result, label)
    return result


def pair(function: FunctionType, raw: FunctionType) -> None:
    """Let tail calls of `function` find its bouncing entry."""
    function.rtfs_raw = raw  # type: ignore[attr-defined]


def bouncing(raw: FunctionType) -> Callable[..., Value]:
    """The callable entry of a bouncing function of several arities."""

    def function(*args: Value) -> Value:
        return bounce(raw(*args))

    function.__name__ = raw.__name__
    function.rtfs_raw = raw  # type: ignore[attr-defined]
    return function


def dispatch(
    name: str,
    cases: tuple[tuple[int, Callable[..., Value]], ...],
    variadic: tuple[int, Callable[..., Value]] | None,
) -> Callable[..., Value]:
    """A function of several arities: the exact count, else the variadic one if it takes as many."""
    exact = dict(cases)
    counts = [*exact, variadic[0]] if variadic else list(exact)
    expected = expected_arity(min(counts), None if variadic else max(counts))

    def function(*args: Value) -> Value:
        found = exact.get(len(args))
        if found is None:
            if variadic is None or len(args) < variadic[0]:
                raise errors.ArityMismatch(name or "user-defined function", expected, len(args))
            found = variadic[1]
        return found(*args)

    function.__name__ = name or "user-defined function"
    return function


def map_key(key: Value) -> Value:
    """`key`, if a map may have it.

    Raises:
        TypeMismatch: it is no string, keyword or integer.
    """
    if type(key) not in MAP_KEY_TYPES:
        raise errors.TypeMismatch("string, keyword or integer", type_name(key), "map key")
    return key


def overflow(value: Value, operation: str) -> Value:
    """A number outside 64 bits: fine for a float, an error for an integer."""
    if type(value) is int:
        raise errors.IntegerOverflow(operation)
    return value


def check(declared: TypeConstant, value: Value, label: str, namespace: Namespace) -> Value:
    """`value`, if it belongs to the type.

    Raises:
        TypeValidationError: it does not.
    """
    namespace.check(declared.type)(value, label)
    return value


def check_rest(declared: TypeConstant, rest: Value, label: str, namespace: Namespace) -> None:
    """Check each item of a rest parameter. A `recur` may have given it anything."""
    if rest is None:
        return
    if type(rest) not in (List, Vector):
        raise errors.TypeMismatch("list", type_name(rest), "recur")
    test = namespace.check(declared.type)
    for index, item in enumerate(rest.to_list()):
        test(item, rest_label(label, index))


def matches(declared: TypeConstant, value: Value, namespace: Namespace) -> bool:
    """Whether `value` belongs to the type."""
    from rtfs.types.check import matches as type_matches

    return type_matches(value, declared.type, namespace.type_env)


class About(NamedTuple):
    """What `(meta f)` tells about a function."""

    doc: str | None
    metadata: tuple[tuple[str, Value], ...]


def annotated(function: FunctionType, doc: str | None, metadata: Map) -> FunctionType:
    """`function`, with its documentation and metadata."""
    function.rtfs_lambda = About(doc, tuple(metadata.items()))  # type: ignore[attr-defined]
    return function


def bind(namespace: Namespace, node: ir.Lambda, body: Callable[..., Value]) -> Callable[..., Value]:
    """What stands for a delegated function; the function itself without a delegate."""
    return body if namespace.bind_function is None else namespace.bind_function(node, body, namespace)


def describe(namespace: Namespace, name: str, doc: str | None, metadata: Map | None) -> None:
    """Note documentation and metadata of a global just defined."""
    namespace.describe(name, doc, tuple(metadata.items()) if metadata else ())


def define_type(namespace: Namespace, name: str, declared: TypeConstant) -> None:
    """Register a type name."""
    namespace.define_type(name, declared.type)


def import_names(
    modules: Modules, namespace: Namespace, module: str, names: tuple[tuple[str, str], ...]
) -> None:
    """Load a module and define its names here."""
    modules.load(module)
    for exported, name in names:
        namespace.define(name, modules.qualified(module, exported))


def caught(exc: Exception) -> errors.RtfsError:
    """The RTFS error that a `catch` or `finally` sees.

    Raises:
        LimitError: the run is over; nothing may catch that.
    """
    from rtfs.emit_python.blame import blamed, note_caught

    error = blamed(exc)
    note_caught(exc, error)
    if isinstance(error, errors.LimitError):
        # or each `try` further out would search an ever longer traceback
        note_caught(error, error)
        raise error.with_traceback(None)
    return error


def catchable(error: errors.RtfsError) -> bool:
    """Whether a `catch` of everything sees it."""
    return error.catchable


def lookup(namespace: Namespace, name: str, or_nil: bool) -> Value:
    """The value of a name that the program binds nowhere."""
    return primitives.lookup(name, or_nil, namespace.names)


def run_async(body: Callable[[], Value]) -> Value:
    """The ticket of `body`, which overlaps with what comes after it where anything can."""
    from rtfs.tickets import start

    return start(body, caught)


def turns(part: Callable[[Value], list[Value]], items: list[Value], result: list[Value] | None) -> None:
    """Make the turns of a `for`, which may overlap, and append to `result` what each gives, if it is wanted."""
    for given in fork.each(part, items):
        if result is not None:
            result += given


def _module(modules: Modules, code: Any) -> Value:
    from rtfs.emit_python.artifact import run_module

    return run_module(modules, code)


def _run_step(*args: Any) -> Value:
    from rtfs.steps import run_step

    return run_step(*args)


def _with_hints(*args: Any) -> Value:
    from rtfs.steps import with_hints

    return with_hints(*args)


def _struct(name: str, fields: TypeConstant, namespace: Namespace) -> Value:
    from rtfs.struct import constructor

    return constructor(name, fields.type.entries, namespace)


_HELPERS: Final[dict[str, Any]] = {
    "STOP": STOP_REQUESTS,
    "poll": poll,
    "type": type,
    "int": int,
    "float": float,
    "str": str,
    "bool": bool,
    "NoneType": type(None),
    "Exception": Exception,
    "Keyword": Keyword,
    "Vector": Vector,
    "List": List,
    "Map": Map,
    "Set": Set,
    "ErrorValue": ErrorValue,
    "tail": tail,
    "tail_checked": tail_checked,
    "bounce": bounce,
    "bouncing": bouncing,
    "pair": pair,
    "dispatch": dispatch,
    "overflow": overflow,
    "map_key": map_key,
    "check": check,
    "check_rest": check_rest,
    "matches": matches,
    "annotated": annotated,
    "bind": bind,
    "describe": describe,
    "define_type": define_type,
    "struct": _struct,
    "module": _module,
    "import": import_names,
    "qualified": Modules.qualified,
    "lookup": lookup,
    "items": items,
    "caught": caught,
    "catchable": catchable,
    "in_categories": border.in_categories,
    "was_thrown": border.was_thrown,
    "run_step": _run_step,
    "with_hints": _with_hints,
    "async": run_async,
    "race": first_of,
    "fork": fork.all_of,
    "flow": fork.flow,
    "turns": turns,
    **{name: getattr(arithmetic, name) for name in "add2 sub2 mul2 lt2 gt2 le2 ge2 eq2".split()},
}


@cache
def base_globals() -> dict[str, Any]:
    """The names every namespace starts with. Copy before use."""
    from rtfs.stdlib.table import BUILTINS

    named: dict[str, Any] = {}
    for name, entry in BUILTINS.items():
        named[f"b·{name}"] = named[global_key(name)] = entry.function
    named.update({f"rt·{name}": value for name, value in _HELPERS.items()})
    named.update({f"rt·primitive·{name}": function for name, function in primitives.TABLE.items()})
    return named
