"""Measure ours beside a peer in one run, and print the table.

Machines are noisy, so the two alternate, and of each the median of the rounds counts. A figure is either a
ratio to the peer or an absolute bound; the table says which, what was to be reached, and whether it was.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Row:
    what: str
    #: seconds per operation, median
    ours: float
    peer: float | None
    peer_name: str
    #: the figure that is judged, and its unit: `x` for a ratio
    figure: float
    unit: str
    reach: str
    reached: bool


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def alternate(ours: Callable[[], object], peer: Callable[[], object], rounds: int = 9) -> tuple[float, float]:
    """Median seconds of each, measured in turns after one round of warming up."""
    ours()
    peer()
    pairs = [(seconds(ours), seconds(peer)) for _ in range(rounds)]
    return statistics.median(pair[0] for pair in pairs), statistics.median(pair[1] for pair in pairs)


def ratio(
    what: str,
    ours: Callable[[], object],
    peer: Callable[[], object],
    *,
    peer_name: str,
    at_most: float,
    rounds: int = 9,
) -> Row:
    """A row judged by how many times as long as the peer ours takes."""
    a, b = alternate(ours, peer, rounds)
    return Row(what, a, b, peer_name, a / b, "x", f"<= {at_most:g} x", a / b <= at_most)


def bound(
    what: str,
    ours: Callable[[], object],
    peer: Callable[[], object],
    *,
    peer_name: str,
    at_most_s: float,
    rounds: int = 9,
    repeats: int = 1,
    over_peer: bool = False,
) -> Row:
    """A row judged by seconds per repeat: of ours, or of ours over the peer's."""
    a, b = (value / repeats for value in alternate(ours, peer, rounds))
    figure = a - b if over_peer else a
    reach = f"<= {text_of(at_most_s)}" + (" over peer" if over_peer else "")
    return Row(what, a, b, peer_name, figure, "s", reach, figure <= at_most_s)


def text_of(value_s: float) -> str:
    for size, unit in ((1, "s"), (1e-3, "ms"), (1e-6, "us")):
        if abs(value_s) >= size:
            return f"{value_s / size:.3g} {unit}"
    return f"{value_s / 1e-9:.3g} ns"


def report(title: str, rows: list[Row] | Callable[[], list[Row]], argv: list[str] | None = None) -> int:
    """Print the table, or JSON with `--json`. The exit status says whether all was reached.

    Args:
        rows: or what measures them, once the options are known to be right.
    """
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    options = parser.parse_args(argv)
    rows = rows() if callable(rows) else rows
    if options.json:
        json.dump([asdict(row) for row in rows], sys.stdout, indent=2)
        print()
    else:
        print(title)
        head = ("what", "ours", "peer", "ratio", "peer is", "reach", "")
        table = [head, *(_cells(row) for row in rows)]
        widths = [max(len(line[i]) for line in table) for i in range(len(head))]
        for line in table:
            print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    return 0 if all(row.reached for row in rows) else 1


def _cells(row: Row) -> tuple[str, ...]:
    peer = "" if row.peer is None else text_of(row.peer)
    quotient = "" if row.peer is None else f"{row.ours / row.peer:.2f} x"
    verdict = "reached" if row.reached else "MISSED"
    return row.what, text_of(row.ours), peer, quotient, row.peer_name, row.reach, verdict
