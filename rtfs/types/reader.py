"""The grammar of types (language.md §5). Use it through `rtfs.types.parser`.

The grammar is a table, `CONSTRUCTORS`: name of the constructor → how it is written and what reads it. One type
has at most `MAX_NODES` nodes and nests at most `MAX_DEPTH` deep, whatever its form shares, so that every walk
over a type is short; recursion belongs to aliases.

    T := int float string bool nil keyword symbol any never number | vector map list set fn timestamp uuid error
       | T? | Alias | [:vector T] | [:list T] | [:set T] | [:tuple T+] | [:map entry*] | [:map-of K V]
       | [:fn [T* (& T)?] R] | [:enum lit+] | [:val lit] | [:union T+] | [:and T (T|pred)+] | [:array T [dim*]?]
       | [:resource Sym]

`[:vector int]?` reads as two forms; inside a type the two are joined here, elsewhere the caller joins them with
`optional`. In a map entry a trailing `?` makes the key optional, so an entry that must be there and may be nil
is written `[:k [:union [:vector int]?]]` (a union of one is its member).
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Final

from rtfs import errors
from rtfs.errors import Span
from rtfs.types import model as types
from rtfs.types.model import Type
from rtfs.types.text import type_text
from rtfs.values import Keyword, Map, ResourceHandle, Symbol, Timestamp, Uuid, Value, Vector, type_name

MAX_DEPTH: Final = 100
MAX_NODES: Final = 10_000

#: may be written bare, as a keyword, or capitalised
SCALARS: Final = ("nil", "int", "float", "number", "string", "bool", "keyword", "symbol", "any", "never")
#: bare kind tests; capitalised they are aliases
KINDS: Final = ("vector", "map", "list", "set", "fn", "timestamp", "uuid", "error")

_NAMES: Final[Mapping[str, types.Primitive]] = {
    **{name: types.Primitive(name) for name in (*SCALARS, *KINDS)},
    **{name.capitalize(): types.Primitive(name) for name in SCALARS},
    **{name: types.Primitive("int") for name in ("integer", "Integer")},
    **{name: types.Primitive("bool") for name in ("boolean", "Boolean")},
}

_KEY_TYPES: Final = frozenset(("string", "keyword", "int", "any", "never"))
_QUESTION: Final = Symbol.of("?")
_AMPERSAND: Final = Symbol.of("&")
_LITERALS: Final = (type(None), bool, int, float, str, Keyword, Timestamp, Uuid, ResourceHandle)


def did_you_mean(name: str, candidates: Sequence[str], prefix: str = "") -> str | None:
    """The hint that names the nearest candidate."""
    from rtfs.spell import nearest

    found = nearest(name, candidates)
    return None if found is None else f"did you mean `{prefix}{found}`?"


def optional(t: Type) -> Type:
    """`T?`, which is T itself if T is optional already."""
    return t if isinstance(t, types.OptionalType) else types.OptionalType(t)


class Parser:
    """Reads one type. `known`: if given, only these lower-case names are aliases (see `looks_like_type`)."""

    def __init__(self, where: Span | None, known: Container[str] | None = None) -> None:
        self._where = where
        self._known = known
        self._nodes = 0

    def error(self, message: str, hint: str | None = None) -> errors.InvalidProgram:
        """The error for the type being read."""
        error = errors.InvalidProgram(message, span=self._where)
        error.hint = hint
        return error

    def malformed(self, head: str, problem: str = "") -> errors.InvalidProgram:
        """The error for wrong operands of the constructor `head`."""
        usage = CONSTRUCTORS[head][0]
        return self.error(f"malformed type `[:{head} …]`: expected `{usage}`{problem and ', ' + problem}")

    def type(self, form: Value, depth: int) -> Type:
        """The type that one form denotes."""
        self._nodes += 1
        if depth > MAX_DEPTH:
            raise self.error(f"a type may nest {MAX_DEPTH} deep, this one nests deeper")
        if self._nodes > MAX_NODES:
            raise self.error(f"a type may have {MAX_NODES} parts, this one has more")
        if form is None:
            return _NAMES["nil"]
        if isinstance(form, Symbol | Keyword):
            return self._named(form.name)
        if type(form) is Vector and form:
            return self._bracketed(form.to_list(), depth)
        got = _article(type_name(form))
        raise self.error(f"expected a type such as `int`, `:string?` or `[:vector int]`, got {got}")

    def types(self, forms: Sequence[Value], depth: int) -> list[Type]:
        """The types of `forms`, each joined with the `?` after it."""
        found: list[Type] = []
        for form in forms:
            if form is _QUESTION and found:
                found[-1] = optional(found[-1])
            else:
                found.append(self.type(form, depth + 1))
        return found

    def _named(self, name: str) -> Type:
        known = _NAMES.get(name)
        if known is not None:
            return known
        base = name.removesuffix("?")
        if not base or name == "&":
            raise self.error(f"expected a type, got `{name}`")
        if base != name:
            return optional(self._named(base))
        if self._known is not None and not name.rpartition("/")[2][:1].isupper() and name not in self._known:
            raise self.error(f"`{name}` is a pattern")
        return types.Alias(name)

    def _bracketed(self, items: list[Value], depth: int) -> Type:
        head = items[0].name if type(items[0]) is Keyword else None
        entry = CONSTRUCTORS.get(head) if head else None
        if entry is None:
            if head is None:
                got = _article(type_name(items[0]))
                raise self.error(f"a type in brackets starts with a keyword such as `:vector`, got {got}")
            raise self.error(f"unknown type constructor `:{head}`", did_you_mean(head, list(CONSTRUCTORS), ":"))
        return entry[1](self, items[0].name, items[1:], depth)

    def one(self, head: str, forms: list[Value], depth: int) -> Type:
        """The only type among the operands of `head`."""
        found = self.types(forms, depth)
        if len(found) != 1:
            raise self.malformed(head, f"got {len(found)} types")
        return found[0]

    def literals(self, head: str, forms: list[Value]) -> tuple[Value, ...]:
        """The operands of `head`, which are literals."""
        for form in forms:
            if not isinstance(form, _LITERALS):
                raise self.malformed(head, f"got {_article(type_name(form))} for a literal")
        return tuple(forms)


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeio' else 'a'} {noun}"


def _vector(parser: Parser, head: str, forms: list[Value], depth: int) -> Type:
    return types.VectorType(parser.one(head, forms, depth))


def _list(parser: Parser, head: str, forms: list[Value], depth: int) -> Type:
    return types.ListType(parser.one(head, forms, depth))


def _set(parser: Parser, head: str, forms: list[Value], depth: int) -> Type:
    return types.SetType(parser.one(head, forms, depth))


def _tuple(parser: Parser, head: str, forms: list[Value], depth: int) -> Type:
    found = parser.types(forms, depth)
    if not found:
        raise parser.malformed(head)
    return types.TupleType(tuple(found))


def _union(parser: Parser, head: str, forms: list[Value], depth: int) -> Type:
    found = parser.types(forms, depth)
    if not found:
        raise parser.malformed(head)
    return found[0] if len(found) == 1 else types.UnionType(tuple(found))


def _enum(parser: Parser, head: str, forms: list[Value], depth: int) -> Type:
    if not forms:
        raise parser.malformed(head)
    return types.EnumType(parser.literals(head, forms))


def _val(parser: Parser, head: str, forms: list[Value], depth: int) -> Type:
    if len(forms) != 1:
        raise parser.malformed(head)
    return types.EnumType(parser.literals(head, forms), "val")


def _map(parser: Parser, head: str, forms: list[Value], depth: int) -> Type:
    entries: list[types.MapEntry] = []
    rest: Type | None = None
    for form in forms:
        if type(form) is Map:
            for key, value in form.items():
                if type(key) is not Keyword:
                    raise parser.malformed(head, f"got {_article(type_name(key))} as a key")
                entries.append(types.MapEntry(key.name, parser.type(value, depth + 1), False))
            continue
        if type(form) is not Vector or not form or type(form[0]) is not Keyword:
            raise parser.malformed(head)
        if form[0].name == "*":
            if rest is not None:
                raise parser.malformed(head, "got two `[:* T]`")
            rest = parser.one(head, form.to_list()[1:], depth)
        else:
            entries.append(_map_entry(parser, head, form.to_list(), depth))
    if len({entry.key for entry in entries}) != len(entries):
        raise parser.malformed(head, "got the same key twice")
    return types.MapType(tuple(entries), rest)


def _map_entry(parser: Parser, head: str, items: list[Value], depth: int) -> types.MapEntry:
    may_be_absent = len(items) > 2 and items[-1] is _QUESTION
    item = parser.one(head, items[1:-1] if may_be_absent else items[1:], depth)
    return types.MapEntry(items[0].name, item, may_be_absent)


def _map_of(parser: Parser, head: str, forms: list[Value], depth: int) -> Type:
    found = parser.types(forms, depth)
    if len(found) != 2:
        raise parser.malformed(head, f"got {len(found)} types")
    if not _may_be_key(found[0]):
        raise parser.malformed(
            head, f"and keys are strings, keywords and integers, got `{type_text(found[0])}`"
        )
    return types.MapOfType(found[0], found[1])


def _may_be_key(t: Type) -> bool:
    match t:
        case types.Primitive(name):
            return name in _KEY_TYPES
        case types.UnionType(items):
            return all(_may_be_key(item) for item in items)
        case types.AndType(items):
            return all(isinstance(item, types.Predicate) or _may_be_key(item) for item in items)
        case types.EnumType(values):
            return all(type(value) in (str, int, Keyword) for value in values)
        case _:
            return isinstance(t, types.Alias)


def _fn(parser: Parser, head: str, forms: list[Value], depth: int) -> Type:
    if not forms or type(forms[0]) is not Vector:
        raise parser.malformed(head)
    params = forms[0].to_list()
    rest: Type | None = None
    if _AMPERSAND in params:
        at = params.index(_AMPERSAND)
        rest = parser.one(head, params[at + 1 :], depth)
        params = params[:at]
    fixed = parser.types(params, depth)
    return types.FunctionType(tuple(fixed), rest, parser.one(head, forms[1:], depth))


def _array(parser: Parser, head: str, forms: list[Value], depth: int) -> Type:
    dims: tuple[int | None, ...] = ()
    if len(forms) > 1 and type(forms[-1]) is Vector:
        if not _are_dims(forms[-1].to_list()):
            raise parser.malformed(head, "where n is a count or `?`")
        dims = tuple(None if dim is _QUESTION else dim for dim in forms[-1])
        forms = forms[:-1]
    return types.ArrayType(parser.one(head, forms, depth), dims)


def _are_dims(items: list[Value]) -> bool:
    return all(item is _QUESTION or (type(item) is int and item >= 0) for item in items)


def _resource(parser: Parser, head: str, forms: list[Value], depth: int) -> Type:
    if len(forms) != 1 or not isinstance(forms[0], Symbol | Keyword):
        raise parser.malformed(head)
    return types.ResourceType(forms[0].name)


def _and(parser: Parser, head: str, forms: list[Value], depth: int) -> Type:
    if not forms:
        raise parser.malformed(head)
    found: list[Type | types.Predicate] = []
    for form in forms:
        predicate = _predicate(parser, form) if found else None
        last = found[-1] if found else None
        if predicate is not None:
            found.append(predicate)
        elif form is _QUESTION and last is not None and not isinstance(last, types.Predicate):
            found[-1] = optional(last)
        else:
            found.append(parser.type(form, depth + 1))
    if len(found) < 2:
        raise parser.malformed(head)
    return types.AndType(tuple(found))


# ---------------------------------------------------------------- predicates


def _number(value: Value) -> bool:
    return type(value) in (int, float)


def _size(value: Value) -> bool:
    return type(value) is int and value >= 0


def _string(value: Value) -> bool:
    return type(value) is str


def _literal(value: Value) -> bool:
    return isinstance(value, _LITERALS)


def _key(value: Value) -> bool:
    return type(value) is Keyword


def _keys(value: Value) -> bool:
    return type(value) is Vector and all(_key(item) for item in value)


#: predicate → (how it is written, test of each argument)
PREDICATES: Final[Mapping[str, tuple[str, tuple[Callable[[Value], bool], ...]]]] = {
    ">": ("[:> number]", (_number,)),
    ">=": ("[:>= number]", (_number,)),
    "<": ("[:< number]", (_number,)),
    "<=": ("[:<= number]", (_number,)),
    "=": ("[:= literal]", (_literal,)),
    "!=": ("[:!= literal]", (_literal,)),
    "in-range": ("[:in-range number number]", (_number, _number)),
    "min-length": ("[:min-length n]", (_size,)),
    "max-length": ("[:max-length n]", (_size,)),
    "length": ("[:length n]", (_size,)),
    "matches-regex": ('[:matches-regex "pattern"]', (_string,)),
    "min-count": ("[:min-count n]", (_size,)),
    "max-count": ("[:max-count n]", (_size,)),
    "count": ("[:count n]", (_size,)),
    "non-empty": ("[:non-empty]", ()),
    "has-key": ("[:has-key :key]", (_key,)),
    "required-keys": ("[:required-keys [:key …]]", (_keys,)),
    "is-url": ("[:is-url]", ()),
    "is-email": ("[:is-email]", ()),
}


def _predicate(parser: Parser, form: Value) -> types.Predicate | None:
    """The predicate that a member of `[:and …]` is, None if it is a type."""
    if type(form) is not Vector or not form or not isinstance(form[0], Symbol | Keyword):
        return None
    name, args = form[0].name, tuple(form)[1:]
    if name in CONSTRUCTORS:
        return None
    usage, tests = PREDICATES.get(name, (f"[:{name} literal …]", (_literal,) * len(args)))
    if len(args) != len(tests) or not all(test(arg) for test, arg in zip(tests, args, strict=True)):
        raise parser.error(f"malformed predicate `[:{name} …]`: expected `{usage}`")
    return types.Predicate(name, args)


type Constructor = Callable[[Parser, str, list[Value], int], Type]

#: constructor → (how it is written, what reads it)
CONSTRUCTORS: Final[Mapping[str, tuple[str, Constructor]]] = {
    "vector": ("[:vector T]", _vector),
    "list": ("[:list T]", _list),
    "set": ("[:set T]", _set),
    "tuple": ("[:tuple T …]", _tuple),
    "map": ("[:map [:key T] …]", _map),
    "record": ("[:record [:key T] …]", _map),
    "map-of": ("[:map-of K V]", _map_of),
    "dict": ("[:dict K V]", _map_of),
    "fn": ("[:fn [T …] R]", _fn),
    "=>": ("[:=> [T …] R]", _fn),
    "enum": ("[:enum literal …]", _enum),
    "val": ("[:val literal]", _val),
    "union": ("[:union T …]", _union),
    "and": ("[:and T [:predicate …] …]", _and),
    "array": ("[:array T [n …]]", _array),
    "resource": ("[:resource Name]", _resource),
}
