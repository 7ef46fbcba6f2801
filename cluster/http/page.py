"""`/docs`: the operations and the problems as one page that needs nothing from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from html import escape
from typing import Final

from cluster.http.openapi import problems_of
from cluster.http.operations import OPERATIONS
from cluster.http.problems import PROBLEMS
from cluster.http.routing import Operation

_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
code, pre { font: 14px/1.4 ui-monospace, monospace; }
pre { background: #8881; padding: .7rem; overflow-x: auto; border-radius: .3rem; }
h2 code { font-size: 1.1rem; } table { border-collapse: collapse; }
td, th { text-align: left; vertical-align: top; padding: .2rem .8rem .2rem 0; }
:root { color-scheme: light dark; }
"""
_WHO: Final = {
    "anyone": "no token needed",
    "caller": "token",
    "admin": "token of an administrator",
    "metrics": "token, unless metrics are open",
}


@cache
def page_bytes() -> bytes:
    """The page."""
    return "\n".join(_page()).encode()


def _page() -> Iterator[str]:
    yield '<!doctype html><html lang="en"><meta charset="utf-8"><title>RTFS over HTTP</title>'
    yield f"<style>{_STYLE}</style><h1>RTFS over HTTP</h1>"
    yield '<p>The same for programs: <a href="openapi.json">openapi.json</a> (OpenAPI 3.1).</p><ul>'
    for each in OPERATIONS:
        name = f"{each.method} {escape(each.path)}"
        yield f'<li><a href="#{_anchor(each)}"><code>{name}</code></a> {escape(each.summary)}'
    yield "</ul>"
    for each in OPERATIONS:
        yield from _operation(each)
    yield "<h2>Problems</h2><table><tr><th>code<th>status<th>meaning"
    for code, (status, title) in PROBLEMS.items():
        yield f'<tr id="{code}"><td><code>{code}</code><td>{status}<td>{escape(title)}'
    yield "</table></html>"


def _anchor(operation: Operation) -> str:
    return f"{operation.method}-{operation.path.strip('/').replace('/', '-').strip('{}')}"


def _operation(operation: Operation) -> Iterator[str]:
    yield f'<h2 id="{_anchor(operation)}"><code>{operation.method} {escape(operation.path)}</code></h2>'
    yield f"<p>{escape(operation.summary)}. {escape(operation.text)} <i>{_WHO[operation.who]}</i></p>"
    for parameter in operation.parameters:
        yield f"<p><code>{escape(parameter.name)}</code> ({parameter.place}): {escape(parameter.text)}</p>"
    for name, value in operation.examples.items():
        yield f"<p>{escape(name)}</p><pre>{escape(json.dumps(value, indent=2))}</pre>"
    for answer in operation.answers:
        yield f"<p>{answer.status}: {escape(answer.text)}</p>"
    codes = ", ".join(f'<a href="#{code}">{code}</a>' for code in problems_of(operation))
    yield f"<p>Problems: {codes}</p>"
