"""The entry of the interpreter. Importing it fills the table of handlers."""

from __future__ import annotations

from rtfs import ir
from rtfs.border import place, translate
from rtfs.interpret import control, data, definitions, effects, functions  # noqa: F401
from rtfs.interpret.core import Env, World, evaluate
from rtfs.interpret.functions import interpreting
from rtfs.interpret.scopes import TOP, homes
from rtfs.namespace import Modules, Namespace
from rtfs.run import current_run
from rtfs.values import Value


def run_unit(unit: ir.Unit, namespace: Namespace, modules: Modules) -> Value:
    """Run `unit` in `namespace`, within the current run. The value of its last form, nil if it has none.

    Raises:
        RtfsError: whatever the program raises; never any other exception.
    """
    world = World(namespace, modules, unit.source, homes(unit.forms))
    try:
        with interpreting(current_run()):
            value = None
            for form in unit.forms:
                value = evaluate(form, Env(world, None, TOP))
            return value
    except Exception as exc:
        error = translate(exc)
    place(error, unit.source, None)
    raise error.with_traceback(None)
