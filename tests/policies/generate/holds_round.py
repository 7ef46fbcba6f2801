"""One round: a few policies and programs out of a seed, joined in all ways, run, and watched."""

from __future__ import annotations

import traceback
from collections import Counter
from dataclasses import dataclass, field
from random import Random

from holds_engines import drawn
from holds_linked import ready
from holds_policy import policy_text
from holds_setting import Setting
from holds_watch import Violation

from policies.errors import PolicyFileError
from policies.file.load import load_policy

#: of one round; every program runs under every policy
POLICIES, PROGRAMS = 3, 3


@dataclass(slots=True)
class Finding:
    """A violation, and how to come by it again."""

    seed: int
    violation: Violation
    program: str
    composition: str


@dataclass(slots=True)
class Tally:
    """What rounds came to."""

    rounds: int = 0
    cases: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.rounds += other.rounds
        self.cases += other.cases
        self.counts.update(other.counts)
        self.findings += other.findings

    @property
    def kinds(self) -> Counter[str]:
        """Findings by kind."""
        return Counter(finding.violation.kind for finding in self.findings)


def valid_policies(pick: Random, count: int, counts: Counter[str]) -> list[str]:
    found: list[str] = []
    while len(found) < count:
        text = policy_text(pick)
        try:
            load_policy(text)
        except PolicyFileError:
            counts["policies refused for contradicting themselves"] += 1
            continue
        found.append(text)
    counts["policies"] += count
    return found


def round_of(seed: int) -> Tally:
    """All that happens with the policies and programs of one seed."""
    pick = Random(drawn("round", seed))
    tally = Tally(rounds=1)
    texts = valid_policies(pick, POLICIES, tally.counts)
    programs = [ready(pick) for _ in range(PROGRAMS)]
    tally.counts["programs"] += PROGRAMS
    for place in range(POLICIES):
        setting = Setting(Random(drawn(seed, place)), texts[place:] + texts[:place])
        watch = setting.watch
        watch.counts[f"engine: {setting.composition.partition(' with')[0]}"] += 1
        for number, each in enumerate(programs):
            watch.violations.clear()
            try:
                setting.runs(each, number)
            except Exception:
                watch.wrong("exception", traceback.format_exc())
                watch.stack.clear()
            generated = each.generated
            text = "\n".join((generated.text, *generated.modules.values()))
            tally.findings += [
                Finding(seed, violation, text, setting.composition) for violation in watch.violations
            ]
        tally.counts.update(watch.counts)
        tally.cases += len(watch.cases)
    return tally
