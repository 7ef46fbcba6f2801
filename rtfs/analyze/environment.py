"""What outlives the analysis of one text: macros, known names and modules.

A file is analysed in an `Environment` of its own; a REPL session keeps one for all its inputs; each module has
one too. Those of one program share a `ModuleTable`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

from rtfs import errors, ir
from rtfs.values import Value

if TYPE_CHECKING:
    from rtfs.analyze.syntax import Item

#: runs a unit in the expansion-time frame of one environment, which it keeps from call to call
type Evaluate = Callable[[ir.Unit], Value]


class ModuleStore(Protocol):
    """Where module files come from."""

    def find(self, name: str) -> tuple[str, str] | None:
        """Text and source name of the file of module `name`, None if there is none."""


class NoModules:
    """A store without modules."""

    def find(self, name: str) -> tuple[str, str] | None:
        """None."""
        return None


class MappingModules:
    """A store of module texts by name."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def find(self, name: str) -> tuple[str, str] | None:
        """The text, named as its file would be."""
        text = self._texts.get(name)
        return None if text is None else (text, f"{name.replace('.', '/')}.rtfs")


@dataclass(slots=True, eq=False)
class Macro:
    """A macro: its `defmacro` as a function form, turned into a function when it is first used."""

    name: str
    #: `(fn name [params] body …)`
    form: Item
    source: str
    #: where its free names are looked up
    environment: Environment
    function: Callable[..., Value] | None = None
    arities: tuple[ir.Arity, ...] = ()
    #: definitions that the function depends on; it is made anew when one of them changes
    uses: Mapping[str, Source] = field(default_factory=dict)
    in_the_making: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """The form that defines a global, kept so that macros can use the global at expansion time."""

    form: Item
    source: str
    #: position among all definitions of the program
    order: int


@dataclass(frozen=True, slots=True)
class KnownModule:
    """What importers may know about a module."""

    name: str
    exports: tuple[str, ...]
    macros: Mapping[str, Macro]
    #: the unit of its file; None if it is a `module` form of the text at hand
    unit: ir.Unit | None = None
    #: SHA-256 of its text, hex
    digest: str = ""


class ModuleTable:
    """The modules of one program, analysed when first needed."""

    def __init__(self, store: ModuleStore, make_evaluate: Callable[[Environment], Evaluate]) -> None:
        self.store = store
        self.make_evaluate = make_evaluate
        self.known: dict[str, KnownModule] = {}
        self.loading: list[str] = []
        self._number = 0

    def fresh_number(self) -> int:
        """A number for a generated name or a definition, new in this program."""
        self._number += 1
        return self._number

    def load(self, name: str) -> KnownModule | None:
        """The module `name`, its file read and analysed now if need be; None if it has no file.

        Raises:
            ModuleError: circular imports, or the file does not define the module.
            RtfsError: what its text is refused for.
        """
        known = self.known.get(name)
        if known is not None:
            return known
        if name in self.loading:
            circle = [*self.loading[self.loading.index(name) :], name]
            raise errors.ModuleError(f"Circular dependency: {' -> '.join(circle)}")
        found = self.store.find(name)
        if found is None:
            return None
        self.loading.append(name)
        try:
            self.known[name] = self._analyze(name, *found)
        finally:
            self.loading.pop()
        return self.known[name]

    def _analyze(self, name: str, text: str, source: str) -> KnownModule:
        from rtfs.analyze.program import analyze
        from rtfs.reader import read

        environment = Environment(modules=self)
        unit = analyze(read(text, source), environment)
        defined = environment.inline_modules.get(name)
        if defined is None:
            others = ", ".join(f"'{other}'" for other in environment.inline_modules) or "no module"
            raise errors.ModuleError(f"{source} must define module '{name}', it defines {others}")
        digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        return KnownModule(name, defined.exports, defined.macros, unit, digest)


