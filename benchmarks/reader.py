"""How fast the reader is, in KB/s, beside Python's own parser on a program of the same meaning and size.

    python benchmarks/reader.py [--json] [--seconds 1.0]

Also the cost of the first `read` of a process, which imports SLY and builds the parser's tables.
"""

from __future__ import annotations

import argparse
import ast
import json
import subprocess
import sys
import time
from collections.abc import Callable

from rtfs.reader import read

RTFS_TEXT = """
; a function of a typical plan
(defn summarise-{n} "Counts what a line says." [line : string & levels]
  (let [parts (split line " ") total (+ {n} (count parts))]
    (if (> total 100)
      {{:total total :level (first levels) "raw" line}}
      (map #(str % "-" :kind) [1 2.5 nil true parts]))))
"""

PYTHON_TEXT = '''
# a function of a typical plan
def summarise_{n}(line: str, *levels):
    """Counts what a line says."""
    parts = line.split(" "); total = {n} + len(parts)
    if total > 100:
        return {{"total": total, "level": levels[0], "raw": line}}
    return list(map(lambda x: str(x) + "-" + "kind", [1, 2.5, None, True, parts]))
'''

COPIES = 300


def best_rate(work: Callable[[str], object], text: str, seconds: float) -> float:
    """KB/s of the fastest of as many runs as fit into `seconds`."""
    best = float("inf")
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        work(text)
        best = min(best, time.perf_counter() - start)
    return len(text.encode()) / 1000 / best


def first_read_ms(runs: int = 5) -> float:
    """Milliseconds of the first `read` in a new process, the least of some runs."""
    script = (
        "import time, rtfs.reader as r; t = time.perf_counter; s = t(); r.read('1'); print((t() - s) * 1000)"
    )
    times = (
        float(subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout)
        for _ in range(runs)
    )
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--seconds", type=float, default=1.0, help="time for each measurement")
    options = parser.parse_args()
    rtfs_text = "".join(RTFS_TEXT.format(n=n) for n in range(COPIES))
    python_text = "".join(PYTHON_TEXT.format(n=n) for n in range(COPIES))
    results = {
        "rtfs_kb_per_s": round(best_rate(read, rtfs_text, options.seconds), 1),
        "python_ast_kb_per_s": round(best_rate(ast.parse, python_text, options.seconds), 1),
        "text_kb": round(len(rtfs_text) / 1000, 1),
        "first_read_ms": round(first_read_ms(), 1),
    }
    if options.json:
        print(json.dumps(results))
        return
    print(f"{'reader':<24}{'KB/s':>10}")
    print(f"{'rtfs.reader.entry':<24}{results['rtfs_kb_per_s']:>10}   (at least 200)")
    print(f"{'ast.parse (C)':<24}{results['python_ast_kb_per_s']:>10}")
    print(f"first read of a process: {results['first_read_ms']} ms")


if __name__ == "__main__":
    main()
