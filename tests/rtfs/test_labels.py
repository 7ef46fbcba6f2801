"""Privacy labels as a delegate is told them, and when they are found out again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

import rtfs
from rtfs.analyze.environment import MappingModules
from rtfs.delegation import ByArguments, ExecTarget, FunctionInfo, LocalPure
from rtfs.passes import privacy
from rtfs.program import BackendName
from rtfs.runtime_facts import RuntimeFacts
from rtfs.security import RuntimeContext
from rtfs.values import Value


class Sources:
    def __init__(self, context: Mapping[str, str], redactors: tuple[str, ...] = ()) -> None:
        self._context = context
        self._redactors = redactors

    def of_context(self, key: str | None) -> frozenset[str]:
        return frozenset(self._context.values() if key is None else self._context.get(key, "").split())

    def of_capability(self, id: str | None) -> frozenset[str]:
        return frozenset({"capability"} if id is None else ())

    def declassifies(self, symbol: str) -> bool:
        return symbol in self._redactors


class Watcher:
    """A delegate that keeps everything here and notes the labels it is told."""

    def __init__(self, sources: Sources | None) -> None:
        self.sources = sources
        self.version = "1"
        self.labels: dict[str, set[str]] = {}

    def target(self, function: FunctionInfo, facts: RuntimeFacts) -> ExecTarget | ByArguments:
        self.labels[function.symbol] = set(function.labels)
        return LocalPure()

    def bind(
        self,
        function: FunctionInfo,
        target: ExecTarget | ByArguments,
        facts: RuntimeFacts,
        body: Callable[..., Value],
    ) -> Callable[..., Value]:
        raise AssertionError("nothing is delegated")


TEXT = "(defn f [x] x) (defn g [x] x) (f user) (g 1)"
SECRET = Sources({"user": "secret"})


def test_labels_reach_the_delegate() -> None:
    watcher = Watcher(SECRET)
    rtfs.compile(TEXT).link(watcher)
    assert watcher.labels == {"f": {"secret"}, "g": set()}


def test_a_delegate_without_sources_is_told_none() -> None:
    watcher = Watcher(None)
    rtfs.compile(TEXT.replace("[x]", "[^{:privacy :own} x]")).link(watcher)
    assert watcher.labels == {"f": set(), "g": set()}


def test_labels_of_the_run_are_labels_of_all() -> None:
    watcher = Watcher(Sources({}))
    context = replace(RuntimeContext.pure(), facts=RuntimeFacts(labels=frozenset({"run"})))
    linked = rtfs.compile(TEXT).link(watcher)
    assert watcher.labels == {"f": set(), "g": set()}
    linked.run(context=context, args={"user": 1})
    assert watcher.labels == {"f": {"run"}, "g": {"run"}}


def test_labels_flow_through_modules() -> None:
    watcher = Watcher(SECRET)
    modules = MappingModules(
        {
            "a": "(module a (:exports [f]) (defn f [x] (b/g x)) (defn other [x] x))",
            "b": "(module b (:exports [g]) (defn g [x] x))",
        }
    )
    rtfs.compile("(a/f user)", modules=modules).link(watcher)
    assert watcher.labels == {"a/f": {"secret"}, "b/g": {"secret"}, "a/other": set()}


@pytest.mark.parametrize("backend", ["python", "interpreter"])
def test_a_module_that_turns_up_late_may_get_all_labels(backend: BackendName) -> None:
    files: dict[str, str] = {}

    class Files:
        def find(self, name: str) -> tuple[str, str] | None:
            return (files[name], f"{name}.rtfs") if name in files else None

    watcher = Watcher(Sources({"user": "secret", "other": "more"}))
    program = rtfs.compile("(defn f [] (late/g 1)) 7", modules=Files())
    files["late"] = "(module late"
    linked = program.link(watcher, backend=backend)
    files["late"] = "(module late (:exports [g]) (defn g [x] x))"
    assert linked.call("f") == 1
    assert watcher.labels["late/g"] == {"secret", "more", "capability"}


# ---------------------------------------------------------------- when they are found out again


@pytest.fixture
def analyses(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows with each analysis of a program."""
    found: list[int] = []
    analyse = privacy.argument_labels

    def counted(*args: object) -> object:
        found.append(1)
        return analyse(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(privacy, "argument_labels", counted)
    return found


#: other sources, whether the labels must be found out again, labels of f and g then
CHANGES: list[tuple[Sources | None, bool, set[str], set[str]]] = [
    (Sources({"user": "secret"}), False, {"secret"}, set()),
    # nobody asks about this key
    (Sources({"user": "secret"}, ("nobody",)), False, {"secret"}, set()),
    (Sources({"user": "other"}), True, {"other"}, set()),
    (Sources({"user": "secret more"}), True, {"secret", "more"}, set()),
    (Sources({}), True, set(), set()),
    (None, False, set(), set()),
]


@pytest.mark.parametrize(("sources", "again", "f", "g"), CHANGES)
def test_labels_are_found_out_again_if_the_sources_answer_otherwise(
    sources: Sources | None, again: bool, f: set[str], g: set[str], analyses: list[int]
) -> None:
    watcher = Watcher(SECRET)
    linked = rtfs.compile(TEXT).link(watcher)
    assert len(analyses) == 1
    watcher.sources, watcher.version = sources, "2"
    linked.run(args={"user": 1})
    assert len(analyses) == (2 if again else 1)
    assert watcher.labels == {"f": f, "g": g}


def test_a_function_may_begin_to_take_labels_away(analyses: list[int]) -> None:
    watcher = Watcher(SECRET)
    linked = rtfs.compile("(defn redact [x] 1) (defn f [x] x) (f (redact user))").link(watcher)
    assert watcher.labels == {"redact": {"secret"}, "f": {"secret"}}
    watcher.sources, watcher.version = Sources({"user": "secret"}, ("redact",)), "2"
    linked.run(args={"user": 1})
    assert watcher.labels == {"redact": {"secret"}, "f": set()}
    watcher.sources, watcher.version = SECRET, "3"
    linked.run(args={"user": 1})
    assert watcher.labels == {"redact": {"secret"}, "f": {"secret"}}
    assert len(analyses) == 3


def test_tenants_share_what_was_found_out(analyses: list[int]) -> None:
    watcher = Watcher(SECRET)
    linked = rtfs.compile(TEXT).link(watcher)
    for tenant in "abc":
        context = replace(RuntimeContext.pure(), facts=RuntimeFacts(tenant=tenant))
        linked.run(context=context, args={"user": 1})
    assert len(analyses) == 1
