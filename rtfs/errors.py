"""Every error RTFS can report.

    RtfsError
    ├── ReadError            the text is not RTFS (codes P001–P008)
    ├── LimitError           a limit of the run was exceeded; no program can catch it
    │   ├── StackOverflow
    │   └── BudgetExhausted
    └── one class per category of language.md §7 (TypeMismatch, ArityMismatch, …)

An error carries fields; its text is made from them. `span` and `source` are filled in at the border
where they are known; `trace` lists the RTFS calls under way, innermost first.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, override


class Span(NamedTuple):
    """A region of source text. Lines and columns count characters from 1; the end is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


class Frame(NamedTuple):
    """One RTFS call under way: the function's name and where the call stands."""

    function: str
    source: str
    span: Span | None


def kebab(category: str) -> str:
    """`DivisionByZero` → `division-by-zero`."""
    out = []
    for i, char in enumerate(category):
        if char.isupper() and i:
            out.append("-")
        out.append(char.lower())
    return "".join(out)


class RtfsError(Exception):
    """Base of all errors. `category` is the name of language.md §7 that `catch` uses."""

    category: ClassVar[str] = "RuntimeError"
    #: whether an RTFS `catch` may see it
    catchable: ClassVar[bool] = True
    #: names of the attributes that make up the error, in order
    fields: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *values: Any, span: Span | None = None, source: str | None = None) -> None:
        if len(values) != len(self.fields):
            raise AssertionError(f"{type(self).__name__} takes {self.fields}, got {values!r}")
        super().__init__(*values)
        for name, value in zip(self.fields, values, strict=True):
            setattr(self, name, value)
        self.span = span
        self.source = source
        self.trace: tuple[Frame, ...] = ()
        #: a hint for the reader, such as the nearest known name
        self.hint: str | None = None
        #: the error that was being handled when this one was raised
        self.cause: RtfsError | None = None

    @property
    def code(self) -> str:
        """Stable code for tools: the category in kebab case, or `P001`… for read errors."""
        return kebab(self.category)

    def text(self) -> str:
        """The text of language.md §7, without place or hint."""
        raise NotImplementedError

    def caught_message(self) -> str:
        """What `(getMessage e)` answers. Differs from `text` for few categories."""
        return self.text()

    def __str__(self) -> str:
        return self.text()


class ReadError(RtfsError):
    """The text could not be read. `kind` is one of `KINDS`."""

    category = "ParseError"
    catchable = False
    fields = ("kind", "message", "expected")
    kind: str
    message: str
    #: what could have stood there, as a reader would write it
    expected: tuple[str, ...]

    KINDS: ClassVar[dict[str, str]] = {
        "UnexpectedRule": "P001",
        "MissingToken": "P002",
        "InvalidInput": "P003",
        "UnsupportedRule": "P004",
        "InvalidLiteral": "P005",
        "InvalidEscapeSequence": "P006",
        "CustomError": "P007",
        "Grammar": "P008",
    }

    @property
    @override
    def code(self) -> str:
        return self.KINDS[self.kind]

    @override
    def text(self) -> str:
        return self.message


class _Message(RtfsError):
    """A category whose only field is its message."""

    fields = ("message",)
    prefix: ClassVar[str] = ""
    message: str

    @override
    def text(self) -> str:
        return f"{self.prefix}: {self.message}"


class InvalidProgram(_Message):
    """Readable forms that are no program: `recur` out of tail position, an odd `let`, …"""

    category = "InvalidProgram"
    prefix = "Invalid program"


class LimitError(RtfsError):
    """A limit of the run was exceeded. Not catchable: the run is over."""

    catchable = False


class StackOverflow(LimitError):
    """Calls, expressions or data nest deeper than the run allows."""

    category = "StackOverflow"
    fields = ("message",)
    message: str

    @override
    def text(self) -> str:
        return f"Stack overflow: {self.message}"


class BudgetExhausted(LimitError):
    """`dimension`: deadline, allocation, output, delegations, cancelled. `policy`: the limit that was set."""

    category = "BudgetExhausted"
    fields = ("dimension", "policy")
    dimension: str
    policy: str

    @override
    def text(self) -> str:
        return f"Resource budget exhausted: {self.dimension} (policy: {self.policy})"


class TypeMismatch(RtfsError):
    """A value of the wrong kind was given to `operation` (category `TypeError`)."""

    category = "TypeError"
    fields = ("expected", "actual", "operation")
    expected: str
    actual: str
    operation: str

    @override
    def text(self) -> str:
        return f"Type error in {self.operation}: expected {self.expected}, got {self.actual}"


class UndefinedSymbol(RtfsError):
    """No value has this name where it stands."""

    category = "UndefinedSymbol"
    fields = ("symbol",)
    symbol: str

    @override
    def text(self) -> str:
        return f"Undefined symbol: {self.symbol}"


class SymbolNotFound(RtfsError):
    """A module that exists has no such name; `symbol` is `module/name`."""

    category = "SymbolNotFound"
    fields = ("symbol",)
    symbol: str

    @override
    def text(self) -> str:
        return f"Symbol not found: {self.symbol}"


