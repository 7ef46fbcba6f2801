"""The table of instruments."""

from __future__ import annotations

import re

import pytest

from actors.telemetry import instruments
from actors.telemetry.instruments import INSTRUMENTS, Instrument
from policies.running import observe

_ROW = re.compile(r"^\s{4}(\w+)\{([\w,]*)\}\s+(counter|gauge|histogram)\s", re.MULTILINE)


@pytest.mark.parametrize(("module", "prefix"), [(observe, ""), (instruments, "rtfs_")])
def test_the_table_has_what_the_modules_document(module: object, prefix: str) -> None:
    documented = {name: (kind, labels) for name, labels, kind in _ROW.findall(module.__doc__ or "")}
    assert len(documented) >= 8
    made = {
        each.name: (each.kind, ",".join(each.labels))
        for each in INSTRUMENTS.values()
        if each.name.startswith("rtfs_") == bool(prefix)
    }
    assert documented == made


def test_every_named_constant_is_in_the_table() -> None:
    named = {value for name, value in vars(instruments).items() if name.isupper() and isinstance(value, str)}
    assert named == {name for name in INSTRUMENTS if name.startswith("rtfs_")}


def test_names_follow_the_conventions_of_prometheus() -> None:
    for each in INSTRUMENTS.values():
        assert re.fullmatch(r"[a-z][a-z0-9_]*", each.name)
        assert each.name.endswith("_total") == (each.kind == "counter"), each.name
        assert each.help.endswith(".")
        assert list(each.boundaries) == sorted(set(each.boundaries))


def test_boundaries_belong_to_histograms() -> None:
    for kind, boundaries in (("counter", (1.0,)), ("histogram", ())):
        with pytest.raises(ValueError, match="a histogram needs boundaries"):
            Instrument(name="x", kind=kind, labels=(), help="", boundaries=boundaries)  # type: ignore[arg-type]
