"""Generated IR: any records whose fields hold what their annotations say."""

from __future__ import annotations

import dataclasses
import types as python_types
from typing import Any, Literal, TypeAliasType, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import strategies as st

from rtfs import ir, values
from rtfs.ir_codec.schema import RECORDS
from rtfs.types.shapes import PRIMITIVE_KINDS

TEXT = st.text(max_size=5)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(values.INT_MIN, values.INT_MAX),
    st.floats(),
    TEXT,
    TEXT.map(values.Keyword.of),
    TEXT.map(values.Symbol.of),
    TEXT.map(values.Timestamp),
    TEXT.map(values.Uuid),
    TEXT.map(values.ResourceHandle),
)
KEYS = st.one_of(TEXT, TEXT.map(values.Keyword.of), st.integers(-5, 5))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(values.Vector),
        st.lists(inner, max_size=3).map(values.List),
        st.lists(inner, max_size=3).map(values.Set),
        st.dictionaries(KEYS, inner, max_size=3).map(values.Map),
    ),
    max_leaves=6,
)

NODES = [record for record in RECORDS if issubclass(record, ir.Node)]
LEAF_NODES = [ir.Constant, ir.LocalRef, ir.GlobalRef, ir.BuiltinRef, ir.DynamicRef]


def of_hint(hint: Any, depth: int) -> st.SearchStrategy[Any]:
    """What a field with this annotation may hold."""
    if hint is values.Value:
        return VALUES
    if isinstance(hint, TypeAliasType):
        return of_hint(hint.__value__, depth)
    origin, args = get_origin(hint), get_args(hint)
    if origin is Literal:
        return st.sampled_from(args)
    if origin in (Union, python_types.UnionType):
        plain = [arg for arg in args if depth > 0 or arg is type(None)] or args[:1]
        return st.one_of([of_hint(arg, depth) for arg in plain])
    if origin is tuple:
        if args[-1] is Ellipsis:
            return st.lists(of_hint(args[0], depth - 1), max_size=2 if depth > 0 else 0).map(tuple)
        return st.tuples(*[of_hint(arg, depth) for arg in args])
    if origin is frozenset:
        return st.frozensets(TEXT, max_size=2)
    if hint is ir.Node:
        kinds = NODES if depth > 0 else LEAF_NODES
        return st.sampled_from(kinds).flatmap(lambda kind: of_record(kind, depth - 1))
    if hint is int:
        return st.integers(0, 6)
    if hint is bool:
        return st.booleans()
    if hint is str:
        return TEXT
    if hint is type(None):
        return st.none()
    return of_record(hint, depth - 1)


def of_record(record: Any, depth: int) -> st.SearchStrategy[Any]:
    """Records of this class."""
    hints = get_type_hints(record)
    if hasattr(record, "_fields"):  # Span
        return st.tuples(*[st.integers(1, 300) for _ in record._fields]).map(lambda parts: record(*parts))
    fields = {field.name: of_hint(hints[field.name], depth) for field in dataclasses.fields(record)}
    if record.__module__ == "rtfs.types.model" and record.__name__ == "Primitive":
        fields["name"] = st.sampled_from(sorted(PRIMITIVE_KINDS))
    return st.builds(record, **fields)


@pytest.fixture(scope="session")
def any_unit() -> st.SearchStrategy[ir.Unit]:
    """Units that need not mean anything."""
    return of_record(ir.Unit, 4)
