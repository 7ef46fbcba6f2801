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
    ("kind = 'ecko'", "error bad-value", "kind",
     'expected "echo", "rules", "embedder", "classifier" or "gguf", got the string "ecko"',
     'did you mean "echo"?'),
    ("kind = 'echo', fail_rate = 2", "error bad-value", "fail_rate",
     "expected a number of at most 1, got the integer 2", None),
    ("kind = 'echo', path = 'x.rules'", "warning no-effect", "path",
     'a model of the kind "echo" reads no file', None),
    ("path = 'x.rules', fail_rate = 0.1", "warning no-effect", "fail_rate",
     'it has no effect on a model of the kind "rules", only on "echo"', None),
    ("path = 'x.rules', temperature = 0.1", "warning no-effect", "temperature",
     'it has no effect on a model of the kind "rules", only on "gguf"', None),
    ("path = 'x.gguf', gpu_layers = 3", "warning no-effect", "gpu_layers",
     'it has no effect on the device "cpu"', None),
    ("kind = 'classifier'", "error missing-key", "path", "expected the key `path`, it is missing",
     '`path = "minilm"` is the model that comes along'),
    ("path = 'minilm'", "error missing-key", "kind", "expected the key `kind`, since `minilm` serves several",
     'write `kind = "embedder"` or `kind = "classifier"`'),
    ("kind = 'echo', device = 'cpu:0'", "error bad-value", "device",
     'expected "cpu", "cpu:4", "gpu" or "gpu:0.5", got the string "cpu:0"', None),
    ("kind = 'echo', device = 'gpu:0'", "error bad-value", "device",
     'expected a share of a GPU above 0, got the device "gpu:0"', 'write "cpu" to use none'),
    ("kind = 'echo', device = 'gpu:1.5'", "error bad-value", "device",
     'expected a share of one GPU, or a number of whole ones, got the device "gpu:1.5"', None),
    ("kind = 'echo', replicas = { min = 3, max = 2 }", "error bad-value", "replicas.max",
     "expected `max` to be at least `min`, got 2 and 3", None),
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
    "kind = 'classifier', path = 'minilm', threshold = 0.5, device = 'cpu:2'",
    "kind = 'embedder', path = 'minilm', replicas = { min = 1, max = 4 }",
    "path = 'large.gguf', device = 'gpu:0.25', gpu_layers = 10, mode = 'chat', temperature = 0.2, parallel = 4",
]


@pytest.mark.parametrize("entry", RIGHT)
def test_what_is_right(entry: str) -> None:
    assert findings(entry) == ()
