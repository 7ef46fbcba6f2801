"""Where a runtime is that `rtfs serve` holds on this machine, for commands in other shells.

`rtfs serve` starts Ray on ports that nobody knows before. It notes them in a file in the runtime's folder for
state, which it removes when it ends. A file whose process is gone counts as absent.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

from actors.folders import replace_file, state_folder

_FILE: Final = "serving.json"
_LARGEST: Final = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A runtime that is served."""

    #: of `rtfs serve`
    pid: int
    #: of Ray, `HOST:PORT`
    address: str
    #: of the HTTP endpoint
    url: str
    #: of Ray's job server; empty: there is none
    jobs: str
    #: where the runtime keeps its state
    state_dir: str


def note(name: str, environ: Mapping[str, str], place: Place) -> None:
    """Note where the runtime `name` is. Raises OSError."""
    replace_file(_file(name, environ), json.dumps(asdict(place)) + "\n")


def found(name: str, environ: Mapping[str, str]) -> Place | None:
    """Where the runtime `name` is; None: no `rtfs serve` holds it."""
    place = _read(_file(name, environ))
    return place if place is not None and _lives(place.pid) else None


def forget(name: str, environ: Mapping[str, str], pid: int) -> None:
    """Remove the note of the process `pid`; that of another one stays."""
    file = _file(name, environ)
    place = _read(file)
    if place is not None and place.pid == pid:
        file.unlink(missing_ok=True)


def _file(name: str, environ: Mapping[str, str]) -> Path:
    return state_folder(name, environ) / _FILE


def _read(file: Path) -> Place | None:
    try:
        with file.open("rb") as opened:
            data = json.loads(opened.read(_LARGEST))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(data, dict) or data.keys() != {each.name for each in fields(Place)}:
        return None
    if type(data["pid"]) is not int or data["pid"] <= 0:
        return None
    if not all(isinstance(value, str) for key, value in data.items() if key != "pid"):
        return None
    return Place(**data)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
