"""From text to value: compile, link, run.

    program = compile(text)           # read, analyse, optimise: IR
    linked = program.link()           # decide where each function runs; generate code
    linked.run(args={"x": 1})         # run it, under limits, for somebody
    linked.call("f", 1, 2)            # call one of its functions

`evaluate` does all of it and remembers recent programs.
"""

from __future__ import annotations

import errno
import stat
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from rtfs import errors
from rtfs.run import Limits, Run, deep_recursion, running
from rtfs.values import Value

if TYPE_CHECKING:
    from rtfs import ir
    from rtfs.analyze.environment import Environment, ModuleStore
    from rtfs.delegation import Delegate
    from rtfs.emit_python.artifact import Artifact
    from rtfs.host import Host
    from rtfs.namespace import Modules, Namespace
    from rtfs.routes import Routes
    from rtfs.security import RuntimeContext
    from rtfs.stepping import Stepper

type BackendName = Literal["python", "interpreter"]

BACKENDS: Final = ("python", "interpreter")
#: nesting of forms that analysis can follow
ANALYSIS_DEPTH: Final = 100_000
#: programs that `evaluate` remembers, and the longest text it does so for, characters
_REMEMBERED: Final = 256
_REMEMBERED_TEXT: Final = 1 << 18
#: characters that would give a part of a module's name a meaning as a path
_FOREIGN: Final = frozenset("/\\\0")


class FileModules:
    """Module files on search paths: module `a.b` is `a/b.rtfs`.

    No name leads out of a search path. Symbolic links in it are followed: who may write there decides what it
    holds.
    """

    def __init__(self, *paths: str | Path) -> None:
        self.paths = tuple(Path(path) for path in paths or (".",))

    def find(self, name: str) -> tuple[str, str] | None:
        """Text and path of the file of module `name`, None if no search path has one.

        Raises:
            ModuleError: the file cannot be read.
        """
        *folders, last = name.split(".")
        if any(not part or not _FOREIGN.isdisjoint(part) for part in (*folders, last)):
            return None
        for path in self.paths:
            file = path.joinpath(*folders, f"{last}.rtfs")
            try:
                if stat.S_ISREG(file.stat().st_mode):
                    return file.read_bytes().decode("utf-8-sig"), str(file)
            except (FileNotFoundError, NotADirectoryError, UnicodeEncodeError):
                continue
            except UnicodeDecodeError as exc:
                raise _unreadable(name, file, f"it is not UTF-8 at byte {exc.start}") from None
            except OSError as exc:
                if exc.errno != errno.ENAMETOOLONG:
                    raise _unreadable(name, file, exc.strerror or str(exc)) from None
        return None


def _unreadable(name: str, file: Path, why: str) -> errors.ModuleError:
    return errors.ModuleError(f"module '{name}' cannot be read from {file}: {why}")


class Program:
    """An analysed program. Immutable; may be linked and run any number of times."""

    def __init__(self, unit: ir.Unit, text: str, environment: Environment, optimize: bool = True) -> None:
        self.unit = unit
        self.text = text
        self._environment = environment
        self._optimize = optimize
        self._module_units: dict[str, ir.Unit | None] = {}
        self._lock = threading.RLock()  # runs on several threads may need the same module at once

    def module_unit(self, name: str) -> ir.Unit | None:
        """The analysed file of a module that the program uses, optimised and marked as the program is.

        Raises:
            RtfsError: what its text is refused for.
        """
        with self._lock:
            if name not in self._module_units:
                with deep_recursion(ANALYSIS_DEPTH):
                    unit = self._environment.module_unit(name)
                    self._module_units[name] = None if unit is None else finished(unit, self._optimize)
            return self._module_units[name]

    def link(
        self,
        delegate: Delegate | None = None,
        context: RuntimeContext | None = None,
        backend: BackendName = "python",
    ) -> LinkedProgram:
        """Decide where each function runs, and generate code.

        Args:
            delegate: asked once per function; without one every function runs its own body here.
            context: whom the program will run for; the delegate's answers may depend on it.
        """
        return LinkedProgram(self, self.module_unit, delegate, context, backend)


