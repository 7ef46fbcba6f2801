"""RTFS expressions made in Python, as data: no text is ever pasted into text.

    call("+", sym("x"), 1)                      (+ x 1)
    let({"y": call("inc", sym("x"))}, sym("y"))   (let [y (inc x)] y)

A Python string is a string literal, never code; `source` is the one way in for text that is code. `None`,
booleans, numbers, RTFS keywords and other values are themselves; lists and tuples are vectors, dicts are maps
(string keys), sets are sets, each with expressions inside.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, runtime_checkable

from rtfs import errors
from rtfs.forms import MetaForm
from rtfs.values import (
    INT_MAX,
    INT_MIN,
    MAP_KEY_TYPES,
    Keyword,
    List,
    Map,
    ResourceHandle,
    Set,
    Symbol,
    Timestamp,
    Uuid,
    Value,
    Vector,
    type_name,
)


@runtime_checkable
class HasForm(Protocol):
    """An expression or a builder."""

    @property
    def form(self) -> Value:
        """What the reader makes of its source."""


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """One expression. Equal to another by `source()`."""

    form: Value

    def source(self) -> str:
        """Its text."""
        return render((self.form,))


#: an expression or a builder, or anything the module's docstring names; Python has no type for it
type Operand = Any

_FN: Final = Symbol.of("fn")
_LET: Final = Symbol.of("let")
_IF: Final = Symbol.of("if")
_DO: Final = Symbol.of("do")
_QUOTE: Final = Symbol.of("quote")

# ---------------------------------------------------------------- making expressions


def sym(name: str) -> Expression:
    """A name.

    Raises:
        ValueError: the reader would not read it as one symbol.
    """
    return Expression(symbol(name))


def kw(name: str) -> Expression:
    """`:name`.

    Raises:
        ValueError: the reader would not read it as one keyword.
    """
    return Expression(keyword(name))


def source(text: str) -> Expression:
    """Text that is code. It must be one whole form, so that it cannot reach beyond its place.

    Raises:
        ReadError: it cannot be read.
        ValueError: it is no form, or more than one.
    """
    from rtfs.reader import read

    forms = read(text, "<source>").forms
    if len(forms) != 1:
        raise ValueError(f"expected the text of one form, got {len(forms)} forms")
    return Expression(forms[0])


def call(head: str | Operand, *args: Operand) -> Expression:
    """`(head arg…)`; a string names the function."""
    callee = symbol(head) if isinstance(head, str) else to_form(head)
    return Expression(List([callee, *map(to_form, args)]))


def let(bindings: Mapping[str, Operand] | Iterable[tuple[str, Operand]], *body: Operand) -> Expression:
    """`(let [name value …] body…)`."""
    pairs = bindings.items() if isinstance(bindings, Mapping) else bindings
    flat = [part for name, value in pairs for part in (binding(name), to_form(value))]
    return Expression(List([_LET, Vector(flat), *_body("let", body)]))


def if_(test: Operand, then: Operand, otherwise: Operand = None) -> Expression:
    """`(if test then otherwise)`."""
    return Expression(List([_IF, to_form(test), to_form(then), to_form(otherwise)]))


def do(*body: Operand) -> Expression:
    """`(do body…)`."""
    return Expression(List([_DO, *map(to_form, body)]))


def fn(parameters: Iterable[str], *body: Operand) -> Expression:
    """`(fn [parameter…] body…)`."""
    return Expression(List([_FN, Vector([binding(name) for name in parameters]), *_body("fn", body)]))


def quote(data: Operand) -> Expression:
    """`'data`: the expression as data."""
    return Expression(List([_QUOTE, to_form(data)]))


def _body(head: str, body: tuple[Operand, ...]) -> list[Value]:
    if not body:
        raise ValueError(f"`{head}` needs a body of at least one expression")
    return [to_form(each) for each in body]


# ---------------------------------------------------------------- Python to forms


def symbol(name: str) -> Symbol:
    """The symbol of that name, if the reader reads it so."""
    return _named(Symbol, name, name, "symbol")


def binding(name: str) -> Symbol:
    """The symbol of a name to be bound: any but `&`, which marks a rest parameter."""
    if name == "&":
        raise ValueError("`&` is no name to bind")
    return symbol(name)


def keyword(name: str) -> Keyword:
    """The keyword of that name, without colon, if the reader reads it so."""
    return _named(Keyword, name, f":{name}", "keyword")


def _named[T: (Symbol, Keyword)](kind: type[T], name: str, text: str, what: str) -> T:
    from rtfs.reader import read

    try:
        forms = read(text).forms
    except errors.ReadError:
        forms = ()
    if len(forms) == 1 and type(forms[0]) is kind and forms[0].name == name:
        return forms[0]
    raise ValueError(f"`{name}` is no {what} that RTFS can read")


def to_form(operand: Operand) -> Value:
    """The form of an operand.

    Raises:
        ValueError: it has none, or a name or number in it is not RTFS's.
    """
    if isinstance(operand, HasForm):
        return operand.form
    convert = _CONVERSIONS.get(type(operand))
    if convert is None:
        raise ValueError(f"no RTFS expression can be made of a Python {type(operand).__name__}")
    return convert(operand)


def _integer(number: int) -> int:
    if INT_MIN <= number <= INT_MAX:
        return number
    raise ValueError(f"an integer of RTFS has 64 bits, got {number.bit_length()} bits and a sign")


def _map(entries: Mapping[Any, Operand] | Map) -> Map:
    made: dict[Value, Value] = {}
    for key, value in entries.items():
        if type(key) not in MAP_KEY_TYPES:
            raise ValueError(f"a map key must be a string, keyword or integer, got a {type_name(key)}")
        made[to_form(key)] = to_form(value)
    return Map(made)


def _itself(value: Value) -> Value:
    return value


_CONVERSIONS: Final[dict[type, Any]] = {
    type(None): _itself,
    bool: _itself,
    float: _itself,
    str: _itself,
    Timestamp: _itself,
    Uuid: _itself,
    ResourceHandle: _itself,
    int: _integer,
    Symbol: lambda value: symbol(value.name),
    Keyword: lambda value: keyword(value.name),
    list: lambda items: Vector([to_form(item) for item in items]),
    tuple: lambda items: Vector([to_form(item) for item in items]),
    Vector: lambda items: Vector([to_form(item) for item in items]),
    List: lambda items: List([to_form(item) for item in items]),
    dict: _map,
    Map: _map,
    set: lambda items: Set([to_form(item) for item in items]),
    frozenset: lambda items: Set([to_form(item) for item in items]),
    Set: lambda items: Set([to_form(item) for item in items]),
}

# ---------------------------------------------------------------- forms to text


def render(forms: tuple[Value, ...]) -> str:
    """The text of forms, which reads back to the same forms.

    Raises:
        ValueError: it would not: a value inside has a text that is something else.
    """
    from rtfs.fmt import format_source
    from rtfs.printer import pr_str
    from rtfs.reader import read

    try:
        text = format_source("\n\n".join(pr_str(form) for form in forms)).rstrip("\n")
        back = read(text).forms
    except errors.ReadError as error:
        raise ValueError(f"these forms have no text that RTFS can read: {error.text()}") from error
    if not same_forms(List(forms), List(back)):
        raise ValueError("these forms have no text that reads back to the same forms")
    return text


def same_forms(a: Value, b: Value) -> bool:
    """Whether two forms are the same but for their places in a text. Walks with a list of its own."""
    todo = [(a, b)]
    while todo:
        a, b = todo.pop()
        if type(a) is not type(b):
            return False
        left, right = _inside(a), _inside(b)
        if left is None or right is None:
            if a != b and not (a != a and b != b):  # NaN is the same form as NaN
                return False
            continue
        if len(left) != len(right):
            return False
        todo.extend(zip(left, right, strict=True))
    return True


def _inside(form: Value) -> list[Value] | None:
    """The parts of a compound form, None if it is a leaf."""
    kind = type(form)
    if kind in (List, Vector, Set):
        items: list[Value] = form.to_list()
        return items
    if kind is Map:
        return [part for entry in form.items() for part in entry]
    if kind is MetaForm:
        return [*(part for entry in form.entries for part in entry), form.hint, form.form]
    return None
