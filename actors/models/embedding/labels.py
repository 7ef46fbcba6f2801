"""Between which labels a function wants its texts told apart, and what is said about each.

    (defn ^{:labels {:spam "advertising that nobody asked for" :ham "a message to me"}
            :examples {:spam ["WIN a free phone now"]}}
      kind-of [text : string] : [:enum :spam :ham] …)

The labels are the values of the return type, an enum of keywords or strings, or `bool`. What is said about one
stands in the metadata, or in a line of its own of the docstring, `:spam — advertising that nobody asked for`.
Of a label about which nothing is said its own words count; for `true` and `false` something has to be said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from actors.models.inference import FunctionFacts
from policies.errors import TargetFailed
from rtfs.errors import RtfsError
from rtfs.spell import nearest
from rtfs.types.model import Alias, EnumType, Primitive, Type
from rtfs.types.parser import parse_type_text
from rtfs.values import Keyword, Map, Value, Vector

#: labels that one function may tell apart
MOST_LABELS: Final = 1000
#: examples of one label that are looked at
MOST_EXAMPLES: Final = 100

_WHAT_IT_CAN: Final = "a classifier answers `bool` and enums of keywords or strings"
#: aliases of aliases that are followed
_DEEPEST: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One of the values that a function may return."""

    value: Value
    name: str
    #: what it means: its description, or its words
    meaning: str
    examples: tuple[str, ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """All that is said about it."""
        return self.meaning, *self.examples


def labels_of(function: FunctionFacts) -> tuple[Label, ...]:
    """The labels of a function.

    Raises:
        TargetFailed: `bad-request`: it returns something else, or what it says about its labels cannot be used.
    """
    values = _values(function)
    names = {_name(value): value for value in values}
    said = {**_in_docstring(function.doc or "", names), **_in_metadata(function, "labels", names)}
    examples = _in_metadata(function, "examples", names)
    for name, value in names.items():
        if isinstance(value, bool) and name not in said and name not in examples:
            detail = f'it is not said what `{name}` means: write `^{{:labels {{:true "…" :false "…"}}}}`'
            raise _refused(function, detail)
    return tuple(
        Label(
            value=value,
            name=name,
            meaning=_meaning(function, name, said, examples),
            examples=_examples(function, name, examples),
        )
        for name, value in names.items()
    )


def _values(function: FunctionFacts) -> tuple[Value, ...]:
    declared = _declared(function)
    if declared == Primitive("bool"):
        return True, False
    if not isinstance(declared, EnumType):
        raise _refused(function, f"{_WHAT_IT_CAN}, not `{function.return_type[:200]}`")
    for value in declared.values:
        if not isinstance(value, (str, Keyword)):
            raise _refused(function, f"{_WHAT_IT_CAN}, this one has other values as well")
    if len({_name(value) for value in declared.values}) < len(declared.values):
        raise _refused(function, "two of its labels have the same name")
    if len(declared.values) > MOST_LABELS:
        raise _refused(
            function, f"it has {len(declared.values)} labels, at most {MOST_LABELS} can be told apart"
        )
    return declared.values


def _declared(function: FunctionFacts) -> Type:
    """The type that the function returns, by what its name stands for if it is an alias."""
    text = function.return_type
    try:
        found = parse_type_text(text)
        for _ in range(_DEEPEST):
            if not isinstance(found, Alias) or found.name not in function.aliases:
                break
            found = parse_type_text(function.aliases[found.name])
    except RtfsError as error:
        raise TargetFailed("bad-request", f"`{text[:200]}` is no type") from error
    return found


def _name(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.name if isinstance(value, Keyword) else str(value)


# ---------------------------------------------------------------- what is said


def _in_docstring(doc: str, names: Mapping[str, Value]) -> dict[str, Value]:
    """Lines such as `:spam — text`, `spam: text`, `"spam" - text`."""
    wanted = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    line = re.compile(rf"""^[ \t]*(?:[-*] +)?[:"`]*({wanted})["`]*(?: *:| +[—–-]) +(\S.*)$""", re.MULTILINE)
    return {found[1]: found[2].strip() for found in line.finditer(doc)}


def _in_metadata(function: FunctionFacts, key: str, names: Mapping[str, Value]) -> dict[str, Value]:
    """What the metadata say about labels under `key`, by the labels' names."""
    table = function.metadata.get(key)
    if table is None:
        return {}
    if not isinstance(table, Map):
        raise _refused(function, f"expected a map by label under `:{key}`")
    found: dict[str, Value] = {}
    for label, value in _items(table):
        if label not in names:
            near = nearest(label, names)
            hint = (
                f"did you mean `{near}`?" if near else f"known are {', '.join(f'`{name}`' for name in names)}"
            )
            raise _refused(function, f"`{label}` under `:{key}` is none of its labels; {hint}")
        found[label] = value
    return found


def _items(table: Map) -> Iterator[tuple[str, Value]]:
    for key in table:
        yield key.name if isinstance(key, Keyword) else str(key), table[key]


def _meaning(
    function: FunctionFacts, name: str, said: Mapping[str, Value], examples: Mapping[str, Value]
) -> str:
    text = said.get(name)
    if text is None:
        first = _examples(function, name, examples)[:1]
        # of `true` and `false` the words mean nothing
        return first[0] if first and name in ("true", "false") else _words(name)
    if not isinstance(text, str) or not text.strip():
        raise _refused(function, f"expected a text about `{name}` under `:labels`")
    return text


def _words(name: str) -> str:
    return re.sub(r"[-_/.\s]+", " ", name).strip() or name


def _examples(function: FunctionFacts, name: str, examples: Mapping[str, Value]) -> tuple[str, ...]:
    found = examples.get(name, Vector([]))
    if not isinstance(found, Vector) or len(found) > MOST_EXAMPLES:
        raise _refused(
            function, f"expected a vector of at most {MOST_EXAMPLES} texts for `{name}` under `:examples`"
        )
    texts = tuple(text for text in found if isinstance(text, str))
    if len(texts) < len(found):
        raise _refused(function, f"expected texts only for `{name}` under `:examples`")
    return texts


def _refused(function: FunctionFacts, detail: str) -> TargetFailed:
    return TargetFailed("bad-request", f"`{function.symbol}` cannot be answered by a classifier: {detail}")
