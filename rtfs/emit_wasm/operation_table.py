"""Importing this fills the tables of operations."""

from __future__ import annotations

from rtfs.emit_wasm import arithmetic, comparison, conversion, division, sequences

__all__ = ["arithmetic", "comparison", "conversion", "division", "sequences"]
