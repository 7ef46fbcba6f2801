"""What pydantic finds wrong with a policy, said in the file's terms.

A table translates its error types; a type that is not in it gets a general text. Of a value that may be one of
several things pydantic reports each of them; here they become one problem.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from pydantic import ValidationError

from policies.errors import PolicyProblem
from policies.file import device, shape
from policies.file.places import MAX_TOLD, Places
from policies.file.toml_lines import KeyPath, dotted

#: error type → what was expected; `ctx` is pydantic's
_EXPECTED: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "string_type": lambda ctx: "a string",
    "int_type": lambda ctx: "an integer",
    "int_from_float": lambda ctx: "an integer",
    "int_parsing_size": lambda ctx: "an integer of at most 64 bits",
    "float_type": lambda ctx: "a number",
    "bool_type": lambda ctx: "`true` or `false`",
    "finite_number": lambda ctx: "a finite number",
    "tuple_type": lambda ctx: "an array",
    "frozen_set_type": lambda ctx: "an array",
    "dict_type": lambda ctx: "a table",
    "model_type": lambda ctx: "a table",
    "literal_error": lambda ctx: ctx["expected"].replace("'", '"'),
    "greater_than": lambda ctx: f"a number above {_plain(ctx['gt'])}",
    "greater_than_equal": lambda ctx: f"a number of at least {_plain(ctx['ge'])}",
    "less_than": lambda ctx: f"a number below {_plain(ctx['lt'])}",
    "less_than_equal": lambda ctx: f"a number of at most {_plain(ctx['le'])}",
    "string_too_short": lambda ctx: "a text that is not empty",
    "string_pattern_mismatch": lambda ctx: _FORMS.get(ctx["pattern"], "a text of another form"),
    "string_too_long": lambda ctx: f"a text of at most {ctx['max_length']} characters",
    "too_long": lambda ctx: f"an array of at most {ctx['max_length']} elements",
    "missing": lambda ctx: "",
    "extra_forbidden": lambda ctx: "",
}

#: pattern → what a text looks like that it matches
_FORMS: Final[Mapping[str, str]] = {device.PATTERN: device.FORMS}

#: keys that people write for others
_SYNONYMS: Final = {
    "url": "endpoint",
    "base_url": "endpoint",
    "api_base": "endpoint",
    "file": "path",
    "model_path": "path",
    "default": "default_target",
    "routes": "static_routes",
    "providers": "remote_providers",
    "models": "local_models",
    "target": "targets",
    "cost": "cost_usd",
    "max_cost": "max_cost_usd",
    "latency": "latency_ms",
    "max_latency": "max_latency_ms",
    "gpus": "device",
    "num_gpus": "device",
    "threads": "device",
    "n_ctx": "context_length",
    "n_gpu_layers": "gpu_layers",
}
_SECRETS: Final = ("key", "token", "secret", "password", "credential", "authorization", "bearer")


@dataclass(slots=True)
class _Finding:
    """What was found at one path."""

    kinds: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    value: Any = None
    #: whether it is one of several things that the value might have been
    is_alternative: bool = False


def translate(
    error: ValidationError, data: Mapping[str, Any], places: Places
) -> tuple[list[PolicyProblem], int]:
    """The problems behind `error`, and how many more there are than are worth telling."""
    found: dict[KeyPath, _Finding] = {}
    for entry in error.errors(include_url=False):
        path, is_alternative = _path(entry["loc"], entry["type"], data)
        finding = found.setdefault(path, _Finding())
        finding.kinds.append(entry["type"])
        finding.value = entry["input"]
        finding.is_alternative = is_alternative
        text = _expected(entry["type"], cast(Mapping[str, Any], entry.get("ctx", {})))
        if text not in finding.expected:
            finding.expected.append(text)
    _drop_outer(found)
    first = sorted(found, key=lambda path: places.line(path) or 0)[:MAX_TOLD]
    return [_problem(path, found[path], places) for path in first], len(found) - len(first)


def _path(loc: tuple[str | int, ...], kind: str, data: Any) -> tuple[KeyPath, bool]:
    """pydantic's location without the parts that name alternatives of a union, and whether there were some."""
    path: list[str | int] = []
    is_alternative = False
    for position, part in enumerate(loc):
        if _holds(data, part):
            data = data[part]
        elif kind != "missing" or position < len(loc) - 1:
            is_alternative = part != "[key]"
            continue
        path.append(part)
    return tuple(path), is_alternative


