"""The language tested in the language: every case of `language/*.rtfs` on every backend.

A file is ordinary RTFS text. Its top-level forms begin and end with lines. A form with a marker is a case:

    (+ 1 2) ; => 3                                    the value, as pr-str prints it
    (first nil) ; !TypeError                          the category of the error, or P001 … P008
    (+ 1 :a) ; !TypeError: expected number            and a part of its text or its hint
    (let [a 1]
      (nope a)) ; !UndefinedSymbol                    the marker stands on the line that the error points at
    "abc ; !P008: never ends                          text that does not read

    (def x 1)                                         a form without a marker: context of all cases below it
    ; --- host                                        a new, empty context, in the world `host` of `_WORLDS`

A group of lines ends where its brackets are balanced, or at the next blank line: end what is never closed with
one. A case runs as one program, its context before it; the other lines of the file are blank, so that errors
point into the file. Modules come from `language/modules`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import rtfs
from rtfs.analyze.core import SPECIAL
from rtfs.backends import FORMS, Loaded, ModuleKind, NotCompiled
from rtfs.capabilities import Capability
from rtfs.delegation import Delegate, ExecTarget, FunctionInfo, L4CacheHit, LocalPure, RemoteModel
from rtfs.errors import Generic, ReadError, RtfsError
from rtfs.host import DictHost, Host, PureHost
from rtfs.program import BACKENDS, BackendName, FileModules, Program
from rtfs.reader import is_complete
from rtfs.reader.lexer import scan
from rtfs.runtime_facts import RuntimeFacts
from rtfs.security import RuntimeContext
from rtfs.slices import NotSliced, impurity_of, slice_of
from rtfs.stdlib.table import BUILTINS
from rtfs.types.parser import parse_type_text
from rtfs.values import Keyword, Map, Value, Vector

_FOLDER = Path(__file__).parent / "language"
_MODULES = FileModules(_FOLDER / "modules")
_LIMITS = rtfs.Limits(deadline_s=20, depth=10_000)
#: a line with a marker; what stands before it is program text
_MARKER = re.compile(r"(?P<text>.*?)\s*; (?:=> (?P<value>.*)|!(?P<code>\w+)(?:: (?P<part>.*))?)$")
_NEW_CONTEXT = re.compile(r"; ---(?: (?P<world>\w+))?$")


class Case(NamedTuple):
    """A program and what must come of it: `value`, or `code` and a `part` of the error at `line`, from 1."""

    name: str
    program: str
    world: str
    line: int
    value: str | None
    code: str | None
    part: str


class Outcome(NamedTuple):
    """What came of a program. All of it must be the same on every backend."""

    value: str | None
    code: str | None = None
    text: str = ""
    caught: str = ""
    hint: str | None = None
    source: str | None = None
    line: int | None = None


def _fail(*_: Value) -> Value:
    raise Generic("the capability failed")


def _raise(*_: Value) -> Value:
    raise LookupError("nothing there")


def _typed(function: Callable[..., Value], takes: str, gives: str = "any") -> Capability:
    return Capability(
        function=function, input_schema=parse_type_text(takes), output_schema=parse_type_text(gives)
    )


def _host() -> Host:
    store: dict[Value, Value] = {}
    capabilities: dict[str, Callable[..., Value] | Capability] = {
        "demo.echo": lambda *args: args[0] if len(args) == 1 else list(args),
        "demo.fail": _fail,
        "demo.raise": _raise,
        "demo.name": _typed(lambda map: map, "[:map [:first string] [:last string] [:age int ?]]"),
        "demo.ping": _typed(lambda map: map, "[:map [:n int ?]]"),
        "demo.numbers": _typed(lambda *items: len(items), "[:vector int]"),
        "demo.liar": _typed(lambda x: x, "any", "int"),
        "ccos.io.println": lambda *args: None,
        "ccos.io.log": lambda *args: None,
        "ccos.io.file-exists": lambda path: path == "here",
        "ccos.io.open-file": lambda path: f"text of {path}",
        "ccos.network.http-fetch": lambda *request: Map({Keyword.of("asked"): Vector(request)}),
        "ccos.system.current-timestamp-ms": lambda: 1_700_000_000_000,
        "ccos.system.get-env": lambda name: f"${name}",
        "ccos.system.sleep-ms": lambda ms: None,
        "ccos.ai.llm-execute": lambda *args: list(args),
        "ccos.capability.load": lambda name: name,
        "ccos.state.kv.get": store.get,
        "ccos.state.kv.put": store.__setitem__,
        "ccos.state.counter.inc": lambda key: store.setdefault(key, 0),
    }
    return DictHost(capabilities, context={"user": "ada", "limit": 3})


#: name → the host and what the program may do
_WORLDS: dict[str, tuple[Callable[[], Host], RuntimeContext]] = {
    "pure": (PureHost, RuntimeContext.pure()),
    "full": (PureHost, RuntimeContext.full()),
    "host": (_host, RuntimeContext.full()),
    "controlled": (_host, RuntimeContext.controlled(["demo.echo", "ccos.io.*"])),
    "quiet": (_host, RuntimeContext(level="full", denied_effects=frozenset({":compute"}))),
    "alone": (_host, RuntimeContext(level="full", allow_inherit=False, allow_isolated=False)),
    "planned": (_host, RuntimeContext(level="full", cross_plan_params={"goal": "tea", "user": "bob"})),
}


# ---------------------------------------------------------------- reading the files


def _cases(path: Path) -> Iterator[Case]:
    lines = path.read_text(encoding="utf-8").splitlines()
    context: dict[int, str] = {}
    world = "pure"
    for start, end in _groups(lines):
        group = lines[start:end]
        separator = _NEW_CONTEXT.match(group[0])
        if separator:
            context, world = {}, separator["world"] or "pure"
            continue
        markers = [(line, found) for line in range(start, end) if (found := _MARKER.match(lines[line]))]
        texts = dict(enumerate(group, start))
        if not markers:
            context |= texts
            continue
        assert len(markers) == 1, f"{path.name}:{end}: more than one marker in a form"
        line, found = markers[0]
        texts[line] = found["text"]
        program = "\n".join((context | texts).get(each, "") for each in range(end))
        name = f"{path.stem}:{line + 1}"
        yield Case(name, program, world, line + 1, found["value"], found["code"], found["part"] or "")


def _groups(lines: list[str]) -> Iterator[tuple[int, int]]:
    """Start and end of each run of lines that is one form, or several, or text that does not read."""
    start = 0
    while start < len(lines):
        text = lines[start].strip()
        if not text or (text.startswith(";") and not _NEW_CONTEXT.match(text)):
            start += 1
            continue
        end = start + 1
        while end < len(lines) and lines[end].strip() and not is_complete(_plain(lines[start:end])):
            end += 1
        yield start, end
        start = end


def _plain(lines: list[str]) -> str:
    return "\n".join(found["text"] if (found := _MARKER.match(line)) else line for line in lines)


_ALL = [case for path in sorted(_FOLDER.glob("*.rtfs")) for case in _cases(path)]


# ---------------------------------------------------------------- running them


def _outcome(
    case: Case, backend: BackendName, delegate: Callable[[Program], Delegate] | None = None
) -> Outcome:
    host, context = _WORLDS[case.world]
    try:
        program = rtfs.compile(case.program, source_name=case.name, modules=_MODULES)
        linked = program.link(delegate and delegate(program), context=context, backend=backend)
        # what the Python backend cannot express it leaves to the interpreter; here it must do its own work
        assert backend != "python" or linked.artifact(program.unit) is not None
        return Outcome(rtfs.pr_str(linked.run(host=host(), limits=_LIMITS)))
    except RtfsError as error:
        code = error.code if isinstance(error, ReadError) else error.category
        line = None if error.span is None else error.span.line
        return Outcome(None, code, error.text(), error.caught_message(), error.hint, error.source, line)


@pytest.mark.parametrize("case", _ALL, ids=lambda case: case.name)
def test_case(case: Case) -> None:
    found, *others = (_outcome(case, backend) for backend in BACKENDS)
    assert all(other == found for other in others), (found, *others)
    assert (found.value, found.code) == (case.value, case.code), found
    if case.code is not None:
        assert case.part in found.text or case.part in (found.hint or ""), found
        if found.source == case.name:  # and not in the file of a module
            assert found.line == case.line, found
        else:
            assert found.line is not None, found
            assert str(found.source).startswith(str(_FOLDER / "modules")), found


class _Everywhere:
    """A delegate that has every function run elsewhere: in a stub that runs the function's own body."""

    version, sources = "1", None

    def target(self, function: FunctionInfo, facts: RuntimeFacts) -> ExecTarget:
        return RemoteModel("elsewhere")

    def bind(
        self, function: FunctionInfo, target: object, facts: RuntimeFacts, body: Callable[..., Value]
    ) -> Callable[..., Value]:
        def stub(*args: Value) -> Value:
            return body(*args)

        stub.__name__ = body.__name__
        return stub


