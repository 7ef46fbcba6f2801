"""The modules that a command is about: where they are, which of them are meant, and who is trusted."""

from __future__ import annotations

import logging
import os
import re
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from cluster.cli.cache_text import one_line
from cluster.cli.connecting import add_name, checked_name
from cluster.cli.keys_choice import usable_keys
from rtfs.cli import options as common
from rtfs.cli.console import UsageError

if TYPE_CHECKING:
    from actors.caches.l4.store import ModuleStore, StoredModule
    from actors.caches.l4.trust import TrustStore
    from rtfs.backends import ModuleKind

#: of a runtime's folder for its state
L4: Final = Path("caches", "l4")
#: what kinds are called on the command line
KINDS: Final[dict[str, ModuleKind]] = {
    "wasm": "WasmBytecode",
    "ir": "IrBinary",
    "source": "CompressedRtfsSource",
}
#: digits of an id that are enough to name it, if it is the only one that begins so
LEAST_DIGITS: Final = 8
_DIGITS: Final = re.compile(rf"[0-9a-fA-F]{{{LEAST_DIGITS},64}}")
_LISTED: Final = 10


def parser_of(action: str, summary: str, examples: Sequence[str]) -> common.Parser:
    """The parser of an action, with the options that say which modules are meant."""
    parser = common.Parser(f"modules {action}", summary, [(each, "") for each in examples])
    add_place(parser)
    return parser


def add_place(parser: common.Parser) -> None:
    """The options that say where modules are."""
    add: Callable[..., object] = parser.add_argument_group("the modules").add_argument
    add_name(add)
    add("--state-dir", metavar="DIR", help="where runtimes keep their state")
    add("--folder", metavar="PATH", help="the folder of the modules itself, `…/caches/l4`")


def folder_of(options: Namespace) -> Path:
    """Where the modules are. Raises UsageError."""
    name = checked_name(options.name)
    if options.folder is None:
        return _states(options) / name / L4
    if options.state_dir is not None:
        raise UsageError("give --folder or --state-dir, not both")
    return Path(os.path.abspath(options.folder))


class Opened(NamedTuple):
    """The modules of a folder."""

    store: ModuleStore
    #: what was found to be wrong with the folder so far, a line each. What is wrong is not there for who reads
    problems: list[str]


class _Told(logging.Handler):
    """Keeps what caches say in the log."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(one_line(record.getMessage()))


@contextmanager
def opened(options: Namespace) -> Iterator[Opened]:
    """The modules of the folder. Raises UsageError: it cannot be used."""
    folder = folder_of(options)
    told = _Told()
    log = logging.getLogger("rtfs.caches")
    with usable():
        from actors.caches.l4.store import ModuleStore

        if folder.exists() and not folder.is_dir():
            raise UsageError(f"{folder} is no folder")
        log.addHandler(told)
        try:
            with ModuleStore(folder) as store:
                yield Opened(store, told.texts)
        finally:
            log.removeHandler(told)


@contextmanager
def usable() -> Iterator[None]:
    """What is wrong with modules, keys and the store, as a usage error."""
    from actors.caches.errors import StoreError

    try:
        with usable_keys():
            yield
    except StoreError as error:
        raise UsageError(str(error)) from error


def trusted() -> TrustStore:
    """Who is trusted here. Raises UsageError."""
    from actors.caches.l4.trust import TrustStore
    from actors.caches.l4.trust_file import trust_path

    with usable_keys():
        return TrustStore.read(trust_path(os.environ))


# ---------------------------------------------------------------- which of them


def add_id(parser: common.Parser, what: str) -> None:
    """The argument that names a module."""
    text = f"of the module {what}; {LEAST_DIGITS} digits are enough if no other begins so"
    parser.add_argument("id", metavar="ID", help=text)


def chosen(word: str, known: Sequence[StoredModule]) -> StoredModule:
    """The module whose id is `word`, or begins so.

    Raises:
        UsageError: there is none, or there are several.
    """
    found = [each for each in known if each.id.startswith(word.lower())] if _DIGITS.fullmatch(word) else []
    if len(found) > 1:
        raise UsageError(
            f"{len(found)} modules' ids begin with `{word}`", hint=f"two of them: {found[0].id}, {found[1].id}"
        )
    if not found:
        raise UsageError(f"there is no module `{one_line(word[:80])}`", hint=_nearest(word, known))
    return found[0]


def _nearest(word: str, known: Sequence[StoredModule]) -> str:
    from rtfs.spell import nearest

    if not known:
        return "there are none; `rtfs publish FILE --key NAME` makes some"
    beginning = nearest(word.lower()[:64], [each.id[: len(word)] for each in known])
    if beginning is not None:
        return f"did you mean {next(each.id for each in known if each.id.startswith(beginning))[:12]}?"
    of_function = [each for each in known if each.manifest.symbol == word]
    if of_function:
        return f"of that function there are {', '.join(each.id[:12] for each in of_function[:4])}"
    if 0 < len(word) < LEAST_DIGITS and any(each.id.startswith(word.lower()) for each in known):
        return f"{LEAST_DIGITS} digits of an id are needed"
    return "`rtfs modules list` shows which there are"


def of_function(name: str, known: Sequence[StoredModule]) -> list[StoredModule]:
    """The modules of a function.

    Raises:
        UsageError: there are none; the nearest function is the hint.
    """
    from rtfs.spell import nearest

    found = [each for each in known if each.manifest.symbol == name]
    if found:
        return found
    symbols = sorted({each.manifest.symbol for each in known})
    by_last = {symbol.rpartition("/")[2]: symbol for symbol in reversed(symbols)}
    near = by_last.get(name) or nearest(name, symbols) or by_last.get(nearest(name, by_last) or "")
    listed = ", ".join(f"`{one_line(symbol)}`" for symbol in symbols[:_LISTED])
    hint = f"did you mean `{one_line(near)}`?" if near else f"there are those of {listed}" if symbols else None
    raise UsageError(f"there is no module of the function `{one_line(name)}`", hint=hint)


# ---------------------------------------------------------------- where else they may be


def none_here(options: Namespace) -> str:
    """That there are no modules, and where there are some."""
    from rtfs.spell import nearest

    text = f"no modules in {folder_of(options)}"
    if options.folder is not None:
        below = [Path(options.folder) / part for part in (L4, L4.name)]
        found = next((path for path in below if _has_modules(path)), None)
        return f"{text}; did you mean --folder {found}?" if found else text
    try:
        names = sorted(path.name for path in _states(options).iterdir() if _has_modules(path / L4))
    except OSError:
        names = []
    names = [name for name in names if name != options.name]
    if not names:
        return f"{text}; `rtfs publish FILE --key NAME` makes some"
    near = nearest(options.name, names)
    if near:
        return f"{text}; did you mean --name {near}?"
    return f"{text}; there are those of {', '.join(f'`{name}`' for name in names[:_LISTED])}"


def _states(options: Namespace) -> Path:
    """The folder that has one for the state of each runtime."""
    from actors.folders import state_folder

    if options.state_dir is not None:
        return Path(options.state_dir).absolute()
    return state_folder(options.name, os.environ).absolute().parent


def _has_modules(folder: Path) -> bool:
    try:
        return (folder / "data.mdb").is_file()
    except OSError:
        return False
