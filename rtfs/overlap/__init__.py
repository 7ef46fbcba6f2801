"""Parts of a run that wait at the same time: greenlets over a hub that the run's thread owns.

A part is a stretch of a program that runs until it must wait, for a model or another machine. Then the hub of
the thread lets the next part go on. Whoever makes parts wait, such as the stub of a delegated function, needs
`wait` alone. Without a hub it blocks the thread, and nothing overlaps.
"""

from rtfs.overlap.current import in_hub
from rtfs.overlap.waiting import nothing_overlaps, overlapping, wait, wait_for, when_idle

__all__ = ["in_hub", "nothing_overlaps", "overlapping", "wait", "wait_for", "when_idle"]
