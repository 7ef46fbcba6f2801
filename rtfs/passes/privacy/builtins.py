"""Calls of builtins, and builtins as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rtfs import ir
from rtfs.passes.callers import CALLERS
from rtfs.passes.privacy.flow import LABELS, NOTHING, Function, Site
from rtfs.passes.privacy.functions import call_computed, global_of, lambda_of
from rtfs.passes.privacy.host import ask_capabilities, give_to_host, read_context
from rtfs.passes.privacy.library import ALL, BY_NAME, CAPABILITIES, MAKERS, THROWERS
from rtfs.passes.privacy.program import GlobalCall, Place, Program
from rtfs.values import Keyword, Symbol


def call_builtin(program: Program, name: str, args: Sequence[ir.Node], into: int, place: Place) -> None:
    """A call of a builtin by its name."""
    name = canonical(name)
    if name in CALLERS or name in MAKERS:
        _call_functions(program, name, args, into, place)
        return
    if name not in _SPECIAL:
        program.visit_all(args, into, place)
        return
    key = _text(args[0]) if args else None
    if name == "context/get":
        program.visit_all(args, into, place)
        read_context(program, key, into, place)
        return
    given = [program.value_of(arg, place) for arg in args]
    _special(program, name, key, Site(NOTHING, given, into, place.condition, place.touched))


def _special(program: Program, name: str, key: str | None, site: Site) -> None:
    """A call of a builtin with effects, or of one that throws. `key`: its first argument, if that is a text."""
    flow = program.flow
    for arg in site.args:
        flow.join(arg, site.result)
        flow.join(arg, site.touched)
    if name in CAPABILITIES:
        known = CAPABILITIES[name]
        ask_capabilities(program, {key} if known is None else set(known), site.args, site)
    elif name in THROWERS:
        for arg in site.args:
            flow.join(arg, program.thrown)
    elif name == "context/set":
        give_to_host(program, site.args, site.condition)
    else:
        assert name == "gensym"
        flow.join(site.condition, program.serial)
        flow.join(program.serial, site.result)


_SPECIAL = frozenset((*CAPABILITIES, *THROWERS, "context/get", "context/set", "gensym"))


def _text(node: ir.Node) -> str | None:
    """The name that a constant key or id gives."""
    value = node.value if isinstance(node, ir.Constant) else None
    if type(value) is Keyword or type(value) is Symbol:
        return str(value.name)
    return value if type(value) is str else None


def canonical(name: str) -> str:
    """The first name of a builtin, which may have others."""
    from rtfs.stdlib.table import BUILTINS

    return BUILTINS[name].name


def is_builtin(name: str) -> bool:
    """Whether the library has a builtin of that name."""
    from rtfs.stdlib.table import BUILTINS

    return name in BUILTINS


def _call_functions(program: Program, name: str, args: Sequence[ir.Node], into: int, place: Place) -> None:
    """A builtin that calls functions among its arguments, now or when what it gives is called.

    It may pass them any of its other arguments and of what they answer, in any order, any number of times.
    """
    flow = program.flow
    mixed = program.new_value(place)
    condition = program.new_labels(place.condition, mixed)
    flow.join(mixed, into)
    site = Site(NOTHING, [mixed], mixed, condition, place.touched, mixed=True)
    positions = CALLERS[name] if name in CALLERS else MAKERS[name]
    for index, arg in enumerate(args):
        if positions is not ALL and index not in positions:
            program.visit(arg, mixed, place)
            continue
        _call_argument(program, arg, site, place)
        if name in BY_NAME:
            _call_named(program, arg, site, place)
    if name in MAKERS:
        flow.add_function(into, Function([([], mixed)], mixed, condition, place.touched))


def _call_argument(program: Program, arg: ir.Node, site: Site, place: Place) -> None:
    """A builtin calls `arg`."""
    if isinstance(arg, ir.Lambda):
        program.flow.link(site, lambda_of(program, arg, place))
    elif isinstance(arg, ir.BuiltinRef):
        function = builtin_function(program, arg.name)
        if function is not None:
            program.flow.link(site, function)
    elif isinstance(arg, ir.GlobalRef | ir.QualifiedRef):
        variable = global_of(program, arg, place)
        program.global_calls.append(GlobalCall(replace(site, callee=variable)))
    elif not isinstance(arg, ir.Constant):
        call_computed(program, replace(site, callee=program.value_of(arg, place)))


def _calling(program: Program) -> Function:
    """A function that calls every function among its arguments with any others of them, in any order."""
    new = program.flow.variable
    mixed, condition, touched = new(), new(LABELS), new(LABELS)
    program.flow.add_site(Site(mixed, [mixed], mixed, condition, touched, mixed=True))
    return Function([([], mixed)], mixed, condition, touched)


def _call_named(program: Program, arg: ir.Node, site: Site, place: Place) -> None:
    """`arg` may give the name of any builtin, or of a value of the run, for `update` to call."""
    if isinstance(arg, ir.Lambda | ir.BuiltinRef) or (
        isinstance(arg, ir.Constant) and type(arg.value) is not str
    ):
        return

    def unknown() -> None:
        _call_anything(program, site)

    if isinstance(arg, ir.GlobalRef):
        variable = program.global_(place.module, arg.name)
        program.global_calls.append(GlobalCall(replace(site, callee=variable), unknown))
    else:
        unknown()


def _call_anything(program: Program, site: Site) -> None:
    """A call of what may be any builtin, or a function of the run."""
    ask_capabilities(program, {None}, site.args, site)
    program.flow.add_labels(site.result, program.sources.of_context(None))
    for arg in site.args:
        program.flow.join(arg, program.thrown)


def builtin_value(program: Program, name: str, into: int) -> None:
    """A builtin that is used as a value."""
    function = builtin_function(program, name)
    if function is not None:
        program.flow.add_function(into, function)


def builtin_function(program: Program, name: str) -> Function | None:
    """The variables of a builtin that is used as a value; None if it only joins its arguments."""
    name = canonical(name)
    known = program.builtins.get(name)
    if known is not None or name not in _VALUES:
        return known
    calls = name in CALLERS or name in MAKERS
    program.builtins[name] = known = _calling(program) if calls else _effect(program, name)
    if name in MAKERS:
        program.flow.add_function(known.result, known)
    if name in BY_NAME:
        args = known.result
        _call_anything(program, Site(NOTHING, [args], args, known.condition, known.touched, mixed=True))
    return known


_VALUES = frozenset((*CALLERS, *MAKERS, *_SPECIAL))


def _effect(program: Program, name: str) -> Function:
    """A builtin with effects, or one that throws, as a value."""
    new = program.flow.variable
    args, result, condition, touched = new(), new(), new(LABELS), new(LABELS)
    site = Site(NOTHING, [args], result, condition, touched, mixed=True)
    if name == "context/get":
        program.flow.add_labels(result, program.sources.of_context(None))
        program.flow.edges[program.host].append(result)
        program.flow.edges[args].append(result)
    else:
        _special(program, name, None, site)
    return Function([([], args)], result, condition, touched)
