"""A model that a command line names, and what it takes to ask it."""

from __future__ import annotations

import argparse
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from cluster.cli.model_facts import LLAMA_MISSING, OF_LLAMA, folder_of, has_llama
from policies.cli import files
from rtfs.cli import options as common
from rtfs.cli.console import Console, Exit, UsageError

if TYPE_CHECKING:
    from actors.models.inference import FunctionFacts
    from actors.models.provider import ModelProvider
    from policies.errors import TargetFailed
    from policies.file.policy import Policy
    from policies.file.schema import LocalModelEntry, RemoteProvider

#: kind → the type that its answers have unless the command says
_RETURNS: Final = {"gguf": "string", "openai": "string", "embedder": "[:vector float]"}
#: the function that a model is told to stand for
_FUNCTION: Final = "answer"


class Choice(NamedTuple):
    """A model of the policy."""

    #: of the target, `local-small`
    name: str
    kind: str | None
    local: LocalModelEntry | None
    remote: RemoteProvider | None

    @property
    def id(self) -> str:
        """Its name without `local-` or `remote-`."""
        return self.name.partition("-")[2]


def add_policy(parser: common.Parser) -> None:
    """The option `--policy`."""
    parser.add_argument(
        "--policy", metavar="FILE", help="the policy (default: ./delegation.toml, if there is one)"
    )


def add_function(parser: common.Parser) -> None:
    """The options that say what function the model stands for."""
    add = parser.add_argument_group("the function that it stands for").add_argument
    add("--type", metavar="TYPE", help='what it returns, "[:enum :spam :ham]" (default: as the kind of model)')
    add("--doc", metavar="TEXT", help="what it does, for models that read")
    add("--name", default=_FUNCTION, metavar="NAME", help="what it is called (default: %(default)s)")


def chosen(policy: Policy, id: str) -> Choice:
    """The model `id`; without `local-` or `remote-` the one of this machine goes first.

    Raises:
        UsageError: there is none; with the nearest name.
    """
    known = _choices(policy)
    for name in (id, f"local-{id}", f"remote-{id}"):
        if name in known:
            return known[name]
    from rtfs.spell import nearest

    bare = {each.id: name for name, each in reversed(known.items())}
    near = nearest(id, known) or bare.get(nearest(id, bare) or "")
    if near:
        hint = f"did you mean `{near}`?"
    elif known:
        hint = f"there are {', '.join(f'`{name}`' for name in list(known)[:20])}"
    else:
        hint = "it names no model at all; `rtfs models add NAME PATH` adds one"
    raise UsageError(f"no model `{id}` in {policy.source}", hint=hint)


def _choices(policy: Policy) -> dict[str, Choice]:
    from actors.models.registry import local_models
    from policies.file.validate_models import kind_of

    found = [
        Choice(f"local-{name}", kind_of(entry), entry, None)
        for name, entry in local_models(policy.settings, folder_of(policy)).items()
    ]
    found += [
        Choice(f"remote-{key.removeprefix('remote-')}", each.kind, None, each)
        for key, each in policy.settings.remote_providers.items()
    ]
    return {each.name: each for each in found}


def function_of(choice: Choice, options: argparse.Namespace) -> FunctionFacts:
    """The function that the model is told to stand for.

    Raises:
        UsageError: `--type` is no type, or is needed.
    """
    from actors.models.inference import FunctionFacts
    from rtfs.errors import RtfsError
    from rtfs.types.parser import parse_type_text

    wanted = options.type or _RETURNS.get(choice.kind or "", "any")
    if choice.kind == "classifier" and not options.type:
        raise UsageError(
            "expected --type, since a classifier answers with one of the type's labels",
            hint=f'rtfs models {options.action} {choice.name} … --type "[:enum :spam :ham]"',
        )
    try:
        parse_type_text(wanted)
    except RtfsError as error:
        raise UsageError(f"--type: {error.text().removeprefix('Invalid program: ')}") from None
    return FunctionFacts(
        symbol=options.name,
        doc=options.doc,
        parameters=("text",),
        parameter_types=("string",),
        return_type=wanted,
    )


