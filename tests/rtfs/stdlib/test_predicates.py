import pytest

from rtfs.errors import Generic
from rtfs.stdlib.table import BUILTINS
from rtfs.values import ErrorValue, Keyword, List, Map, ResourceHandle, Set, Symbol, Timestamp, Uuid, Vector

#: value → its type's name and the predicates that hold for it
KINDS = [
    (None, "nil", {"nil?"}),
    (True, "boolean", {"bool?", "boolean?", "true?"}),
    (False, "boolean", {"bool?", "boolean?", "false?"}),
    (1, "integer", {"int?", "number?"}),
    (1.0, "float", {"float?", "number?"}),
    ("true", "string", {"string?", "string-p"}),
    (Keyword.of("a"), "keyword", {"keyword?"}),
    (Symbol.of("a"), "symbol", {"symbol?"}),
    (Vector([]), "vector", {"vector?", "coll?"}),
    (List([]), "list", {"list?", "coll?"}),
    (Map({}), "map", {"map?", "coll?"}),
    (Set([]), "set", {"set?", "coll?"}),
    (lambda: None, "function", {"fn?"}),
    (BUILTINS["inc"].function, "function", {"fn?"}),
    (ErrorValue(Generic("x")), "error", {"error?"}),
    (Timestamp("2025-01-31T10:20:30Z"), "timestamp", set()),
    (Uuid("00000000-0000-0000-0000-000000000000"), "uuid", set()),
    (ResourceHandle("resource://a"), "resource-handle", set()),
]
PREDICATES = set().union(*(held for _, _, held in KINDS))


@pytest.mark.parametrize(("value", "name", "held"), KINDS, ids=[name for _, name, _ in KINDS])
def test_each_predicate_tells_each_kind(value, name, held):
    assert {p for p in PREDICATES if BUILTINS[p].function(value) is True} == held
    assert {p for p in PREDICATES if BUILTINS[p].function(value) is False} == PREDICATES - held
    assert BUILTINS["type-name"].function(value) == name
