"""RTFS definitions made in Python: functions, modules, capabilities and plans.

    double = (
        FunctionBuilder("double")
        .doc("Twice a number.")
        .param("x", "int")
        .returns("int")
        .with_delegation_hint(DelegationHint("remote", "gpt4"))
        .body(call("*", sym("x"), 2))
    )
    double.source()  # (defn ^:delegation :remote "gpt4" double "Twice a number." [x : int] : int (* x 2))

Builders are values: each method returns a new one. What they render reads back to the same program; names are
checked when they are given, and a Python string can only ever become a string literal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

from rtfs.delegation import DelegationHint
from rtfs.errors import Span
from rtfs.expressions import (
    Expression,
    HasForm,
    Operand,
    binding,
    call,
    do,
    fn,
    if_,
    keyword,
    kw,
    let,
    quote,
    render,
    source,
    sym,
    symbol,
    to_form,
)
from rtfs.forms import COLON, MetaForm
from rtfs.types.model import OptionalType, Primitive, Type, UnionType
from rtfs.values import Keyword, List, Symbol, Value, Vector

__all__ = [
    "CapabilityBuilder",
    "Expression",
    "FunctionBuilder",
    "ModuleBuilder",
    "PlanBuilder",
    "call",
    "do",
    "fn",
    "if_",
    "kw",
    "let",
    "quote",
    "source",
    "sym",
]

#: made here, so it stands nowhere
_NOWHERE: Final = Span(1, 1, 1, 1)
_NIL: Final = Primitive("nil")


def _type(text: str | Type) -> Type:
    """A type, checked.

    Raises:
        RtfsError: the text is no type.
    """
    from rtfs.types.parser import parse_type_text

    return parse_type_text(text) if isinstance(text, str) else text


def _type_forms(t: Type) -> tuple[Value, ...]:
    """The forms of a type in an annotation: two for `[:vector :int]?`."""
    from rtfs.reader import read
    from rtfs.types.parser import type_text

    return read(type_text(t)).forms


def _type_data(t: Type) -> Value:
    """The one quoted form of a type where an expression stands."""
    if isinstance(t, OptionalType) and len(_type_forms(t)) != 1:
        t = UnionType((t.item, _NIL))
    return to_form(quote(_type_forms(t)[0]))


@dataclass(frozen=True, slots=True)
class Parameter:
    """A name and its type, None if it has none."""

    name: Symbol
    type: Type | None = None

    @classmethod
    def of(cls, name: str, type: str | Type | None) -> Parameter:
        """Both checked."""
        return cls(binding(name), None if type is None else _type(type))

    @property
    def forms(self) -> tuple[Value, ...]:
        """As they stand in a parameter vector."""
        return (self.name,) if self.type is None else (self.name, COLON, *_type_forms(self.type))


@dataclass(frozen=True, slots=True)
class FunctionBuilder:
    """`(defn name …)`."""

    name: str
    parameters: tuple[Parameter, ...] = ()
    rest_parameter: Parameter | None = None
    return_type: Type | None = None
    docstring: str | None = None
    hint: DelegationHint | None = None
    metadata: tuple[tuple[Keyword, Value], ...] = ()
    body_forms: tuple[Value, ...] = ()

    def __post_init__(self) -> None:
        binding(self.name)

    def param(self, name: str, type: str | Type | None = None) -> Self:
        """One more parameter."""
        return replace(self, parameters=(*self.parameters, Parameter.of(name, type)))

    def rest(self, name: str, type: str | Type | None = None) -> Self:
        """`& name`; the type is that of each item."""
        return replace(self, rest_parameter=Parameter.of(name, type))

    def returns(self, type: str | Type) -> Self:
        """The type of its value."""
        return replace(self, return_type=_type(type))

    def doc(self, text: str) -> Self:
        """Its docstring."""
        return replace(self, docstring=text)

    def meta(self, name: str, value: Operand = True) -> Self:
        """One entry of its metadata, under the keyword `name`."""
        return replace(self, metadata=(*self.metadata, (keyword(name), to_form(value))))

    def with_delegation_hint(self, hint: DelegationHint | None) -> Self:
        """Where it runs; None: wherever the policy says.

        Raises:
            ValueError: the hint needs an id and has none, or the other way round.
        """
        if hint is not None and (hint.id is not None if hint.kind == "local" else not hint.id):
            raise ValueError(f"a delegation hint {hint.kind!r} has {'no id' if hint.id else 'an id'}")
        return replace(self, hint=hint)

    def body(self, *expressions: Operand) -> Self:
        """More expressions of its body."""
        return replace(self, body_forms=(*self.body_forms, *map(to_form, expressions)))

    @property
    def form(self) -> List:
        """The form that `source()` is the text of.

        Raises:
            ValueError: it has no body.
        """
        if not self.body_forms:
            raise ValueError(f"the function `{self.name}` has no body")
        doc = () if self.docstring is None else (self.docstring,)
        annotation = () if self.return_type is None else (COLON, *_type_forms(self.return_type))
        head = (Symbol.of("defn"), self._name_form(), *doc)
        return List([*head, self._parameter_vector(), *annotation, *self.body_forms])

    def _name_form(self) -> Value:
        name = symbol(self.name)
        if self.hint is None and not self.metadata:
            return name
        return MetaForm(self.metadata, self.hint, name, _NOWHERE, _NOWHERE)

    def _parameter_vector(self) -> Vector:
        forms = [form for parameter in self.parameters for form in parameter.forms]
        if self.rest_parameter is not None:
            forms += [Symbol.of("&"), *self.rest_parameter.forms]
        return Vector(forms)

    def source(self) -> str:
        """Its text."""
        return render((self.form,))


@dataclass(frozen=True, slots=True)
class ModuleBuilder:
    """`(module name …)`."""

    name: str
    docstring: str | None = None
    exports: tuple[Symbol, ...] = ()
    imports: tuple[List, ...] = ()
    definitions: tuple[Value, ...] = ()

    def __post_init__(self) -> None:
        symbol(self.name)

    def doc(self, text: str) -> Self:
        """Its docstring."""
        return replace(self, docstring=text)

    def export(self, *names: str) -> Self:
        """More names that other modules may use."""
        return replace(self, exports=(*self.exports, *map(symbol, names)))

    def import_(self, module: str, *, as_: str | None = None, only: Iterable[str] = ()) -> Self:
        """Use another module: all as `module/x`, all as `as_/x`, or `only` these names as they are."""
        names = [symbol(name) for name in only]
        if as_ is not None and names:
            raise ValueError("a module is imported either as another name or name by name")
        options: list[Value] = [Keyword.of("as"), symbol(as_)] if as_ is not None else []
        if names:
            options = [Keyword.of("only"), Vector(names)]
        form = List([Symbol.of("import"), symbol(module), *options])
        return replace(self, imports=(*self.imports, form))

    def value(self, name: str, value: Operand) -> Self:
        """`(def name value)`."""
        form = List([Symbol.of("def"), binding(name), to_form(value)])
        return replace(self, definitions=(*self.definitions, form))

    def define(self, *definitions: HasForm) -> Self:
        """More functions, or any other expressions."""
        return replace(self, definitions=(*self.definitions, *map(to_form, definitions)))

    @property
    def form(self) -> List:
        """The form that `source()` is the text of."""
        doc = () if self.docstring is None else (self.docstring,)
        exports = (List([Keyword.of("exports"), Vector(list(self.exports))]),) if self.exports else ()
        head = (Symbol.of("module"), symbol(self.name), *doc, *exports)
        return List([*head, *self.imports, *self.definitions])

    def source(self) -> str:
        """Its text."""
        return render((self.form,))


@dataclass(frozen=True, slots=True)
class CapabilityBuilder:
    """`(capability "name" :key value …)`: a map that describes a capability. The values are evaluated."""

    name: str
    properties: Mapping[Keyword, Value] = field(default_factory=dict)

    def entry(self, name: str, value: Operand) -> Self:
        """One entry, in place of an earlier one of that name."""
        return replace(self, properties={**self.properties, keyword(name): to_form(value)})

    def doc(self, text: str) -> Self:
        """`:description`."""
        return self.entry("description", text)

    def input(self, type: str | Type) -> Self:
        """`:input-schema`, as data."""
        return self.entry("input-schema", Expression(_type_data(_type(type))))

    def output(self, type: str | Type) -> Self:
        """`:output-schema`, as data."""
        return self.entry("output-schema", Expression(_type_data(_type(type))))

    def effects(self, *labels: str) -> Self:
        """`:effects`, as keywords."""
        return self.entry("effects", [keyword(label.removeprefix(":")) for label in labels])

    def implementation(self, function: Operand) -> Self:
        """`:implementation`, an expression whose value is a function."""
        return self.entry("implementation", function)

    @property
    def form(self) -> List:
        """The form that `source()` is the text of."""
        return _object("capability", self.name, self.properties)

    def source(self) -> str:
        """Its text."""
        return render((self.form,))


@dataclass(frozen=True, slots=True)
class PlanBuilder:
    """A plan: definitions, and steps that use them.

    `program()` is the plan as a program, which runs its steps in order and has the value of the last; its
    parameters are arguments of the run. `source()` is the plan as a value: the definitions, then
    `(plan "name" :key value … :body (fn [parameter…] step…))`, which runs nothing yet.
    """

    name: str
    parameters: tuple[Parameter, ...] = ()
    properties: Mapping[Keyword, Value] = field(default_factory=dict)
    definitions: tuple[Value, ...] = ()
    steps: tuple[Value, ...] = ()

    def param(self, name: str, type: str | Type | None = None) -> Self:
        """One more input of the plan."""
        return replace(self, parameters=(*self.parameters, Parameter.of(name, type)))

    def entry(self, name: str, value: Operand) -> Self:
        """One entry, in place of an earlier one of that name."""
        if name == "body":
            raise ValueError("the body of a plan is its steps")
        return replace(self, properties={**self.properties, keyword(name): to_form(value)})

    def doc(self, text: str) -> Self:
        """`:description`."""
        return self.entry("description", text)

    def define(self, *definitions: HasForm) -> Self:
        """More functions, modules or other definitions that the steps use."""
        return replace(self, definitions=(*self.definitions, *map(to_form, definitions)))

    def step(
        self,
        name: str,
        *body: Operand,
        expose_context: bool | None = None,
        context_keys: Iterable[str] | None = None,
        params: Mapping[str, Operand] | None = None,
    ) -> Self:
        """`(step "name" … body…)`, after the earlier ones."""
        if not isinstance(name, str):
            raise ValueError(f"the name of a step is a string, got a Python {type(name).__name__}")
        given: dict[str, Any] = {"expose-context": expose_context, "params": params}
        given["context-keys"] = None if context_keys is None else list(context_keys)
        options = [
            form
            for option, value in given.items()
            if value is not None
            for form in (Keyword.of(option), to_form(value))
        ]
        form = List([Symbol.of("step"), name, *options, *map(to_form, body)])
        return replace(self, steps=(*self.steps, form))

    @property
    def form(self) -> List:
        """The `(plan …)` form alone."""
        if not self.steps:
            raise ValueError(f"the plan {self.name!r} has no steps")
        parameters = Vector([form for parameter in self.parameters for form in parameter.forms])
        body = List([Symbol.of("fn"), parameters, *self.steps])
        return _object("plan", self.name, {**self.properties, Keyword.of("body"): body})

    def source(self) -> str:
        """The plan as a value."""
        return render((*self.definitions, self.form))

    def program(self) -> str:
        """The plan as a program."""
        return render((*self.definitions, *self.steps))


def _object(head: str, name: str, properties: Mapping[Keyword, Value]) -> List:
    if not isinstance(name, str):
        raise ValueError(f"the name of a {head} is a string, got a Python {type(name).__name__}")
    return List([Symbol.of(head), name, *(part for entry in properties.items() for part in entry)])
