"""Making a failing program small: forms are dropped, or replaced by their parts, as long as it still fails."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

_TOKEN: Final = re.compile(r'[\s,]+|"(?:\\.|[^"\\])*"|#\(|#\{|~@|[()\[\]{}\'`~^]|[^\s,()\[\]{}"]+')
_OPEN: Final = {"(": ")", "[": "]", "{": "}", "#(": ")", "#{": "}"}
_PREFIXES: Final = ("'", "`", "~", "~@", "^")

#: a token, or an opening bracket followed by its items
type Tree = str | list[Tree]


def shrunk(text: str, fails: Callable[[str], bool], tries: int = 3_000) -> str:
    """A smaller text that still `fails`, after at most that many attempts."""
    forms = _parsed(text)
    for _ in range(tries):
        for candidate in _smaller(forms):
            tries -= 1
            shown = _shown(candidate)
            if len(shown) < len(_shown(forms)) and fails(shown):
                forms = candidate
                break
            if tries <= 0:
                return _shown(forms)
        else:
            break
    return _shown(forms)


def _parsed(text: str) -> list[Tree]:
    stack: list[list[Tree]] = [[""]]
    for token in _TOKEN.findall(text):
        if token in _OPEN:
            stack.append([token])
        elif token in ")]}" and len(stack) > 1:
            done = stack.pop()
            stack[-1].append(done)
        elif token.strip(" ,\n\t\r"):
            stack[-1].append(token)
    while len(stack) > 1:
        done = stack.pop()
        stack[-1].append(done)
    return stack[0]


def _shown(tree: Tree) -> str:
    if isinstance(tree, str):
        return tree
    head = str(tree[0])
    parts = ""
    for each in tree[1:]:
        text = _shown(each)
        parts += text if text in _PREFIXES else text + " "
    return head + parts.rstrip(" ") + _OPEN.get(head, "")


def _smaller(tree: list[Tree]) -> Iterator[list[Tree]]:
    """Trees with one change: large parts first."""
    places = sorted(_places(tree), key=lambda place: -len(_shown(_at(tree, place))))
    for place in places:
        part = _at(tree, place)
        yield _with(tree, place, [])
        if isinstance(part, list):
            inner = sorted((each for each in part[1:]), key=lambda each: -len(_shown(each)))
            for each in inner[:6]:
                yield _with(tree, place, [each])
            for simple in ("nil", "1"):
                yield _with(tree, place, [simple])


def _places(tree: Tree, here: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    if isinstance(tree, list):
        for index in range(1, len(tree)):
            yield (*here, index)
            yield from _places(tree[index], (*here, index))


def _at(tree: Tree, place: tuple[int, ...]) -> Tree:
    for index in place:
        tree = tree[index]  # type: ignore[assignment]
    return tree


def _with(tree: list[Tree], place: tuple[int, ...], parts: list[Tree]) -> list[Tree]:
    head, *rest = place
    if not rest:
        return [*tree[:head], *parts, *tree[head + 1 :]]
    inner = tree[head]
    assert isinstance(inner, list)
    return [*tree[:head], _with(inner, tuple(rest), parts), *tree[head + 1 :]]
