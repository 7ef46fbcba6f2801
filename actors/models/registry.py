"""Kinds of models, and how one is made from its entry in the policy.

    registry = ModelRegistry()
    registry.register("shouting", ShoutingModel.of, suffixes=(".shout",))
    model = registry.make("loud", LocalModelEntry(path="loud.shout"))

A model's kind is what its entry says, else how the name of its file ends.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePath
from types import MappingProxyType

from actors import names
from actors.models.echo import EchoModel
from actors.models.embedding.classifier import ClassifierModel
from actors.models.embedding.minilm import NAME as MINILM
from actors.models.embedding.model import EmbedderModel
from actors.models.errors import ModelError
from actors.models.generation.gguf_model import GgufModel
from actors.models.provider import ModelProvider
from actors.models.rules import RulesModel
from policies.file.schema import Delegation, LocalModelEntry
from rtfs.spell import nearest

#: makes a model from its name and entry; raises ModelError if it cannot
type Factory = Callable[[str, LocalModelEntry], ModelProvider]


class ModelRegistry:
    """Makes models. Those of the kinds that come with it, and of those that are registered."""

    def __init__(self) -> None:
        self._factories: dict[str, Factory] = {}
        self._suffixes: dict[str, str] = {}
        self.register("echo", EchoModel.of)
        self.register("rules", RulesModel.of, suffixes=(".rules",))
        self.register("classifier", ClassifierModel.of)
        self.register("embedder", EmbedderModel)
        self.register("gguf", GgufModel.of, suffixes=(".gguf",))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that it makes."""
        return tuple(self._factories)

    def register(self, kind: str, factory: Factory, *, suffixes: Iterable[str] = ()) -> None:
        """Make models of `kind`, and of files that end in `suffixes`, by `factory`; the last one counts."""
        self._factories[kind] = factory
        self._suffixes.update(dict.fromkeys(suffixes, kind))

    def make(self, name: str, entry: LocalModelEntry) -> ModelProvider:
        """The model `name`, not loaded yet.

        Raises:
            ModelError: nothing here makes such a model; the text says what would.
        """
        return self._factories[self._kind(name, entry)](name, entry)

    def _kind(self, name: str, entry: LocalModelEntry) -> str:
        if entry.kind is not None:
            if entry.kind in self._factories:
                return entry.kind
            raise _unknown(name, f"no model here is of the kind `{entry.kind}`", entry.kind, self._factories)
        if entry.path is None:
            raise ModelError(f"model `{name}`: expected a `path` or a `kind`, both are missing")
        suffix = PurePath(entry.path).suffix
        if suffix in self._suffixes:
            return self._suffixes[suffix]
        raise _unknown(name, f"no model here has a file that ends in `{suffix}`", suffix, self._suffixes)


def _unknown(name: str, what: str, given: str, known: Iterable[str]) -> ModelError:
    near = nearest(given, known)
    hint = f"did you mean `{near}`?" if near else f"known are {', '.join(f'`{each}`' for each in known)}"
    return ModelError(f"model `{name}`: {what}; {hint}")


def local_models(settings: Delegation, folder: Path) -> Mapping[str, LocalModelEntry]:
    """The models of a policy by name, without `local-`, with the whole paths of their files.

    Args:
        settings: of the policy; `RTFS_LOCAL_MODEL_PATH` has its effect where the policy is loaded.
        folder: where relative paths start, that of the policy file.
    """
    return {key.removeprefix("local-"): _placed(entry, folder) for key, entry in settings.local_models.items()}


def replicas(
    settings: Delegation, folder: Path, counts: Mapping[str, int] = MappingProxyType({})
) -> Mapping[str, tuple[str, ...]]:
    """The names of the actors of each model's replicas. Arguments as for `local_models`, and

    counts: how many there are of a model; of one that is not named as few as there may be.
    """
    return {
        name: tuple(
            names.model(name, number, _digest(entry)) for number in range(counts.get(name, entry.fewest))
        )
        for name, entry in local_models(settings, folder).items()
    }


def _digest(entry: LocalModelEntry) -> str:
    return hashlib.sha256(entry.model_dump_json().encode()).hexdigest()[:8]


def _placed(entry: LocalModelEntry, folder: Path) -> LocalModelEntry:
    if entry.path is None or entry.path == MINILM:
        return entry
    return entry.model_copy(update={"path": str((folder / entry.path).absolute())})
