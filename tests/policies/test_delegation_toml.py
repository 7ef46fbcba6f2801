"""The policy file that is shipped."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from policies.file.load import load_policy, load_policy_file
from policies.file.policy import Policy
from policies.file.schema import RemoteProvider, Sampling, TargetFacts
from policies.file.shape import tables
from policies.file.toml_lines import scan

FILE = Path(__file__).parents[2] / "delegation.toml"
TEXT = FILE.read_text(encoding="utf-8")
#: examples: lines in a row that begin with `#:`
BLOCKS = re.findall(r"(?m)(?:^#:.*\n)+", TEXT)
#: examples that others refer to
DEFINITIONS = ("[delegation.remote_providers.", "[delegation.local_models.")


def uncommented(text: str) -> str:
    return re.sub(r"(?m)^#: ", "", text)


def with_blocks(*blocks: str) -> str:
    text = TEXT
    for block in BLOCKS:
        if block in blocks or any(name in block for name in DEFINITIONS):
            text = text.replace(block, uncommented(block))
    return text


def test_it_works_on_a_bare_machine() -> None:
    policy = load_policy_file(FILE, environ={})
    assert policy.warnings == ()
    assert policy.settings.default_target == "local-pure"
    assert policy.settings.static_routes == {}
    assert policy.settings.rules == ()


def test_active_lines_are_the_defaults_but_for_what_the_file_says() -> None:
    settings, plain = load_policy(TEXT).settings, Policy().settings
    assert settings.remote_providers == {
        "remote-openai": RemoteProvider(endpoint="https://api.openai.com/v1", api_key_env="OPENAI_API_KEY")
    }
    assert {label: entry.allow for label, entry in settings.security.privacy.items()} == {
        "confidential": ("local-*",),
        "public": ("*",),
    }
    security = settings.security.model_copy(update={"privacy": {}})
    assert settings.model_copy(update={"remote_providers": {}, "security": security}) == plain


def test_every_key_of_the_schema_is_in_it() -> None:
    present = [tuple(part for part in path if isinstance(part, str)) for path in scan(uncommented(TEXT)).lines]
    keys = [(*path, name) for path, shape in tables() for name in shape.fields]
    missing = [key for key in keys if not any(_fits(key, found) for found in present)]
    # what decisions look at is explained with the first provider, for models, too
    told = [*TargetFacts.model_fields, *Sampling.model_fields]
    of_models = [("delegation", "local_models", "NAME", name) for name in told]
    # and what bounds a cache in bytes with l2
    of_caches = [("delegation", "caches", tier, "size_bytes") for tier in ("l1", "l3", "l4")]
    assert set(missing) <= {*of_models, *of_caches}
    assert len(keys) > 100


def _fits(key: tuple[str, ...], found: tuple[str, ...]) -> bool:
    """Whether `found` is the key, or one below it: a table may have no header of its own."""
    pattern = [part for part in key if part != "[]"]
    return len(found) >= len(pattern) and all(
        part in ("NAME", name) for part, name in zip(pattern, found, strict=False)
    )


def test_all_examples_load_together() -> None:
    policy = load_policy(uncommented(TEXT), environ={"OPENAI_API_KEY": "x"})
    assert policy.warnings == ()
    assert len(policy.settings.rules) == 4


@pytest.mark.parametrize("block", BLOCKS)
def test_each_example_loads(block: str) -> None:
    policy = load_policy(with_blocks(block), environ={"OPENAI_API_KEY": "x"})
    assert policy.warnings == ()


def test_the_tests_see_all_examples() -> None:
    assert len(BLOCKS) > 15
    assert "".join(BLOCKS).count("#:") == TEXT.count("\n#:")
    assert not any(re.match(r"#:\S", line) for line in TEXT.splitlines())
