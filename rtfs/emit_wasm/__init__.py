"""The WebAssembly compiler: functions of numbers and strings as wasm, with the values and errors of Python.

`compile_unit` makes a module of the functions of a unit that can become wasm, and says why the others do not.
`rtfs.emit_wasm.execute` runs modules; it alone needs the package `wasmtime`.
"""

from rtfs.emit_wasm.compiler import compile_unit

__all__ = ["compile_unit"]
