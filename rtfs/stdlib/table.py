"""The whole standard library."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType, ModuleType
from typing import Final

from rtfs.stdlib import (
    arithmetic,
    building,
    conversion,
    effects,
    errors_lib,
    functions,
    higher_order,
    json_text,
    llm,
    logic,
    maps,
    mathematics,
    misc,
    predicates,
    regex,
    sequences,
    sets,
    sorting,
    splitting,
    strings,
    tickets,
)
from rtfs.stdlib.registry import REGISTERED, Builtin

#: the modules that register builtins, in the order of a guide
MODULES: Final[tuple[ModuleType, ...]] = (
    arithmetic,
    mathematics,
    logic,
    predicates,
    conversion,
    strings,
    regex,
    json_text,
    sequences,
    building,
    maps,
    sets,
    splitting,
    sorting,
    higher_order,
    functions,
    errors_lib,
    tickets,
    misc,
    effects,
    llm,
)

#: every builtin by each of its names
BUILTINS: Final[Mapping[str, Builtin]] = MappingProxyType(REGISTERED)

#: module → the heading of its group for readers
TITLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "arithmetic": "Arithmetic and comparison",
        "mathematics": "Mathematics",
        "logic": "Logic and order",
        "predicates": "Predicates",
        "conversion": "Conversion",
        "strings": "Strings",
        "regex": "Regular expressions",
        "json_text": "JSON",
        "sequences": "Sequences",
        "building": "Making collections",
        "maps": "Maps",
        "sets": "Sets",
        "splitting": "Cutting collections",
        "sorting": "Sorting",
        "higher_order": "Functions over collections",
        "functions": "Functions of functions",
        "errors_lib": "Errors",
        "tickets": "Tickets",
        "misc": "Various",
        "effects": "Effects",
        "llm": "Language models",
    }
)
