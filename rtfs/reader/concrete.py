"""Concrete syntax: text as a tree that keeps comments, line breaks and the spelling of every token.

Only for readable text; the formatter checks that first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from rtfs.errors import ReadError
from rtfs.reader.lexer import scan

#: brackets and prefixes may nest this deep: the layout recurses
MAX_DEPTH: Final = 150
#: flat texts longer than this are not kept
MAX_FLAT: Final = 100

type NodeKind = Literal["atom", "comment", "block", "collection", "prefixed", "meta"]


@dataclass(slots=True, eq=False)
class Node:
    """A piece of concrete syntax.

    `atom` has `text`; so have `comment` (to the end of its line) and `block` (`#|…|#`). `collection` has `text`
    (its opening bracket), `closer` and `items`; `prefixed` has `text` and `items`, the last of which the prefix
    is for; `meta` is any number of `^…` and their form, as `items`.
    """

    kind: NodeKind
    text: str = ""
    closer: str = ""
    items: list[Node] = field(default_factory=list)
    #: line breaks in front of it, 2 for any number of blank lines
    newlines: int = 0
    #: the text on one line, None if it is too long or must not be on one line
    flat: str | None = None
    #: of a `meta` under construction: items that its last `^:delegation` still takes, as far as is known
    hint_items: int = 0

    @property
    def is_form(self) -> bool:
        """Whether the reader gives a form for it."""
        return self.kind not in ("comment", "block") and not (self.kind == "prefixed" and self.text == "#_")

    @property
    def forms(self) -> list[Node]:
        """The items that the reader gives forms for."""
        return [item for item in self.items if item.is_form]

    def finish(self) -> None:
        """Set `flat`, once the items are complete."""
        items = self.items
        breaks = any(item.newlines for item in items[1:]) and self.kind != "prefixed"
        if breaks or any(item.flat is None for item in items):
            return
        inner = " ".join(item.flat or "" for item in items)
        if self.kind == "prefixed" and self.text == "~" and inner.startswith("@"):
            inner = " " + inner  # `~ @x` is not `~@x`
        flat = self.text + inner + self.closer
        self.flat = flat if len(flat) <= MAX_FLAT else None


def parse(text: str) -> list[Node]:
    """The top-level nodes of `text`, which must be readable.

    Raises:
        ReadError: it nests deeper than `MAX_DEPTH`.
    """
    builder = _Builder()
    for kind, piece, _ in scan(text):
        builder.add(kind, piece)
    return builder.top.items


_CLOSERS: Final = {"(": ")", "#(": ")", "[": "]", "{": "}", "#{": "}"}
#: what may follow `:delegation` and takes one item more
_HINTS_WITH_ID: Final = frozenset((":local-model", ":remote"))


class _Builder:
    """A stack of nodes that are not complete."""

    def __init__(self) -> None:
        self.top = Node("collection")
        self._open = [self.top]
        self._newlines = 0

    def add(self, kind: str, piece: str) -> None:
        if kind == "space":
            self._newlines += piece.count("\n")
        elif kind == "open":
            self._push(Node("collection", piece, _CLOSERS[piece]))
        elif kind == "close":
            self._newlines = 0  # a bracket closes on the line of its last item
            self._complete(self._open.pop())
        elif kind == "prefix" and piece == "^":
            if self._open[-1].kind != "meta":
                self._push(Node("meta"))
            self._push(Node("prefixed", piece))
        elif kind == "prefix":
            self._push(Node("prefixed", piece))
        elif kind == "comment" and piece[:2] != "#|":
            self._comment(piece.rstrip())
        else:
            node = Node("block" if kind == "comment" else "atom", piece)
            self._place(node)
            node.flat = piece if len(piece) <= MAX_FLAT else None
            self._complete(node)

    def _place(self, node: Node) -> None:
        node.newlines = min(self._newlines, 2)
        self._newlines = 0

    def _push(self, node: Node) -> None:
        if len(self._open) > MAX_DEPTH:
            raise ReadError(
                "CustomError", f"forms nest deeper than {MAX_DEPTH} levels, too deep to lay out", ()
            )
        self._place(node)
        self._open.append(node)

    def _comment(self, text: str) -> None:
        """Comments between a prefix and its form move in front of the prefix."""
        node = Node("comment", text)
        self._place(node)
        enclosing = next(each for each in reversed(self._open) if each.kind == "collection")
        if self._open[-1] is not enclosing:
            node.newlines = max(node.newlines, 1)
            self._newlines = 1
        enclosing.items.append(node)

    def _complete(self, node: Node) -> None:
        """Hang `node` into its parent, and that into its own where this was its last part."""
        while True:
            if node.kind not in ("atom", "block"):
                node.finish()
            parent = self._open[-1]
            parent.items.append(node)
            if parent.kind == "collection" or not _is_last_part(parent, node):
                return
            node = self._open.pop()


def _is_last_part(parent: Node, node: Node) -> bool:
    if not node.is_form:
        return False
    return parent.kind == "prefixed" or not _belongs_to_metadata(parent, node)


def _belongs_to_metadata(meta: Node, node: Node) -> bool:
    """Whether `node`, the newest item of a `meta`, is metadata still, not the form it is for."""
    if node.kind == "prefixed" and node.text == "^":
        meta.hint_items = 1 if node.items[-1].text == ":delegation" else 0
        return True
    if not meta.hint_items:
        return False
    meta.hint_items = 1 if node.text in _HINTS_WITH_ID else 0
    return True
