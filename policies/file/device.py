"""What a local model computes on: `device` of its entry.

"cpu"       some threads         "gpu"       one GPU
"cpu:4"     four threads         "gpu:0.5"   half of one, another model may have the other half
"""

from __future__ import annotations

from typing import Final, NamedTuple

#: what `device` looks like
PATTERN: Final = r"^(cpu(:[1-9][0-9]{0,2})?|gpu(:[0-9]{1,2}(\.[0-9]{1,4})?)?)$"
#: the forms of it, for messages
FORMS: Final = '"cpu", "cpu:4", "gpu" or "gpu:0.5"'


class Share(NamedTuple):
    """What a replica of a model takes of its machine."""

    #: None: as many as the model sees fit
    threads: int | None = None
    gpus: float = 0.0


def share_of(device: str) -> Share:
    """What a text that `PATTERN` matches means."""
    kind, _, count = device.partition(":")
    if kind == "gpu":
        return Share(gpus=float(count) if count else 1.0)
    return Share(threads=int(count) if count else None)


def fault_of(device: str) -> str | None:
    """What was expected of a text that `PATTERN` matches and that means nothing; None: it is right.

    Ray gives out shares of one GPU, or whole ones.
    """
    gpus = share_of(device).gpus
    if device.startswith("gpu") and not gpus:
        return "a share of a GPU above 0"
    return "a share of one GPU, or a number of whole ones" if gpus > 1 and gpus % 1 else None
