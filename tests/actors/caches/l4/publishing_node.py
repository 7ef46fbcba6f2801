"""A process that runs programs and uses modules, without Ray."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import rtfs
from actors.caches.l4.lookup import ModuleIndex
from actors.caches.l4.publish import Published, publish
from actors.caches.l4.runner import ModuleRunner
from actors.caches.l4.signing import SigningKey
from actors.caches.l4.store import ModuleStore
from actors.caches.l4.trust import TrustStore
from actors.delegation.runners import Runners
from policies.engines.standard import standard_engine
from policies.file.load import load_policy
from policies.rules.rulebook import Current, Rulebook
from policies.running.delegate import PolicyDelegate
from policies.running.runner import CallRecord, Clock

KEY = SigningKey.new()


class Node:
    """Publishes, and runs programs; who answered a run's calls stands in `records`."""

    def __init__(self, folder: Path, text: str = "[delegation]", *, binds: bool = True) -> None:
        self.trust_path = folder / "trust.json"
        self.now = 1000.0
        TrustStore().trusting(KEY.public, "build", now=1.0).write(self.trust_path)
        self.store = ModuleStore(folder / "l4")
        self.index = ModuleIndex(self.store, self.trust_path, clock=lambda: self.now)
        self.runner = ModuleRunner(self.index)
        self.records: list[CallRecord] = []
        current = Current(Rulebook(load_policy(text)))
        self.delegate = PolicyDelegate(
            standard_engine(current, l4=self.index),
            current,
            Runners(current, None, {}, modules=self.runner),
            Clock(monotonic=time.monotonic, wall=lambda: self.now),
            audit=self.records.append,
            modules=self.runner.bound if binds else None,
        )

    def publish(self, text: str, key: SigningKey = KEY, **more: Any) -> Published:
        program = rtfs.compile(text, source_name="plan.rtfs")
        return publish(program, key, self.store, **{"now": self.now, **more})

    def trusting(self, change: Any) -> None:
        """Change what is trusted: `change` gives another `TrustStore`."""
        change(TrustStore.read(self.trust_path)).write(self.trust_path)

    def run(self, text: str) -> rtfs.Value:
        self.records.clear()
        linked = rtfs.compile(text, source_name="plan.rtfs").link(self.delegate)
        return linked.run(limits=rtfs.Limits(deadline_s=20))

    @property
    def answered_by(self) -> list[str]:
        """Kinds of the targets that answered the last run's calls."""
        return [type(each.answered_by).__name__ for each in self.records]

    def close(self) -> None:
        self.store.close()
