"""From text to value: compile, link, run.

    program = compile(text)           # read, analyse, optimise: IR
    linked = program.link()           # decide where each function runs; generate code
    linked.run(args={"x": 1})         # run it, under limits, for somebody
    linked.call("f", 1, 2)            # call one of its functions

`evaluate` does all of it and remembers recent programs.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections import OrderedDict
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal

from rtfs import errors
from rtfs.run import Limits, Run, deep_recursion, running
from rtfs.values import Value

if TYPE_CHECKING:
    from rtfs import ir
    from rtfs.analyze.environment import Environment, ModuleStore
    from rtfs.delegation import Delegate, FunctionInfo
    from rtfs.emit_python.artifact import Artifact
    from rtfs.emit_python.routed import UnitCode
    from rtfs.host import Host
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
    """Module files on search paths, by default the current directory: module `a.b` is `a/b.rtfs`.

    No name leads out of a search path. Symbolic links in it are followed: who may write there decides what it
    holds.
    """

    def __init__(self, *paths: str | os.PathLike[str]) -> None:
        self.paths = tuple(os.fspath(path) for path in paths or ("",))

    def find(self, name: str) -> tuple[str, str] | None:
        """Text and path of the file of module `name`, None if no search path has one.

        Raises:
            ModuleError: the file cannot be read.
        """
        *folders, last = name.split(".")
        if any(not part or not _FOREIGN.isdisjoint(part) for part in (*folders, last)):
            return None
        for path in self.paths:
            file = os.path.join(path, *folders, f"{last}.rtfs")
            try:
                if stat.S_ISREG(os.stat(file).st_mode):
                    return _text(file), file
            except (FileNotFoundError, NotADirectoryError, UnicodeEncodeError):
                continue
            except UnicodeDecodeError as exc:
                raise _unreadable(name, file, f"it is not UTF-8 at byte {exc.start}") from None
            except OSError as exc:
                if exc.errno != errno.ENAMETOOLONG:
                    raise _unreadable(name, file, exc.strerror or str(exc)) from None
        return None


def _text(file: str) -> str:
    with open(file, "rb") as opened:
        return opened.read().decode("utf-8-sig")


def _unreadable(name: str, file: str, why: str) -> errors.ModuleError:
    return errors.ModuleError(f"module '{name}' cannot be read from {file}: {why}")


class Program:
    """An analysed program. Immutable; may be linked and run any number of times."""

    def __init__(self, unit: ir.Unit, text: str, environment: Environment, optimize: bool = True) -> None:
        self.unit = unit
        self.text = text
        self._environment = environment
        self._optimize = optimize
        self._module_units: dict[str, ir.Unit | None] = {}
        #: by id of the unit, which is kept beside to keep its id its own
        self._functions: dict[int, tuple[ir.Unit, tuple[tuple[ir.Lambda, FunctionInfo], ...]]] = {}
        self._loads: dict[int, tuple[ir.Unit, frozenset[str]]] = {}
        self._code: dict[int, tuple[ir.Unit, UnitCode]] = {}
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

    def functions(self, unit: ir.Unit) -> tuple[tuple[ir.Lambda, FunctionInfo], ...]:
        """The functions of this program's unit or of a module's, and what is known about each by itself."""
        with self._lock:
            known = self._functions.get(id(unit))
            if known is None:
                from rtfs.function_info import functions_of

                known = self._functions[id(unit)] = unit, tuple(functions_of(unit))
            return known[1]

    def loads(self, unit: ir.Unit) -> frozenset[str]:
        """Names of the modules that running `unit` may load."""
        with self._lock:
            known = self._loads.get(id(unit))
            if known is None:
                from rtfs.function_info import loaded_by

                known = self._loads[id(unit)] = unit, loaded_by(unit)
            return known[1]

    def code(self, unit: ir.Unit) -> UnitCode:
        """The Python code of this program's unit or of a module's, compiled once."""
        with self._lock:
            known = self._code.get(id(unit))
            if known is None:
                from rtfs.emit_python.routed import UnitCode

                known = self._code[id(unit)] = unit, UnitCode.of(unit)
            return known[1]

    def link(
        self,
        delegate: Delegate | None = None,
        context: RuntimeContext | None = None,
        backend: BackendName = "python",
    ) -> LinkedProgram:
        """Decide where each function runs.

        Args:
            delegate: asked once per function; without one every function runs its own body here. Asked again
                at the next run after its version has changed, and for a run with other facts.
            context: that of runs which are given none; functions are linked for its facts at once.

        Raises:
            Exception: whatever the delegate raises.
        """
        return LinkedProgram(self, delegate, context, backend)


class LinkedProgram:
    """A program whose calls know where they go. Runs of it are independent of each other."""

    def __init__(
        self,
        program: Program,
        delegate: Delegate | None,
        context: RuntimeContext | None,
        backend: BackendName,
    ) -> None:
        if backend not in BACKENDS:
            raise ValueError(f"backend must be one of {', '.join(BACKENDS)}, got {backend!r}")
        from rtfs.linking import Links

        self.program = program
        self.backend = backend
        self._context = context or _pure()
        self._links = Links(program, delegate, backend)
        self._links.get(self._context.facts)

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
            context: what the run may do, and for whom it is; by default that of `link`, else nothing (`pure`).
            limits: by default those of the context.
            args: values the program finds under these names; JSON-like Python data is converted.

        Raises:
            RtfsError: whatever the program raises, or the limit it exceeded.
            Exception: whatever the delegate raises, if the program must be linked anew.
        """
        context = context or self._context
        link = self._links.get(context.facts)
        run = new_run(host, context, limits, args)
        with running(run), prepared(run):
            return link.start()[1]

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

        context = context or self._context
        link = self._links.get(context.facts)
        return Stepper(
            lambda: link.start()[1],
            host=host,
            context=context,
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
        """Call the function `name`. The program's own forms run once, before the first call under each link.

        Raises:
            UndefinedSymbol: nothing has this name.
            RtfsError, Exception: as `run`.
        """
        from rtfs.convert import from_python
        from rtfs.emit_python.blame import blamed
        from rtfs.stdlib.registry import callback

        context = context or self._context
        link = self._links.get(context.facts)
        run = new_run(host, context, limits, None)
        with running(run), prepared(run):
            function = link.namespace().value(name)
            try:
                return callback(function, len(args), name)(*map(from_python, args))
            except Exception as exc:
                raise blamed(exc).with_traceback(None) from None

    def python_source(self) -> str:
        """The generated Python, for people to read; names in it may be no Python names.

        It is what runs where nothing is delegated.
        """
        import ast

        from rtfs.emit_python.backend import emit_module
        from rtfs.emit_python.frames import Frame

        unit = self.program.unit
        with deep_recursion(ANALYSIS_DEPTH):
            module, _ = emit_module(Frame(unit.forms, unit.stable), unit.source)
            return ast.unparse(module)

    def artifact(self, unit: ir.Unit) -> Artifact | None:
        """The code of `unit`, compiled once; None if only the interpreter can run it."""
        return self.program.code(unit).artifact


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
