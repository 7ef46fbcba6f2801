"""`step` and its kin, and `^{:runtime.x v}`: what happens around a body. Shared by the backends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, Literal

from rtfs import errors
from rtfs.run import Run, current_run
from rtfs.security import Isolation, ask, call_capability
from rtfs.values import Keyword, List, Map, Value, Vector, type_name

type StepKind = Literal["step", "step-if", "step-loop", "step-parallel"]
#: name and value, in source order
type Options = Mapping[str, Value] | Iterable[tuple[str, Value]]

_ISOLATION: Final[Mapping[str, Isolation]] = {
    "step": "inherit",
    "step-if": "inherit",
    "step-loop": "inherit",
    "step-parallel": "isolated",
}
_MERGE_POLICIES: Final = ("keep-existing", "overwrite", "merge")


def run_step(
    kind: StepKind, name: Value, options: Options, params: Options | None, body: Callable[[], Value]
) -> Value:
    """Run a step: isolation check, exposure override, notifications around the body.

    Args:
        options: evaluated `expose-context`, `context-keys`, `merge-policy`, as far as they are written.
        params: evaluated `:params`. The backend has bound `%params` in the body; no host is told of them.

    Raises:
        SecurityViolation: the context does not allow the isolation that this kind of step needs.
        InvalidArguments: the name or an option is not what it must be.
    """
    run = current_run()
    run.context.authorize_isolation(_ISOLATION[kind], kind)
    if type(name) is not str:
        raise errors.InvalidArguments("a string as the name of a step", type_name(name))
    chosen = dict(options)
    exposure = _exposure(chosen)
    _check_merge_policy(chosen)
    args = () if params is None else (Map(dict(params)),)
    with _exposing(run, kind, exposure):
        return _notified(run, kind, name, body, args)


def _notified(run: Run, kind: StepKind, name: str, body: Callable[..., Value], args: tuple[Map, ...]) -> Value:
    host = run.host
    step_id = ask(kind, host.notify_step_started, name)
    try:
        value = body()
    except Exception as error:
        # An exception that is none of RTFS's is translated further out; the host need not wait for that.
        ask(kind, host.notify_step_failed, step_id, _message(error))
        raise
    ask(kind, host.notify_step_completed, step_id, value)
    return value


def _message(error: Exception) -> str:
    from rtfs.border import translate

    return translate(error).text()


@contextmanager
def _exposing(run: Run, kind: StepKind, exposure: tuple[bool, tuple[str, ...] | None] | None) -> Iterator[None]:
    if exposure is None:
        yield
        return
    ask(kind, run.host.set_step_exposure_override, *exposure)
    try:
        yield
    finally:
        ask(kind, run.host.clear_step_exposure_override)


def _exposure(options: Mapping[str, Value]) -> tuple[bool, tuple[str, ...] | None] | None:
    """What the step overrides: whether context is exposed, and which keys; None if it says nothing."""
    if "expose-context" not in options and "context-keys" not in options:
        return None
    expose = options.get("expose-context", True)
    if type(expose) is not bool:
        raise errors.InvalidArguments("a boolean after :expose-context", type_name(expose))
    if "context-keys" not in options:
        return expose, None
    keys = options["context-keys"]
    if type(keys) not in (Vector, List):
        raise errors.InvalidArguments("a vector of strings after :context-keys", type_name(keys))
    for key in keys:
        if type(key) not in (str, Keyword):
            raise errors.InvalidArguments("a vector of strings after :context-keys", f"{type_name(key)} in it")
    return expose, tuple(key.name if type(key) is Keyword else key for key in keys)


def _check_merge_policy(options: Mapping[str, Value]) -> None:
    policy = options.get("merge-policy")
    if policy is None or (type(policy) is Keyword and policy.name in _MERGE_POLICIES):
        return
    expected = " or ".join(f":{name}" for name in _MERGE_POLICIES)
    actual = f":{policy.name}" if type(policy) is Keyword else type_name(policy)
    raise errors.InvalidArguments(f"{expected} after :merge-policy", actual)


def with_hints(hints: Options, body: Callable[[], Value]) -> Value:
    """Give the host each hint, run the body, then clear all hints, also after an error."""
    host = current_run().host
    try:
        for name, value in dict(hints).items():
            ask("an execution hint", host.set_execution_hint, name, value)
        return body()
    finally:
        ask("an execution hint", host.clear_all_execution_hints)


# ---------------------------------------------------------------- llm-execute

LLM_CAPABILITY: Final = "ccos.ai.llm-execute"
#: answers with what it was asked; for trying things out
ECHO_MODEL: Final = "echo-model"


def llm_execute(model: Value, prompt: Value, system: Value = None) -> Value:
    """Ask a language model.

    Raises:
        InvalidArguments: model or prompt is no string, or system neither a string nor nil.
        SecurityViolation: the context does not permit `ccos.ai.llm-execute`, not even for the echo model.
    """
    for role, text in (("model", model), ("prompt", prompt), ("system", system)):
        if type(text) is not str and not (role == "system" and text is None):
            raise errors.InvalidArguments(f"a string as the {role} of llm-execute", type_name(text))
    if model == ECHO_MODEL:
        current_run().context.authorize(LLM_CAPABILITY)
        return prompt if system is None else f"{system}\n\n{prompt}"
    request = {Keyword.of("model"): model, Keyword.of("prompt"): prompt}
    if system is not None:
        request[Keyword.of("system")] = system
    return call_capability(LLM_CAPABILITY, [Map(request)])
