"""encode and decode: round trips, and what bytes from anywhere can do."""

from __future__ import annotations

import dataclasses
import math
import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtfs import errors, forms, ir
from rtfs.ir_codec import content_hash, decode, encode
from rtfs.ir_codec.decoder import _Decoder
from rtfs.ir_codec.schema import FORMAT_VERSION, MAGIC, RECORDS, Op
from rtfs.types import model as types
from rtfs.values import EMPTY_VECTOR, Keyword, List, Map, Set, Symbol, Timestamp, Vector

HEAD = MAGIC + bytes((FORMAT_VERSION, ir.IR_VERSION))
N = ir.Local(1, "n")


def unit(*nodes):
    return ir.Unit("test", nodes, ("f",), frozenset(["f"]), (("m", "0" * 64),))


def constant(value):
    return unit(ir.Constant(value))


def program():
    """(defn f [n : int & xs] (loop [i 0] (if (< i n) (recur (inc i)) (try i (catch _ e e)))))"""
    i, xs, e = ir.Local(2, "i"), ir.Local(3, "xs"), ir.Local(4, "e")
    test = ir.Apply(ir.BuiltinRef("<"), (ir.LocalRef(i), ir.LocalRef(N)), span=errors.Span(2, 5, 2, 12))
    again = ir.Recur(1, (ir.Apply(ir.BuiltinRef("inc"), (ir.LocalRef(i),)),))
    caught = ir.Try(ir.LocalRef(i), (ir.Catch(ir.CatchAll(), e, None, ir.LocalRef(e)),), None)
    loop = ir.Loop(1, (ir.Binding(i, ir.Constant(0)),), ir.If(test, again, caught))
    params = (ir.Param(N, types.Primitive("int")),)
    arity = ir.Arity(0, params, ir.Param(xs), None, loop)
    return unit(ir.Def("f", ir.Lambda("f", None, (arity,), span=errors.Span(1, 1, 4, 2))))


def test_a_program_comes_back():
    assert decode(encode(program())) == program()


def test_encoding_is_deterministic():
    assert encode(program()) == encode(program())


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_records_come_back(any_unit, data):
    """Without `verify`: most generated units mean nothing."""
    before = data.draw(any_unit)
    encoded = encode(before)
    after = _Decoder(encoded, len(HEAD)).unit()
    # NaN is unequal to itself, but not as bytes
    assert encode(after) == encoded
    assert content_hash(after) == content_hash(before)
    if "nan" not in repr(before):
        assert after == before


@pytest.mark.parametrize(
    "value",
    [
        None, True, 0, -1, 2**63 - 1, -(2**63), 1.5, -0.0, math.inf, "", "é\ud800\0", Keyword.of("a/b"),
        Symbol.of("s"), Timestamp("2025-01-31T10:20:30Z"), EMPTY_VECTOR, Vector.of(1, Vector.of(2)),
        List.of(1, "a"), Map({"b": 1, Keyword.of("a"): 2, 3: None}), Set.of(2, 1.5, Vector.of(1)), forms.COLON,
    ],
)  # fmt: skip
def test_constants_come_back(value):
    found = decode(encode(constant(value))).forms[0].value
    assert type(found) is type(value)
    assert found == value
    if type(value) is float:
        assert struct.pack(">d", found) == struct.pack(">d", value)
    if type(value) is Map:
        assert found.keys() == value.keys()


def test_numbers_of_the_same_size_stay_apart():
    values = [True, 1, 1.0, "1"]
    found = decode(encode(constant(Vector(list(values))))).forms[0].value
    assert [type(each) for each in found] == [type(each) for each in values]


def deep_value(depth):
    value = Vector([])
    for _ in range(depth):
        value = Vector.of(value)
    return value


def test_depth_is_no_limit():
    node = ir.Constant(deep_value(50_000))
    for _ in range(20_000):
        node = ir.Apply(ir.BuiltinRef("inc"), (node,))
    encoded = encode(unit(node))
    decoded = decode(encoded)
    assert encode(decoded) == encoded
    assert content_hash(decoded) == content_hash(unit(node))


def test_shared_structure_is_written_once():
    value = Vector.of(1)
    for _ in range(200):
        value = Vector.of(value, value)
    encoded = encode(constant(value))
    assert len(encoded) < 3000
    found = decode(encoded).forms[0].value
    assert found[0] is found[1]
    assert content_hash(constant(found)) == content_hash(constant(value))


@pytest.mark.parametrize("value", [lambda: 1, 2**70, Vector.of(print)])
def test_what_cannot_be_stored(value):
    with pytest.raises(errors.StorageError, match="cannot store"):
        encode(constant(value))


def test_every_record_is_in_the_table():
    known = set(RECORDS)
    for module in (ir, types):
        for kind in vars(module).values():
            if isinstance(kind, type) and dataclasses.is_dataclass(kind) and kind is not ir.Node:
                assert kind in known


# ---------------------------------------------------------------- bytes from anywhere


