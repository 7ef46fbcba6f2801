"""Canonical layout of RTFS text.

What is on one line and fits stays on one line. Anything else is laid out by its kind: definitions and binding
forms indent their bodies by two, clauses and map entries stand in pairs, other calls align their arguments.
Line breaks that people made inside calls and data are kept, comments and single blank lines too; tokens are
never respelled. Formatting a formatted text changes nothing, and the forms read from it are the same.
"""

from __future__ import annotations

from typing import Final

from rtfs.reader import read
from rtfs.reader.concrete import Node, parse

WIDTH: Final = 100
#: a form that needs several lines may begin on the line under way up to this column
_LATE: Final = 60

#: head → how many forms after it are on its line; the rest is its body
_BODY_AFTER: Final = {
    **dict.fromkeys(("do", "try", "finally", "and", "or", "cond", "step-parallel"), 0),
    **dict.fromkeys(("let", "letrec", "loop", "for", "doseq", "dotimes", "letfn"), 1),
    **dict.fromkeys(("if", "if-not", "if-let", "when", "when-not", "when-let", "case", "match"), 1),
    **dict.fromkeys(("deftype", "defstruct", "module", "step", "step-if", "step-loop"), 1),
    **dict.fromkeys(("catch", "as->"), 2),
}
_INLINE_BODY: Final = frozenset(("and", "or"))
_FUNCTIONS: Final = frozenset(("fn", "λ", "lambda", "defn", "defmacro"))
#: everything may stand on the first line
_KEEPING: Final = _FUNCTIONS | {"def"}
_BINDING: Final = frozenset(("let", "letrec", "loop", "for", "doseq", "dotimes", "if-let", "when-let"))
#: their bodies are clauses, not single forms
_CLAUSES: Final = frozenset(("cond", "case", "match", "defstruct"))


def format_source(text: str) -> str:
    """`text` in canonical layout, ending with a newline; `""` if it has neither forms nor comments.

    Raises:
        ReadError: it is not RTFS, or nests too deeply to be laid out.
    """
    read(text)
    writer = _Writer()
    for i, node in enumerate(parse(text)):
        trailing = i and node.kind == "comment" and not node.newlines
        if trailing:
            writer.write(" ")
        elif i:
            writer.newline(0, blank=node.newlines > 1)
        _render(node, writer, 0)
    return writer.text()


