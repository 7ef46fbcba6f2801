"""Links: when a program is linked anew, what runs under way keep, and what a delegate is told then."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

import rtfs
from rtfs.analyze.environment import MappingModules
from rtfs.delegation import (
    BY_ARGUMENTS,
    ByArguments,
    ExecTarget,
    FunctionInfo,
    LocalPure,
    PrivacySources,
    RemoteModel,
)
from rtfs.host import Complete, MemoryHost
from rtfs.linking import MOST_LINKS
from rtfs.program import BackendName, LinkedProgram
from rtfs.runtime_facts import Fact, RuntimeFacts
from rtfs.security import RuntimeContext
from rtfs.values import Value

BACKENDS: tuple[BackendName, ...] = ("python", "interpreter")


class Policy:
    """Sends the functions in `far` elsewhere. A stub tells by which version, for whom, and what came out."""

    sources: PrivacySources | None = None

    def __init__(self, *far: str) -> None:
        self.far = frozenset(far)
        self.version = "1"
        self.asked: list[tuple[str, RuntimeFacts]] = []
        self.infos: dict[str, FunctionInfo] = {}
        #: given for these functions; by default a target named by the version
        self.answer: ExecTarget | ByArguments | None = None
        #: functions that only these tenants send elsewhere
        self.tenants: dict[str, str] = {}

    def replace(self, *far: str) -> None:
        self.far = frozenset(far)
        self.version = str(int(self.version) + 1)

    def target(self, function: FunctionInfo, facts: RuntimeFacts) -> ExecTarget | ByArguments:
        self.asked.append((function.symbol, facts))
        self.infos[function.symbol] = function
        tenant = self.tenants.get(function.symbol, facts.tenant)
        if function.symbol not in self.far or tenant != facts.tenant:
            return LocalPure()
        return self.answer or RemoteModel(self.version)

    def bind(
        self,
        function: FunctionInfo,
        target: ExecTarget | ByArguments,
        facts: RuntimeFacts,
        body: Callable[..., Value],
    ) -> Callable[..., Value]:
        version = target.id if isinstance(target, RemoteModel) else "-"

        def stub(*args: Value) -> Value:
            return f"{function.symbol}@{version}/{facts.tenant or '-'}:{rtfs.pr_str(body(*args))}"

        return stub

    @property
    def names(self) -> list[str]:
        return [symbol for symbol, _ in self.asked]


def under(**facts: object) -> RuntimeContext:
    return replace(RuntimeContext.full(), facts=RuntimeFacts(**facts))  # type: ignore[arg-type]


def link(text: str, policy: Policy, backend: BackendName, **modules: str) -> LinkedProgram:
    return rtfs.compile(text, modules=MappingModules(modules)).link(policy, backend=backend)


# ---------------------------------------------------------------- versions

CALLERS = "(defn f [x] x) (defn g [x] (str (f x))) (g 1)"


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_new_version_is_linked_at_the_next_run(backend: BackendName) -> None:
    policy = Policy()
    linked = link(CALLERS, policy, backend)
    assert policy.names == ["f", "g"]  # at once, by `link`
    assert [linked.run(), linked.run()] == ["1", "1"]
    assert policy.names == ["f", "g"]
    policy.replace("f")
    assert policy.names == ["f", "g"]  # not before somebody runs it
    assert [linked.run(), linked.run()] == ["f@2/-:1", "f@2/-:1"]
    assert policy.names == ["f", "g", "f", "g"]
    policy.replace("g")
    assert linked.run() == 'g@3/-:"1"'
    policy.replace()
    assert linked.run() == "1"


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_earlier_version_is_not_asked_about_again(backend: BackendName) -> None:
    policy = Policy("f")
    linked = link(CALLERS, policy, backend)
    policy.replace()
    linked.run()
    asked = len(policy.asked)
    policy.version, policy.far = "1", frozenset({"f"})
    assert linked.run() == "f@1/-:1"
    assert len(policy.asked) == asked


@pytest.mark.parametrize("backend", BACKENDS)
def test_steps_and_calls_are_linked_anew_too(backend: BackendName) -> None:
    policy = Policy()
    linked = link("(call :load) (defn f [x] x)", policy, backend)
    context, loads = RuntimeContext.full(), list[int]()
    host = Waiting(lambda: loads.append(1))

    def call(argument: int) -> Value:
        return linked.call("f", argument, host=host, context=context)

    assert [call(1), call(2)] == [1, 2]
    assert len(loads) == 1
    policy.replace("f")
    # a link has a frame of its own: the program's forms run again
    assert [call(1), call(2)] == ["f@2/-:1", "f@2/-:2"]
    assert len(loads) == 2
    linked = link("(defn f [x] x) (f 1)", policy, backend)
    step = linked.step()
    policy.replace()
    assert step.start() == Complete("f@2/-:1")  # its link is that of its making
    assert linked.step().start() == Complete(1)


def test_a_version_that_changes_while_it_is_asked_is_asked_again() -> None:
    class Restless(Policy):
        def target(self, function: FunctionInfo, facts: RuntimeFacts) -> ExecTarget | ByArguments:
            if len(self.asked) == 1:
                self.replace("f", "g")
            return super().target(function, facts)

    policy = Restless("f")
    linked = link(CALLERS, policy, "python")
    assert policy.names == ["f", "g", "f", "g"]
    assert linked.run() == 'g@2/-:"f@2/-:1"'


def test_a_version_that_never_rests_does_not_hang() -> None:
    class Restless(Policy):
        def target(self, function: FunctionInfo, facts: RuntimeFacts) -> ExecTarget | ByArguments:
            self.replace(*self.far)
            return super().target(function, facts)

    assert link("(defn f [x] 1) (f 1)", Restless(), "python").run() == 1


# ---------------------------------------------------------------- facts


@pytest.mark.parametrize("backend", BACKENDS)
def test_runs_for_others_have_links_of_their_own(backend: BackendName) -> None:
    policy = Policy("f")
    policy.tenants = {"f": "acme"}
    linked = link("(defn f [x] x) (f 1)", policy, backend)
    assert linked.run(context=under(tenant="acme")) == "f@1/acme:1"
    assert linked.run(context=under(tenant="other")) == 1
    assert linked.call("f", 2, context=under(tenant="acme")) == "f@1/acme:2"
    assert linked.call("f", 2, context=under(tenant="other")) == 2
    assert linked.step(context=under(tenant="acme")).start() == Complete("f@1/acme:1")
    assert linked.run() == 1
    tenants = [facts.tenant for _, facts in policy.asked]
    assert tenants == [None, "acme", "other"]


def test_the_facts_of_link_are_those_of_runs_without_a_context() -> None:
    policy = Policy("f")
    program = rtfs.compile("(defn f [x] x) (f 1)")
    linked = program.link(policy, under(tenant="acme"))
    assert linked.run() == "f@1/acme:1"
    assert linked.run(context=RuntimeContext.pure()) == "f@1/-:1"


@pytest.mark.parametrize(
    "other",
    [
        {"tenant": "b"},
        {"permissions": ["p"]},
        {"labels": {"l"}},
        {"plan": "x"},
        {"ambient": {"hour": 2}},
        {"ambient": {"hour": True}},
        {"ambient": {"hour": "1"}},
    ],
    ids=repr,
)
def test_any_other_fact_is_another_link(other: Mapping[str, object]) -> None:
    policy = Policy()
    linked = link("(defn f [x] x)", policy, "python")
    first: dict[str, object] = {"tenant": "a", "ambient": {"hour": 1}}
    for facts in (first, first, {**first, **other}, {**first, **other}):
        linked.run(context=under(**facts))
    assert policy.names == ["f", "f", "f"]  # by `link`, and for two kinds of runs


def test_few_links_are_kept() -> None:
    policy = Policy()
    linked = link("(defn f [x] x)", policy, "python")
    for number in range(MOST_LINKS):
        linked.run(context=under(tenant=str(number)))
    assert len(policy.asked) == MOST_LINKS + 1
    linked.run(context=under(tenant="0"))
    assert len(policy.asked) == MOST_LINKS + 1
    linked.run(context=under(tenant="new"))
    linked.run(context=under(tenant="0"))  # used a moment ago
    assert len(policy.asked) == MOST_LINKS + 2
    linked.run(context=under(tenant="1"))
    assert len(policy.asked) == MOST_LINKS + 3


def test_facts_are_values() -> None:
    ambient: dict[str, Fact] = {"hour": 1}
    facts = RuntimeFacts(permissions=["a", "b"], ambient=ambient)  # type: ignore[arg-type]
    ambient["hour"] = 2
    assert facts == RuntimeFacts(permissions=frozenset({"b", "a"}), ambient={"hour": 1})
    assert hash(facts) == hash(RuntimeFacts(permissions=frozenset({"b", "a"}), ambient={"hour": 1}))
    assert hash(under(ambient={"hour": 1})) == hash(under(ambient={"hour": 1}))
    with pytest.raises(TypeError):
        facts.ambient["hour"] = 3  # type: ignore[index]
    with pytest.raises(ValueError, match="permissions must be a collection of names, got the string 'admin'"):
        RuntimeFacts(permissions="admin")  # type: ignore[arg-type]


# ---------------------------------------------------------------- runs under way


class Waiting(MemoryHost):
    """A host in which a program waits while others do something."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        super().__init__()
        self._meanwhile = meanwhile

    def execute_capability(self, capability_id: str, args: list[Value]) -> Value:
        self._meanwhile()
        return None


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_run_under_way_keeps_its_link(backend: BackendName) -> None:
    policy = Policy("f")
    text = """(defn f [x] x) (def before (f 1)) (call :wait) (defn g [x] x) (import late)
              [before (f 2) (g 3) (late/h 4)]"""
    linked = link(text, policy, backend, late="(module late (:exports [h]) (defn h [x] x))")

    def meanwhile() -> None:
        policy.replace("g", "late/h")
        assert rtfs.pr_str(linked.run(host=Waiting(lambda: None), context=RuntimeContext.full())) == (
            '[1 2 "g@2/-:3" "late/h@2/-:4"]'
        )

    found = linked.run(host=Waiting(meanwhile), context=RuntimeContext.full())
    assert rtfs.pr_str(found) == '["f@1/-:1" "f@1/-:2" 3 4]'


