"""Forms → IR: macros, names, destructuring, `match`.

`analyze(program, env)` is the whole of it; an `Environment` is what a session keeps.
"""

from rtfs.analyze.environment import Environment, Evaluate, Macro, MappingModules, ModuleStore, NoModules
from rtfs.analyze.program import analyze

__all__ = ["Environment", "Evaluate", "Macro", "MappingModules", "ModuleStore", "NoModules", "analyze"]