class _Writer:
    """Text under construction, and the column it has reached."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self.column = 0
        self.line = 0

    def write(self, text: str) -> None:
        self._pieces.append(text)
        breaks = text.count("\n")
        if breaks:
            self.line += breaks
            self.column = len(text) - text.rindex("\n") - 1
        else:
            self.column += len(text)

    def newline(self, indent: int, blank: bool = False) -> None:
        self._pieces.append("\n\n" if blank else "\n")
        self._pieces.append(" " * indent)
        self.line += 1
        self.column = indent

    def text(self) -> str:
        text = "".join(self._pieces)
        return text + "\n" if text else ""


def _fits(node: Node, column: int, tail: int) -> bool:
    """Whether `node` on one line, at `column` and followed by `tail` closing brackets, is within the width."""
    flat = node.flat
    if flat is None:
        return False
    if "\n" not in flat:
        return column + len(flat) + tail <= WIDTH
    first, last = flat.index("\n"), len(flat) - flat.rindex("\n") - 1
    return column + first <= WIDTH and last + tail <= WIDTH


def _render(node: Node, writer: _Writer, tail: int, binding: bool = False) -> None:
    if node.kind in ("atom", "comment", "block"):
        writer.write(node.text)
    elif _fits(node, writer.column, tail):
        writer.write(node.flat or "")
    elif node.kind == "collection":
        _render_collection(node, writer, tail, binding)
    else:
        _render_chain(node, writer, tail, binding)


def _render_chain(node: Node, writer: _Writer, tail: int, binding: bool) -> None:
    """A prefix or metadata, and what it is for."""
    indent = writer.column
    if node.kind == "prefixed":
        writer.write(node.text)
        if node.text == "~" and node.items[0].text[:1] == "@":
            writer.write(" ")
    for i, item in enumerate(node.items):
        if i and item.newlines and node.kind == "meta":
            writer.newline(indent)
        elif i:
            writer.write(" ")
        _render(item, writer, tail if i == len(node.items) - 1 else 0, binding and i == len(node.items) - 1)


# ---------------------------------------------------------------- collections


def _render_collection(node: Node, writer: _Writer, tail: int, binding: bool) -> None:
    layout = _layout(node, binding)(node, writer.column)
    writer.write(node.text)
    after_comment = multiline = False
    index = -1
    for position, item in enumerate(node.items):
        index += item.is_form
        last = position == len(node.items) - 1
        item_tail = tail + 1 if last else 0
        if position == 0:
            pass
        elif item.kind == "comment" and not item.newlines and not after_comment:
            writer.write(" ")
        elif after_comment or multiline or _breaks(layout, item, index, writer.column, item_tail):
            writer.newline(layout.indent(index, item), blank=item.newlines > 1)
        else:
            writer.write(" ")
        layout.begin(index, item, writer.column)
        line = writer.line
        _render(item, writer, item_tail, layout.is_binding(index))
        multiline = writer.line > line and layout.ends_line(index)
        after_comment = item.kind == "comment"
    if after_comment:
        writer.newline(layout.base)
    writer.write(node.closer)


def _breaks(layout: _Layout, item: Node, index: int, column: int, tail: int) -> bool:
    if not item.is_form:
        return item.newlines > 0
    wanted = layout.breaks(index, item)
    if wanted is not None:
        return wanted
    if item.kind != "atom" and (item.flat is None or layout.hugs):
        return column + 1 > _LATE and not _fits(item, column + 1, tail)
    return not _fits(item, column + 1, tail)


class _Layout:
    """Where the forms of one collection go. This one: data, as the author broke it, else filled."""

    #: whether a form that does not fit begins on the line under way all the same
    hugs = False

    def __init__(self, node: Node, column: int) -> None:
        forms = node.forms
        #: column of the first item
        self.base = column + len(node.text)
        #: whether the author broke lines here
        self.broken = any(item.newlines for item in node.items[1:])
        self._nested = any(item.kind == "collection" for item in forms)

    def indent(self, index: int, item: Node) -> int:
        """Column of form `index`, or of a comment after it, if it begins a line."""
        return self.base

    def breaks(self, index: int, item: Node) -> bool | None:
        """Whether form `index` begins a line. None: only if it does not fit."""
        if item.newlines:
            return True
        return True if self._nested and not self.broken else None

    def begin(self, index: int, item: Node, column: int) -> None:
        """Form `index` is about to be written at `column`."""

    def ends_line(self, index: int) -> bool:
        """Whether form `index`, if it took several lines, is the last on its line."""
        return True

    def is_binding(self, index: int) -> bool:
        """Whether form `index` is a vector of bindings."""
        return False


class _Pairs(_Layout):
    """Map entries and bindings: each key or pattern begins a line; rows of entries that people made stay."""

    hugs = True

    def __init__(self, node: Node, column: int) -> None:
        super().__init__(node, column)
        self._starts = _pair_starts(node.forms)
        self._keeps_rows = self.broken and node.text == "{"

    def indent(self, index: int, item: Node) -> int:
        return self.base if index in self._starts or not item.is_form else self.base + 2

    def breaks(self, index: int, item: Node) -> bool | None:
        if item.newlines:
            return True
        return True if index in self._starts and not self._keeps_rows else None


def _pair_starts(forms: list[Node], first: int = 0) -> frozenset[int]:
    """Where pairs begin; `pattern : type value` counts as one pair, `pattern when guard body` too."""
    starts = set()
    i = first
    while i < len(forms):
        starts.add(i)
        infix = i + 1 < len(forms) and forms[i + 1].kind == "atom" and forms[i + 1].text in (":", "when")
        i += 4 if infix else 2
    return frozenset(starts)


class _Call(_Layout):
    """Arguments aligned with the first one, or indented by two if the head stands alone."""

    def __init__(self, node: Node, column: int) -> None:
        super().__init__(node, column)
        self._arguments = column + 2

    def indent(self, index: int, item: Node) -> int:
        return self._arguments

    def breaks(self, index: int, item: Node) -> bool | None:
        if item.newlines:
            return True
        return True if index > 1 and not self.broken and item.flat is not None else None

    def begin(self, index: int, item: Node, column: int) -> None:
        if index == 1 and item.is_form:
            self._arguments = column


class _Body(_Layout):
    """A head, what belongs to it on its line, and a body indented by two."""

    hugs = True

    def __init__(self, node: Node, column: int) -> None:
        super().__init__(node, column)
        forms = node.forms
        head = forms[0].text
        self._body = column + 2
        self._binding = head in _BINDING
        self._keeps_breaks = head in _KEEPING
        self._header = _header_length(forms) if self._keeps_breaks else _BODY_AFTER[head]
        self._starts = _pair_starts(forms, self._header + 1) if head in _CLAUSES else None

    def indent(self, index: int, item: Node) -> int:
        clause = self._starts is None or index in self._starts or not item.is_form
        return self._body if clause or index <= self._header else self._body + 2

    def breaks(self, index: int, item: Node) -> bool | None:
        if index <= self._header:
            return (True if item.newlines else None) if self._keeps_breaks else False
        if self._starts is None or index in self._starts:
            return True
        return True if item.newlines else None

    def is_binding(self, index: int) -> bool:
        return self._binding and index == 1


def _header_length(forms: list[Node]) -> int:
    """Forms after `fn` or `defn` up to the parameters and the return type; without those, the name."""
    if forms[0].text == "def":
        return len(forms)
    for i, form in enumerate(forms):
        target = form.items[-1] if form.kind == "meta" else form
        if target.kind == "collection" and target.text == "[":
            annotated = i + 2 < len(forms) and forms[i + 1].text == ":"
            return i + 2 if annotated else i
        if target.kind == "collection" and target.text == "(":
            return i - 1
    return min(1, len(forms) - 1)


def _layout(node: Node, binding: bool) -> type[_Layout]:
    forms = node.forms
    if node.text == "{":
        return _Pairs
    if binding and node.text == "[" and _are_pairs(forms):
        return _Pairs
    if node.text not in ("(", "#(") or not forms or forms[0].kind != "atom":
        return _Layout
    head = forms[0].text
    if node.items[0] is not forms[0]:
        return _Layout
    if head in _KEEPING or (head in _BODY_AFTER and head not in _INLINE_BODY):
        return _Body
    return _Call


def _are_pairs(forms: list[Node]) -> bool:
    """Whether bindings can be told apart: `x :int 1` could be a pair or have a type."""
    starts = _pair_starts(forms)
    return not any(
        i not in starts and form.text[:1] == ":" and form.text != ":" for i, form in enumerate(forms)
    )
