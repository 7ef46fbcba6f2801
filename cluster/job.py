"""A program as a Ray job: `ray job submit -- python -m cluster.job FILE --arg name=value …`.

It connects to the runtime of that name on the job's cluster, or starts one for the time of the job, runs the
program, and prints its value. The exit code is that of `rtfs run`. `--ticket` queues the program instead and
prints the ticket's id at once; its result can then be read from anywhere, also when the job is over.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rtfs.cli.console import Console, UsageError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job; its exit code."""
    from cluster.cli import job

    words = list(sys.argv[1:] if argv is None else argv)
    console = Console.of_process("job", json="--json" in words)
    try:
        return job.execute(job.parse(words), console)
    except UsageError as error:
        return console.misuse(error)


if __name__ == "__main__":
    sys.exit(main())
