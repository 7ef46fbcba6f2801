"""The table of handlers is complete."""

from __future__ import annotations

import dataclasses

import rtfs.interpret.unit  # noqa: F401
from rtfs import ir
from rtfs.interpret.core import HANDLERS


def test_every_node_has_a_handler():
    nodes = {
        kind
        for kind in vars(ir).values()
        if isinstance(kind, type) and dataclasses.is_dataclass(kind) and issubclass(kind, ir.Node)
    }
    assert set(HANDLERS) == nodes - {ir.Node}
