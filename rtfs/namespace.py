"""Frames of modules, and the modules of one program. Both backends run on them.

A `Namespace` is the frame of one module, or of the program itself: its globals and type names. `Modules` are
the modules that one running program has loaded; two instances of a program share none of them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from rtfs import errors
from rtfs.overlap.current import alone, before_effect
from rtfs.values import Value

if TYPE_CHECKING:
    from rtfs import ir
    from rtfs.stdlib.registry import Builtin
    from rtfs.types.check import TypeEnv
    from rtfs.types.model import Type

#: called with each function as it is made and its frame: gives the function itself, or a stub in its place
type BindFunction = Callable[[ir.Lambda, Callable[..., Value], Namespace], Callable[..., Value]]
#: checks a value, naming it by a path in the error
type Check = Callable[[Value, str], None]

#: the module that holds every builtin
STDLIB: Final = "stdlib"
#: what Python gives a meaning of its own among the globals of its code
_PYTHON_GLOBALS: Final = frozenset(("__builtins__", "__debug__", "None", "True", "False"))


def global_key(name: str) -> str:
    """The key of a global in `Namespace.values`: its name, unless Python or generated code uses that.

    The Python backend keeps names of its own there, which all hold a single `·` or are Python's. No RTFS name
    reaches them, not even one that a macro made.
    """
    if "·" in name:
        return name.replace("·", "··")
    return f"·{name}" if name in _PYTHON_GLOBALS else name


def builtins() -> Mapping[str, Builtin]:
    """The standard library by name, imported on first use."""
    from rtfs.stdlib.table import BUILTINS

    return BUILTINS


@dataclass(slots=True, eq=False)
class Namespace:
    """The frame of one module instance. `name` is None for the program itself."""

    name: str | None = None
    #: globals by `global_key` of their RTFS name
    values: dict[str, Value] = field(default_factory=dict)
    #: aliases made by `deftype` and `defstruct`
    types: dict[str, Type] = field(default_factory=dict)
    #: documentation and metadata of globals; the key `doc` is the docstring
    metadata: dict[str, dict[str, Value]] = field(default_factory=dict)
    #: what other modules may use
    exports: frozenset[str] = frozenset()
    #: the hook of routing: decides where a function runs
    bind_function: BindFunction | None = None
    _type_env: TypeEnv | None = None
    #: checks by id of the type, which is kept beside to keep the id its own
    _checks: dict[int, tuple[Type, Check]] = field(default_factory=dict)

    def define(
        self, name: str, value: Value, doc: str | None = None, metadata: tuple[tuple[str, Value], ...] = ()
    ) -> None:
        """Bind a global. Its earlier documentation goes with its earlier value."""
        self.values[global_key(name)] = value
        self.describe(name, doc, metadata)

    def describe(self, name: str, doc: str | None = None, metadata: tuple[tuple[str, Value], ...] = ()) -> None:
        """Note what is said about a global whose value was just given."""
        about = dict(metadata)
        if doc is not None:
            about["doc"] = doc
        if about:
            self.metadata[name] = about
        else:
            self.metadata.pop(name, None)

    def define_type(self, name: str, type_: Type) -> None:
        """Register a type name."""
        self.types[name] = type_
        self._checks.clear()

    def value(self, name: str) -> Value:
        """The global `name`, else the builtin of that name.

        Raises:
            UndefinedSymbol: neither exists (yet).
        """
        try:
            return self.values[global_key(name)]
        except KeyError:
            return self._builtin_value(name)

    def _builtin_value(self, name: str) -> Value:
        entry = builtins().get(name)
        if entry is not None:
            return entry.function
        raise with_nearest(errors.UndefinedSymbol(name), name, [*self.names(), *builtins()])

    def __contains__(self, name: str) -> bool:
        """Whether the global `name` is defined."""
        return global_key(name) in self.values

    def names(self) -> list[str]:
        """The defined globals, in order of their first definition."""
        known = [key.replace("··", "·") for key in self.values if "·" not in key.replace("··", "")]
        return [name for name in known if name not in _PYTHON_GLOBALS] + [
            name for name in sorted(_PYTHON_GLOBALS) if name in self
        ]

    @property
    def type_env(self) -> TypeEnv:
        """What the names inside types mean here."""
        if self._type_env is None:
            from rtfs.types.check import TypeEnv

            self._type_env = TypeEnv(aliases=self.types, function=self._predicate)
        return self._type_env

    def _predicate(self, name: str) -> Callable[..., Value] | None:
        """The function that a custom predicate of a type names."""
        value = self.values.get(global_key(name))
        if value is None:
            entry = builtins().get(name)
            value = None if entry is None else entry.function
        return value if callable(value) else None

    def check(self, type_: Type) -> Check:
        """The check for `type_`, made once."""
        known = self._checks.get(id(type_))
        if known is None:
            from rtfs.types.check import checker

            known = self._checks[id(type_)] = (type_, checker(type_, self.type_env))
        return known[1]


def with_nearest(error: errors.RtfsError, name: str, candidates: list[str]) -> errors.RtfsError:
    """`error`, with the nearest known name as its hint if one is near, or what RTFS calls `name`."""
    if isinstance(error, errors.UndefinedSymbol):
        from rtfs.idioms import suggestion

        error.hint = suggestion(name, candidates) or error.hint
        return error
    from rtfs.spell import nearest

    found = nearest(name, candidates)
    if found is not None and found != name:
        error.hint = f"did you mean `{found}`?"
    return error


class Sourced(Protocol):
    """A unit, or its code: what `Modules` gets from `find` and gives to `run`."""

    @property
    def source(self) -> str:
        """The name of its text."""


class Modules:
    """The modules of one program instance, each run when it is first needed.

    `find` gives the analysed unit of a module's file, or its code; None if there is no such file. `run` runs
    that in a frame: a backend. `bind` gives the hook of a module's frame by the module's name.
    """

    def __init__(
        self,
        find: Callable[[str], Sourced | None],
        run: Callable[[Any, Namespace, Modules], Value],
        bind: Callable[[str | None], BindFunction | None] | None = None,
    ) -> None:
        self._find = find
        self._run = run
        self._bind = bind
        self._loaded: dict[str, Namespace] = {}
        self._loading: list[str] = []
        self._lock = threading.RLock()  # calls from outside share modules, on several threads at once

    def frame(self, name: str | None = None) -> Namespace:
        """A new, empty frame for a module, or for the program."""
        return Namespace(name, bind_function=None if self._bind is None else self._bind(name))

    def add(self, namespace: Namespace) -> None:
        """Make a module known whose body has run.

        Raises:
            ModuleError: it exports a name that it does not define.
        """
        assert namespace.name is not None
        for export in sorted(namespace.exports):
            if export not in namespace:
                error = errors.ModuleError(
                    f"module '{namespace.name}' exports '{export}', which it does not define"
                )
                raise with_nearest(error, export, namespace.names())
        self._loaded[namespace.name] = namespace

    def load(self, name: str) -> Namespace:
        """The module `name`, run now if it has not been.

        Raises:
            ModuleNotFound: there is none.
            ModuleError: its file holds another module, or it needs itself to load.
        """
        known = self._loaded.get(name)
        if known is not None:
            return known
        before_effect()
        with alone(), self._lock:  # another part must not find it half loaded
            return self._loaded.get(name) or self._load(name)

    def _load(self, name: str) -> Namespace:
        if name in self._loading:
            circle = [*self._loading[self._loading.index(name) :], name]
            raise errors.ModuleError(f"Circular dependency: {' -> '.join(circle)}")
        unit = self._find(name)
        if unit is None:
            return self._library(name)
        self._loading.append(name)
        try:
            self._run(unit, self.frame(), self)
        finally:
            self._loading.pop()
        if name not in self._loaded:
            raise errors.ModuleError(f"{unit.source} does not define module '{name}'")
        return self._loaded[name]

    def _library(self, name: str) -> Namespace:
        """A module of the standard library: `stdlib`, or one whose functions are named `name/…`."""
        library = builtins()
        prefix = "" if name == STDLIB else f"{name}/"
        values: dict[str, Any] = {
            full[len(prefix) :]: entry.function for full, entry in library.items() if full.startswith(prefix)
        }
        if not values:
            error = errors.ModuleNotFound(name)
            from rtfs.idioms import library_hint

            error.hint = library_hint(name) or f"no search path has the file {name.replace('.', '/')}.rtfs"
            raise with_nearest(error, name, [*self._loaded, STDLIB])
        namespace = Namespace(name, values, exports=frozenset(values))
        self._loaded[name] = namespace
        return namespace

    def qualified(self, module: str, name: str) -> Value:
        """The value of `module/name`.

        Raises:
            ModuleNotFound, ModuleError: as `load`; ModuleError also if the name is not exported.
            SymbolNotFound: the module has no such name.
        """
        namespace = self.load(module)
        if name in namespace.exports:
            return namespace.values[global_key(name)]
        if name in namespace:
            raise errors.ModuleError(f"Symbol '{name}' not exported by module '{module}'")
        error = errors.SymbolNotFound(f"{module}/{name}")
        raise with_nearest(error, name, list(namespace.exports))


def module_value(name: str, docstring: str | None, exports: tuple[str, ...]) -> Value:
    """What a `module` form gives: a map of its name, docstring and exports."""
    from rtfs.values import Map, Vector

    return Map({"name": name, "docstring": docstring, "exports": Vector(list(exports))})


# ---------------------------------------------------------------- how checked values are named in errors


#: the path of what a function returns
RETURN_LABEL: Final = "return"


def let_label(name: str) -> str:
    """The path of a `let` binding."""
    return f"let {name}"


def loop_label(name: str) -> str:
    """The path of a `loop` binding's first value. What `recur` gives is named like a parameter."""
    return f"loop {name}"


def def_label(name: str) -> str:
    """The path of a `def`."""
    return f"def {name}"


def rest_label(name: str, index: int) -> str:
    """The path of one item of a rest parameter."""
    return f"{name}[{index}]"
