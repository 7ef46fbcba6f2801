"""The guide to policies names every setting there is, with its default, and its policies load."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from policies.file import schema
from policies.file.load import load_policy
from policies.file.toml_out import toml_value
from policies.running.observe import __doc__ as observed

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "policies.md").read_text(encoding="utf-8")
POLICIES = re.findall(r"^```toml (\S+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
#: heading of a table of settings → its model, and the one whose keys are told elsewhere
TABLES: dict[str, tuple[type[BaseModel], type[BaseModel] | None]] = {
    "`[delegation]`": (schema.Delegation, None),
    "`[delegation.remote_providers.NAME]`": (schema.RemoteProvider, None),
    "`[delegation.local_models.NAME]`": (schema.LocalModelEntry, schema.TargetFacts),
    "`[[delegation.rules]]`": (schema.Rule, None),
    "`weights`": (schema.Weights, None),
    "`cache`": (schema.RuleCache, None),
    "`[delegation.health]`": (schema.Health, None),
    "`[delegation.budgets.NAME]`": (schema.Budget, None),
    "`[delegation.caches.l1]` … `[delegation.caches.l3]`": (schema.MeaningTable, None),
    "`[delegation.caches.l4]`": (schema.ModulesTable, None),
    "`[delegation.caches.prewarming]`": (schema.PrewarmingTable, None),
    "`[delegation.security]`": (schema.Security, None),
    "`[delegation.security.privacy.LABEL]`": (schema.PrivacyLabel, None),
    "`[delegation.learning]`": (schema.Learning, None),
    "`[delegation.remote_rtfs]`": (schema.RemoteRtfs, None),
    "`[delegation.model_choice]`": (schema.ModelChoice, None),
}


def settings_under(heading: str) -> dict[str, str]:
    """Key → default, from the table below a heading."""
    section = PAGE[PAGE.index(f"\n### {heading}\n") :].split("\n#", 2)[1]
    found = {}
    for first, second in re.findall(r"^\| (`[^|]*) \| ([^|]*) \|", section, re.MULTILINE):
        found.update(dict.fromkeys(re.findall(r"`([^`]+)`", first), second.strip()))
    return found


def default(model: type[BaseModel], key: str) -> set[str]:
    """How the default of a key may be written."""
    value = model.model_fields[key].default
    if value is PydanticUndefined:
        return {"required"}
    if value is None:
        return {"–"}
    return {"a table", "tables"} if isinstance(value, BaseModel) else {f"`{toml_value(value)}`", "tables"}


@pytest.mark.parametrize("heading", TABLES)
def test_every_setting_is_there_with_its_default(heading: str) -> None:
    model, told = TABLES[heading]
    keys = set(model.model_fields) - (set() if told is None else set(told.model_fields))
    shown = settings_under(heading)
    assert set(shown) == keys
    assert {key: text for key, text in shown.items() if text not in default(model, key)} == {}


def test_every_table_of_the_schema_has_a_heading() -> None:
    models = {
        each
        for each in vars(schema).values()
        if isinstance(each, type) and issubclass(each, schema.Table) and each is not schema.Table
    }
    shown = {model for model, _ in TABLES.values()}
    assert models - shown == {
        schema.TargetFacts,
        schema.Sampling,
        schema.ReplicaRange,
        schema.Caches,
        schema.CacheTable,
        schema.PolicyFile,
    }


def test_conditions_and_consequences_are_all_keys_of_a_rule() -> None:
    tables = PAGE[PAGE.index("| Condition |") :].split("\n## ")[0]
    rows = re.findall(r"^\| (`[a-z_`, ]+) \| \S", tables, re.MULTILINE)
    keys = {key for row in rows for key in re.findall(r"`([a-z_]+)`", row)}
    assert keys == set(schema.Rule.model_fields) - {"name", "choose"}


def test_what_can_be_observed_is_there() -> None:
    assert observed is not None
    names = set(re.findall(r"^ {4}(\w+)\{", observed, re.MULTILINE))
    assert len(names) > 5
    assert {name for name in names if f"`{name}{{" not in PAGE} == set()


@pytest.mark.parametrize(("name", "text"), [pytest.param(*each, id=each[0]) for each in POLICIES])
def test_its_policies_load(name: str, text: str) -> None:
    if name == "broken":
        return  # what is wrong with it is shown
    policy = load_policy(text, source=name)
    assert (policy.warnings == ()) is (name != "doubtful")
