"""The content hash of IR: equal for programs that differ in layout alone.

A tree of SHA-256 digests over the same records as the codec's, without spans and source name, and with locals
and labels numbered in the order in which they appear. Shared structure is hashed once.
"""

from __future__ import annotations

import hashlib
import struct
from typing import Any, Final

from rtfs import errors, forms, ir
from rtfs.ir_codec.encoder import write_text, write_varint, zigzag
from rtfs.ir_codec.schema import COLLECTION_OPS, RECORD_OPS, TEXTS, Op, field_names, parts
from rtfs.values import type_name

#: fields that say where something stands
_LAYOUT: Final = frozenset(((ir.Unit, "source"), (forms.MetaForm, "form_span")))
#: fields that number a loop or a function body
_LABELS: Final = frozenset(((ir.Loop, "label"), (ir.Recur, "label"), (ir.Arity, "label")))
#: stands before a digest, where a leaf would have its operation
_DIGEST: Final = b"\xff"


def content_hash(item: Any) -> str:
    """SHA-256, hex, of a unit, node or type.

    Raises:
        StorageError: it holds a constant that cannot be stored, such as a function.
    """
    hashing = _Hashing()
    hashing.number(item)
    head = b"RTFS IR %d\n" % ir.IR_VERSION
    return hashlib.sha256(head + hashing.digest(item)).hexdigest()


class _Hashing:
    def __init__(self) -> None:
        #: id of a local → its number; labels likewise
        self._locals: dict[int, int] = {}
        self._labels: dict[int, int] = {}
        #: id of a record or collection → its digest
        self._done: dict[int, bytes] = {}

    def number(self, root: Any) -> None:
        """Number locals and labels in the order in which they appear."""
        todo, seen = [root], set[int]()
        while todo:
            item = todo.pop()
            kind = type(item)
            if id(item) in seen or (kind not in RECORD_OPS and kind not in COLLECTION_OPS):
                continue
            seen.add(id(item))
            if kind is ir.Local:
                self._locals.setdefault(item.id, len(self._locals))
            if (kind, "label") in _LABELS:
                self._labels.setdefault(item.label, len(self._labels))
            todo.extend(reversed(parts(item)))

    def digest(self, root: Any) -> bytes:
        """The digest of `root`, of its parts first."""
        todo = [root]
        while todo:
            item = todo[-1]
            missing = [part for part in self._hashed_parts(item) if self._is_missing(part)]
            if missing:
                todo.extend(missing)
                continue
            self._done[id(item)] = self._combine(item)
            todo.pop()
        return self._done[id(root)]

    def _is_missing(self, item: Any) -> bool:
        kind = type(item)
        return (kind in RECORD_OPS or kind in COLLECTION_OPS) and id(item) not in self._done

    def _hashed_parts(self, item: Any) -> list[Any]:
        kind = type(item)
        if kind not in RECORD_OPS:
            return parts(item)
        names = [name for name in field_names(kind) if name != "span" and (kind, name) not in _LAYOUT]
        return [getattr(item, name) for name in names]

    def _combine(self, item: Any) -> bytes:
        out = bytearray()
        kind = type(item)
        found = self._hashed_parts(item)
        if kind is ir.Local:
            found = [self._locals[item.id], item.name]
        elif (kind, "label") in _LABELS:
            at = [name for name in field_names(kind) if name != "span"].index("label")
            found[at] = self._labels[item.label]
        out.append(RECORD_OPS[kind] if kind in RECORD_OPS else COLLECTION_OPS[kind])
        write_varint(out, len(found))
        for part in found:
            self._write(out, part)
        return _DIGEST + hashlib.sha256(out).digest()

    def _write(self, out: bytearray, item: Any) -> None:
        """Append a leaf, or the digest of what is not one. No leaf is the beginning of another."""
        kind = type(item)
        if kind in TEXTS:
            op, text_of, _ = TEXTS[kind]
            out.append(op)
            write_text(out, text_of(item))
        elif kind is int:
            out.append(Op.INT)
            write_varint(out, zigzag(item))
        elif kind is float:
            out.append(Op.FLOAT)
            out += struct.pack(">d", item)
        elif item is None or kind is bool:
            out.append(Op.NONE if item is None else Op.TRUE if item else Op.FALSE)
        elif kind is forms.Colon:
            out.append(Op.COLON)
        elif id(item) in self._done:
            out += self._done[id(item)]
        else:
            raise errors.StorageError(f"cannot store a constant of type {type_name(item)}")
