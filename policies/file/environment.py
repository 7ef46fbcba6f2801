"""Variables of the environment over keys of the policy file.

    RTFS_DELEGATION__CACHE_TTL=60
    RTFS_DELEGATION__REMOTE_PROVIDERS__REMOTE_OPENAI__TIMEOUT=5000
    RTFS_DELEGATION__RULES__0__MAX_COST_USD=0.5

A double underscore goes one level down. Case does not matter, nor do `-`, `.` and `_` differ: each part means
the key of the file that is spelt like it, else the schema's key, else, where only the user gives names, a new
key in lower case with hyphens. Elements of arrays go by their index; the one behind the last is added.

A value is read as a TOML value; where the schema wants a string, a text that is no TOML string stands for
itself. An empty value counts as no variable. No variable can remove a key.

`RTFS_LOCAL_MODEL_PATH=/models/tiny.q4.gguf` is short for a key: the `path` of the local model `tiny.q4`, which
is defined by that if it was not.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Final

from policies.errors import PolicyProblem
from policies.file import shape
from policies.file.places import ENVIRONMENT
from policies.file.schema_errors import either
from policies.file.shape import Shape
from policies.file.toml_lines import MAX_DEPTH, KeyPath, dotted, scan
from rtfs.spell import nearest

PREFIX: Final = "RTFS_DELEGATION"
#: adds a model on this machine
LOCAL_MODEL_PATH: Final = "RTFS_LOCAL_MODEL_PATH"
#: characters of a value that is read, and of a name that is shown
_LONGEST: Final = 100_000
_SHOWN: Final = 200


@dataclass(slots=True, kw_only=True)
class Overrides:
    """What the environment changed, and what is wrong with it."""

    #: key → name of the variable that set it
    variables: dict[KeyPath, str] = field(default_factory=dict)
    problems: list[PolicyProblem] = field(default_factory=list)


def apply(data: dict[str, Any], environ: Mapping[str, str]) -> Overrides:
    """Set the keys in `data` that variables name."""
    found = Overrides()
    for name in sorted(filter(_is_ours, environ), key=_order):
        _Override(name, environ[name], data, found).apply()
    if environ.get(LOCAL_MODEL_PATH, "").strip():
        _add_model(environ[LOCAL_MODEL_PATH].strip(), data, found)
    return found


def _add_model(file: str, data: dict[str, Any], found: Overrides) -> None:
    """Define the model in `file`, which is called like it without the ending, or give it that file."""
    holder: Any = data
    for part in ("delegation", "local_models"):
        holder = holder.setdefault(part, {})
        if not isinstance(holder, dict):
            return  # the schema will report what stands there
    name = PurePath(file).stem
    key = f"local-{name}" if f"local-{name}" in holder else name
    entry = holder.setdefault(key, {})
    if isinstance(entry, dict):
        entry["path"] = file
        found.variables["delegation", "local_models", key, "path"] = LOCAL_MODEL_PATH


def _is_ours(name: str) -> bool:
    return name.upper().startswith(PREFIX)


def _order(name: str) -> tuple[tuple[tuple[bool, int, str], ...], str]:
    """Tables before what is in them, indices as numbers; the same for every order of the environment."""
    parts = name.upper().split("__")
    return tuple((part.isascii() and part.isdigit(), _index(part), part) for part in parts), name


def _index(part: str) -> int:
    """An index; a number too long for one is beyond every array."""
    if part.isascii() and part.isdigit():
        return int(part) if len(part) < 10 else 10**9
    return -1


class _Override:
    """One variable on its way into the data."""

    def __init__(self, name: str, text: str, data: dict[str, Any], found: Overrides) -> None:
        self.name, self.text, self.data, self.found = name, text, data, found
        self.shown = name if len(name) <= _SHOWN else name[:_SHOWN] + "…"
        self.path: list[str | int] = []

    def apply(self) -> None:
        """Set the key, or note why not."""
        parts = self.name.upper().split("__")
        if parts[0] != PREFIX:
            self._near_miss()
            return
        if len(parts) == 1 or not self.text.strip():
            if self.text.strip():
                self._problem(
                    "unknown-variable", f"`{self.shown}` names no key", f"such as `{PREFIX}__CACHE_TTL`"
                )
            return
        if len(parts) > MAX_DEPTH or len(self.text) > _LONGEST:
            self._problem("unknown-variable", f"`{self.shown}` is too long to be one of ours")
            return
        self._descend(parts[1:])

    def _near_miss(self) -> None:
        """`RTFS_DELEGATION_CACHE_TTL`: one underscore too few. Other names are none of our business."""
        rest = self.name.upper().removeprefix(PREFIX).strip("_")
        known = next((key for key in _top().fields if _folded(key) == _folded(rest)), None)
        if known and self.text.strip():
            meant = f"{PREFIX}__{known.upper()}"
            self._problem("unknown-variable", f"`{self.shown}` names no key", f"did you mean `{meant}`?")

    def _descend(self, parts: list[str]) -> None:
        """Walk down the names to the place, making tables on the way, and set the value there."""
        below: Shape = _top()
        holder: Any = self.data.setdefault("delegation", {})
        self.path = ["delegation"]
        for position, part in enumerate(parts):
            key = self._key(part, below, holder, parts[:position])
            if key is None:
                return
            self.path.append(key)
            below = _below(below, key)
            if position == len(parts) - 1:
                self._set(holder, key, below)
            else:
                holder = _child(holder, key, below)
                if holder is None:  # no table there, which the schema will report
                    return

    def _key(self, part: str, below: Shape, holder: Any, before: list[str]) -> str | int | None:
        """The key in `holder` that `part` means; None after noting a problem."""
        if below.kind == "array" or (below.kind == "scalar" and below.item and isinstance(holder, list)):
            return self._element(part, holder) if isinstance(holder, list) else None
        if below.kind == "scalar":
            self._problem("unknown-variable", f"`{self.shown}` goes deeper than `{dotted(tuple(self.path))}`")
            return None
        if not isinstance(holder, dict):
            return None  # the schema says what is wrong there
        same = [key for key in {**holder, **below.fields} if _folded(key) == _folded(part)]
        if len(same) > 1:
            meant = either([f"`{key}`" for key in same[:5]])
            self._problem("ambiguous-variable", f"`{self.shown}` may mean {meant}")
        elif same:
            return str(same[0])
        elif below.kind == "map" and part:
            return part.lower().replace("_", "-")
        else:
            self._unknown(part, below.fields, before)
        return None

    def _element(self, part: str, holder: list[Any]) -> int | None:
        length = len(holder)
        index = _index(part)
        if 0 <= index <= length:
            return index
        where = dotted(tuple(self.path))
        message = f"`{self.shown}`: expected an index from 0 to {length} into `{where}`, got `{part[:80]}`"
        self._problem("unknown-variable", message)
        return None

    def _unknown(self, part: str, known: Iterable[str], before: list[str]) -> None:
        near = nearest(part.lower(), known)
        names = "__".join([PREFIX, *before, near.upper()]) if near else None
        hint = (
            f"did you mean `{names}`?"
            if names
            else f"known are {', '.join(f'`{key}`' for key in sorted(known))}"
        )
        self._problem("unknown-variable", f"`{self.shown}` names no key", hint)

    def _set(self, holder: Any, key: str | int, wanted: Shape) -> None:
        path = tuple(self.path)
        if other := self.found.variables.get(path):
            self._problem("ambiguous-variable", f"`{self.shown}` and `{other}` set the same key")
            return
        value, problem = _value(self.text.strip(), wanted)
        if problem:
            self._problem("bad-variable", f"in `{self.shown}`: {problem}")
            return
        self.found.variables[path] = self.name
        if isinstance(holder, list) and key == len(holder):
            holder.append(value)
        else:
            holder[key] = value

    def _problem(self, code: str, message: str, hint: str | None = None) -> None:
        key = dotted(tuple(self.path)) if self.path else None
        problem = PolicyProblem(code=code, message=message, source=ENVIRONMENT, key=key, hint=hint)
        self.found.problems.append(problem)


def _top() -> Shape:
    return shape.root().fields["delegation"]


def _below(outer: Shape, key: str | int) -> Shape:
    """What may stand there; only known keys come here."""
    found = outer.at(key)
    if found is None:
        raise AssertionError(f"`{key}` was taken for a known key")
    return found


def _child(holder: Any, key: str | int, wanted: Shape) -> Any:
    """The table or array at `key`, made if there is none; None if something else stands there."""
    empty: Any = [] if wanted.kind == "array" else {}
    if isinstance(holder, list):
        if key == len(holder):
            holder.append(empty)
        child = holder[int(key)]
    else:
        child = holder.setdefault(key, empty) if wanted.kind != "scalar" else holder.get(key, empty)
    return child if isinstance(child, dict | list) or wanted.kind == "scalar" else None


def _folded(name: str) -> str:
    return name.lower().replace("-", "_").replace(".", "_")


def _value(text: str, wanted: Shape) -> tuple[Any, str | None]:
    """The value that `text` stands for, or what is wrong with it."""
    parsed = _toml_value(text)
    if wanted.is_text:
        return (parsed[0] if parsed and isinstance(parsed[0], str) else text), None
    if parsed:
        return parsed[0], None
    if wanted.kind == "scalar" and wanted.item:  # a string is one of the things that may stand there
        return text, None
    what = {"array": 'an array, such as ["a", "b"]', "table": "a table, such as { key = 1 }"}
    kind = "table" if wanted.kind == "map" else wanted.kind
    expected = what.get(kind) or either(sorted(wanted.scalars))
    return None, f"expected {expected}, got {_quoted(text)}"


def _toml_value(text: str) -> tuple[Any] | None:
    """The TOML value `text`, None if it is none."""
    line = f"value = {text}"
    if scan(line).refusal:
        return None
    try:
        data = tomllib.loads(line)
    except (ValueError, RecursionError):
        return None
    return (data["value"],) if data.keys() == {"value"} else None


def _quoted(text: str) -> str:
    return f"`{text}`" if len(text) <= 60 else f"a text of {len(text)} characters"
