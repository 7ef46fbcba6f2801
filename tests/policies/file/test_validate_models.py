from __future__ import annotations

import pytest

from policies.errors import PolicyFileError, PolicyProblem
from policies.file.load import load_policy


def findings(entry: str) -> tuple[PolicyProblem, ...]:
    """Errors, or warnings if there are none, of the model `m`."""
    try:
        return load_policy(f"[delegation.local_models]\nm = {{ {entry} }}").warnings
    except PolicyFileError as error:
        return error.problems


WRONG = [
    ("", "error missing-key", "path", "expected the key `path`, it is missing",
     'only a model of the kind "echo" needs none'),
    ("kind = 'rules'", "error missing-key", "path", "expected the key `path`, it is missing", None),
    ("kind = 'ecko'", "error bad-value", "kind", 'expected "echo" or "rules", got the string "ecko"',
     'did you mean "echo"?'),
    ("kind = 'echo', fail_rate = 2", "error bad-value", "fail_rate",
     "expected a number of at most 1, got the integer 2", None),
    ("kind = 'echo', path = 'x.rules'", "warning no-effect", "path",
     'a model of the kind "echo" reads no file', None),
    ("path = 'x.rules', fail_rate = 0.1", "warning no-effect", "fail_rate",
     'only a model of the kind "echo" fails on demand', None),
    ("path = './mood.rule'", "warning unknown-suffix", "path",
     "the name of the file ends in `.rule`, which no model does, so that nothing can run it",
     "did you mean `.rules`?"),
    ("path = 'mood.toml'", "warning unknown-suffix", "path",
     "the name of the file ends in `.toml`, which no model does, so that nothing can run it",
     "known are `.rules`, `.gguf`"),
    ("path = 'mood'", "warning unknown-suffix", "path",
     "the name of the file has no ending that tells its kind, so that nothing can run it",
     "known are `.rules`, `.gguf`"),
]  # fmt: skip


@pytest.mark.parametrize(("entry", "what", "key", "message", "hint"), WRONG)
def test_what_may_be_wrong(entry: str, what: str, key: str, message: str, hint: str | None) -> None:
    (problem,) = findings(entry)
    assert f"{problem.severity} {problem.code}" == what
    assert problem.key == f"delegation.local_models.m.{key}"
    assert (problem.message, problem.hint, problem.line) == (message, hint, 2)


RIGHT = [
    "kind = 'echo'",
    "kind = 'echo', latency_ms = 100, fail_rate = 0.5",
    "path = 'mood.rules'",
    "path = 'large.q4.gguf'",
    "kind = 'rules', path = 'mood.txt'",
    "kind = 'rules', path = 'mood'",
]


@pytest.mark.parametrize("entry", RIGHT)
def test_what_is_right(entry: str) -> None:
    assert findings(entry) == ()
