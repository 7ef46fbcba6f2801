"""The Python backend: IR → Python AST → code object.

How it gets near the speed of plain Python. Locals are Python locals, globals are module globals, a call is a
call; `loop` and self tail calls are `while`. What the language checks and Python does not (booleans are no
numbers, integers have 64 bits, only nil and false are falsy) is checked in line where `facts` cannot prove it,
and only the failing case calls a function. Errors cost nothing until they happen: Python's own exceptions are
translated where they are caught (`blame`).
"""
