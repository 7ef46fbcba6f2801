"""The cache that a command is about: where it is, how it is read, and who removes answers from it.

Any process may read the folder, whoever writes to it. Only its writer changes it.
"""

from __future__ import annotations

import argparse
import os
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from cluster.cli.connecting import add_name, checked_name
from rtfs.cli import options as common
from rtfs.cli.console import UsageError

if TYPE_CHECKING:
    from actors.caches.l2.survey import L2Survey
    from actors.caches.layer import Which
    from actors.runtime import Runtime

#: of a runtime's folder for its state
L2: Final = Path("caches", "l2")
#: that an option may ask for
MOST: Final = 100_000
#: a bound that nothing reaches: what removes answers makes no others go, bytes
_NO_BOUND: Final = 1 << 40


def parser_of(action: str, summary: str, examples: tuple[str, ...]) -> common.Parser:
    """The parser of an action, with the options that say which cache is meant."""
    parser = common.Parser(f"cache {action}", summary, [(each, "") for each in examples])
    add = parser.add_argument_group("the cache").add_argument
    add_name(add)
    add("--state-dir", metavar="DIR", help="where runtimes keep their state")
    add("--folder", metavar="PATH", help="the folder of the cache itself, `…/caches/l2`")
    return parser


def count(text: str) -> int:
    """A number from 1, as an option."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MOST):
        raise argparse.ArgumentTypeError(f"expected a number from 1 to {MOST}, got `{text[:40]}`")
    return int(text)


def folder_of(options: Namespace) -> Path:
    """Where the cache is. Raises UsageError."""
    name = checked_name(options.name)
    if options.folder is None:
        return _states(options) / name / L2
    if options.state_dir is not None:
        raise UsageError("give --folder or --state-dir, not both")
    return Path(os.path.abspath(options.folder))


@contextmanager
def opened(options: Namespace) -> Iterator[L2Survey]:
    """The answers of the cache, to be read. Raises UsageError: there is none, or it cannot be used."""
    from actors.caches.l2.survey import L2Survey

    with usable(options), L2Survey(folder_of(options)) as survey:
        yield survey


@contextmanager
def usable(options: Namespace) -> Iterator[None]:
    """What is wrong with a cache, as a usage error."""
    from actors.caches.errors import StoreDamaged, StoreError, StoreMissing

    try:
        yield
    except StoreMissing as error:
        raise UsageError(str(error), hint=_elsewhere(options)) from error
    except StoreDamaged as error:
        hint = "`rtfs cache verify` says more; `rtfs cache purge --all` has it begin anew"
        raise UsageError(str(error), hint=hint) from error
    except StoreError as error:
        raise UsageError(str(error)) from error


# ---------------------------------------------------------------- who removes answers


class Purger(Protocol):
    """Who removes answers. Raises CacheError: they cannot be removed now."""

    def invalidate(self, which: Which) -> int:
        """Remove the answers that agree with `which`; how many."""

    def clear(self) -> int:
        """Remove everything; how many answers."""


@contextmanager
def purger(options: Namespace) -> Iterator[Purger]:
    """Who removes answers from the cache: its one writer, the runtime that has the folder or else this process.

    Raises:
        UsageError: another process writes to it that cannot be asked, or it cannot be used.
    """
    from actors.caches.errors import CacheError, StoreInUse
    from actors.caches.l2.store import L2Store
    from actors.caches.layer import CacheConfig

    folder = folder_of(options)
    with usable(options):
        try:
            store = L2Store(folder, CacheConfig(size_bytes=_NO_BOUND, persistent=True))
        except StoreInUse:
            store = None
        if store is not None:
            with store:
                yield store
            return
    with _of_runtime(options, folder) as runtime:
        try:
            yield runtime
        except CacheError as error:
            raise UsageError(str(error)) from error


class _RuntimePurger:
    """A runtime, which removes answers from the memory of all its processes, too."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def invalidate(self, which: Which) -> int:
        return self._runtime.invalidate_cache(which)

    def clear(self) -> int:
        return self._runtime.clear_cache()


@contextmanager
def _of_runtime(options: Namespace, folder: Path) -> Iterator[Purger]:
    """The runtime that writes to the folder. Raises UsageError: it cannot be reached, or it is another."""
    from actors.caches.l2.survey import writer_of
    from cluster.cli import ray_side
    from cluster.cli.connecting import NoRuntime, connected
    from cluster.cli.connecting import usable as reachable

    pid = writer_of(folder)
    who = "a process" if pid is None else f"process {pid}"
    text = f"{who} writes to the cache in `{folder}`: as long as it does, nobody else can remove answers"
    hint = "end the runtime first, `rtfs runtime stop` or Ctrl-C where `rtfs serve` runs"
    if options.folder is not None:
        raise UsageError(text, hint=f"{hint}; --name NAME in place of --folder asks it")
    with ray_side.quiet():
        try:
            runtime = connected(Namespace(name=options.name, address=None))
        except UsageError as error:
            nobody = isinstance(error, NoRuntime)
            why = f"it cannot be asked to, since {error}" if nobody else f"it cannot be asked to: {error}"
            raise UsageError(f"{text}; {why}", hint=hint if nobody else error.hint or hint) from None
        with runtime, reachable():
            its = Path(runtime.spec.state_dir, L2)
            if its.resolve() != folder.resolve():
                raise UsageError(text, hint=f"the runtime `{options.name}` has that in `{its}`")
            yield _RuntimePurger(runtime)


# ---------------------------------------------------------------- where else it may be


def _states(options: Namespace) -> Path:
    """The folder that has one for the state of each runtime."""
    from actors.folders import state_folder

    if options.state_dir is not None:
        return Path(options.state_dir).absolute()
    return state_folder(options.name, os.environ).absolute().parent


def _elsewhere(options: Namespace) -> str:
    """Where a cache is instead, as advice."""
    if options.folder is not None:
        below = [Path(options.folder) / part for part in (L2, L2.name)]
        found = next((path for path in below if _has_cache(path)), None)
        return f"did you mean --folder {found}?" if found else "--name NAME takes that of a runtime"
    from rtfs.spell import nearest

    states = _states(options)
    try:
        names = sorted(path.name for path in states.iterdir() if _has_cache(path / L2))
    except OSError:
        names = []
    if not names:
        return "a runtime makes one when it first keeps an answer; --folder names another place"
    near = nearest(options.name, names)
    if near:
        return f"did you mean --name {near}?"
    return f"there are those of {', '.join(f'`{name}`' for name in names[:10])}"


def is_ours(folder: Path) -> bool:
    """Whether a cache was written in a folder, whatever has become of its data: other stores use LMDB too."""
    from actors.caches.l2.epoch import EPOCH_FILE

    return (folder / EPOCH_FILE).is_file()


def _has_cache(folder: Path) -> bool:
    from actors.caches.l2.rows import DATA_FILE

    try:
        return (folder / DATA_FILE).is_file()
    except OSError:
        return False
