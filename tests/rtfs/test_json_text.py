import json
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtfs.errors import BudgetExhausted, Generic
from rtfs.host import DictHost
from rtfs.json_text import parse, serialize
from rtfs.printer import pr_str
from rtfs.run import Limits, Run, cancel, running
from rtfs.security import RuntimeContext
from rtfs.values import INT_MAX, INT_MIN, Keyword, List, Map, Set, Symbol, Vector, equal

A = Keyword.of("a")


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("null", "nil"),
        (" \t\r\n true ", "true"),
        ("false", "false"),
        ("0", "0"),
        ("-0", "0"),
        ("-0.0", "-0.0"),
        ("1E2", "100.0"),
        (str(INT_MAX), str(INT_MAX)),
        (str(INT_MIN), str(INT_MIN)),
        ('""', '""'),
        (r'"\"\\\/\b\f\n\r\t\u0041é"', pr_str('"\\/\b\f\n\r\tAé')),
        (r'"\ud83d\ude00"', '"😀"'),
        ("[]", "[]"),
        ("[ ]", "[]"),
        ('{"a": [1, {"b": null}], "c": {}}', '{"a" [1 {"b" nil}] "c" {}}'),
        ('{"a": 1, "b": 2, "a": 3}', '{"a" 3 "b" 2}'),
        ("[[[]],[{}]]", "[[[]] [{}]]"),
    ],
)
def test_parse(text, printed):
    assert pr_str(parse(text)) == printed


@pytest.mark.parametrize("digits", [str(INT_MAX + 1), str(INT_MIN - 1), "1" + "0" * 300])
def test_integers_beyond_64_bits_become_floats(digits):
    assert type(parse(digits)) is float
    assert parse(digits) == float(digits)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a value, got the end of the text at line 1 column 1"),
        ("[1,\n 2", "expected `,` or `]` at line 2 column 3"),
        ("[1,]", "expected a value at line 1 column 4"),
        ("[1 2]", "expected `,` or `]` at line 1 column 4"),
        ("[", "expected a value, got the end of the text at line 1 column 2"),
        ("{", "expected a string as key at line 1 column 2"),
        ('{"a" 1}', "expected `:` at line 1 column 6"),
        ('{"a": 1,}', "expected a string as key at line 1 column 9"),
        ('{"a": 1]', "expected `,` or `}` at line 1 column 8"),
        ("{1: 2}", "expected a string as key at line 1 column 2"),
        ("]", "expected a value at line 1 column 1"),
        ("1 2", "expected the end of the text at line 1 column 3"),
        ("01", "expected the end of the text at line 1 column 2"),
        ("1.", "expected the end of the text at line 1 column 2"),
        ("-", "expected digits at line 1 column 1"),
        ("+1", "expected a value at line 1 column 1"),
        ("NaN", "expected a value at line 1 column 1"),
        ("-Infinity", "expected digits at line 1 column 1"),
        ("nulls", "expected a value at line 1 column 1"),
        ("1e999", "number out of range at line 1 column 1"),
        ("9" * 5000, "number out of range at line 1 column 1"),
        ('"a', "string without end at line 1 column 3"),
        ('"a\nb"', "control character in a string at line 1 column 3"),
        (r'"\x"', "invalid escape at line 1 column 2"),
        (r'"\u12"', "invalid escape at line 1 column 2"),
        ('"\\', "invalid escape at line 1 column 2"),
        ("\ufeff1", "expected a value at line 1 column 1"),
        ("١", "expected a value at line 1 column 1"),
        ("'a'", "expected a value at line 1 column 1"),
        ("[1] // no", "expected the end of the text at line 1 column 5"),
    ],
)
def test_bad_text(text, message):
    with pytest.raises(Generic) as caught:
        parse(text)
    assert caught.value.message == f"JSON parsing error: {message}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (1, "1"),
        (4.0, "4.0"),
        (1e300, "1e+300"),
        ('a"\\\n\x01é😀', '"a\\"\\\\\\n\\u0001é😀"'),
        ("\ud800", '"\\ud800"'),
        (Vector([1, List([2]), Map({})]), "[1,[2],{}]"),
        (Map({A: 1, "b": 2, 3: 4, Keyword.of("n/k"): 5}), '{"a":1,"b":2,"3":4,"n/k":5}'),
        (Map({A: 1, "b": 2, "a": 3}), '{"a":3,"b":2}'),
        (List([]), "[]"),
    ],
)
def test_serialize(value, text):
    assert serialize(value) == text


