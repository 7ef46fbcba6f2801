"""`llm-execute`: ask a language model through the host."""

from __future__ import annotations

from typing import Final

from rtfs import errors
from rtfs.stdlib.registry import builtin
from rtfs.steps import llm_execute
from rtfs.values import Keyword, Value

_NAMES: Final = ("model", "prompt", "system")
_EXPECTED: Final = "a model and a prompt, or :model m :prompt p :system s"


@builtin("llm-execute", effect=True)
def llm_execute_builtin(*args: Value) -> Value:
    """Ask a language model: `(llm-execute "model" "prompt")` or `:model m :prompt p :system s`.

    Needs the capability `ccos.ai.llm-execute`. `echo-model` answers with the prompt itself.

    (llm-execute "echo-model") => !InvalidArguments
    """
    if args and type(args[0]) is Keyword:
        return llm_execute(*_by_name(args))
    if not 2 <= len(args) <= 3:
        raise errors.InvalidArguments(_EXPECTED, f"{len(args)} arguments")
    return llm_execute(*args)


def _by_name(args: tuple[Value, ...]) -> tuple[Value, Value, Value]:
    given: dict[str, Value] = {}
    for index in range(0, len(args), 2):
        key = args[index]
        name = key.name if type(key) is Keyword else None
        if name not in _NAMES or name in given or index + 1 == len(args):
            raise errors.InvalidArguments(_EXPECTED, f"{key!r}" if name else "another kind of value")
        given[name] = args[index + 1]
    if "model" not in given or "prompt" not in given:
        raise errors.InvalidArguments(_EXPECTED, " ".join(f":{name}" for name in given))
    return given["model"], given["prompt"], given.get("system")
