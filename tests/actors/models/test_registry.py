from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from actors.models.echo import EchoModel
from actors.models.errors import ModelError
from actors.models.provider import ModelProvider
from actors.models.registry import ModelRegistry, local_models
from actors.models.rules import RulesModel
from policies.file.load import load_policy
from policies.file.schema import LocalModelEntry


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        (LocalModelEntry(kind="echo"), EchoModel),
        (LocalModelEntry(path="mood.rules"), RulesModel),
        (LocalModelEntry(kind="rules", path="mood.txt"), RulesModel),
        (LocalModelEntry(kind="echo", path="mood.rules"), EchoModel),
    ],
)
def test_kinds_that_come_with_it(entry: LocalModelEntry, kind: type[ModelProvider]) -> None:
    model = ModelRegistry().make("m", entry)
    assert type(model) is kind
    assert model.id == "m"


UNKNOWN = [
    (LocalModelEntry(), "model `m`: expected a `path` or a `kind`, both are missing"),
    (LocalModelEntry(path="a.rule"),
     "model `m`: no model here has a file that ends in `.rule`; did you mean `.rules`?"),
    (LocalModelEntry(path="a"),
     "model `m`: no model here has a file that ends in ``; known are `.rules`, `.gguf`"),
    (LocalModelEntry(kind="rules"), "model `m`: expected the `path` of a rules file, it is missing"),
    (LocalModelEntry.model_construct(kind="ekho", path=None),
     "model `m`: no model here is of the kind `ekho`; did you mean `echo`?"),
    (LocalModelEntry.model_construct(kind="oracle", path=None),
     "model `m`: no model here is of the kind `oracle`; "
     "known are `echo`, `rules`, `classifier`, `embedder`, `gguf`"),
]  # fmt: skip


@pytest.mark.parametrize(("entry", "message"), UNKNOWN)
def test_what_it_cannot_make(entry: LocalModelEntry, message: str) -> None:
    with pytest.raises(ModelError) as raised:
        ModelRegistry().make("m", entry)
    assert str(raised.value) == message


class Shouting(EchoModel):
    pass


def shouting(id: str, entry: LocalModelEntry) -> Shouting:
    return Shouting(id)


def test_a_kind_of_ones_own_travels_with_its_registry() -> None:
    registry = ModelRegistry()
    registry.register("shouting", shouting, suffixes=(".shout",))
    registry = pickle.loads(pickle.dumps(registry))  # as Ray hands it to an actor
    assert registry.kinds[-1] == "shouting"
    assert type(registry.make("m", LocalModelEntry(path="loud.shout"))) is Shouting


def test_models_of_a_policy(tmp_path: Path) -> None:
    text = """
    [delegation.local_models]
    local-mood = { path = "models/mood.rules" }
    far = { path = "/elsewhere/far.rules" }
    slow = { kind = "echo", latency_ms = 5 }
    """
    policy = load_policy(text, environ={"RTFS_LOCAL_MODEL_PATH": "extra.rules"})
    models = local_models(policy.settings, tmp_path)
    assert {name: entry.path for name, entry in models.items()} == {
        "mood": str(tmp_path / "models/mood.rules"),
        "far": "/elsewhere/far.rules",
        "slow": None,
        "extra": str(tmp_path / "extra.rules"),
    }
