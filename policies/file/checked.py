"""What the checks of a policy look at, and where a policy names targets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from policies.file.covering import Work
from policies.file.places import Places
from policies.file.schema import Delegation
from policies.file.toml_lines import KeyPath
from policies.rules.candidates import Candidate

TOP: Final = "delegation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What the checks look at."""

    settings: Delegation
    places: Places
    #: by target name
    served: Mapping[str, Candidate]
    environ: Mapping[str, str] | None
    #: comparisons of budgets with providers that may still be made
    work: Work


def mentions(settings: Delegation) -> Iterator[tuple[KeyPath, str]]:
    """All places where a target is named that calls may be sent to."""
    yield (TOP, "default_target"), settings.default_target
    for glob, name in settings.static_routes.items():
        yield (TOP, "static_routes", glob), name
    for index, rule in enumerate(settings.rules):
        yield from each((TOP, "rules", index, "targets"), rule.targets)
        yield from each((TOP, "rules", index, "fallback"), rule.fallback)
    yield from each((TOP, "fallback"), settings.fallback)
    if settings.model_choice.target is not None:
        yield (TOP, "model_choice", "target"), settings.model_choice.target
    yield from each((TOP, "model_choice", "candidates"), settings.model_choice.candidates)


def each(path: KeyPath, names: Iterable[str]) -> Iterator[tuple[KeyPath, str]]:
    """The elements of an array, each with its place."""
    for index, name in enumerate(names):
        yield (*path, index), name