class LinkedProgram:
    """A program whose calls know where they go. Runs of it are independent of each other."""

    def __init__(
        self,
        program: Program,
        find_module: Callable[[str], ir.Unit | None],
        delegate: Delegate | None,
        context: RuntimeContext | None,
        backend: BackendName,
    ) -> None:
        if backend not in BACKENDS:
            raise ValueError(f"backend must be one of {', '.join(BACKENDS)}, got {backend!r}")
        self.program = program
        self.backend = backend
        self._find_module = find_module
        self._context = context
        self._routes = None if delegate is None else _routes(delegate, context)
        self._artifacts: dict[int, tuple[ir.Unit, Artifact | None]] = {}
        self._loaded: Namespace | None = None
        self._loading = threading.RLock()
        if self._routes is not None:
            self._routes.add(program.unit)

    def run(
        self,
        *,
        host: Host | None = None,
        context: RuntimeContext | None = None,
        limits: Limits | None = None,
        args: Mapping[str, Any] | None = None,
    ) -> Value:
        """Run the program in a new frame; the value of its last form.

        Args:
            host: answers capabilities and context values; by default there are none.
            context: what the run may do; by default that of `link`, else nothing (`pure`).
            limits: by default those of the context.
            args: values the program finds under these names; JSON-like Python data is converted.

        Raises:
            RtfsError: whatever the program raises, or the limit it exceeded.
        """
        run = new_run(host, context or self._context, limits, args)
        with running(run), prepared(run):
            return self._start()[1]

    def step(
        self,
        *,
        host: Host | None = None,
        context: RuntimeContext | None = None,
        limits: Limits | None = None,
        args: Mapping[str, Any] | None = None,
    ) -> Stepper:
        """The program as one that hands each host call out and waits for the answer; see `rtfs.Stepper`.

        Args:
            host: answers all but capability calls. The others are those of `run`.
        """
        from rtfs.stepping import Stepper

        return Stepper(
            lambda: self._start()[1],
            host=host,
            context=context or self._context,
            limits=limits,
            arguments=arguments_of(args),
        )

    def call(
        self,
        name: str,
        *args: Value,
        host: Host | None = None,
        context: RuntimeContext | None = None,
        limits: Limits | None = None,
    ) -> Value:
        """Call the function `name`. The program's own forms run once, before the first call.

        Raises:
            UndefinedSymbol: nothing has this name.
            RtfsError: as `run`.
        """
        from rtfs.convert import from_python
        from rtfs.emit_python.blame import blamed
        from rtfs.stdlib.registry import callback

        run = new_run(host, context or self._context, limits, None)
        with running(run), prepared(run):
            function = self._namespace().value(name)
            try:
                return callback(function, len(args), name)(*map(from_python, args))
            except Exception as exc:
                raise blamed(exc).with_traceback(None) from None

    def python_source(self) -> str:
        """The generated Python, for people to read; names in it may be no Python names."""
        import ast

        from rtfs.emit_python.backend import emit_module

        unit = self.program.unit
        with deep_recursion(ANALYSIS_DEPTH):
            module, _ = emit_module(unit.forms, unit.source, unit.stable, False, "0", self._is_bound)
            return ast.unparse(module)

    def _namespace(self) -> Namespace:
        """The frame that calls from outside share; the program's forms run once, on the first call."""
        with self._loading:
            if self._loaded is None:
                namespace, _ = self._start()
                self._loaded = self._loaded or namespace  # the forms' host may have called meanwhile
            return self._loaded

    def _start(self) -> tuple[Namespace, Value]:
        from rtfs.namespace import Modules

        modules = Modules(self._find_module, self._run_unit, self._bind_hook)
        namespace = modules.frame()
        return namespace, self._run_unit(self.program.unit, namespace, modules)

    def _bind_hook(
        self, module: str | None
    ) -> Callable[[ir.Lambda, Callable[..., Value]], Callable[..., Value]] | None:
        return None if self._routes is None else self._routes.bind

    def _is_bound(self, node: ir.Lambda) -> bool:
        return self._routes is not None and self._routes.is_delegated(node)

    def _run_unit(self, unit: ir.Unit, namespace: Namespace, modules: Modules) -> Value:
        if self._routes is not None:
            self._routes.add(unit)
        artifact = None if self.backend == "interpreter" else self.artifact(unit)
        if artifact is None:
            from rtfs.interpret import run_unit

            return run_unit(unit, namespace, modules)
        from rtfs.emit_python.artifact import run_artifact

        return run_artifact(artifact, unit.source, namespace, modules)

    def artifact(self, unit: ir.Unit) -> Artifact | None:
        """The code of `unit`, compiled once; None if only the interpreter can run it."""
        known = self._artifacts.get(id(unit))
        if known is None:
            from rtfs.emit_python.backend import compile_forms

            made = compile_forms(unit.forms, unit.source, stable=unit.stable, bound=self._is_bound)
            known = self._artifacts[id(unit)] = (unit, made)
        return known[1]