#: these count on tail calls of a function to itself; through a stub, each of them takes stack
_DEEP = re.compile(r"\b2000\d\b")


@pytest.mark.parametrize(
    "case", [case for case in _ALL if not _DEEP.search(case.program)], ids=lambda case: case.name
)
def test_case_with_all_functions_delegated(case: Case) -> None:
    # messages may name another place: that of the body's call, in a stub, is none of the program
    found = _outcome(case, "python", lambda program: _Everywhere())
    assert (found.value, found.code) == (case.value, case.code), found


class _FromModules:
    """A delegate that has every function that can be a module of a kind run as one."""

    version, sources = "1", None

    def __init__(self, program: Program, kind: ModuleKind) -> None:
        self._program = program
        self._form = FORMS[kind]
        self.loaded: dict[str, Loaded] = {}
        #: functions that could be a module, but not of this kind
        self.refused: set[str] = set()

    def target(self, function: FunctionInfo, facts: RuntimeFacts) -> ExecTarget:
        try:
            part = slice_of(self._program, function.symbol)
            if impurity_of(part) is not None:
                return LocalPure()
            data = self._form.backend.compile(part, self._program.text)
        except NotSliced:
            return LocalPure()
        except NotCompiled:
            self.refused.add(function.symbol)
            return LocalPure()
        self.loaded[function.symbol] = self._form.executor.load(data, function.symbol)
        assert self.loaded[function.symbol].body_hash in (None, function.body_hash)
        return L4CacheHit(function.symbol, "unsigned")

    def bind(
        self, function: FunctionInfo, target: object, facts: RuntimeFacts, body: Callable[..., Value]
    ) -> Callable[..., Value]:
        known = self.loaded.get(function.symbol)
        return body if known is None else known.function  # a hint sends it elsewhere


