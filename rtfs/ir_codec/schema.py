"""The format: what may be stored, under which number, and which values each field may have.

    stored  = MAGIC, FORMAT_VERSION, IR_VERSION, strings, operation*    (a unit)
            | VALUE_MAGIC, strings, operation*                          (a value by itself)
    strings = count, (length, UTF-8 with lone surrogates)*

The operations run on a stack: leaves push a value; `VECTOR n` and the like pop n items and push the
collection; a record's operation pops its fields and pushes the record. At the end the stack holds the unit,
or the value, alone. So neither side recurs, whatever the depth. Numbers are varints (LEB128); signed ones are
zigzag-coded.

Records are all dataclasses of the IR. Their fields, in order, are those of the class, and may hold only what
the annotations say. `REF i` pushes the i-th non-empty collection again: constants may share structure, and
would otherwise grow exponentially.
"""

from __future__ import annotations

import types as python_types
from collections.abc import Callable
from dataclasses import fields
from enum import IntEnum
from typing import (
    Any,
    Final,
    Literal,
    NamedTuple,
    TypeAliasType,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from rtfs import delegation, forms, ir, values
from rtfs.types import model as types

MAGIC: Final = b"RTIR"
FORMAT_VERSION: Final = 1
#: what values by themselves begin with: `RTV` and the version of this format
VALUE_MAGIC: Final = b"RTV1"


class Op(IntEnum):
    """Operations; those of records follow, `FIRST_RECORD` + index in `RECORDS`."""

    NONE = 0
    TRUE = 1
    FALSE = 2
    INT = 3
    FLOAT = 4
    STRING = 5
    KEYWORD = 6
    SYMBOL = 7
    TIMESTAMP = 8
    UUID = 9
    RESOURCE_HANDLE = 10
    VECTOR = 11
    LIST = 12
    MAP = 13
    SET = 14
    TUPLE = 15
    FROZENSET = 16
    SPAN = 17
    REF = 18
    COLON = 19


FIRST_RECORD: Final = 32

#: In the order of their numbers: new ones go to the end.
RECORDS: Final[tuple[type, ...]] = (
    *(ir.Constant, ir.LocalRef, ir.GlobalRef, ir.BuiltinRef, ir.QualifiedRef, ir.DynamicRef),
    *(ir.If, ir.Do, ir.Let, ir.And, ir.Or, ir.Loop, ir.Recur, ir.For),
    *(ir.Lambda, ir.Apply, ir.Primitive, ir.Cast, ir.IsType),
    *(ir.VectorOf, ir.ListOf, ir.SetOf, ir.MapOf),
    *(ir.Def, ir.LocalDef, ir.DefType, ir.StructOf, ir.ModuleForm, ir.Import),
    *(ir.Try, ir.Step, ir.Hinted, ir.Async, ir.Race),
    *(ir.Local, ir.Binding, ir.Iterate, ir.LetClause, ir.When, ir.While, ir.Param, ir.Arity),
    *(ir.Catch, ir.CatchAll, ir.CatchCategory, ir.CatchThrown, ir.Unit, delegation.DelegationHint),
    *(types.Primitive, types.OptionalType, types.Alias, types.VectorType, types.ListType, types.SetType),
    *(types.TupleType, types.MapEntry, types.MapType, types.MapOfType, types.FunctionType, types.EnumType),
    *(types.UnionType, types.Predicate, types.AndType, types.ArrayType, types.ResourceType),
    forms.MetaForm,
)
RECORD_OPS: Final = {record: FIRST_RECORD + index for index, record in enumerate(RECORDS)}

#: leaves that are a text with a type
TEXTS: Final[dict[type, tuple[Op, Callable[[Any], str], Callable[[str], Any]]]] = {
    str: (Op.STRING, str, str),
    values.Keyword: (Op.KEYWORD, lambda value: value.name, values.Keyword.of),
    values.Symbol: (Op.SYMBOL, lambda value: value.name, values.Symbol.of),
    values.Timestamp: (Op.TIMESTAMP, lambda value: value.text, values.Timestamp),
    values.Uuid: (Op.UUID, lambda value: value.text, values.Uuid),
    values.ResourceHandle: (Op.RESOURCE_HANDLE, lambda value: value.text, values.ResourceHandle),
}
COLLECTION_OPS: Final = {
    values.Vector: Op.VECTOR,
    values.List: Op.LIST,
    values.Map: Op.MAP,
    values.Set: Op.SET,
    tuple: Op.TUPLE,
    frozenset: Op.FROZENSET,
}

#: what a field of type `Value` may hold
_VALUE_KINDS: Final = frozenset(
    (type(None), bool, int, float, *TEXTS, *values.COLLECTIONS, forms.Colon, forms.MetaForm)
)

#: the same, without what only forms hold
_PLAIN_KINDS: Final = _VALUE_KINDS - {forms.Colon, forms.MetaForm}

_FIELD_NAMES: Final = {record: tuple(field.name for field in fields(record)) for record in RECORDS}
_NODES: Final = frozenset(record for record in RECORDS if issubclass(record, ir.Node))


class Field(NamedTuple):
    """What may stand in a field, and how it gets there: records are frozen, so past their constructor."""

    name: str
    kinds: frozenset[type]
    #: a further test of what is of one of `kinds`
    test: Callable[[Any], bool] | None
    set: Callable[[Any, Any], None]


_FIELDS: Final[dict[type, tuple[Field, ...]]] = {}


def field_names(record: type) -> tuple[str, ...]:
    """The fields of a record, in their order."""
    return _FIELD_NAMES[record]


def fields_of(record: type) -> tuple[Field, ...]:
    """The fields of a record, in their order, with what they may hold."""
    known = _FIELDS.get(record)
    if known is None:
        hints = get_type_hints(record)
        known = _FIELDS[record] = tuple(
            Field(name, _kinds(hints[name]), _further_test(hints[name]), getattr(record, name).__set__)
            for name in field_names(record)
        )
    return known


def is_value(found: Any) -> bool:
    """Whether `found` is an RTFS value that can be stored."""
    return type(found) in _VALUE_KINDS


def is_plain_value(found: Any) -> bool:
    """Whether `found` is a value that can be stored and no part of a form."""
    return type(found) in _PLAIN_KINDS


def _kinds(hint: Any) -> frozenset[type]:
    """The Python types of what an annotation allows."""
    if hint is values.Value or hint is Any:
        return _VALUE_KINDS
    if isinstance(hint, TypeAliasType):
        return _kinds(hint.__value__)
    origin = get_origin(hint)
    if origin in (Union, python_types.UnionType):
        return frozenset().union(*[_kinds(arg) for arg in get_args(hint)])
    if origin is Literal:
        return frozenset((str,))
    if hint is ir.Node:
        return _NODES
    return frozenset((origin or hint,))


def _further_test(hint: Any) -> Callable[[Any], bool] | None:
    """What an annotation says beyond the type: the items of a tuple, the texts that a Literal lists."""
    if isinstance(hint, TypeAliasType):
        return None if hint is values.Value else _further_test(hint.__value__)
    origin, args = get_origin(hint), get_args(hint)
    if origin is Literal:
        return lambda found: found in args
    if origin is frozenset:
        return lambda found: all(type(each) in _kinds(args[0]) for each in found)
    if origin is tuple:
        return _items_test(args[0]) if args[-1] is Ellipsis else _tuple_test(args)
    if origin in (Union, python_types.UnionType):
        tests = [test for arg in args if (test := _further_test(arg)) is not None]
        assert len(tests) <= 1, hint  # else the one to ask would depend on the value
        return None if not tests else lambda found: found is None or tests[0](found)
    return None


def _items_test(hint: Any) -> Callable[[Any], bool]:
    kinds, test = _kinds(hint), _further_test(hint)
    if test is None:
        return lambda found: kinds.issuperset(map(type, found))
    return lambda found: kinds.issuperset(map(type, found)) and all(test(each) for each in found)


def _tuple_test(hints: tuple[Any, ...]) -> Callable[[Any], bool]:
    tests = [_items_test(hint) for hint in hints]

    def test(found: tuple[Any, ...]) -> bool:
        if len(found) != len(tests):
            return False
        return all(each((item,)) for each, item in zip(tests, found, strict=True))

    return test


def parts(item: Any) -> list[Any]:
    """What a record or collection is made of, in order: fields; items; of a map key, value, key, ….

    Raises:
        KeyError: `item` is neither.
    """
    kind = type(item)
    if kind in RECORD_OPS:
        return [getattr(item, name) for name in field_names(kind)]
    if kind is values.Map:
        return [part for entry in item.items() for part in entry]
    if kind is tuple:
        return list(item)
    if kind is frozenset:
        return sorted(item)
    if kind in COLLECTION_OPS:
        return list(item.to_list())
    raise KeyError(kind)