@dataclass(slots=True, eq=False)
class _Names:
    """The names of an environment, as far as analysis changes them."""

    macros: dict[str, Macro] = field(default_factory=dict)
    globals: set[str] = field(default_factory=set)
    types: set[str] = field(default_factory=set)
    #: short name → module
    aliases: dict[str, str] = field(default_factory=dict)
    #: name → builtin, for names imported from modules of the standard library
    builtin_names: dict[str, str] = field(default_factory=dict)
    #: constant metadata of globals that are no functions
    metadata: dict[str, dict[str, Value]] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)
    inline_modules: dict[str, KnownModule] = field(default_factory=dict)

    def copy(self) -> _Names:
        return _Names(
            self.macros.copy(),
            self.globals.copy(),
            self.types.copy(),
            self.aliases.copy(),
            self.builtin_names.copy(),
            self.metadata.copy(),
            self.sources.copy(),
            self.inline_modules.copy(),
        )


class Environment:
    """The names that a text is analysed against, and that it adds to.

    Args:
        module_store: where `import` finds module files; none if not given.
        make_evaluate: makes the function that runs units at expansion time, for one environment. Units that
            it is given define what a macro needs and end in the macro's function. By default the
            interpreter runs them, without a host.
        modules: share the modules of another environment instead.
    """

    def __init__(
        self,
        module_store: ModuleStore | None = None,
        make_evaluate: Callable[[Environment], Evaluate] | None = None,
        *,
        modules: ModuleTable | None = None,
    ) -> None:
        if modules is None:
            from rtfs.analyze.expansion_world import interpreter

            modules = ModuleTable(module_store or NoModules(), make_evaluate or interpreter)
        self.modules = modules
        self._names = _Names()
        self._evaluate: Evaluate | None = None
        #: numbers (`Source.order`) of the definitions that have run at expansion time
        self.evaluated: set[int] = set()

    @property
    def macros(self) -> dict[str, Macro]:
        """Macros by name, imported ones included."""
        return self._names.macros

    @property
    def globals(self) -> set[str]:
        """Names defined at the top level, imported ones included."""
        return self._names.globals

    @property
    def types(self) -> set[str]:
        """Names of `deftype` and `defstruct`."""
        return self._names.types

    @property
    def aliases(self) -> dict[str, str]:
        """Short name → module."""
        return self._names.aliases

    @property
    def builtin_names(self) -> dict[str, str]:
        """Name → builtin, for names imported from modules of the standard library."""
        return self._names.builtin_names

    @property
    def metadata(self) -> dict[str, dict[str, Value]]:
        """Metadata of globals that are no functions."""
        return self._names.metadata

    @property
    def sources(self) -> dict[str, Source]:
        """The forms that define globals, imports (by the global) and modules (by `module_key`)."""
        return self._names.sources

    @property
    def inline_modules(self) -> dict[str, KnownModule]:
        """Modules that `module` forms of this environment's texts define."""
        return self._names.inline_modules

    def save(self) -> object:
        """A state for `restore`."""
        return self._names.copy()

    def restore(self, saved: object) -> None:
        """Back to the names at `save`: a text that was refused has defined nothing."""
        assert isinstance(saved, _Names)
        self._names = saved

    def use_macros(self, macros: dict[str, Macro]) -> None:
        """Replace all macros."""
        self._names.macros = macros

    def add_source(self, name: str, form: Item, source: str) -> None:
        """Note which form defines the global `name`."""
        self.sources[name] = Source(form, source, self.modules.fresh_number())

    def is_evaluated(self, source: Source) -> bool:
        """Whether this definition has run at expansion time."""
        return source.order in self.evaluated

    def evaluate(self, unit: ir.Unit) -> Value:
        """Run `unit` at expansion time."""
        if self._evaluate is None:
            self._evaluate = self.modules.make_evaluate(self)
        return self._evaluate(unit)

    def find_module(self, name: str, span: errors.Span) -> KnownModule | None:
        """The module `name`, from this text or from its file; None if there is none.

        Args:
            span: where this text asks for it.

        Raises:
            ModuleError, RtfsError: as `ModuleTable.load`; an error of no other place is one of `span`.
        """
        try:
            return self.inline_modules.get(name) or self.modules.load(name)
        except errors.RtfsError as error:
            if error.span is None and error.source is None:
                error.span = span
            raise

    def module_unit(self, name: str) -> ir.Unit | None:
        """The analysed file of module `name`, for `rtfs.namespace.Modules`."""
        known = self.modules.load(name)
        return None if known is None else known.unit