@contextmanager
def loaded(policy: Policy, choice: Choice) -> Iterator[tuple[ModelProvider, float]]:
    """The model, in this process, and how many seconds it took to load it; it is closed afterwards.

    Raises:
        UsageError: it is no model that can be asked from here, or llama.cpp is missing.
        ModelError, TargetFailed: it cannot be loaded.
    """
    if choice.local is not None:
        with _local(choice.id, choice.kind, choice.local) as found:
            yield found
    elif choice.kind == "openai":
        with _service(policy, choice.name) as model:
            yield model, 0.0
    else:
        raise UsageError(
            f"`{choice.name}` is another RTFS cluster, which is given whole plans and no texts",
            hint="`rtfs submit` runs a program there",
        )


@contextmanager
def _local(id: str, kind: str | None, entry: LocalModelEntry) -> Iterator[tuple[ModelProvider, float]]:
    from actors.models.registry import ModelRegistry

    if kind in OF_LLAMA and not has_llama():
        raise UsageError(LLAMA_MISSING.partition(";")[0], hint=LLAMA_MISSING.partition("; ")[2])
    began = time.perf_counter()
    model = ModelRegistry().make(id, entry)
    try:
        model.load()
        model.warm_up()
        yield model, time.perf_counter() - began
    finally:
        model.close()


@contextmanager
def _service(policy: Policy, name: str) -> Iterator[ModelProvider]:
    from actors.remote.http import HttpCaller
    from actors.remote.openai.runner import OpenAiServices
    from policies.rules.rulebook import Current, Rulebook
    from policies.running.runner import Clock
    from policies.targets import parse_target

    caller = HttpCaller()
    try:
        clock = Clock(monotonic=time.monotonic, wall=time.time)
        services = OpenAiServices(caller, Current(Rulebook(policy)), os.environ, clock)
        yield services.model(parse_target(name))
    finally:
        caller.close()


class Refused(Exception):
    """The model gave no answer, and the command ends with that. `code` is a cause, or `unusable`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    @classmethod
    def by(cls, failure: TargetFailed) -> Refused:
        """For a call that failed."""
        return cls(failure.cause, failure.detail or failure.cause)


def with_model(
    options: argparse.Namespace,
    console: Console,
    use: Callable[[ModelProvider, Choice, float], Exit],
    *,
    only_local: bool = False,
) -> Exit:
    """Load the model that the command names, and use it; the exit code."""
    from policies.errors import PolicyFileError

    try:
        policy = files.policy_in_force(options.policy)
    except PolicyFileError as error:
        return files.refuse(error.problems, console)
    choice = chosen(policy, options.id)
    if only_local and choice.local is None:
        raise UsageError(
            f"`{choice.name}` is a service, and each of its answers may cost",
            hint=f"rtfs models test {choice.name} TEXT asks it once",
        )
    logging.getLogger("actors").addHandler(logging.NullHandler())  # what it tells is told here
    function_of(choice, options)  # what is wrong with it is told before anything is loaded
    try:
        with _refusing(), loaded(policy, choice) as (model, load_s):
            for problem in () if console.json else model.problems:
                console.note(f"warning: {problem}")
            return use(model, choice, load_s)
    except Refused as refused:
        return _refuse(refused, choice, console)


@contextmanager
def _refusing() -> Iterator[None]:
    from actors.models.errors import ModelError
    from policies.errors import TargetFailed

    try:
        yield
    except ModelError as error:
        raise Refused("unusable", str(error)) from error
    except TargetFailed as failure:
        raise Refused.by(failure) from failure


def _refuse(refused: Refused, choice: Choice, console: Console) -> Exit:
    if not console.json:
        console.note(f"`{choice.name}` gave no answer: {refused} ({refused.code})")
    fields = {"category": "Model", "code": refused.code, "message": str(refused)}
    code = Exit.LIMIT if refused.code == "timeout" else Exit.PROGRAM_ERROR
    return console.finish(code, {"model": choice.name, "kind": choice.kind, "error": fields})


def positive(text: str) -> float:
    """A number of seconds above 0, as an option."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"expected a number of seconds above 0, got `{text[:40]}`")
    return value
