"""Keys that a command line names: by id, by the beginning of one, by name, by a file, by the public half."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cluster.cli.cache_text import one_line
from rtfs.cli.console import UsageError

if TYPE_CHECKING:
    from actors.caches.l4.trust import TrustedKey, TrustStore

#: digits of an id that are enough to name it, if it is the only one that begins so
LEAST_DIGITS: Final = 8
SUFFIX: Final = ".pem"
_DIGITS: Final = re.compile(rf"[0-9a-fA-F]{{{LEAST_DIGITS},}}")
_PUBLIC: Final = re.compile(r"[0-9a-fA-F]{64}")
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LONGEST_NAME: Final = 64
#: no file of a key is larger, bytes
_LARGEST: Final = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownKey:
    """A key that is in the file of trust, or whose private half is in the user's folder."""

    id: str
    #: 64 hexadecimal digits
    public: str
    name: str
    #: None: nothing is thought of it
    trusted: TrustedKey | None = None
    #: of the private half; None: it is somebody else's
    file: Path | None = None

    def state(self, now: float) -> str:
        """What becomes of modules that it signed: they may be used if it is `trusted`."""
        if self.trusted is None:
            return "not trusted"
        if self.trusted.revoked_at is not None:
            return "revoked"
        until = self.trusted.not_after
        return "expired" if until is not None and now > until else "trusted"


@contextmanager
def usable_keys() -> Iterator[None]:
    """What is wrong with files of keys and of trust, as a usage error."""
    from actors.caches.l4.errors import ModuleError, ModuleRefused

    try:
        yield
    except ModuleRefused as error:
        raise UsageError(error.detail) from error
    except ModuleError as error:
        raise UsageError(str(error)) from error
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "cryptography":
            raise
        raise UsageError("keys need the package `cryptography`", hint="pip install 'rtfs[wasm]'") from error


# ---------------------------------------------------------------- which there are


def known_keys(trust: TrustStore, folder: Path) -> tuple[list[KnownKey], list[str]]:
    """The keys that there are, by name, and what is wrong with files of the folder."""
    found = {
        key.id: KnownKey(id=key.id, public=key.public, name=key.name, trusted=key)
        for key in trust.keys.values()
    }
    problems: list[str] = []
    for path, public in _own(folder, problems):
        from actors.caches.l4.signing import key_id

        id = key_id(public)
        if id in found:
            found[id] = replace(found[id], file=path)
        else:
            found[id] = KnownKey(id=id, public=public.hex(), name=path.stem, file=path)
    return sorted(found.values(), key=lambda each: (each.name, each.id)), problems


def _own(folder: Path, problems: list[str]) -> Iterator[tuple[Path, bytes]]:
    """The files of private keys with their public halves."""
    from actors.caches.l4.errors import KeyFileError
    from actors.caches.l4.signing import SigningKey

    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == SUFFIX and path.name[0] != ".")
    except FileNotFoundError:
        return
    except OSError as error:
        problems.append(f"cannot read the folder `{folder}`: {error.strerror}")
        return
    for path in paths:
        try:
            yield path, SigningKey.read(path).public
        except KeyFileError as error:
            problems.append(str(error))


# ---------------------------------------------------------------- names


def file_name(name: str) -> str:
    """A name that a new key may have, which is that of its file, too. Raises UsageError."""
    if not _FILE_NAME.fullmatch(name):
        raise UsageError(
            f"expected a name of letters, digits, `.`, `_` and `-`, at most 64, got `{one_line(name[:80])}`"
        )
    return key_name(name)


def key_name(name: str) -> str:
    """A name that a key may have. Raises UsageError."""
    if not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
        raise UsageError(
            f"expected a name of 1 to {_LONGEST_NAME} printable characters, got `{one_line(name[:80])}`"
        )
    if _DIGITS.fullmatch(name):
        raise UsageError(f"`{name}` could be the id of a key", hint="give it a name with another letter in it")
    return name


def refuse_taken(name: str, id: str | None, trust: TrustStore) -> None:
    """A name is that of one key at most, but for keys that are revoked. Raises UsageError."""
    for key in trust.keys.values():
        if key.name == name and key.id != id and key.revoked_at is None:
            raise UsageError(
                f"the key {key.id} is called `{one_line(name)}` already", hint="give the new one another name"
            )


def chosen(word: str, known: Sequence[KnownKey]) -> KnownKey:
    """The key that `word` names.

    Raises:
        UsageError: none is, or several are; the nearest is the hint.
    """
    found = maybe_chosen(word, known)
    if found is None:
        raise UsageError(f"there is no key `{one_line(word[:80])}`", hint=nearest_key(word, known))
    return found


