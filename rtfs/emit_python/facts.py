"""What is known about a value at one point of a program: which kinds it may be, and the range of its integers.

A fact is a set of kinds as bits, and bounds that hold *if* the value is an integer. Facts flow forward with
evaluation: once `(< n 2)` has been evaluated without an error, n is a number, and in its else branch an
integer n is at least 2, so that `(- n 1)` cannot overflow and needs no check.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from rtfs.types import model as types
from rtfs.values import INT_MAX, INT_MIN, Keyword, List, Map, Set, Value, Vector

NIL: Final = 1
BOOL: Final = 2
INT: Final = 4
FLOAT: Final = 8
STRING: Final = 16
KEYWORD: Final = 32
VECTOR: Final = 64
LIST: Final = 128
MAP: Final = 256
SET: Final = 512
OTHER: Final = 1024
NUMBER: Final = INT | FLOAT
ALL: Final = 2047

_KIND_OF: Final = {
    type(None): NIL,
    bool: BOOL,
    int: INT,
    float: FLOAT,
    str: STRING,
    Keyword: KEYWORD,
    Vector: VECTOR,
    List: LIST,
    Map: MAP,
    Set: SET,
}


class Fact(NamedTuple):
    """`kinds` 0 means that there is no value: the expression does not return."""

    kinds: int
    low: int = INT_MIN
    high: int = INT_MAX

    def only(self, kinds: int) -> bool:
        """Whether the value is certainly of one of `kinds`."""
        return self.kinds & ~kinds == 0

    def join(self, other: Fact) -> Fact:
        """What holds of a value that is one or the other."""
        if not other.kinds & INT:
            return Fact(self.kinds | other.kinds, self.low, self.high)
        if not self.kinds & INT:
            return Fact(self.kinds | other.kinds, other.low, other.high)
        return Fact(self.kinds | other.kinds, min(self.low, other.low), max(self.high, other.high))

    def restrict(self, kinds: int, low: int = INT_MIN, high: int = INT_MAX) -> Fact:
        """What holds once the value is known to be one of `kinds`, and within bounds if an integer."""
        return Fact(self.kinds & kinds, max(self.low, low), min(self.high, high))

    def within(self, other: Fact) -> bool:
        """Whether every value this allows, `other` allows too."""
        if self.kinds & ~other.kinds:
            return False
        return not self.kinds & INT or (self.low >= other.low and self.high <= other.high)

    def widened(self, other: Fact) -> Fact:
        """A fact that holds of both and can only be widened a few times: moving bounds give way at once."""
        joined = self.join(other)
        low = self.low if joined.low >= self.low else INT_MIN
        high = self.high if joined.high <= self.high else INT_MAX
        return Fact(joined.kinds, low, high)


ANY: Final = Fact(ALL)
NOTHING: Final = Fact(0)
A_BOOL: Final = Fact(BOOL)
A_NUMBER: Final = Fact(NUMBER)
AN_INT: Final = Fact(INT)
A_STRING: Final = Fact(STRING)


def of_value(value: Value) -> Fact:
    """The fact of a constant."""
    if type(value) is int:
        return Fact(INT, value, value)
    return Fact(_KIND_OF.get(type(value), OTHER))


_OF_TYPE: Final = {
    "nil": NIL,
    "bool": BOOL,
    "int": INT,
    "float": NUMBER,  # an integer passes where a float is expected, unchanged
    "number": NUMBER,
    "string": STRING,
    "keyword": KEYWORD,
    "vector": VECTOR,
    "list": LIST,
    "map": MAP,
    "set": SET,
}


def of_type(declared: types.Type | None) -> Fact:
    """What a value that passed the check for `declared` is known to be."""
    match declared:
        case types.Primitive(name):
            return Fact(_OF_TYPE.get(name, ALL))
        case types.OptionalType(item):
            return of_type(item).join(Fact(NIL))
        case types.VectorType() | types.TupleType() | types.ArrayType():
            return Fact(VECTOR)
        case types.MapType() | types.MapOfType():
            return Fact(MAP)
        case types.UnionType(items) if items:
            found = of_type(items[0])
            for item in items[1:]:
                found = found.join(of_type(item))
            return found
        case _:
            return ANY


_BOOLEAN_RESULTS: Final = (
    "= not= != < > <= >= not zero? pos? neg? even? odd? nil? int? float? number? string? string-p bool? "
    "boolean? map? vector? list? set? coll? keyword? symbol? fn? error? true? false? empty? contains? every? "
    "some? string-contains string-contains? starts-with? ends-with? re-matches not-any? not-every?"
)
#: what builtins return, where it is worth knowing
RESULTS: Final[dict[str, Fact]] = {
    **dict.fromkeys(_BOOLEAN_RESULTS.split(), A_BOOL),
    **dict.fromkeys("+ - * inc dec abs max min mod rem quot".split(), A_NUMBER),
    **dict.fromkeys("count length string-length".split(), Fact(INT, 0)),
    **dict.fromkeys("int factorial".split(), AN_INT),
    **dict.fromkeys(
        "str string-upper string-lower string-trim join string-join pr-str type-name".split(), A_STRING
    ),
    "/": A_NUMBER,
    "sqrt": Fact(FLOAT),
    "float": Fact(FLOAT),
    **dict.fromkeys("map filter vector vec range split map-indexed".split(), Fact(VECTOR)),
}


def sum_of(a: Fact, b: Fact) -> Fact:
    """`a + b` of two numbers, before the check for overflow: bounds may lie outside 64 bits."""
    return Fact(_arithmetic_kinds(a, b), a.low + b.low, a.high + b.high)


def difference_of(a: Fact, b: Fact) -> Fact:
    """`a - b` of two numbers, before the check for overflow."""
    return Fact(_arithmetic_kinds(a, b), a.low - b.high, a.high - b.low)


def product_of(a: Fact, b: Fact) -> Fact:
    """`a * b` of two numbers, before the check for overflow."""
    corners = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
    return Fact(_arithmetic_kinds(a, b), min(corners), max(corners))


def _arithmetic_kinds(a: Fact, b: Fact) -> int:
    kinds = (a.kinds | b.kinds) & FLOAT
    if a.kinds & INT and b.kinds & INT:
        kinds |= INT
    return kinds


def checked(fact: Fact) -> Fact:
    """The fact after the check for overflow."""
    return Fact(fact.kinds, max(fact.low, INT_MIN), min(fact.high, INT_MAX))
