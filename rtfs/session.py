"""A session: inputs one after another, each seeing what the earlier ones defined. What a REPL talks to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rtfs import ir
from rtfs.analyze.environment import Environment, ModuleStore
from rtfs.analyze.program import analyze
from rtfs.emit_python.artifact import run_artifact
from rtfs.emit_python.backend import compile_frame, emit_module
from rtfs.emit_python.frames import Frame
from rtfs.interpret import run_unit
from rtfs.namespace import Modules, Namespace, global_key
from rtfs.program import ANALYSIS_DEPTH, finished, new_run, prepared
from rtfs.reader import read
from rtfs.run import Limits, deep_recursion, running
from rtfs.values import Value

if TYPE_CHECKING:
    from rtfs.host import Host
    from rtfs.security import RuntimeContext


class Session:
    """Globals, macros, types and modules that live from input to input."""

    def __init__(
        self,
        host: Host | None = None,
        context: RuntimeContext | None = None,
        limits: Limits | None = None,
        *,
        modules: ModuleStore | None = None,
        args: Mapping[str, Any] | None = None,
        name: str = "repl",
    ) -> None:
        self.host = host
        self.context = context
        self.limits = limits
        self.args = args
        self.name = name
        self.environment = Environment(modules)
        self._modules = Modules(self._module_unit, self._run)
        self.namespace: Namespace = self._modules.frame()
        #: source name → text of each input, for error reports
        self.texts: dict[str, str] = {}
        self._inputs = 0
        #: units run so far; each has constants of its own in the shared frame
        self._units = 0

    def analyze(self, text: str, source: str | None = None) -> ir.Unit:
        """The IR of one input; what it defines is known to later ones.

        Args:
            source: what errors call the text, such as the name of its file; by default its number.

        Raises:
            RtfsError: it cannot be read, or is no program; it then has defined nothing.
        """
        self._inputs += 1
        source = source or f"<{self.name} {self._inputs}>"
        self.texts[source] = text
        with deep_recursion(ANALYSIS_DEPTH):
            return finished(analyze(read(text, source), self.environment, session=True))

    def evaluate(self, text: str, source: str | None = None) -> Value:
        """The value of the last form of one input. `source`: as for `analyze`.

        Raises:
            RtfsError: whatever reading, analysing or running raises. Definitions made before it stay.
        """
        return self.run(self.analyze(text, source))

    def run(self, unit: ir.Unit) -> Value:
        """Run an analysed input."""
        run = new_run(self.host, self.context, self.limits, self.args)
        with running(run), prepared(run):
            return self._run(unit, self.namespace, self._modules)

    def python_source(self, unit: ir.Unit) -> str:
        """The Python generated for an analysed input."""
        import ast

        module, _ = emit_module(Frame(unit.forms, unit.stable), unit.source, session=True)
        return ast.unparse(module)

    def _module_unit(self, name: str) -> ir.Unit | None:
        with deep_recursion(ANALYSIS_DEPTH):
            unit = self.environment.module_unit(name)
            return None if unit is None else finished(unit)

    def _run(self, unit: ir.Unit, namespace: Namespace, modules: Modules) -> Value:
        self._units += 1
        frame = Frame(unit.forms, unit.stable)
        artifact = compile_frame(frame, unit.source, session=True, prefix=f"{self._units}")
        if artifact is None:
            return run_unit(unit, namespace, modules)
        return run_artifact(artifact, unit.source, namespace, modules)

    def names(self) -> list[str]:
        """Names defined in the session, in order of definition."""
        return self.namespace.names()

    def define(self, name: str, value: Value) -> None:
        """Bind a name, such as `*1`, from outside."""
        self.environment.globals.add(name)
        self.environment.macros.pop(name, None)
        self.namespace.values[global_key(name)] = value

    def lookup(self, name: str) -> Value:
        """The value of a name: the session's, or a builtin's.

        Raises:
            UndefinedSymbol: there is none.
        """
        return self.namespace.value(name)
