"""Messages as the tokens of a prompt, by the chat template of a model's file.

The template is run once, on stand-ins, when the model is loaded. What it puts around the messages is read
with the model's special tokens, what is put in the messages' places never is: an argument in which
`<|im_end|>` is written stays text, and cannot end its message.

A model that knows no system messages gets what they say in front of the user's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from actors.models.errors import ModelError

#: how a conversation may be given, the better first: roles of the stand-ins
_SHAPES: Final = (("system", "user"), ("user",))
#: what no template looks for, changes or writes itself
_STAND_INS: Final = {"system": "rtfs7c41f0systemtext", "user": "rtfs93be52usertext"}
_LONGEST_TEMPLATE: Final = 200_000


class Spoken(Protocol):
    """A message."""

    @property
    def role(self) -> str:
        """`system` or `user`."""

    @property
    def content(self) -> str:
        """What it says."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a prompt."""

    text: str
    #: the template wrote it: tokens such as `<|im_end|>` in it count
    is_frame: bool


class ChatTemplate:
    """A chat template.

    Args:
        source: in Jinja, as files have it.
        bos, eos: texts of these tokens.

    Raises:
        ModelError: it cannot be used.
    """

    def __init__(self, source: str, *, bos: str, eos: str) -> None:
        template = _compiled(source)
        reasons = []
        for roles in _SHAPES:
            try:
                text = _rendered(template, roles, bos, eos)
                self._frame = _cut(text, roles)
            except ModelError as error:
                reasons.append(str(error))
            else:
                self._roles = roles
                return
        raise ModelError(f"the chat template cannot be used: {reasons[-1]}")

    def parts(self, messages: Sequence[Spoken]) -> list[Part]:
        """The prompt for a system message and a user message, either of which may be missing or there twice."""
        said = {
            role: "\n\n".join(each.content for each in messages if each.role == role) for role in _STAND_INS
        }
        if "system" not in self._roles and said["system"]:
            said["user"] = f"{said['system']}\n\n{said['user']}"
        parts = [Part(self._frame[0], True)]
        for role, after in zip(self._roles, self._frame[1:], strict=True):
            parts += [Part(said[role].strip(), False), Part(after, True)]
        return [part for part in parts if part.text]


def _compiled(source: str) -> Any:
    if len(source) > _LONGEST_TEMPLATE:
        raise ModelError(f"the chat template is too long, it has {len(source)} characters")
    try:
        import jinja2
        from jinja2.sandbox import ImmutableSandboxedEnvironment
    except ModuleNotFoundError as error:
        raise ModelError('Jinja is not installed; `pip install "rtfs[models]"` brings it') from error
    # as `apply_chat_template` of the library transformers sets it up, for which templates are written
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    try:
        return environment.from_string(source)
    except (jinja2.TemplateError, RecursionError) as error:
        raise ModelError(f"the chat template cannot be used: {error}") from error


def _rendered(template: Any, roles: Sequence[str], bos: str, eos: str) -> str:
    """Raises ModelError. What a template may raise is no closed list: it is a program out of the file."""
    messages = [{"role": role, "content": _STAND_INS[role]} for role in roles]
    try:
        found: str = template.render(
            messages=messages,
            add_generation_prompt=True,
            bos_token=bos,
            eos_token=eos,
            tools=None,
            documents=None,
            raise_exception=_refuse,
        )
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(str(error) or type(error).__name__) from error
    return found


def _refuse(message: object) -> None:
    """What templates call where they do not want a conversation."""
    raise ModelError(str(message))


def _cut(text: str, roles: Sequence[str]) -> tuple[str, ...]:
    """What stands before, between and behind the stand-ins."""
    frame, rest = [], text
    for role in roles:
        before, found, rest = rest.partition(_STAND_INS[role])
        if not found:
            raise ModelError(f"it leaves out a message of the role `{role}`")
        frame.append(before)
    frame.append(rest)
    if any(stand_in in part for part in frame for stand_in in _STAND_INS.values()):
        raise ModelError("it writes a message twice, or in another order")
    return tuple(frame)
