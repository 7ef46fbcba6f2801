"""How a builtin is declared.

    @builtin("inc")
    def inc(x: Value) -> Value:
        '''Add one.

        (inc 41) => 42
        (inc "a") => !TypeError
        '''

The docstring's first paragraph is what `(doc inc)` shows; each line with ` => ` is an example that a test runs:
left an expression, right the printed (`pr-str`) value, or `!` and the category of the error.

A builtin is a plain Python function with positional parameters only, so that generated code can call it
directly. Too few or too many arguments raise Python's TypeError, which the border turns into ArityMismatch
from the bounds in its `Builtin`.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Final

from rtfs import errors
from rtfs.values import Value, is_function, type_name

#: `inspect.CO_VARARGS`; that module is slow to load
_VARARGS: Final = 4
#: what stands between an example and its outcome
_EXAMPLE: Final = " => "


class Builtin:
    """A function of the standard library and what is known about it.

    What only people ask for is made from the function when they do: most runs never look at it.
    """

    __slots__ = ("effect", "function", "least", "module", "most", "name")

    def __init__(self, name: str, function: FunctionType, *, effect: bool) -> None:
        self.name = name
        self.function = function
        #: the group, such as `strings`
        self.module = function.__module__.rpartition(".")[2]
        #: `most` is None for any number
        self.least, self.most = arity(function)
        #: asks the host, or depends on it
        self.effect = effect

    @property
    def doc(self) -> str:
        """The docstring without its examples."""
        return "\n".join(line for line in _doc_lines(self.function) if _EXAMPLE not in line).strip()

    @property
    def examples(self) -> tuple[tuple[str, str], ...]:
        """Expressions and their outcomes."""
        lines = [line.partition(_EXAMPLE) for line in _doc_lines(self.function) if _EXAMPLE in line]
        return tuple((left.strip(), right.strip()) for left, _, right in lines)

    @property
    def parameters(self) -> str:
        """Parameter names for `(doc f)`, `& xs` for a rest."""
        return _parameters(self.function)


#: every builtin by each of its names
REGISTERED: Final[dict[str, Builtin]] = {}
BY_FUNCTION: Final[dict[FunctionType, Builtin]] = {}


def builtin[F: Callable[..., Value]](name: str, *aliases: str, effect: bool = False) -> Callable[[F], F]:
    """Register the decorated function as `name`, and under `aliases`."""

    def register(function: F) -> F:
        assert isinstance(function, FunctionType)
        assert name not in REGISTERED, name
        entry = BY_FUNCTION[function] = Builtin(name, function, effect=effect)
        for each in (name, *aliases):
            REGISTERED[each] = entry
        return function

    return register


def _doc_lines(function: FunctionType) -> list[str]:
    import inspect

    return inspect.cleandoc(function.__doc__ or "").splitlines()


def _parameters(function: FunctionType) -> str:
    import inspect

    parts = []
    for parameter in inspect.signature(function).parameters.values():
        name = parameter.name.strip("_").replace("_", "-")
        if parameter.kind is parameter.VAR_POSITIONAL:
            name = f"& {name}"
        elif parameter.default is not parameter.empty:
            name += "?"
        parts.append(name)
    return " ".join(parts)


def arity(function: FunctionType) -> tuple[int, int | None]:
    """Least and most positional arguments; most is None for `*args`."""
    code = function.__code__
    least = code.co_argcount - len(function.__defaults__ or ())
    return least, None if code.co_flags & _VARARGS else code.co_argcount


def expected_arity(least: int, most: int | None) -> str:
    """`2`, `at least 1`, `1 or 2`, `1 to 3`: the text of ArityMismatch."""
    if most is None:
        return f"at least {least}"
    if least == most:
        return str(least)
    return f"{least} or {most}" if most == least + 1 else f"{least} to {most}"


def arity_error(function: Value, given: int) -> errors.ArityMismatch:
    """The error for calling `function` with `given` arguments."""
    entry = BY_FUNCTION.get(function)
    least, most = arity(function)
    # generated code adds `·` and a number to a function's name
    name = entry.name if entry else getattr(function, "__name__", "user-defined function").partition("·")[0]
    return errors.ArityMismatch(name, expected_arity(least, most), given)


def callback(f: Value, given: int, operation: str) -> Callable[..., Value]:
    """`f`, known to take `given` arguments. A higher-order builtin calls it once, before its first call of f.

    Raises:
        TypeMismatch: f is nothing that can be called.
        ArityMismatch: it takes another number.
    """
    if type(f) is FunctionType:
        code = f.__code__
        if code.co_argcount == given and not f.__defaults__:
            return f
        least, most = arity(f)
        if given < least or (most is not None and given > most):
            raise arity_error(f, given)
        return f
    if callable(f) and not is_function(f):  # keyword, map, set, vector
        if 1 <= given <= 2:
            return f  # type: ignore[no-any-return]
        raise errors.ArityMismatch(type_name(f), "1 or 2", given)
    raise errors.TypeMismatch("function", type_name(f), operation)
