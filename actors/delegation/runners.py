"""Who takes calls to which target, by the policy in force."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from policies.file.schema import RemoteProvider
from policies.rules.rulebook import Current
from policies.running.runner import KINDS, Runner
from policies.targets import LOCAL_PURE
from rtfs.delegation import L4CacheHit, LocalModel


class Runners(Mapping[str, Runner]):
    """A runner for all local models, one for modules, one for each kind of remote provider.

    A live view of the policy.

    Providers of a kind for which there is no runner have none: calls to them go on along their chains.
    """

    def __init__(
        self,
        current: Current,
        models: Runner | None,
        by_kind: Mapping[str, Runner],
        *,
        modules: Runner | None = None,
    ) -> None:
        self._current = current
        #: by the kinds of targets that have one runner each
        self._alone = {
            kind: runner
            for kind, runner in ((KINDS[LocalModel], models), (KINDS[L4CacheHit], modules))
            if runner is not None
        }
        self._by_kind = by_kind

    def __getitem__(self, name: str) -> Runner:
        """The runner for the target, or kind of target, `name`."""
        alone = self._alone.get(name)
        if alone is not None:
            return alone
        provider = self._provider(name)
        if provider is None:
            raise KeyError(name)
        return self._by_kind[provider.kind]

    def __iter__(self) -> Iterator[str]:
        yield from self._alone
        for key, provider in self._current.rulebook.policy.settings.remote_providers.items():
            if provider.kind in self._by_kind:
                yield f"remote-{key.removeprefix('remote-')}"

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _provider(self, name: str) -> RemoteProvider | None:
        if name == LOCAL_PURE or not name.startswith("remote-"):
            return None
        providers = self._current.rulebook.policy.settings.remote_providers
        return providers.get(name) or providers.get(name.removeprefix("remote-"))