def _routes(delegate: Delegate, context: RuntimeContext | None) -> Routes:
    from rtfs.routes import Routes

    return Routes(delegate, context)


def compile(
    source: str, *, source_name: str = "<string>", modules: ModuleStore | None = None, optimize: bool = True
) -> Program:
    """Read and analyse a program.

    Raises:
        ReadError: the text is no RTFS.
        RtfsError: it is no program (InvalidProgram, macro and module errors).
    """
    from rtfs.analyze.environment import Environment
    from rtfs.analyze.program import analyze
    from rtfs.reader import read

    environment = Environment(modules)
    with deep_recursion(ANALYSIS_DEPTH):
        unit = finished(analyze(read(source, source_name), environment), optimize)
    return Program(unit, source, environment, optimize)


def finished(unit: ir.Unit, optimize: bool = True) -> ir.Unit:
    """`unit` as analysed, after the passes: optimised, and marked where a call may be delegated."""
    from rtfs.passes import delegation
    from rtfs.passes.optimize import optimize as optimized

    return delegation.mark(optimized(unit, "basic") if optimize else unit)


_remembered: OrderedDict[tuple[str, str, str], LinkedProgram] = OrderedDict()
_remembering = threading.Lock()


def evaluate(
    source: str,
    *,
    host: Host | None = None,
    context: RuntimeContext | None = None,
    limits: Limits | None = None,
    args: Mapping[str, Any] | None = None,
    source_name: str = "<string>",
    backend: BackendName = "python",
    modules: ModuleStore | None = None,
) -> Value:
    """Compile, link and run `source`; the value of its last form. See `LinkedProgram.run` for the arguments.

    The deadline holds for the analysis and, from its end, once more for the run. Recent programs are
    remembered, unless they come with modules, whose files may change.
    """

    def made() -> LinkedProgram:
        # the text is not trusted: what reads and analyses it stops when the time is up, too
        allowed = limits or (context or _pure()).limits()
        with running(new_run(None, context, Limits(deadline_s=allowed.deadline_s), None)):
            return compile(source, source_name=source_name, modules=modules).link(backend=backend)

    if modules is not None or len(source) > _REMEMBERED_TEXT:
        linked = made()
    else:
        key = (source, source_name, backend)
        found = _remembered.get(key)
        linked = found or made()
        _remember(key, linked)
    return linked.run(host=host, context=context, limits=limits, args=args)


def _remember(key: tuple[str, str, str], linked: LinkedProgram) -> None:
    """Note that a program was just used, and forget the one that was not for the longest time."""
    with _remembering:
        _remembered[key] = linked
        _remembered.move_to_end(key)
        if len(_remembered) > _REMEMBERED:
            _remembered.popitem(last=False)


class prepared:  # noqa: N801 - used as `with prepared(run):`
    """Tells the host that an execution begins, and that it has ended. A class, for speed."""

    __slots__ = ("_host",)

    def __init__(self, run: Run) -> None:
        self._host = None if type(run.host) is _pure_host() else run.host

    def __enter__(self) -> None:
        if self._host is not None:
            from rtfs.security import ask

            ask("prepare_execution", self._host.prepare_execution)

    def __exit__(self, *error: object) -> None:
        if self._host is not None:
            from rtfs.security import ask

            ask("cleanup_execution", self._host.cleanup_execution)


@cache
def _pure() -> RuntimeContext:
    from rtfs.security import RuntimeContext

    return RuntimeContext.pure()


@cache
def _pure_host() -> type[Host]:
    from rtfs.host import PureHost

    return PureHost


def new_run(
    host: Host | None,
    context: RuntimeContext | None,
    limits: Limits | None,
    args: Mapping[str, Any] | None,
) -> Run:
    """A run with defaults filled in: no host, no permissions, the limits of the context."""
    from rtfs.host import PureHost
    from rtfs.security import RuntimeContext

    context = context or RuntimeContext.pure()
    limits = limits or context.limits()
    return Run(host=host or PureHost(), context=context, limits=limits, arguments=arguments_of(args))


def arguments_of(args: Mapping[str, Any] | None) -> dict[str, Value]:
    """Arguments from Python as RTFS values."""
    if not args:
        return {}
    from rtfs.convert import from_python

    return {name: from_python(value) for name, value in args.items()}
