"""How much memory there is for a model. Linux tells; elsewhere nobody is refused anything."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_MEMINFO: Final = Path("/proc/meminfo")
#: of the cgroup that this process is in, where it has a namespace of its own, as in a container
_CGROUP: Final = Path("/sys/fs/cgroup")


def available_bytes(meminfo: Path = _MEMINFO, cgroup: Path = _CGROUP) -> int | None:
    """Bytes that can be had without anything being pushed out; None: nobody knows.

    Source: `MemAvailable` of proc(5), and `memory.max`, `memory.current` and `inactive_file` of the kernel's
    Documentation/admin-guide/cgroup-v2.rst.
    """
    found = [each for each in (_of_machine(meminfo), _of_group(cgroup)) if each is not None]
    return min(found, default=None)


def _of_machine(meminfo: Path) -> int | None:
    fields = _fields(meminfo)
    return None if "MemAvailable:" not in fields else fields["MemAvailable:"] * 1024


def _of_group(cgroup: Path) -> int | None:
    try:
        most = int((cgroup / "memory.max").read_text())
        used = int((cgroup / "memory.current").read_text())
    except (OSError, ValueError):  # there is none, or no limit: `max`
        return None
    return max(0, most - used + _fields(cgroup / "memory.stat").get("inactive_file", 0))


def _fields(path: Path) -> dict[str, int]:
    """Lines of a name and a number."""
    try:
        lines = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return {}
    return {line[0]: int(line[1]) for line in lines if len(line) >= 2 and line[1].isdigit()}


def text_of(nbytes: float) -> str:
    """A size for people."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if nbytes >= size:
            return f"{nbytes / size:.1f} {unit}"
    return f"{nbytes:.0f} bytes"
