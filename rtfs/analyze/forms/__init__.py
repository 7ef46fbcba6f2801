"""The special forms, by family. Importing this package fills `rtfs.analyze.core.SPECIAL`."""

from rtfs.analyze.forms import (
    bindings,
    control,
    data,
    definitions,
    errors_forms,
    functions,
    iteration,
    loops,
    matching,
    modules,
    objects,
    removed,
    steps,
)

__all__ = [
    "bindings",
    "control",
    "data",
    "definitions",
    "errors_forms",
    "functions",
    "iteration",
    "loops",
    "matching",
    "modules",
    "objects",
    "removed",
    "steps",
]
