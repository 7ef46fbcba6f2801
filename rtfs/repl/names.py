"""What the names at the prompt mean: for completion, `(doc name)` and `(source name)`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from rtfs.forms import MetaForm, Program
from rtfs.repl.special import SPECIAL_FORMS
from rtfs.values import List, Symbol, Value, Vector, is_function, type_name

if TYPE_CHECKING:
    from rtfs.session import Session


@dataclass(frozen=True, slots=True)
class Entry:
    """A name and what is known about it."""

    name: str
    #: how it is called: `(assoc coll k v)`; of other values their type
    signature: str
    doc: str
    #: where it comes from
    origin: str

    @property
    def summary(self) -> str:
        """The first line of the documentation."""
        return self.doc.partition("\n")[0]


@dataclass(frozen=True, slots=True)
class Definition:
    """A definition as it was typed."""

    text: str
    #: the parameter lists, printed
    parameters: tuple[str, ...]


@cache
def library() -> dict[str, Entry]:
    """The special forms and builtins."""
    from rtfs.stdlib.table import BUILTINS, TITLES

    found = {
        name: Entry(name, signature, doc, "special form") for name, (signature, doc) in SPECIAL_FORMS.items()
    }
    for name, builtin in BUILTINS.items():
        lines = [builtin.doc, *(f"{left} ; => {right}" for left, right in builtin.examples)]
        group = TITLES[builtin.module].lower()
        entry = Entry(name, call(name, builtin.parameters), "\n".join(lines).strip(), f"builtin: {group}")
        # `get`, `and`, `or` are special in some calls and functions in others; the function tells more
        found[name] = entry
    return found


def call(name: str, parameters: str) -> str:
    """`(name parameters)`, as documentation writes calls."""
    return f"({name} {parameters})" if parameters else f"({name})"


class Names:
    """The names of a session, and the texts that defined them."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._definitions: dict[str, Definition] = {}

    def note(self, text: str, program: Program) -> None:
        """Remember the definitions in `program`, which was read from `text` and has run."""
        for form, span in zip(program.forms, program.spans, strict=True):
            found = _defined(form)
            if found is not None:
                name, parameters = found
                self._definitions[name] = Definition(_cut(text, span), parameters)

    def source(self, name: str) -> str | None:
        """The text that defined `name` in this session."""
        definition = self._definitions.get(name)
        return None if definition is None else definition.text

    def entry(self, name: str) -> Entry | None:
        """What is known about `name`, None if nothing."""
        if name in self._session.names():
            return self._user_entry(name, self._session.lookup(name))
        definition = self._definitions.get(name)
        if definition is not None:  # a macro or a type: defined, but no value
            return Entry(name, " ".join(_calls(name, definition)) or name, "", "this session")
        return library().get(name)

    def entries(self) -> Iterator[Entry]:
        """All names, those of the session first."""
        own = {name for name in self._session.names() if not name.startswith("*")} | set(self._definitions)
        for name in sorted(own):
            entry = self.entry(name)
            if entry is not None:
                yield entry
        for name, entry in sorted(library().items()):
            if name not in own:
                yield entry

    def _user_entry(self, name: str, value: Value) -> Entry:
        about = self._session.namespace.metadata.get(name, {})
        definition = self._definitions.get(name)
        doc = about.get("doc")
        calls = _calls(name, definition) if definition and is_function(value) else []
        signature = " ".join(calls) or f"{name} : {type_name(value)}"
        return Entry(name, signature, doc if isinstance(doc, str) else "", "this session")


def _calls(name: str, definition: Definition) -> list[str]:
    return [call(name, parameters) for parameters in definition.parameters]


# ---------------------------------------------------------------- reading definitions

_FUNCTION_HEADS: Final = frozenset(("defn", "defmacro"))
_HEADS: Final = _FUNCTION_HEADS | {"def", "defstruct", "deftype"}


def _defined(form: Value) -> tuple[str, tuple[str, ...]] | None:
    """Name and printed parameter lists of a definition form, None for other forms."""
    form = _plain(form)
    if type(form) is not List or len(form) < 2:
        return None
    head, *rest = [_plain(item) for item in form]
    if type(head) is not Symbol or head.name not in _HEADS or type(rest[0]) is not Symbol:
        return None
    return rest[0].name, _parameter_lists(rest[1:]) if head.name in _FUNCTION_HEADS else ()


def _parameter_lists(items: list[Value]) -> tuple[str, ...]:
    from rtfs.printer import pr_str

    for item in items:
        if type(item) is Vector:
            return (pr_str(item)[1:-1],)
    clauses = [item for item in items if type(item) is List and item and type(_plain(item[0])) is Vector]
    return tuple(pr_str(_plain(clause[0]))[1:-1] for clause in clauses)


def _plain(form: Value) -> Value:
    while isinstance(form, MetaForm):
        form = form.form
    return form


def _cut(text: str, span: tuple[int, int, int, int]) -> str:
    line, column, end_line, end_column = span
    lines = text.split("\n")[line - 1 : end_line]
    if not lines:
        return ""
    lines[-1] = lines[-1][: end_column - 1]
    lines[0] = lines[0][column - 1 :]
    return "\n".join(lines)
