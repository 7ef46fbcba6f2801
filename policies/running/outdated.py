"""Calls as another policy may judge them than the one under which they were described.

Runs under way keep the link that they began with when a policy comes into force, yet the hard rules are asked
before each try as they are then. What a description says of a call holds for any policy, but for two things:

- the size of its arguments stands for a class of sizes that the old rules did not tell apart;
- the labels of its arguments come from the old policy's sources.

Of such a thing nothing is known to the new policy: hard rules count unknown sizes as met, and the arguments may
carry any label that the new sources give.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from policies.context import CallContext, CallFacts
from policies.file.schema import Security
from policies.rules.rulebook import Rulebook

#: a label that no policy defines: what was declassified before may have carried any
ANY_LABEL: Final = "any label"


def as_judged(call: CallContext, described: Rulebook, now: Rulebook) -> CallContext:
    """`call`, which was described under one policy, for questions to another."""
    if described is now or described.policy.settings == now.policy.settings:
        return call
    labels = _labels(described.policy.settings.security, now.policy.settings.security) - call.facts.labels
    facts = call.facts
    if not labels and facts.size is None:
        return call
    function = replace(facts.function, labels=facts.function.labels | labels)
    changed = CallFacts(function=function, arg_types=facts.arg_types, size=None, runtime=facts.runtime)
    return CallContext.of(changed, metadata=call.metadata, semantic_hash=call.semantic_hash)


def _labels(old: Security, new: Security) -> frozenset[str]:
    """What arguments may carry under `new` of which an analysis under `old` knew nothing."""
    found: set[str] = set()
    if not set(old.declassify) <= set(new.declassify):
        found.update((ANY_LABEL, *new.privacy), *new.sources.values())
    for source, labels in new.sources.items():
        found.update(frozenset(labels) - frozenset(old.sources.get(source, ())))
    return frozenset(found)
