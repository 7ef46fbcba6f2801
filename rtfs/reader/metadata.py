"""`^… form`: from the metadata form that was read to its entries and its delegation hint."""

from __future__ import annotations

from typing import Final

from rtfs.delegation import DelegationHint
from rtfs.errors import ReadError, Span
from rtfs.values import Keyword, List, Map, Value, Vector, type_name

type Entries = tuple[tuple[Value, Value], ...]

#: what may follow `^:delegation`, as a reader would write it
DELEGATION_FORMS: Final = (
    "^:delegation :local",
    '^:delegation :local-model "id"',
    '^:delegation :remote "id"',
    '^:delegation {:target "…"}',
)
_DELEGATION: Final = Keyword.of("delegation")
_TARGET: Final = Keyword.of("target")


def malformed_hint(span: Span) -> ReadError:
    """The error for a `^:delegation` that says none of the accepted things."""
    error = ReadError("CustomError", "malformed delegation hint", DELEGATION_FORMS, span=span)
    error.hint = 'write `:local`, `:local-model "id"` or `:remote "id"` after `^:delegation`'
    return error


def read_metadata(form: Value, span: Span) -> tuple[Entries, DelegationHint | None]:
    """Entries and hint of `^form`, where form is a keyword or a map.

    Raises:
        ReadError: it is anything else, or its `:delegation` is malformed.
    """
    if type(form) is Keyword:
        return ((form, True),), None
    if type(form) is not Map:
        raise ReadError(
            "UnsupportedRule",
            f"metadata is a keyword or a map, got {type_name(form)}",
            ("^:keyword form", "^{:key value} form"),
            span=span,
        )
    entries = tuple((key, value) for key, value in form.items() if key is not _DELEGATION)
    if len(entries) == len(form):
        return entries, None
    return entries, hint_of(form[_DELEGATION], span)


def hint_of(form: Value, span: Span) -> DelegationHint:
    """The hint written as one form: `:local`, `[:remote "id"]`, `{:target "…"}` or the target's text.

    Raises:
        ReadError: it is none of them.
    """
    if type(form) is Keyword and form.name == "local":
        return DelegationHint("local")
    if type(form) is str and form:
        return hint_of_text(form)
    if type(form) is Map and form.keys() == [_TARGET]:
        target = form[_TARGET]
        if type(target) is str and target:
            return hint_of_text(target)
    if type(form) in (Vector, List) and len(form) == 2:
        kind, id = form
        if type(kind) is Keyword and type(id) is str and id:
            if kind.name == "local-model":
                return DelegationHint("local-model", id)
            if kind.name == "remote":
                return DelegationHint("remote", id)
    raise malformed_hint(span)


def hint_of_text(text: str) -> DelegationHint:
    """The hint of `{:target text}`: `local`, `local-model:ID`, `remote:ID`, else a name for the policy."""
    if text == "local":
        return DelegationHint("local")
    kind, colon, id = text.partition(":")
    if colon and id and kind == "local-model":
        return DelegationHint("local-model", id)
    if colon and id and kind == "remote":
        return DelegationHint("remote", id)
    return DelegationHint("target", text)