class ArityMismatch(RtfsError):
    """`expected`: `2`, `at least 1` or `1 or 3`. `function`: its name or `user-defined function`."""

    category = "ArityMismatch"
    fields = ("function", "expected", "actual")
    function: str
    expected: str
    actual: int

    @override
    def text(self) -> str:
        return f"Arity mismatch in {self.function}: expected {self.expected}, got {self.actual}"


class DivisionByZero(RtfsError):
    """A zero divisor, `0.0` included."""

    category = "DivisionByZero"

    @override
    def text(self) -> str:
        return "Division by zero"


class IntegerOverflow(RtfsError):
    """The exact result of `operation` does not fit 64 bits."""

    category = "IntegerOverflow"
    fields = ("operation",)
    operation: str

    @override
    def text(self) -> str:
        return f"Integer overflow in {self.operation}"


class IndexOutOfBounds(RtfsError):
    """A collection of this length has no such index."""

    category = "IndexOutOfBounds"
    fields = ("index", "length")
    index: int
    length: int

    @override
    def text(self) -> str:
        return f"Index out of bounds: index {self.index} is not in range [0, {self.length})"

    @override
    def caught_message(self) -> str:
        return f"Index {self.index} out of bounds for collection of length {self.length}"


class KeyNotFound(RtfsError):
    """For hosts: no builtin raises it, a missing key is nil."""

    category = "KeyNotFound"
    fields = ("key",)
    key: str

    @override
    def text(self) -> str:
        return f"Key not found: {self.key}"


class InvalidArgument(_Message):
    """A value of the right kind that the function cannot use."""

    category = "InvalidArgument"
    prefix = "Invalid argument"


class InvalidArguments(RtfsError):
    """Arguments that do not fit together, such as the options of a step."""

    category = "InvalidArguments"
    fields = ("expected", "actual")
    expected: str
    actual: str

    @override
    def text(self) -> str:
        return f"Invalid arguments: expected {self.expected}, got {self.actual}"


class TypeValidationError(_Message):
    """A value is not of its declared type; the message has the path to what is wrong in it."""

    category = "TypeValidationError"
    prefix = "Type validation error"


class MatchError(_Message):
    """No clause of a `match` or `case` fits."""

    category = "MatchError"
    prefix = "Match error"


class Generic(_Message):
    """What no other category names."""

    category = "Generic"
    prefix = "Runtime error"


class HostException(Generic):
    """A Python exception of the host, translated. Category Generic, and in the group HostError."""


class ApplicationError(RtfsError):
    """Raised by `throw`. `type`: kebab text; `value`: the thrown RTFS value, `data` its data part."""

    category = "ApplicationError"
    fields = ("type", "message", "data", "value")
    type: str
    message: str
    data: Any
    value: Any

    @override
    def text(self) -> str:
        return f"Application error ({self.type}): {self.message}"

    @override
    def caught_message(self) -> str:
        return self.message


class SecurityViolation(RtfsError):
    """The security context of the run forbids this."""

    category = "SecurityViolation"
    fields = ("operation", "capability", "context")
    operation: str
    capability: str
    context: str

    @override
    def text(self) -> str:
        return (
            f"Security violation: {self.operation} operation on capability '{self.capability}' "
            f"not allowed in context: {self.context}"
        )


class UnknownCapability(RtfsError):
    """The host has no capability of this id."""

    category = "UnknownCapability"
    fields = ("id",)
    id: str

    @override
    def text(self) -> str:
        return f"Unknown capability: {self.id}"


class ModuleNotFound(RtfsError):
    """There is no module of this name."""

    category = "ModuleNotFound"
    fields = ("module",)
    module: str

    @override
    def text(self) -> str:
        return f"Module not found: {self.module}"


class ModuleError(_Message):
    """A module that cannot be used so: not exported, circular, badly defined."""

    category = "ModuleError"
    prefix = "Module error"


class NotCallable(_Message):
    """For hosts: a value that cannot be called."""

    category = "NotCallable"
    prefix = "Not callable"


class NotImplementedForm(_Message):
    """A form removed by the purity policy; the message names its substitute."""

    category = "NotImplemented"
    prefix = "Not implemented"


class InternalError(_Message):
    """Our fault. Every one of these is a bug."""

    category = "InternalError"
    prefix = "Internal error"


class IoError(_Message):
    """For hosts: a file or stream failed."""

    category = "IoError"
    prefix = "I/O error"


class NetworkError(_Message):
    """For hosts: a connection failed."""

    category = "NetworkError"
    prefix = "Network error"


class JsonError(_Message):
    """For hosts: text is no JSON, or not the JSON that was expected."""

    category = "JsonError"
    prefix = "JSON error"


class StorageError(_Message):
    """For hosts: a store failed."""

    category = "StorageError"
    prefix = "Storage error"


class ResourceError(RtfsError):
    """For hosts: a resource of this type failed."""

    category = "ResourceError"
    fields = ("resource_type", "message")
    resource_type: str
    message: str

    @override
    def text(self) -> str:
        return f"Resource error ({self.resource_type}): {self.message}"
