"""Values over the border: the Python functions that stand for wasm functions.

Each is generated for its kinds of arguments, since a loop over them would cost more than the call. Nothing of a
program's text gets into the generated code.
"""

from __future__ import annotations

from functools import cache
from math import nan
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, Final

from rtfs.emit_wasm.kinds import Kind
from rtfs.values import INT_MAX, INT_MIN, Value, Vector

if TYPE_CHECKING:
    from rtfs.emit_wasm.execute import Guarded

_TESTS: Final = {
    Kind.INT: "type({0}) is int",
    Kind.FLOAT: "type({0}) is float",
    Kind.BOOL: "type({0}) is bool",
    Kind.INTS: "type({0}) is Vector",
    Kind.FLOATS: "type({0}) is Vector",
    Kind.STRING: "type({0}) is str",
}
_STORES: Final = {
    Kind.INT: "slot.ints[{1}] = {0}",
    Kind.FLOAT: "slot.floats[{1}] = {0}",
    Kind.BOOL: "slot.ints[{1}] = {0}",
    Kind.INTS: "slot.ints[{1}] = next(addresses)",
    Kind.FLOATS: "slot.ints[{1}] = next(addresses)",
    Kind.STRING: "slot.ints[{1}] = next(addresses)",
}
_RESULTS: Final = {
    Kind.INT: "slot.ints[0]",
    Kind.FLOAT: "real(slot.floats[0])",
    Kind.BOOL: "slot.ints[0] & 1 == 1",
    Kind.NIL: "None",
    Kind.QUOTIENT: "quotient(slot.floats[0])",
    Kind.INTS: "slot.memory.vector(slot.ints[0], 'q')",
    Kind.FLOATS: "slot.memory.vector(slot.ints[0], 'd')",
    Kind.STRING: "slot.memory.text(slot.ints[0])",
}
#: the array type codes of vectors' items, and what stands for strings
_CODES: Final = {Kind.INTS: "q", Kind.FLOATS: "d", Kind.STRING: "s"}
_TEMPLATE: Final = """
def wasm({params}):
    if guarded.on and {tests} and fits():
        slot = take(){vectors}
        {stores}
        ticker.busy = True
        if not ticker.alive:
            ticker.start()
        error = call(slot.context, slot.functions[name][1], slot.words, {words}, slot.trap)
        if error or slot.error:
            return guarded.left(slot, error{args})
        result = {result}
        put(slot)
        return result
    return guarded.other({plain})
"""
#: for modules with a memory
_VECTORS: Final = """
        addresses = slot.memory.place(({placed}))
        if addresses is None:
            put(slot)
            return guarded.other({plain})"""


#: 64-bit words of one argument, of which the first is used
WORDS: Final = 2


def wrapper(guarded: Guarded) -> FunctionType:
    """A Python function that runs the wasm function, or its body."""
    function, module = guarded.function, guarded.module
    code = _code(function.params, function.result, module.has_memory)
    names: dict[str, Any] = {
        "__builtins__": {"type": type, "int": int, "float": float, "bool": bool, "str": str, "next": next},
        "guarded": guarded,
        "fits": guarded.fits,
        "take": module.take,
        "put": module.put,
        "ticker": module.engine.ticker,
        "call": module.engine.raw.call,
        "name": function.name,
        "quotient": quotient,
        "real": real,
        "Vector": Vector,
    }
    made = FunctionType(code, names, function.name)
    made.rtfs_wasm = guarded  # type: ignore[attr-defined]
    return made


@cache
def _code(params: tuple[Kind, ...], result: Kind, memory: bool) -> CodeType:
    names = [f"a{index}" for index in range(len(params))]
    both = list(zip(names, params, strict=True))
    plain = ", ".join(names)
    placed = "".join(f"({each}, '{_CODES[kind]}'), " for each, kind in both if kind in _CODES)
    text = _TEMPLATE.format(
        params=f"{plain}, /" if names else "",
        tests=" and ".join([_TESTS[kind].format(each) for each, kind in both] or ["True"]),
        vectors=_VECTORS.format(placed=placed, plain=plain) if memory else "",
        stores="\n        ".join(
            [_STORES[kind].format(each, WORDS * index) for index, (each, kind) in enumerate(both)] or ["pass"]
        ),
        words=max(1, len(params)),
        result=_RESULTS[result],
        args="".join(f", {each}" for each in names),
        plain=plain,
    )
    module = compile(text, "<wasm>", "exec", dont_inherit=True)
    return next(each for each in module.co_consts if isinstance(each, CodeType))


def real(value: float) -> float:
    """The float itself; of NaN the one that Python has, whatever else its bits say."""
    return value if value == value else nan


def quotient(value: float) -> Value:
    """The number that a quotient stands for."""
    if value != value:
        return nan
    if value.is_integer() and INT_MIN <= value <= INT_MAX:
        return int(value)
    return value
