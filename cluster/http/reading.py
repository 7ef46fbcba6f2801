"""From bytes to a model, with everything that can be wrong on the way told in words.

JSON is read strictly: what two readers could take for two things is refused. That is a key that is there twice,
NaN and infinities, half a surrogate pair, a byte order mark. Nesting is bounded by the parser, at 200.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final, NoReturn, get_args

from pydantic import BaseModel, ValidationError

from cluster.http.problems import Problem
from rtfs.spell import nearest

#: problems told of one body
_MOST_TOLD: Final = 20
_JSON_TYPES: Final = ("application/json",)


def media_type(header: str | None) -> str:
    """A `Content-Type` without its parameters, in lower case."""
    return "" if header is None else header.partition(";")[0].strip().lower()


def expect_type(header: str | None, accepted: Iterable[str] = _JSON_TYPES) -> str:
    """The media type of a body.

    Raises:
        Problem: it is none of those accepted, or in another encoding than UTF-8.
    """
    found = media_type(header)
    if found not in accepted:
        got = f"got `{found[:80]}`" if found else "there was none"
        raise Problem("unsupported-media-type", f"expected the content type {' or '.join(accepted)}, {got}")
    charset = (header or "").lower().partition("charset=")[2].strip(' "')
    if charset and charset not in ("utf-8", "utf8", "us-ascii"):
        raise Problem("unsupported-media-type", f"expected UTF-8, got the charset `{charset[:40]}`")
    return found


def read_model[M: BaseModel](model: type[M], data: bytes) -> M:
    """`data` as a `model`.

    Raises:
        Problem: `bad-json` or `invalid-fields`.
    """
    try:
        made = model.model_validate_json(data)
    except ValidationError as error:
        raise _problem(model, error) from None
    _check_pairs(data)
    return made


def _check_pairs(data: bytes) -> None:
    """What the fast parser lets pass: keys that are there twice, and numbers that are none."""
    try:
        _PAIRS.decode(data.decode())
    except _Refused as refused:
        raise Problem("bad-json", str(refused)) from None


class _Refused(Exception):
    """JSON that is refused."""


def _once(pairs: list[tuple[str, Any]]) -> None:
    if len({key for key, _ in pairs}) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _Refused(f"the key `{twice[:64]}` is there twice in one object; which is meant?")


def _no_constant(name: str) -> NoReturn:
    raise _Refused(f"`{name}` is no JSON number; give it as RTFS text, or as null")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise _Refused(f"`{text[:40]}` is beyond what a float can hold")
    return number


_PAIRS: Final = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant, parse_float=_finite)

# ---------------------------------------------------------------- what is wrong, in words

_WANTED: Final = {
    "string_type": "a string",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a smaller number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "an array",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "string_unicode": "text in UTF-8",
}


def _problem(model: type[BaseModel], error: ValidationError) -> Problem:
    found = error.errors(include_url=False)
    if found[0]["type"] == "json_invalid":
        why = str(found[0].get("ctx", {}).get("error", "")) or "it cannot be parsed"
        if "recursion limit" in why:
            why = why.replace("recursion limit exceeded", "it is nested deeper than 200")
        return Problem("bad-json", why)
    told: dict[str, str] = {}
    for each in found:
        path, text = _told(model, each["type"], each["loc"], each.get("ctx", {}), each["input"])
        told.setdefault(path, text)
    listed = [{"field": path, "problem": text} for path, text in told.items()][:_MOST_TOLD]
    detail = "; ".join(
        f"`{each['field']}`: {each['problem']}" if each["field"] else each["problem"] for each in listed
    )
    return Problem("invalid-fields", detail, more={"problems": listed})


def _told(
    model: type[BaseModel], kind: str, loc: tuple[int | str, ...], ctx: Mapping[str, Any], value: Any
) -> tuple[str, str]:
    if loc[:1] == ("ambient",) and len(loc) > 1:  # a union: pydantic tells of each member by itself
        return (
            f"ambient.{str(loc[1])[:64]}",
            f"expected a text, a whole number, true or false, got {_shown(value)}",
        )
    path = ".".join(str(part)[:64] for part in loc)
    if kind == "extra_forbidden":
        return path, _unknown(model, loc)
    if kind == "missing":
        return path, "it is missing"
    return path, f"expected {_wanted(kind, ctx)}, got {_shown(value)}"


def _wanted(kind: str, ctx: Mapping[str, Any]) -> str:
    if kind in _WANTED:
        return _WANTED[kind]
    match kind:
        case "literal_error":
            return str(ctx["expected"]).replace("'", '"')
        case "greater_than_equal":
            return f"a number of at least {ctx['ge']}"
        case "less_than_equal":
            return f"a number of at most {ctx['le']}"
        case "string_too_short":
            return "a text that is not empty"
        case "string_too_long":
            return f"a text of at most {ctx['max_length']} characters"
        case "string_pattern_mismatch":
            return f"a text like {ctx['pattern']}"
    return "a value that fits"


def _shown(value: Any) -> str:
    """What was given, as JSON, cut short: it is the caller's own, but need not be repeated in full."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "…"


def _unknown(model: type[BaseModel], loc: tuple[int | str, ...]) -> str:
    known = _fields(model, tuple(part for part in loc[:-1] if isinstance(part, str)))
    near = nearest(str(loc[-1]), known)
    return "no such field; " + (f"did you mean `{near}`?" if near else f"known are {', '.join(known)}")


@cache
def _fields(model: type[BaseModel], path: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the fields of the model at `path` inside `model`."""
    for name in path:
        annotation = model.model_fields[name].annotation
        inner = [each for each in (annotation, *get_args(annotation)) if isinstance(each, type)]
        model = next(each for each in inner if issubclass(each, BaseModel))
    return tuple(model.model_fields)
