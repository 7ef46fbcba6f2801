"""Which replicas of the policy's models there are, and which of them evaluators are told of.

A replica that is added is told once its model is ready, so no call waits for it to be loaded. One that is taken
away is not told any more, and ended later. With the replicas goes the version that all of them answer by, since
answers of other versions are no answers any more. Plain class, for one event loop; it knows names and answers
of actors, not actors.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from itertools import takewhile

from actors.events.event import MODELS, News
from actors.models.host import HostStats
from actors.models.scaling import Scaling
from policies.file.schema import LocalModelEntry


@dataclass(slots=True)
class _Model:
    #: of the actors of as many replicas as there may be
    names: tuple[str, ...]
    fewest: int
    scaling: Scaling
    #: those whose model was ready once
    ready: set[str] = field(default_factory=set)
    #: the version of each, as far as it was heard
    versions: dict[str, str] = field(default_factory=dict)
    told: tuple[tuple[str, ...], str] = ((), "")

    @property
    def version(self) -> str:
        """That of all; empty if it is not known, or they differ."""
        found = {self.versions.get(name, "") for name in self.wanted}
        return found.pop() if len(found) == 1 else ""

    @property
    def wanted(self) -> tuple[str, ...]:
        return self.names[: self.scaling.count]

    @property
    def usable(self) -> tuple[str, ...]:
        added = takewhile(self.ready.__contains__, self.wanted[self.fewest :])
        return (*self.wanted[: self.fewest], *added)


class Replicas:
    """The replicas of all models of the policy in force."""

    def __init__(self) -> None:
        self._models: dict[str, _Model] = {}
        #: models that are gone, and evaluators have not been told
        self._gone: set[str] = set()
        #: answers to the probes of this round
        self._heard: dict[str, HostStats] = {}
        self._busy: set[str] = set()

    def follow(
        self,
        entries: Mapping[str, LocalModelEntry],
        names: Mapping[str, tuple[str, ...]],
        there: Callable[[], Collection[str]],
    ) -> None:
        """Have the models of a new policy.

        Args:
            entries: its models.
            names: of the actors of as many replicas of each as there may be.
            there: the names of actors that there are; some of them, if whoever asks has begun anew.
        """
        models = {model: self._followed(model, entry, names[model], there) for model, entry in entries.items()}
        self._gone |= self._models.keys() - models.keys()
        self._models = models

    def _followed(
        self, model: str, entry: LocalModelEntry, names: tuple[str, ...], there: Callable[[], Collection[str]]
    ) -> _Model:
        old = self._models.get(model)
        if old is not None and old.names == names:
            return old
        found = there() if entry.most > entry.fewest else ()
        running = tuple(takewhile(found.__contains__, names))
        scaling = Scaling(entry.fewest, entry.most, max(entry.fewest, len(running)))
        return _Model(names, entry.fewest, scaling, ready=set(running))

    @property
    def wanted(self) -> dict[str, str]:
        """The names of the actors that there should be, and their models."""
        return {name: model for model, each in self._models.items() for name in each.wanted}

    @property
    def needed(self) -> set[str]:
        """Those of them that there are always."""
        return {name for each in self._models.values() for name in each.wanted[: each.fewest]}

    def hear(self, name: str, stats: HostStats) -> None:
        """A replica has answered its probe."""
        self._heard[name] = stats
        for each in self._models.values():
            if name in each.names:
                each.versions[name] = stats.version
        if stats.waiting or stats.in_flight:
            self._busy.add(name)
        else:
            self._busy.discard(name)

    def are_busy(self, names: Collection[str]) -> bool:
        """Whether one of these had something to do when it last answered."""
        return not self._busy.isdisjoint(names)

    def forget(self, names: Collection[str]) -> None:
        """These are ended."""
        self._busy.difference_update(names)

    def decide(self, now: float) -> None:
        """Once all probes of a round are over: how many replicas each model should have from now on."""
        heard, self._heard = self._heard, {}
        for each in self._models.values():
            if len(each.names) > each.fewest:
                stats = {name: heard[name] for name in each.wanted if name in heard}
                each.ready |= {name for name, stat in stats.items() if stat.state == "ready"}
                each.scaling.decide(stats, now)
                each.ready &= set(each.wanted)

    def news(self) -> list[News]:
        """What evaluators have to be told since the last time: usable replicas, and versions."""
        news = [News(topic=MODELS, key=model, data={"replicas": []}, ended=True) for model in self._gone]
        self._gone.clear()
        for model, each in self._models.items():
            now = each.usable, each.version
            if each.told != now and (each.told[0] or len(each.names) > each.fewest or each.version):
                each.told = now
                data = {"replicas": [*each.usable], "version": each.version}
                news.append(News(topic=MODELS, key=model, data=data))
        return news
