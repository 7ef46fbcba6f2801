from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from rtfs.emit_wasm import binary
from rtfs.emit_wasm.binary import Body, Function, Module, Signature, ValType

# examples of the DWARF and WebAssembly specifications, and the bounds of one byte
UNSIGNED = [(0, b"\x00"), (127, b"\x7f"), (128, b"\x80\x01"), (624485, b"\xe5\x8e\x26")]
SIGNED = [
    (0, b"\x00"),
    (63, b"\x3f"),
    (64, b"\xc0\x00"),
    (-1, b"\x7f"),
    (-64, b"\x40"),
    (-65, b"\xbf\x7f"),
    (-123456, b"\xc0\xbb\x78"),
]


def test_numbers_are_leb128() -> None:
    assert [binary.unsigned(value) for value, _ in UNSIGNED] == [encoded for _, encoded in UNSIGNED]
    assert [binary.signed(value) for value, _ in SIGNED] == [encoded for _, encoded in SIGNED]


@given(st.integers(0, 2**64))
@settings(max_examples=60)
def test_unsigned_numbers_read_back(value: int) -> None:
    data = b"?" + binary.unsigned(value) + b"?"
    assert binary.read_unsigned(data, 1) == (value, len(data) - 1)


def answer() -> Module:
    body = Body(0)
    body.i64(42)
    return Module(functions=[Function(Signature((), (ValType.I64,)), body, "answer")])


def test_a_small_module_is_these_bytes() -> None:
    encoded, starts = answer().encode()
    assert encoded == bytes.fromhex(
        "0061736d 01000000"  # magic, version
        "01 05 01 60 00 01 7e"  # one type: [] → [i64]
        "03 02 01 00"  # one function of it
        "07 0a 01 06 616e73776572 00 00"  # exported as `answer`
        "0a 06 01 04 00 42 2a 0b"  # its code
    )
    assert encoded[starts[0]] == 0x42


def test_custom_sections_are_found_by_name() -> None:
    encoded, _ = answer().encode()
    both = encoded + binary.custom("a", b"first") + binary.custom("bc", b"second")
    assert binary.custom_section(both, "a") == b"first"
    assert binary.custom_section(both, "bc") == b"second"
    assert binary.custom_section(both, "b") is None
    assert binary.custom_section(b"no module", "a") is None


def test_locals_of_one_type_are_one_entry() -> None:
    body = Body(1)
    assert [body.local(kind) for kind in (ValType.I64, ValType.I64, ValType.F64)] == [1, 2, 3]
    encoded, start = body.encode()
    assert encoded[1:start] == bytes((2, 2, ValType.I64, 1, ValType.F64))


def test_a_name_in_any_script() -> None:
    assert binary.name("é") == b"\x02\xc3\xa9"
