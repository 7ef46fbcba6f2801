from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from actors.caches.l4.errors import ModuleRefused
from actors.caches.l4.manifest import DOMAIN, ModuleManifest, content_hash, decode_manifest

MANIFEST = ModuleManifest(
    symbol="math/area",
    interface_hash="ab" * 32,
    body_hash="ef" * 32,
    parameter_types=("float", "float"),
    return_type="float",
    language_version="2.0",
    kind="IrBinary",
    content_hash=content_hash(b"blob"),
    version=3,
    created_at=1.0,
    not_after=9.0,
    description="Area of a rectangle.",
    source="area.rtfs",
    embedder="e1",
    embedding=b"\x00\x00\x80\x3f",
    key_id="k",
)

OTHER: dict[str, Any] = {
    "symbol": "math/volume",
    "interface_hash": "ac" * 32,
    "body_hash": "ec" * 32,
    "parameter_types": ("float", "int"),
    "return_type": "int",
    "language_version": "2.1",
    "kind": "WasmBytecode",
    "content_hash": "00" * 32,
    "version": 4,
    "created_at": 1.5,
    "not_after": None,
    "description": "",
    "source": "other.rtfs",
    "embedder": "e2",
    "embedding": b"",
    "trials": 9,
    "key_id": "l",
}


def test_it_reads_back() -> None:
    assert decode_manifest(MANIFEST.encode(b"sig")) == (MANIFEST, b"sig")
    unbound = replace(MANIFEST, not_after=None, embedding=b"", parameter_types=())
    assert decode_manifest(unbound.encode(b"")) == (unbound, b"")


def test_there_is_another_value_for_each_field() -> None:
    assert OTHER.keys() == {each.name for each in fields(ModuleManifest)}


@pytest.mark.parametrize("name", sorted(OTHER))
def test_a_signature_is_over_every_field(name: str) -> None:
    changed = replace(MANIFEST, **{name: OTHER[name]})
    assert changed.signed_bytes != MANIFEST.signed_bytes


def test_what_is_signed_says_what_it_is() -> None:
    assert MANIFEST.signed_bytes.startswith(DOMAIN)


def test_parts_do_not_run_into_each_other() -> None:
    one = replace(MANIFEST, parameter_types=("a", "b"), return_type="c")
    other = replace(MANIFEST, parameter_types=("a",), return_type="bc")
    assert one.signed_bytes != other.signed_bytes


WRONG: list[tuple[str, Any]] = [
    ("symbol", 1),
    ("parameter_types", (1,)),
    ("kind", "Elf"),
    ("content_hash", "zz" * 32),
    ("interface_hash", "ab"),
    ("version", 0),
    ("version", True),
    ("created_at", float("inf")),
    ("not_after", 1),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_what_is_none_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ModuleRefused) as caught:
        decode_manifest(replace(MANIFEST, **{name: value}).encode(b""))
    assert caught.value.reason == "damaged"


def test_no_cut_of_it_is_read() -> None:
    data = MANIFEST.encode(b"sig")
    for end in range(len(data)):
        with pytest.raises(ModuleRefused):
            decode_manifest(data[:end])
