"""Importing this fills the tables of operations."""

from __future__ import annotations

from rtfs.emit_wasm import arithmetic, comparison, conversion, division, items, sequences, strings

__all__ = ["arithmetic", "comparison", "conversion", "division", "items", "sequences", "strings"]
