"""Runs generated programs under generated policies, and looks for anything that the policies forbid.

scripts/fuzz-policies --count 100000 --jobs 2    until so many different cases were seen
scripts/fuzz-policies --seed 7 --rounds 1        one round again

A case is one call of a delegated or guarded function: its policy, program, function, arguments, run and budget.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from holds_round import Tally, round_of

#: rounds of one task of a worker, and findings of a kind that are shown in full
CHUNK, SHOWN = 8, 2


def chunk(start: int, stop: int) -> Tally:
    """A few rounds."""
    tally = Tally()
    for seed in range(start, stop):
        tally.add(round_of(seed))
    return tally


def search(seed: int, count: int, rounds: int | None, jobs: int) -> Tally:
    """Rounds from `seed` on, as many as named, or until there are `count` cases."""
    total = Tally()
    with ProcessPoolExecutor(jobs) as pool:
        while total.cases < count if rounds is None else total.rounds < rounds:
            first = seed + total.rounds
            left = jobs * CHUNK if rounds is None else min(jobs * CHUNK, rounds - total.rounds)
            starts = range(first, first + left, CHUNK)
            for part in pool.map(chunk, starts, [min(start + CHUNK, first + left) for start in starts]):
                total.add(part)
            text = f"\r{total.rounds} rounds, {total.cases} cases, {len(total.findings)} findings"
            print(text, end="", file=sys.stderr)
    print(file=sys.stderr)
    return total


def show(total: Tally, seconds: float) -> None:
    """What was seen, how often, and the first findings."""
    print(f"{total.rounds} rounds, {total.cases} cases in {seconds:.0f} s, {len(total.findings)} findings")
    for name, times in sorted(total.counts.items()):
        print(f"  {name:52}{times:10}")
    shown: Counter[str] = Counter()
    for finding in total.findings:
        violation = finding.violation
        shown[violation.kind] += 1
        if shown[violation.kind] > SHOWN:
            continue
        print(f"\nseed {finding.seed}, {finding.composition}\n{violation.kind}: {violation.text}")
        print(f"\n{violation.policy}\n{finding.program}")
    if total.findings:
        print("\nfindings by kind:", dict(total.kinds))


def main() -> int:
    """Exit code 1 if anything was found."""
    parser = argparse.ArgumentParser(
        prog="scripts/fuzz-policies", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=10_000, help="cases to be seen at least")
    parser.add_argument("--rounds", type=int, help="rounds to be run, however many cases they have")
    parser.add_argument("--seed", type=int, default=0, help="number of the first round")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    options = parser.parse_args()
    started = time.monotonic()
    total = search(options.seed, options.count, options.rounds, options.jobs)
    show(total, time.monotonic() - started)
    return 1 if total.findings else 0


if __name__ == "__main__":
    sys.exit(main())