def test_pretty():
    value = Map({A: Vector([1, Map({}), Vector([])]), "b": Map({"c": None})})
    assert serialize(value, pretty=True) == (
        '{\n  "a": [\n    1,\n    {},\n    []\n  ],\n  "b": {\n    "c": null\n  }\n}'
    )


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (A, "keyword"),
        (Vector([Symbol.of("s")]), "symbol"),
        (Map({"f": len}), "builtin_function_or_method"),
        (Vector([lambda: 1]), "function"),
        (Set([1]), "set"),
        (math.nan, "NaN"),
        (Vector([-math.inf]), "an infinite number"),
    ],
)
def test_what_json_has_no_form_for(value, name):
    with pytest.raises(Generic) as caught:
        serialize(value)
    assert caught.value.message == f"JSON serialization error: Cannot serialize {name} to JSON"


@pytest.mark.parametrize(("left", "right"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
def test_depth_is_no_limit(left, right):
    depth = 100_000
    text = left * depth + "1" + right * depth
    value = parse(text)
    assert serialize(value) == text
    assert equal(parse(serialize(value, pretty=True)), value)
    with pytest.raises(Generic, match="end of the text"):
        parse(left * depth)


def _run(**limits):
    return running(Run(DictHost({}), RuntimeContext.full(), Limits(**limits)))


def test_text_of_shared_structure_is_refused():
    value = Vector([1])
    for _ in range(60):
        value = Vector([value, value])
    with _run(allocation_bytes=1 << 20), pytest.raises(BudgetExhausted, match="allocation"):
        serialize(value)


def test_both_directions_stop_when_the_run_must():
    value = Vector([0] * 200_000)
    with _run() as run:
        text = serialize(value)
        cancel(run)
        for work in (lambda: parse(text), lambda: serialize(value)):
            with pytest.raises(BudgetExhausted, match="cancelled"):
                work()


@pytest.mark.parametrize(
    "text", ["[" + "1," * 200_000 + "1]", '"' + "\\n" * 200_000 + '"', " " * 1_000_000 + "1"]
)
def test_time_is_linear(text):
    began = time.monotonic()
    parse(text)
    assert time.monotonic() - began < 10


scalars = (
    st.none() | st.booleans() | st.integers(INT_MIN, INT_MAX) | st.floats(allow_nan=False, allow_infinity=False)
)
texts = st.text(st.characters(exclude_categories=())).map(
    lambda s: s.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
)
values = st.recursive(
    scalars | texts,
    lambda inner: st.lists(inner, max_size=4).map(Vector) | st.dictionaries(texts, inner, max_size=4).map(Map),
    max_leaves=20,
)


@given(values, st.booleans())
def test_parse_undoes_serialize(value, pretty):
    text = serialize(value, pretty=pretty)
    text.encode()  # always fit for sending
    assert equal(parse(text), value)
    json.loads(text)


@given(st.text(alphabet='{}[]:,"\\ntrue0123.eE- u\ud800\n'))
def test_any_text_gives_a_value_or_the_error_as_python_decides(text):
    python = _is_read(lambda: json.loads(text, parse_int=_finite, parse_float=_finite), ValueError)
    assert _is_read(lambda: parse(text), Generic) == python


def _finite(digits):
    if math.isinf(float(digits)):
        raise ValueError(digits)


def _is_read(read, error):
    try:
        read()
    except error:
        return False
    return True