#: functions of the cases that can be modules, but not of that kind: they use keywords or other globals; their
#: text is in another file
_NOT_OF_KIND: dict[ModuleKind, set[str]] = {
    "WasmBytecode": {"c/f", "j/later", "j/own"},
    "CompressedRtfsSource": {"geometry/area", "geometry/hidden"},
    "IrBinary": set(),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", FORMS)
def test_every_case_with_functions_out_of_modules(kind: ModuleKind) -> None:
    wrong, modules, refused = [], 0, set[str]()
    for case in _ALL:
        if "(def" not in case.program:
            continue
        delegates: list[_FromModules] = []

        def made(program: Program, delegates: list[_FromModules] = delegates) -> Delegate:
            delegates.append(_FromModules(program, kind))
            return delegates[-1]

        found = _outcome(case, "python", made)
        modules += sum(len(each.loaded) for each in delegates)
        refused |= {name for each in delegates for name in each.refused}
        if (found.value, found.code) != (case.value, case.code):
            wrong.append((case.name, found))
    assert not wrong
    assert modules >= (50 if kind == "WasmBytecode" else 70)
    assert refused == _NOT_OF_KIND[kind]


def test_there_are_cases() -> None:
    """A suite that finds no files would pass, too."""
    files = {case.name.split(":")[0] for case in _ALL}
    assert files == {path.stem for path in _FOLDER.glob("*.rtfs")}
    assert len(_ALL) > 2_000


def test_every_builtin_and_special_form_has_cases() -> None:
    texts = [path.read_text(encoding="utf-8") for path in _FOLDER.glob("*.rtfs")]
    used = {piece.text for text in texts for piece in scan(text) if piece.kind == "symbol"}
    assert {*BUILTINS, *SPECIAL} - {"unquote-splicing"} <= used  # written `~@`


def test_names_of_worlds_are_known() -> None:
    assert {case.world for case in _ALL} <= set(_WORLDS)