def refused(data):
    with pytest.raises(errors.StorageError) as caught:
        decode(data)
    return caught.value.message


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "not RTFS IR"),
        (b"PK\x03\x04", "not RTFS IR"),
        (MAGIC, "another version: expected 1.2, got "),
        (MAGIC + b"\x01\x01", "another version: expected 1.2, got 1.1"),
        (HEAD, "ends too early"),
        (HEAD + b"\0", "expected one unit"),
        (HEAD + b"\xff\xff\xff\xff\x7f", "a count of"),
        (HEAD + b"\x80" * 11, "too long"),
        (HEAD + b"\x01\x02\xff\xff", "ends too early, or"),
        (HEAD + b"\0" + bytes((Op.NONE,)), "expected one unit"),
        (HEAD + b"\0" + bytes((Op.STRING, 0)), "ends too early"),
        (HEAD + b"\0" + bytes((Op.VECTOR, 1)), "expected 1 items, got 0"),
        (HEAD + b"\0" + bytes((Op.REF, 0)), "ends too early"),
        (HEAD + b"\0" + bytes((Op.NONE, Op.NONE, Op.MAP, 1)), "map key"),
        (HEAD + b"\0" + bytes((Op.TUPLE, 0, Op.VECTOR, 1)), "a tuple in a collection"),
        (HEAD + b"\0" + bytes((Op.INT,)) + b"\xff" * 9 + b"\x7f", "more than 64 bits"),
        (HEAD + b"\0" + bytes((30,)), "unknown operation 30"),
        (HEAD + b"\0" + bytes((255,)), "unknown record"),
        (HEAD + b"\0" + bytes((Op.NONE, 34)), "expected 2 items, got 1"),
    ],
)
def test_bad_bytes(data, text):
    assert text in refused(data)


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes(data):
    refused(HEAD + data)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_any_damage(data):
    encoded = bytearray(encode(program()))
    for _ in range(data.draw(st.integers(1, 3))):
        encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = decode(bytes(encoded))
    except errors.StorageError:
        return
    assert isinstance(found, ir.Unit)


@pytest.mark.parametrize("cut", range(6, 120, 7))
def test_cut_short(cut):
    encoded = encode(program())
    assert cut < len(encoded)
    refused(encoded[:cut])


def test_fields_hold_only_what_they_may():
    assert "Constant.value cannot be a Local" in refused(encode(unit(ir.Constant(N))))
    assert "If.test cannot be a NoneType" in refused(encode(unit(ir.If(None, ir.Constant(1), ir.Constant(1)))))
    assert "Local.id cannot be a bool" in refused(encode(unit(ir.LocalRef(ir.Local(True, "n")))))
    step = ir.Step("leap", ir.Constant("s"), (), None, None, ir.Constant(1))
    assert "Step.kind cannot be a str" in refused(encode(unit(step)))
    assert "unknown type integer" in refused(encode(unit(ir.DefType("T", types.Primitive("integer")))))


def function(*arities):
    return ir.Lambda(None, None, arities)


def body(node, *params, rest=None, label=0):
    return ir.Arity(label, tuple(ir.Param(p) for p in params), rest and ir.Param(rest), None, node)


ONE = ir.Constant(1)


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (ir.Do(()), "Do.items is empty"),
        (function(), "Lambda.arities is empty"),
        (ir.Recur(1, ()), "recur to 1"),
        (ir.Loop(1, (), ir.Do((ir.Recur(1, ()), ONE))), "recur to 1"),
        (ir.Loop(1, (), ir.Try(ir.Recur(1, ()), (), ONE)), "recur to 1"),
        (ir.Loop(1, (), ir.Recur(1, (ONE,))), "recur to 1 with 1 values"),
        (ir.Loop(1, (), function(body(ir.Recur(1, ())))), "recur to 1"),
        (ir.Do((ir.Loop(1, (), ONE), ir.Loop(1, (), ONE))), "label 1 is bound twice"),
        (function(body(ir.LocalRef(N), N, N)), "local 1 is bound twice"),
        (function(body(ONE, label=1), body(ONE, label=2)), "out of order"),
        (function(body(ONE, rest=N), body(ONE, ir.Local(5, "a"), label=1)), "before the last"),
        (ir.For((ir.When(ONE),), ONE, True), "goes over nothing"),
        (ir.Primitive("open-file", ()), "unknown primitive open-file"),
    ],
)
def test_malformed_units(node, text):
    assert text in refused(encode(unit(node)))


@pytest.mark.parametrize(
    "node",
    [
        ir.Loop(1, (), ir.Let((ir.Binding(N, ONE),), ir.And((ONE, ir.Or((ONE, ir.Recur(1, ()))))))),
        function(body(ir.Recur(0, (ONE, ONE)), N, rest=ir.Local(2, "xs"))),
        ir.Do((ir.LocalDef(N, ONE), ir.LocalRef(N))),
        ir.For((ir.Iterate(N, ONE), ir.LetClause((ir.Binding(ir.Local(2, "a"), ir.LocalRef(N)),))), ONE, True),
    ],
)
def test_well_formed_units(node):
    assert decode(encode(unit(node))) == unit(node)