def maybe_chosen(word: str, known: Sequence[KnownKey]) -> KnownKey | None:
    """The same; None: none is named so. Raises UsageError: several are."""
    named = [each for each in known if each.name == word]
    alive = [each for each in named if each.trusted is None or each.trusted.revoked_at is None]
    found = alive or named
    if not found and _DIGITS.fullmatch(word):
        found = [each for each in known if each.id.startswith(word.lower())]
    if len(found) > 1:
        raise UsageError(
            f"{len(found)} keys are called `{one_line(word)}` or begin so",
            hint=f"two of them: {found[0].id}, {found[1].id}",
        )
    return found[0] if found else None


def nearest_key(word: str, known: Sequence[KnownKey]) -> str:
    """A hint: the key that was meant, or how to see which there are."""
    from rtfs.spell import nearest

    if not known:
        return "there are none; `rtfs keys new NAME` makes one"
    name = nearest(word, [each.name for each in known])
    if name is not None:
        return f"did you mean `{one_line(name)}`?"
    beginning = nearest(word.lower(), [each.id[: len(word)] for each in known])
    if beginning is not None:
        return f"did you mean {next(each.id for each in known if each.id.startswith(beginning))}?"
    if 0 < len(word) < LEAST_DIGITS and any(each.id.startswith(word.lower()) for each in known):
        return f"{LEAST_DIGITS} digits of an id are needed"
    return "`rtfs keys list` shows which there are"


# ---------------------------------------------------------------- files


def public_half(word: str, known: Sequence[KnownKey]) -> tuple[bytes, KnownKey | None]:
    """The public half that `word` gives or names, and the key if it is known.

    Raises:
        UsageError: it gives none.
        KeyFileError: it names a file that has none.
    """
    if _PUBLIC.fullmatch(word):
        public = bytes.fromhex(word)
    else:
        found = maybe_chosen(word, known)
        if found is not None:
            return bytes.fromhex(found.public), found
        public = _public_in(word, known)
    return public, next((each for each in known if each.public == public.hex()), None)


def _public_in(word: str, known: Sequence[KnownKey]) -> bytes:
    from actors.caches.l4.errors import KeyFileError
    from actors.caches.l4.signing import SigningKey, public_of

    path = Path(word)
    try:
        with open(path, "rb") as file:
            data = file.read(_LARGEST + 1)
    except (FileNotFoundError, ValueError):  # ValueError: a NUL in the name
        raise UsageError(
            f"expected a file, 64 hexadecimal digits or a known key, got `{one_line(word[:80])}`",
            hint=nearest_key(word, known),
        ) from None
    except OSError as error:
        raise KeyFileError(f"cannot read the key `{path}`: {error.strerror}") from error
    if b"PRIVATE KEY" in data:
        return SigningKey.read(path).public
    if b"PUBLIC KEY" in data:
        return _public_pem(path, data)
    try:
        return public_of(data[: _LARGEST + 1].decode("ascii"))
    except ValueError:  # UnicodeDecodeError is one
        raise KeyFileError(f"expected 64 hexadecimal digits or a key in PEM in `{path}`") from None


def _public_pem(path: Path, data: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    from actors.caches.l4.errors import KeyFileError

    try:
        key = load_pem_public_key(data)
    except (ValueError, TypeError):
        raise KeyFileError(f"expected a public Ed25519 key in PEM in `{path}`") from None
    if not isinstance(key, Ed25519PublicKey):
        raise KeyFileError(f"expected an Ed25519 key in `{path}`, got one of another kind")
    return key.public_bytes_raw()


def signing_path(word: str, folder: Path, environ: Mapping[str, str]) -> Path:
    """The file of the private key that `word` is the name, the id or the path of.

    Raises:
        UsageError: there is none; the nearest is the hint.
    """
    from actors.caches.l4.trust import TrustStore
    from actors.caches.l4.trust_file import trust_path

    named = folder / f"{word}{SUFFIX}"
    if _FILE_NAME.fullmatch(word) and named.is_file():
        return named
    if os.sep in word or word.endswith(SUFFIX):
        if os.path.isfile(word):
            return Path(word)
        raise UsageError(f"no such file: {one_line(word)}", hint="rtfs keys list")
    known, _ = known_keys(TrustStore.read(trust_path(environ)), folder)
    own = [each for each in known if each.file is not None]
    found = maybe_chosen(word, own)
    if found is not None and found.file is not None:
        return found.file
    if maybe_chosen(word, known) is not None:
        raise UsageError(f"the private half of the key `{one_line(word)}` is not in {folder}")
    raise UsageError(f"there is no key `{one_line(word[:80])}` in {folder}", hint=nearest_key(word, own))