def _holds(data: Any, part: str | int) -> bool:
    if isinstance(data, dict):
        return part in data
    return isinstance(data, list) and isinstance(part, int) and part < len(data)


def _drop_outer(found: dict[KeyPath, _Finding]) -> None:
    """Where an element of an array is wrong, that the array is not a string is no news."""
    for path in list(found):
        if found[path].is_alternative and path[:-1] in found and found[path[:-1]].is_alternative:
            del found[path[:-1]]


def _expected(kind: str, ctx: Mapping[str, Any]) -> str:
    make = _EXPECTED.get(kind)
    return make(ctx) if make else "a value that fits"


def _problem(path: KeyPath, finding: _Finding, places: Places) -> PolicyProblem:
    if "extra_forbidden" in finding.kinds:
        return _unknown_key(path, finding.value, places)
    if "missing" in finding.kinds:
        return places.problem("missing-key", path, f"expected the key `{path[-1]}`, it is missing")
    message = f"expected {either(finding.expected)}, got {described(finding.value)}"
    return places.problem("bad-value", path, message, hint=_value_hint(finding, places))


def _value_hint(finding: _Finding, places: Places) -> str | None:
    value = finding.value
    if "literal_error" in finding.kinds and isinstance(value, str):
        choices = [text.strip('"') for text in finding.expected[0].replace(" or ", ", ").split(", ")]
        near = places.nearest(value, choices)
        return f'did you mean "{near}"?' if near else None
    if isinstance(value, str) and finding.kinds[0] in ("tuple_type", "frozen_set_type") and len(value) <= 80:
        return f"write [{json.dumps(value, ensure_ascii=False)}]"
    return None


def _unknown_key(path: KeyPath, value: Any, places: Places) -> PolicyProblem:
    """A key that the schema does not have, with what was probably meant; its value is not repeated."""
    name, shown = str(path[-1]), dotted(path[-1:])
    if isinstance(value, str | int) and _is_secret(name) and "remote_providers" in path:
        return places.problem(
            "literal-secret",
            path,
            f"unknown key `{shown}`; a secret never stands in the file",
            hint='name the variable that holds it: `api_key_env = "OPENAI_API_KEY"`',
        )
    return places.problem("unknown-key", path, f"unknown key `{shown}`", hint=_suggestion(path, places))


def _is_secret(name: str) -> bool:
    folded = name.lower().replace("-", "_")
    return any(word in folded for word in _SECRETS) and not folded.endswith("_env")


def _suggestion(path: KeyPath, places: Places) -> str | None:
    """What may have been meant by the unknown key `path`."""
    name = str(path[-1])
    table = shape.at(path[:-1])
    known = table.fields if table else {}
    near = places.nearest(name, known)
    if near is None and _SYNONYMS.get(name) in known:
        near = _SYNONYMS[name]
    if near:
        return f"did you mean `{near}`?"
    if elsewhere := shape.homes(name):
        return f"it is known in {either([f'`{home}`' for home in elsewhere[:3]])}"
    if known and len(path) > 1:
        return f"known are {', '.join(f'`{key}`' for key in sorted(known)[:40])}"
    return "all keys stand below `[delegation]`" if len(path) == 1 else None


def either(texts: list[str]) -> str:
    """`a, b or c`."""
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} or {texts[-1]}"


def described(value: Any) -> str:
    """A value of the file for people, short."""
    match value:
        case bool():
            return f"`{str(value).lower()}`"
        case str():
            text = json.dumps(value, ensure_ascii=False)
            return f"the string {text}" if len(text) <= 60 else f"a string of {len(value)} characters"
        case int():
            return f"the integer {value}" if abs(value) < 10**20 else "an integer of more than 64 bits"
        case float():
            return f"the number {value}"
        case dict():
            return "a table"
        case list():
            return f"an array of {len(value)} elements" if len(value) > 9 else "an array"
        case datetime.date() | datetime.time():
            return f"the date or time {value}"
    return "something else"


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) else str(number)
