"""What a model has to answer for a function: the schema and the grammar of its return type, and the way back.

    spec = answer_spec(function)
    spec.grammar                       # for a model that can be held to a grammar
    spec.object_schema                 # for a service that is given a JSON Schema: its root is an object
    spec.read('{"mood":":glad"}')      # the value, or TargetFailed("bad-reply", …)

Which JSON text means which value is the matter of `rtfs.types.from_json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from actors.models.errors import ModelError
from actors.models.inference import FunctionFacts
from actors.models.reply_text import reply_data
from policies.errors import TargetFailed
from rtfs import errors
from rtfs.types.answerable import unsupported
from rtfs.types.check import TypeEnv
from rtfs.types.from_json import from_data
from rtfs.types.grammar import grammar
from rtfs.types.json_data import NotOfType
from rtfs.types.json_schema import json_schema
from rtfs.types.literals import library_predicate
from rtfs.types.model import Type
from rtfs.types.parser import parse_type_text
from rtfs.types.to_json import to_json
from rtfs.types.type_words import type_words
from rtfs.values import Value

#: types whose specifications are kept
_KEPT: Final = 1024
#: the key under which an answer stands that is no object itself
VALUE_KEY: Final = "value"


class UnsupportedType(ModelError):
    """A function whose answers no model can write.

    `part` of its return type `type_text` has no form in JSON, and `why` says what it is.
    """

    def __init__(self, symbol: str, type_text: str, part: str, why: str) -> None:
        where = "" if part == type_text else f" in `{type_text}`"
        super().__init__(f"no model can answer `{symbol}`: return type `{part}`{where}: {why}")
        self.symbol = symbol
        self.type_text = type_text
        self.part = part
        self.why = why

    def __reduce__(self) -> tuple[type[UnsupportedType], tuple[str, str, str, str]]:
        return type(self), (self.symbol, self.type_text, self.part, self.why)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AnswerSpec:
    """The answers of one return type."""

    type_text: str
    #: JSON Schema (2020-12) of an answer
    schema: Mapping[str, Any]
    #: the same where the root has to be an object: `{"value": …}` around what is none
    object_schema: Mapping[str, Any]
    #: GBNF; its rule `root` is one JSON text of an answer, without blanks
    grammar: str
    #: what a text of the grammar may still have wrong; empty: nothing
    partly: tuple[str, ...]
    #: an answer in plain words
    words: str
    _type: Type = field(repr=False)
    _env: TypeEnv = field(repr=False)

    @property
    def is_wrapped(self) -> bool:
        """Whether `object_schema` puts the answer under a key."""
        return self.object_schema is not self.schema

    def read(self, text: str) -> Value:
        """The value that a reply means.

        Raises:
            TargetFailed: `bad-reply`: it means none. Nothing that the reply says stands in the reason.
        """
        return self._value(text, is_wrapped=False)

    def read_object(self, text: str) -> Value:
        """The value that a reply of `object_schema` means. Raises as `read`."""
        return self._value(text, is_wrapped=self.is_wrapped)

    def write(self, value: Value) -> str:
        """The text that `read` takes for `value`, a text of the grammar.

        Raises:
            InvalidArgument: there is none.
        """
        return to_json(value, self._type, self._env)

    def _value(self, text: str, *, is_wrapped: bool) -> Value:
        try:
            data = reply_data(text)
            if is_wrapped:
                if type(data) is not dict or data.keys() != {VALUE_KEY}:
                    raise NotOfType(f"expected an object with the only key `{VALUE_KEY}`, got something else")
                data = data[VALUE_KEY]
            return from_data(data, self._type, self._env)
        except NotOfType as error:
            raise TargetFailed("bad-reply", str(error)) from None


def answer_spec(function: FunctionFacts) -> AnswerSpec:
    """What `function` wants answered. The same object for the same return type.

    Raises:
        UnsupportedType: no text could be an answer.
    """
    found = _spec(function.return_type, tuple(sorted(function.aliases.items())))
    if isinstance(found, AnswerSpec):
        return found
    raise UnsupportedType(function.symbol, function.return_type, *found)


@lru_cache(maxsize=_KEPT)
def _spec(text: str, names: tuple[tuple[str, str], ...]) -> AnswerSpec | tuple[str, str]:
    """The specification, or the part that cannot be answered and why."""
    try:
        wanted = parse_type_text(text)
        aliases = {name: parse_type_text(each) for name, each in names}
    except errors.RtfsError as error:
        return text, f"it is no type: {error.text()}"
    fault = unsupported(wanted, aliases)
    if fault is not None:
        return fault
    schema = json_schema(wanted, aliases)
    made = grammar(wanted, aliases)
    return AnswerSpec(
        type_text=text,
        schema=schema,
        object_schema=_as_object(schema),
        grammar=made.text,
        partly=made.partly,
        words=type_words(wanted, aliases),
        _type=wanted,
        _env=TypeEnv(aliases=aliases, function=library_predicate),
    )


def _as_object(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if schema.get("type") == "object":
        return schema
    inner = {key: part for key, part in schema.items() if key != "$defs"}
    wrapped = {
        "type": "object",
        "properties": {VALUE_KEY: inner},
        "required": [VALUE_KEY],
        "additionalProperties": False,
    }
    return {**wrapped, "$defs": schema["$defs"]} if "$defs" in schema else wrapped
