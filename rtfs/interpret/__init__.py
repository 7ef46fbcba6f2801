"""The reference interpreter: walks the IR, one handler per node. Small and obvious; the oracle of all tests."""

from rtfs.interpret.unit import run_unit

__all__ = ["run_unit"]
