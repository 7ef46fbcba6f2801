"""Commands whose first word says what to do: `rtfs tickets list`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from rtfs.cli.console import Console, Exit, UsageError
from rtfs.spell import nearest


class Action(NamedTuple):
    """One of the things that a command does."""

    summary: str
    parse: Callable[[Sequence[str]], Namespace]
    execute: Callable[[Namespace, Console], Exit]


class Actions:
    """All that a command does.

    Args:
        command: its name.
        actions: by their words, in the order of the help.
        examples: command lines.
    """

    def __init__(self, command: str, actions: Mapping[str, Action], examples: Sequence[str]) -> None:
        self._command = command
        self._actions = actions
        self._examples = examples

    def parse(self, argv: Sequence[str]) -> Namespace:
        """The options of the action that the first word names.

        Raises:
            UsageError: there is no such action, or it takes no such options.
        """
        word, *rest = argv or ("--help",)
        if word in ("-h", "--help", "help"):
            return Namespace(action="help")
        if word not in self._actions:
            near = nearest(word, self._actions)
            known = _listed(tuple(self._actions))
            hint = f"did you mean `rtfs {self._command} {near}`?" if near else f"it takes {known}"
            raise UsageError(f"expected {known}, got `{word}`", hint=hint)
        found = self._actions[word].parse(rest)
        found.action = word
        return found

    def execute(self, options: Namespace, console: Console) -> Exit:
        """Do it."""
        if options.action == "help":
            console.out.write(self._overview())
            return console.finish(Exit.VALUE, {"actions": list(self._actions)})
        return self._actions[options.action].execute(options, console)

    def _overview(self) -> str:
        width = max(map(len, self._actions))
        rows = [f"  {word:{width}}  {action.summary}" for word, action in self._actions.items()]
        return "\n".join(
            [
                f"usage: rtfs {self._command} {'|'.join(self._actions)} …",
                "",
                *rows,
                "",
                f"`rtfs {self._command} {next(iter(self._actions))} --help` shows its options; "
                "each takes --json.",
                "",
                "examples:",
                *(f"  {example}" for example in self._examples),
                "",
            ]
        )


def _listed(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"
