"""Forms with their places, and what the analyzer asks of them: parts, metadata, plain data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from rtfs import errors
from rtfs.delegation import DelegationHint
from rtfs.errors import Span
from rtfs.forms import COLON, MetaForm, source_info
from rtfs.values import Keyword, List, Map, Set, Symbol, Value, Vector

AMPERSAND: Final = Symbol.of("&")
QUOTE: Final = Symbol.of("quote")
#: the annotation colon as data: what quoting makes of `COLON`
COLON_SYMBOL: Final = Symbol.of(":")
#: head of the list that stands for a `MetaForm` in quasiquoted data: `(^ [kind id] (k v …) form)`
META_SYMBOL: Final = Symbol.of("^")


class Item(NamedTuple):
    """A form and where it stands."""

    form: Value
    span: Span


def place(form: Value, default: Span) -> Span:
    """Where `form` was read, or `default` if a macro made it."""
    if type(form) is MetaForm:
        return form.span
    info = source_info(form)
    return default if info is None else info.span


def items_of(form: Any, span: Span) -> list[Item]:
    """The items of a list, vector or set that stands at `span`."""
    parts = form.to_list()
    info = source_info(form)
    if info is not None and len(info.children) == len(parts):
        return [Item(part, where) for part, where in zip(parts, info.children, strict=True)]
    return [Item(part, place(part, span)) for part in parts]


def entries_of(form: Map, span: Span) -> list[tuple[Item, Item]]:
    """The entries of a map that stands at `span`."""
    entries = form.items()
    info = source_info(form)
    if info is not None and len(info.children) == 2 * len(entries):
        spans = info.children
        return [
            (Item(key, spans[2 * i]), Item(value, spans[2 * i + 1])) for i, (key, value) in enumerate(entries)
        ]
    return [(Item(key, place(key, span)), Item(value, place(value, span))) for key, value in entries]


def is_colon(form: Value) -> bool:
    """Whether `form` is the colon of an annotation."""
    return form is COLON or form is COLON_SYMBOL


def is_symbol(form: Value, name: str) -> bool:
    """Whether `form` is the symbol `name`."""
    return type(form) is Symbol and form.name == name


def invalid(message: str, span: Span, hint: str | None = None) -> errors.InvalidProgram:
    """The error for forms that are no program."""
    error = errors.InvalidProgram(message, span=span)
    error.hint = hint
    return error


def nearest_hint(name: str, candidates: Iterable[str]) -> str | None:
    """`did you mean …`, if a candidate is near."""
    from rtfs.spell import nearest

    found = nearest(name, candidates)
    return None if found is None or found == name else f"did you mean `{found}`?"


def describe(form: Value) -> str:
    """A form as error texts show it: its text, shortened."""
    if isinstance(form, MetaForm):
        return "a form with metadata"
    if is_colon(form):
        return "`:`"
    if type(form) in _COLLECTION_WORDS:
        return _COLLECTION_WORDS[type(form)]
    from rtfs.printer import pr_str

    text = pr_str(form)
    return f"`{text if len(text) <= 40 else text[:37] + '…'}`"


_COLLECTION_WORDS: Final = {List: "a list", Vector: "a vector", Map: "a map", Set: "a set"}


# ---------------------------------------------------------------- metadata


@dataclass(frozen=True, slots=True)
class Metadata:
    """What stands in `^…` before a form or among the first parts of a definition."""

    hint: DelegationHint | None = None
    #: name without colon → form, not evaluated
    entries: tuple[tuple[str, Item], ...] = ()

    def __or__(self, other: Metadata) -> Metadata:
        """Both; the later hint wins."""
        return Metadata(other.hint or self.hint, self.entries + other.entries)

    def runtime_hints(self) -> list[tuple[str, Item]]:
        """The entries `runtime.*`, which are evaluated and sent to the host."""
        return [(name, item) for name, item in self.entries if name.startswith("runtime.")]

    def constants(self) -> tuple[tuple[str, Value], ...]:
        """All entries as data, each name once; see `join_constants`."""
        return join_constants([(name, datum(item.form)) for name, item in self.entries])


NO_METADATA: Final = Metadata()
#: metadata that no later entry of the same name takes back
_ADDING: Final = frozenset(("privacy",))


def join_constants(entries: Iterable[tuple[str, Value]]) -> tuple[tuple[str, Value], ...]:
    """Each name once, with its last value; those of `:privacy` add up, in a vector."""
    found: dict[str, Value] = {}
    for name, value in entries:
        adds = name in _ADDING and name in found
        found[name] = Vector([found[name], value]) if adds else value
    return tuple(found.items())


def split_metadata(item: Item) -> tuple[Metadata, Item]:
    """The metadata in front of `item`, and the bare item."""
    metadata = NO_METADATA
    while True:
        form = item.form
        if type(form) is MetaForm:
            found = [(_entry_name(key, form.span), Item(value, form.span)) for key, value in form.entries]
            metadata |= Metadata(form.hint, tuple(found))
            item = Item(form.form, form.form_span)
        elif type(form) is List and len(form) == 4 and form[0] is META_SYMBOL:
            metadata |= _metadata_from_data(form, item.span)
            item = Item(form[3], place(form[3], item.span))
        else:
            return metadata, item


def metadata_in(item: Item, name: str) -> Metadata:
    """The metadata called `name` anywhere inside `item`, a pattern."""
    found: list[tuple[str, Item]] = []
    todo = [item]
    while todo:
        metadata, bare = split_metadata(todo.pop())
        found += [entry for entry in metadata.entries if entry[0] == name]
        if type(bare.form) is Vector:
            todo += items_of(bare.form, bare.span)
        elif type(bare.form) is Map:
            todo += [part for entry in entries_of(bare.form, bare.span) for part in entry]
    return Metadata(None, tuple(found))


def _entry_name(key: Value, span: Span) -> str:
    if type(key) is Keyword or type(key) is Symbol:
        return str(key.name)
    if type(key) is str:
        return key
    raise invalid(f"a metadata key is a keyword, got {describe(key)}", span)


def metadata_as_data(form: MetaForm) -> tuple[Value, list[Value]]:
    """Hint and entries of `form` as RTFS data; `_metadata_from_data` is the way back."""
    hint = None if form.hint is None else Vector.of(form.hint.kind, form.hint.id)
    return hint, [part for entry in form.entries for part in entry]


def _metadata_from_data(form: List, span: Span) -> Metadata:
    hint, parts = form[1], form[2]
    if type(parts) is not List or len(parts) % 2:
        raise invalid("this list stands for no metadata", span)
    pairs = parts.to_list()
    entries = tuple([(_entry_name(pairs[i], span), Item(pairs[i + 1], span)) for i in range(0, len(pairs), 2)])
    if hint is None:
        return Metadata(None, entries)
    if (
        type(hint) is not Vector
        or len(hint) != 2
        or hint[0] not in ("local", "local-model", "remote", "target")
    ):
        raise invalid("this list stands for no metadata", span)
    return Metadata(DelegationHint(hint[0], hint[1]), entries)


# ---------------------------------------------------------------- data


def datum(form: Value) -> Value:
    """`form` as data: without places and metadata, the annotation colon as the symbol `:`."""
    kind = type(form)
    if kind is List:
        return List([datum(part) for part in form.to_list()])
    if kind is Vector:
        return Vector([datum(part) for part in form.to_list()])
    if kind is Map:
        return Map({_key_datum(key): datum(value) for key, value in form.items()})
    if kind is Set:
        return Set([datum(part) for part in form.to_list()])
    if kind is MetaForm:
        return datum(form.form)
    return COLON_SYMBOL if form is COLON else form


def _key_datum(key: Value) -> Value:
    return key if type(key) in (Keyword, str, int, Symbol) else datum(key)