@pytest.mark.parametrize("backend", BACKENDS)
def test_runs_side_by_side_have_their_own_links(backend: BackendName) -> None:
    policy = Policy("f", "m/g")
    policy.tenants = {"f": "a", "m/g": "b"}
    text = "(defn f [x] x) (call :wait) [(f 1) (m/g 2)]"
    linked = link(text, policy, backend, m="(module m (:exports [g]) (defn g [x] x))")
    together = threading.Barrier(4)
    found: list[tuple[str, str]] = []

    def run(tenant: str) -> None:
        host = Waiting(lambda: together.wait(timeout=30))
        value = linked.run(host=host, context=under(tenant=tenant), limits=rtfs.Limits())
        found.append((tenant, rtfs.pr_str(value)))

    threads = [threading.Thread(target=run, args=(tenant,)) for tenant in "aabb"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [("a", '["f@1/a:1" 2]')] * 2 + [("b", '[1 "m/g@1/b:2"]')] * 2
    assert sorted(policy.names) == ["f", "f", "f", "m/g", "m/g", "m/g"]


# ---------------------------------------------------------------- modules


class Files:
    """A module store that somebody changes meanwhile."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def find(self, name: str) -> tuple[str, str] | None:
        return (self._texts[name], f"{name}.rtfs") if name in self._texts else None


@pytest.mark.parametrize("backend", BACKENDS)
def test_modules_are_asked_about_when_the_program_is_linked(backend: BackendName) -> None:
    policy = Policy()
    modules = {
        "a": "(module a (:exports [f]) (defn f [x] (b/g x)))",
        "b": "(module b (:exports [g]) (import c) (defn g [x] (c/h x)))",
        "c": "(module c (:exports [h]) (defn h [x] x))",
        "unused": "(module unused (:exports [i]) (defn i [x] x))",
    }
    linked = link("(defn main [x] (a/f x)) (main 1)", policy, backend, **modules)
    assert policy.names == ["main", "a/f", "b/g", "c/h"]
    assert linked.run() == 1
    assert len(policy.asked) == 4


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_module_that_cannot_be_used_fails_when_it_is_used(backend: BackendName) -> None:
    files: dict[str, str] = {}
    text = "(defn f [] (late/g 1)) 7"
    program = rtfs.compile(text, modules=Files(files))
    files["late"] = "(module late"
    policy = Policy("late/g")
    linked = program.link(policy, backend=backend)
    assert linked.run() == 7
    with pytest.raises(rtfs.ReadError):
        linked.call("f")
    files["late"] = "(module late (:exports [g]) (defn g [x] x))"
    assert linked.call("f") == "late/g@1/-:1"
    assert policy.names == ["f", "late/g"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_module_in_the_text_hides_a_file(backend: BackendName) -> None:
    policy = Policy()
    text = "(module m (:exports [f]) (defn f [x] x)) (import m) (m/f 1)"
    assert link(text, policy, backend, m="(module m (:exports [f]) (defn other [x] x))").run() == 1
    assert policy.names == ["m/f"]


# ---------------------------------------------------------------- errors of a delegate


class Faulty(Policy):
    def __init__(self, error: Exception) -> None:
        super().__init__("f")
        self.error = error
        self.faulty = True

    def target(self, function: FunctionInfo, facts: RuntimeFacts) -> ExecTarget | ByArguments:
        if self.faulty:
            raise self.error
        return super().target(function, facts)


@pytest.mark.parametrize("error", [KeyError("bug"), rtfs.errors.NetworkError("no")], ids=repr)
def test_what_a_delegate_raises_reaches_whoever_links(error: Exception) -> None:
    policy = Faulty(error)
    program = rtfs.compile("(defn f [x] x) (f 1)")
    with pytest.raises(type(error)) as caught:
        program.link(policy)
    assert caught.value is error
    policy.faulty = False
    linked = program.link(policy)
    policy.replace("f")
    policy.faulty = True
    for start in (linked.run, linked.step, lambda: linked.call("f", 1)):
        with pytest.raises(type(error)) as caught:
            start()
        assert caught.value is error
    policy.faulty = False
    assert linked.run() == "f@2/-:1"


# ---------------------------------------------------------------- arguments that decide


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_function_whose_arguments_decide_is_bound(backend: BackendName) -> None:
    policy = Policy("f")
    policy.answer = BY_ARGUMENTS
    assert link("(defn f [x] x) (f 1)", policy, backend).run() == "f@-/-:1"
    assert repr(BY_ARGUMENTS) == "BY_ARGUMENTS"


@pytest.mark.parametrize("backend", BACKENDS)
def test_answers_are_checked_against_declared_types(backend: BackendName) -> None:
    text = "(deftype Score :int) (defn f [x] : Score 5) (defn g ([] : string 1) ([x] 1)) HERE"
    policy = Policy("f", "g")
    for call, message in (("(f 1)", "return"), ("(+ 1 (f 1))", "return")):
        with pytest.raises(rtfs.errors.TypeValidationError, match=message):
            link(text.replace("HERE", call), policy, backend).run()
    assert link(text.replace("HERE", "(g 1)"), policy, backend).run() == "g@1/-:1"


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_stub_keeps_the_documentation(backend: BackendName) -> None:
    text = '(defn f "Says." ^{:cost 1} [x] (f x)) (defn g [x] : string x) [(meta f) (meta g) (fn? f) (fn? g)]'
    found = link(text, Policy("f", "g"), backend).run()
    assert rtfs.pr_str(found) == rtfs.pr_str(link(text, Policy(), backend).run())


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_stub_may_be_any_callable(backend: BackendName) -> None:
    class Odd(Policy):
        def bind(
            self,
            function: FunctionInfo,
            target: ExecTarget | ByArguments,
            facts: RuntimeFacts,
            body: Callable[..., Value],
        ) -> Callable[..., Value]:
            return int

    assert link('(defn f [x] x) [(f "12") (fn? f)]', Odd("f"), backend).run() == rtfs.from_python([12, True])
