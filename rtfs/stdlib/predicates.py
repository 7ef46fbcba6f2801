"""What kind of value is it? These take one value of any type and never fail."""

from __future__ import annotations

from rtfs.stdlib.registry import builtin
from rtfs.values import (
    COLLECTIONS,
    ErrorValue,
    Keyword,
    List,
    Map,
    Set,
    Symbol,
    Value,
    Vector,
    is_function,
    type_name,
)


@builtin("int?")
def is_int(x: Value) -> Value:
    """Whether x is an integer.

    (int? 1) => true
    (int? 1.0) => false
    (int? true) => false
    """
    return type(x) is int


@builtin("float?")
def is_float(x: Value) -> Value:
    """Whether x is a float.

    (float? 1.0) => true
    (float? 1) => false
    """
    return type(x) is float


@builtin("number?")
def is_number(x: Value) -> Value:
    """Whether x is an integer or a float.

    (number? 1.5) => true
    (number? "1") => false
    """
    return type(x) is int or type(x) is float


@builtin("string?", "string-p")
def is_string(x: Value) -> Value:
    """Whether x is a string.

    (string? "a") => true
    (string-p :a) => false
    """
    return type(x) is str


@builtin("bool?", "boolean?")
def is_bool(x: Value) -> Value:
    """Whether x is true or false.

    (bool? false) => true
    (boolean? nil) => false
    """
    return type(x) is bool


@builtin("nil?")
def is_nil(x: Value) -> Value:
    """Whether x is nil.

    (nil? nil) => true
    (nil? false) => false
    """
    return x is None


@builtin("true?")
def is_true(x: Value) -> Value:
    """Whether x is true itself, not merely a true value.

    (true? true) => true
    (true? 1) => false
    """
    return x is True


@builtin("false?")
def is_false(x: Value) -> Value:
    """Whether x is false itself; nil is not.

    (false? false) => true
    (false? nil) => false
    """
    return x is False


@builtin("map?")
def is_map(x: Value) -> Value:
    """Whether x is a map.

    (map? {:a 1}) => true
    (map? [[:a 1]]) => false
    """
    return type(x) is Map


@builtin("vector?")
def is_vector(x: Value) -> Value:
    """Whether x is a vector.

    (vector? [1]) => true
    (vector? '(1)) => false
    """
    return type(x) is Vector


@builtin("list?")
def is_list(x: Value) -> Value:
    """Whether x is a list.

    (list? '(1)) => true
    (list? [1]) => false
    """
    return type(x) is List


@builtin("set?")
def is_set(x: Value) -> Value:
    """Whether x is a set.

    (set? #{1}) => true
    (set? [1]) => false
    """
    return type(x) is Set


@builtin("coll?")
def is_coll(x: Value) -> Value:
    """Whether x is a vector, list, map or set.

    (coll? {}) => true
    (coll? "abc") => false
    """
    return type(x) in COLLECTIONS


@builtin("keyword?")
def is_keyword(x: Value) -> Value:
    """Whether x is a keyword.

    (keyword? :a) => true
    (keyword? 'a) => false
    """
    return type(x) is Keyword


@builtin("symbol?")
def is_symbol(x: Value) -> Value:
    """Whether x is a symbol.

    (symbol? 'a) => true
    (symbol? "a") => false
    """
    return type(x) is Symbol


@builtin("fn?")
def is_fn(x: Value) -> Value:
    """Whether x is a function. Keywords, maps, sets and vectors can be called, but are no functions.

    (fn? inc) => true
    (fn? :a) => false
    """
    return is_function(x)


@builtin("error?")
def is_error(x: Value) -> Value:
    """Whether x is an error value, as `catch` binds it and `ex-info` makes it.

    (error? (Exception. "late")) => true
    (error? "late") => false
    """
    return type(x) is ErrorValue


@builtin("type-name")
def type_name_of(x: Value) -> Value:
    """The name of the type of x, as a string.

    (type-name 1) => "integer"
    (type-name [1]) => "vector"
    (type-name nil) => "nil"
    """
    return type_name(x)
