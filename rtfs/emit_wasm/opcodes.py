"""Numbers of the instructions that the compiler uses (core specification, §5.4)."""

from __future__ import annotations

from typing import Final

UNREACHABLE: Final = 0x00
BLOCK: Final = 0x02
LOOP: Final = 0x03
IF: Final = 0x04
ELSE: Final = 0x05
END: Final = 0x0B
BR: Final = 0x0C
BR_IF: Final = 0x0D
RETURN: Final = 0x0F
CALL: Final = 0x10
RETURN_CALL: Final = 0x12
DROP: Final = 0x1A
SELECT: Final = 0x1B

LOCAL_GET: Final = 0x20
LOCAL_SET: Final = 0x21
LOCAL_TEE: Final = 0x22
GLOBAL_GET: Final = 0x23
GLOBAL_SET: Final = 0x24

I32_LOAD: Final = 0x28
I64_LOAD: Final = 0x29
F64_LOAD: Final = 0x2B
I32_STORE: Final = 0x36
I64_STORE: Final = 0x37
F64_STORE: Final = 0x39
MEMORY_SIZE: Final = 0x3F
MEMORY_GROW: Final = 0x40

I32_EQZ: Final = 0x45
I32_EQ: Final = 0x46
I32_NE: Final = 0x47
I32_LT_S: Final = 0x48
I32_GT_S: Final = 0x4A
I32_GT_U: Final = 0x4B
I64_EQZ: Final = 0x50
I64_EQ: Final = 0x51
I64_NE: Final = 0x52
I64_LT_S: Final = 0x53
I64_LT_U: Final = 0x54
I64_GT_S: Final = 0x55
I64_LE_S: Final = 0x57
I64_GE_S: Final = 0x59
I64_GE_U: Final = 0x5A
I64_GT_U: Final = 0x56
F64_EQ: Final = 0x61
F64_NE: Final = 0x62
F64_LT: Final = 0x63
F64_GT: Final = 0x64
F64_LE: Final = 0x65
F64_GE: Final = 0x66

I32_ADD: Final = 0x6A
I32_SUB: Final = 0x6B
I32_AND: Final = 0x71
I32_OR: Final = 0x72
I32_SHL: Final = 0x74
I32_SHR_U: Final = 0x76
I64_ADD: Final = 0x7C
I64_SUB: Final = 0x7D
I64_MUL: Final = 0x7E
I64_DIV_S: Final = 0x7F
I64_DIV_U: Final = 0x80
I64_REM_S: Final = 0x81
I64_REM_U: Final = 0x82
I64_AND: Final = 0x83
I64_OR: Final = 0x84
I64_XOR: Final = 0x85
I64_SHL: Final = 0x86
I64_SHR_U: Final = 0x88
F64_ABS: Final = 0x99
F64_NEG: Final = 0x9A
F64_CEIL: Final = 0x9B
F64_FLOOR: Final = 0x9C
F64_TRUNC: Final = 0x9D
F64_SQRT: Final = 0x9F
F64_ADD: Final = 0xA0
F64_SUB: Final = 0xA1
F64_MUL: Final = 0xA2
F64_DIV: Final = 0xA3

I32_WRAP_I64: Final = 0xA7
I64_EXTEND_I32_S: Final = 0xAC
I64_EXTEND_I32_U: Final = 0xAD
I64_TRUNC_F64_S: Final = 0xB0
F64_CONVERT_I32_U: Final = 0xB8
F64_CONVERT_I64_S: Final = 0xB9
#: two bytes, and the indices of two memories
MEMORY_COPY: Final = (0xFC, 10, 0, 0)
I32_GE_U: Final = 0x4F
I32_LT_U: Final = 0x49
