"""Looks for bugs in the language for as long as you like, and prints what it saw.

scripts/fuzz --only differential --count 100000     both backends on generated programs
scripts/fuzz --only reader --count 1000000 --jobs 2 any text through reader, printer and formatter
scripts/fuzz --seed 7 --count 1 --only programs     one input again
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from fuzz_campaigns import CAMPAIGNS, Finding, Tally, disagrees
from fuzz_escapes import ESCAPES
from fuzz_shrink import shrunk

from rtfs.stdlib.table import BUILTINS

#: inputs of one task of a worker
CHUNK = 500
#: findings that are shown in full
SHOWN = 10


def chunk(name: str, start: int, stop: int) -> Tally:
    """Run part of a campaign."""
    tally = Tally()
    for seed in range(start, stop):
        CAMPAIGNS[name](tally, seed)
    return tally


def campaign(name: str, seed: int, count: int, jobs: int) -> Tally:
    """Run a whole campaign, in `jobs` processes."""
    total = Tally()
    starts = range(seed, seed + count, CHUNK)
    stops = [min(start + CHUNK, seed + count) for start in starts]
    with ProcessPoolExecutor(jobs) as pool:
        for part in pool.map(chunk, [name] * len(starts), starts, stops):
            total.inputs += part.inputs
            total.outcomes.update(part.outcomes)
            total.reached.update(part.reached)
            total.findings += part.findings
            print(f"\r{name}: {total.inputs} inputs, {len(total.findings)} findings", end="", file=sys.stderr)
    print(file=sys.stderr)
    return total


def show(name: str, tally: Tally, seconds: float) -> None:
    """The summary of a campaign, and its first findings."""
    rate = tally.inputs / seconds if seconds else 0.0
    print(f"{name}: {tally.inputs} inputs in {seconds:.0f} s ({rate:.0f}/s), {len(tally.findings)} findings")
    for label, times in tally.outcomes.most_common():
        print(f"  {label:24}{times:10}  {100 * times / tally.inputs:5.1f} %")
    if tally.reached:
        nodes = [each for each in tally.reached if not each.startswith("(")]
        missing = sorted(set(BUILTINS) - {each[1:-1] for each in tally.reached})
        print(f"  {len(nodes)} kinds of nodes, {len(BUILTINS) - len(missing)} of {len(BUILTINS)} builtins")
        print(f"  not reached: {' '.join(missing) or 'none'}")
    for finding in tally.findings[:SHOWN]:
        show_finding(name, finding)


def show_finding(name: str, finding: Finding) -> None:
    """One finding, made small if that is possible."""
    text = finding.text
    if name == "differential":
        text = shrunk(text, disagrees(finding.seed))
    print(f"\n  seed {finding.seed}:\n{text[:2_000]!r}\n{finding.what[-2_000:]}")


def main() -> int:
    """Exit code 1 if anything was found."""
    parser = argparse.ArgumentParser(
        prog="scripts/fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=sorted(CAMPAIGNS), help="one campaign; all by default")
    parser.add_argument("--count", type=int, default=10_000, help="inputs for each campaign")
    parser.add_argument("--seed", type=int, default=0, help="number of the first input")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    options = parser.parse_args()
    found = 0
    for name in [options.only] if options.only else CAMPAIGNS:
        count = min(options.count, 2 * len(ESCAPES)) if name == "escape" else options.count
        started = time.monotonic()
        tally = campaign(name, options.seed, count, options.jobs)
        show(name, tally, time.monotonic() - started)
        found += len(tally.findings)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
