"""What the reader makes: RTFS values that carry their place in the text, and two things only forms have.

A collection read from text has `source_info`, its span and the spans of its items (of a map: key, value, key,
…, in order). Scalars have none of their own; whoever holds the collection knows where they stand. A form made
by a macro has no `source_info` and takes the span of the form it stands in.

The reader leaves these as ordinary lists: `'x` is `(quote x)`, `` `x `` `(quasiquote x)`, `~x` `(unquote x)`,
`~@x` `(unquote-splicing x)`, `@name` `(resource:ref "name")`, `@:key` `(get :key)`, `#(+ % 1)`
`(fn [%1] (+ %1 1))` (with `& %&` where it occurs), `(.m obj a)` `(m obj a)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from rtfs.delegation import DelegationHint
from rtfs.errors import Span
from rtfs.values import Value


class SourceInfo(NamedTuple):
    """Where a collection form stands."""

    span: Span
    children: tuple[Span, ...]


class Colon:
    """The annotation colon of `x : int`, as an item of the list or vector it stands in. One object, `COLON`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return ":"


COLON: Final = Colon()


@dataclass(frozen=True, slots=True, eq=False)
class MetaForm:
    """`^… form`. Several in front of one form are one MetaForm, entries in text order.

    `entries`: (key form, value form); `^:kw` is (`:kw`, true). A delegation hint is taken out into `hint`.
    """

    entries: tuple[tuple[Value, Value], ...]
    hint: DelegationHint | None
    form: Value
    span: Span
    form_span: Span


@dataclass(frozen=True, slots=True)
class Program:
    """All top-level forms of one text and their spans."""

    source: str
    forms: tuple[Value, ...]
    spans: tuple[Span, ...]


def source_info(form: Value) -> SourceInfo | None:
    """The place of a collection form, None if it was not read from text."""
    return getattr(form, "source_info", None)
