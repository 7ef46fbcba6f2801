"""Values as `--json` gives them."""

from __future__ import annotations

from typing import Any

from rtfs.values import Value, type_name


def describe_value(value: Value) -> dict[str, Any]:
    """`text`: as a program would write it. `type`: its RTFS type. `value`: JSON like it, null if none is."""
    import json

    from rtfs.convert import to_python
    from rtfs.errors import RtfsError
    from rtfs.printer import pr_str

    try:
        data = to_python(value)
        json.dumps(data, allow_nan=False)
    except (RtfsError, ValueError, RecursionError):
        # a function, an infinity, nesting that no JSON reader would follow: only its text can be told
        data = None
    return {"value": data, "text": pr_str(value), "type": type_name(value)}
