"""`rtfs models pull`: a model's file from the Hugging Face hub. Nothing else of RTFS ever fetches one."""

from __future__ import annotations

import os
import shutil
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn

from rtfs.cli import options as common
from rtfs.cli.console import Console, Exit, UsageError

#: what stands for the model that is made here, from a package
_MINILM: Final = "minilm"
_HUB: Final = "https://huggingface.co"
#: for one answer about a repository, not for the file itself
_TIMEOUT_S: Final = 20.0
#: files of a repository that a message lists
_MOST_LISTED: Final = 30
#: a name with this is what most people want of several: about five bits a weight
_USUAL: Final = "q4_k_m"


class HubError(Exception):
    """The file cannot be had. `code` is stable."""

    def __init__(self, code: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint


class Wanted(NamedTuple):
    """What is fetched."""

    repo: str
    #: in the repository; None: the only one
    file: str | None
    #: a branch, tag or commit; None: `main`
    revision: str | None


class Found(NamedTuple):
    """A file of a repository."""

    name: str
    nbytes: int | None
    #: None: the hub does not say
    sha256: str | None


def parse(argv: Sequence[str]) -> Namespace:
    """The options of `rtfs models pull`."""
    summary = "Fetch a model's GGUF file from the Hugging Face hub, or make the one that comes along."
    examples = (
        ("rtfs models pull minilm", "make the embedder that comes along"),
        ("rtfs models pull OWNER/REPO", "the only GGUF file of a repository"),
        ("rtfs models pull OWNER/REPO/small.q4.gguf", ""),
    )
    parser = common.Parser("models pull", summary, examples)
    parser.add_argument("what", metavar="REPO[/FILE]", help="of the hub, or `minilm`")
    parser.add_argument("--revision", metavar="NAME", help="branch, tag or commit (default: main)")
    parser.add_argument(
        "--to", metavar="DIR", help="the folder (default: RTFS_MODELS_DIR, else ~/.cache/rtfs/models)"
    )
    return parser.options(argv)


def execute(options: Namespace, console: Console) -> Exit:
    """Fetch it, and say where it is."""
    try:
        path = _minilm(options) if options.what == _MINILM else _pulled(options, console)
    except HubError as error:
        if not console.json:
            console.note(f"`{options.what}` is not fetched: {error}")
            console.note(f"  {error.hint}")
        fields = {"category": "Hub", "code": error.code, "message": str(error), "hint": error.hint}
        return console.finish(Exit.PROGRAM_ERROR, {"error": fields})
    if not console.json:
        console.say(str(path))
        if options.what == _MINILM:
            console.note("rtfs models add NAME minilm --kind classifier puts it into the policy")
        else:
            console.note(f"rtfs models add NAME {path} puts it into the policy")
    return console.finish(Exit.VALUE, {"file": str(path), "bytes": path.stat().st_size})


def _minilm(options: Namespace) -> Path:
    from actors.models.embedding.minilm import minilm_file
    from actors.models.errors import ModelError

    environ = {**os.environ, "RTFS_MODELS_DIR": options.to} if options.to else os.environ
    try:
        return minilm_file(environ)
    except ModelError as error:
        what, _, hint = str(error).partition("; ")
        raise HubError("unusable", what, hint or "rtfs doctor looks at the rest") from None


def _pulled(options: Namespace, console: Console) -> Path:
    from actors.models.embedding.minilm import models_folder
    from actors.models.errors import ModelError
    from actors.models.gguf_file import read_gguf_file
    from actors.models.rules_file import read_rules_file

    wanted = wanted_of(options.what, options.revision)
    folder = Path(options.to).expanduser() if options.to else models_folder(os.environ)
    hub = _Hub(os.environ.get("HF_ENDPOINT") or _HUB, is_shown=console.err.isatty() and not console.json)
    found = chosen(hub.files(wanted), wanted)
    place = folder / wanted.repo
    if not _is_there(place / found.name, found):
        _check_room(place, found)
        if not console.json:
            console.note(f"fetching {found.name}{_size(found)} into {place} …")
        hub.fetch(wanted, found, place)
        _check_hash(place / found.name, found)
    try:
        if found.name.endswith(".rules"):
            read_rules_file(place / found.name)
        else:
            read_gguf_file(place / found.name)
    except ModelError as error:
        raise HubError("damaged", str(error), "the repository has another file, maybe") from None
    return place / found.name


def wanted_of(text: str, revision: str | None) -> Wanted:
    """What `REPO[/FILE]` names; an address of the hub's pages is one, too.

    Raises:
        UsageError: it names nothing.
    """
    bare = text.removeprefix("https://").removeprefix("huggingface.co/").removeprefix("hf.co/").strip("/")
    owner, _, rest = bare.partition("/")
    name, _, file = rest.partition("/")
    way, _, behind = file.partition("/")
    if way in ("resolve", "blob", "tree"):
        found, _, file = behind.partition("/")
        revision = revision or found
    parts = [owner, name, *file.split("/")] if file else [owner, name]
    if not owner or not name or any(each in ("", ".", "..") for each in parts):
        from rtfs.spell import nearest

        hint = "a repository of the hub is called OWNER/NAME"
        hint = f"did you mean `{_MINILM}`?" if nearest(text, [_MINILM]) else hint
        raise UsageError(f"expected REPO, REPO/FILE or {_MINILM}, got `{text[:100]}`", hint=hint)
    return Wanted(f"{owner}/{name}", file or None, revision)


def chosen(files: Sequence[Found], wanted: Wanted) -> Found:
    """The file that is meant.

    Raises:
        HubError: the repository has none such.
        UsageError: it has several, or another by nearly that name.
    """
    from policies.file.validate_models import SUFFIXES

    ggufs = [each for each in files if each.name.lower().endswith(".gguf")]
    by_name = {each.name: each for each in files}
    if wanted.file is None and len(ggufs) == 1:
        return ggufs[0]
    if wanted.file in by_name:
        if Path(wanted.file).suffix not in SUFFIXES:
            hint = f"one ends in {' or '.join(SUFFIXES)}"
            raise UsageError(f"`{wanted.file}` of {wanted.repo} is no model's file", hint=hint)
        return by_name[wanted.file]
    if not ggufs:
        raise HubError(
            "not-found", f"{wanted.repo} has no GGUF file", "look for a repository with GGUF in its name"
        )
    listed = ", ".join(f"{each.name}{_size(each)}" for each in ggufs[:_MOST_LISTED])
    if wanted.file is None:
        usual = next((each for each in ggufs if _USUAL in each.name.lower()), ggufs[0])
        raise UsageError(
            f"{wanted.repo} has {len(ggufs)} GGUF files: {listed}",
            hint=f"name one: rtfs models pull {wanted.repo}/{usual.name}",
        )
    from rtfs.spell import nearest

    near = nearest(wanted.file, [each.name for each in ggufs])
    hint = f"did you mean `{wanted.repo}/{near}`?" if near else f"it has {listed}"
    raise UsageError(f"{wanted.repo} has no file `{wanted.file}`", hint=hint)


class _Hub:
    """The hub, by its own package; what goes wrong there is told as `HubError`."""

    def __init__(self, url: str, *, is_shown: bool) -> None:
        try:
            import huggingface_hub.errors
            import huggingface_hub.utils
        except ModuleNotFoundError:
            hint = 'pip install "rtfs[models]"'
            raise UsageError("the package `huggingface_hub` is not installed", hint=hint) from None
        self._hub: Any = huggingface_hub
        self._url = url.rstrip("/")
        if not is_shown:
            self._hub.utils.disable_progress_bars()

    def files(self, wanted: Wanted) -> list[Found]:
        """What is in the repository."""
        try:
            info = self._hub.HfApi(endpoint=self._url).model_info(
                wanted.repo, revision=wanted.revision, files_metadata=True, timeout=_TIMEOUT_S
            )
        except Exception as error:
            self._raise(error, wanted)
        return [
            Found(each.rfilename, each.size, None if each.lfs is None else each.lfs.sha256)
            for each in info.siblings or ()
        ]

    def fetch(self, wanted: Wanted, found: Found, place: Path) -> None:
        """Put a file below `place`, whole or not at all; one that was broken off goes on where it was."""
        try:
            self._hub.hf_hub_download(
                wanted.repo, found.name, revision=wanted.revision, local_dir=place, endpoint=self._url
            )
        except Exception as error:
            self._raise(error, wanted)

    def _raise(self, error: Exception, wanted: Wanted) -> NoReturn:
        told = self._told(error, wanted)
        if told is None:
            raise error
        raise told from error

    def _told(self, error: Exception, wanted: Wanted) -> Exception | None:
        """What the hub's package raised, for people; None if it says nothing to them."""
        errors: Any = self._hub.errors
        if isinstance(error, errors.HFValidationError):
            return UsageError(f"`{wanted.repo}` can be no repository's name")
        if isinstance(error, errors.GatedRepoError):
            hint = f"accept them at {self._url}/{wanted.repo}, and set HF_TOKEN to a token of yours"
            return HubError("not-allowed", "its owner has conditions that were not accepted", hint)
        if isinstance(error, errors.RepositoryNotFoundError):
            hint = "check the name; for one that is private, set HF_TOKEN to a token of yours"
            return HubError("not-found", f"the hub has no repository {wanted.repo} that you may see", hint)
        if isinstance(error, errors.RevisionNotFoundError):
            return HubError(
                "not-found", f"{wanted.repo} has no revision `{wanted.revision}`", "leave --revision out"
            )
        if isinstance(error, errors.OfflineModeIsEnabled):
            return HubError("unreachable", "HF_HUB_OFFLINE forbids it", "take it out of the environment")
        if isinstance(error, errors.HfHubHTTPError):
            status = getattr(error.response, "status_code", "an error")
            if status in (401, 403):
                hint = "set HF_TOKEN to a token of yours that is valid, or to none"
                return HubError("not-allowed", f"the hub answered {status}", hint)
            return HubError("refused", f"the hub answered {status}", "try again later; HF_TOKEN raises limits")
        if _is_of_network(error, errors):
            hint = "check the network and HTTPS_PROXY, name a mirror by HF_ENDPOINT, or copy the file here"
            return HubError("unreachable", f"{self._url} cannot be reached: {_reason(error)}", hint)
        if isinstance(error, OSError):
            hint = "--to, or RTFS_MODELS_DIR, names another folder"
            return HubError("no-space", f"the file cannot be written: {error.strerror or error}", hint)
        if isinstance(error, ValueError | TypeError | KeyError | AttributeError):  # an answer of another form
            hint = "is it the hub that answers, or a page to log in to this network?"
            return HubError("refused", f"the answer of {self._url} makes no sense", hint)
        return None


def _is_of_network(error: Exception, errors: Any) -> bool:
    """Whether it is an error of the HTTP client below the hub's package, or of the package on its behalf."""
    client = type(error).__module__.partition(".")[0]
    of_client = client.startswith(("httpx", "httpcore", "requests", "urllib3"))
    return of_client or isinstance(error, errors.LocalEntryNotFoundError | ConnectionError | TimeoutError)


def _reason(error: Exception) -> str:
    cause = error.__cause__ or error
    return str(cause).partition("\n")[0][:200] or type(cause).__name__


def _is_there(path: Path, found: Found) -> bool:
    """Whether a file is the one that is meant; by its size where the hub tells no more."""
    from actors.models.gguf_file import content_hash

    if found.nbytes is None or not path.is_file() or path.stat().st_size != found.nbytes:
        return False
    return found.sha256 is None or content_hash(path) == found.sha256


def _check_room(place: Path, found: Found) -> None:
    from actors.models.generation.memory import text_of

    there = next(each for each in (place, *place.absolute().parents) if each.exists())
    free = shutil.disk_usage(there).free
    if found.nbytes is not None and found.nbytes > free:
        message = f"{found.name} has {text_of(found.nbytes)}, the disk of {place} has {text_of(free)} left"
        raise HubError("no-space", message, "--to, or RTFS_MODELS_DIR, names a folder on another disk")


def _check_hash(path: Path, found: Found) -> None:
    from actors.models.gguf_file import content_hash

    if found.sha256 is not None and content_hash(path) != found.sha256:
        path.unlink()
        raise HubError("damaged", f"{found.name} came damaged, and was removed", "try again")


def _size(found: Found) -> str:
    from actors.models.generation.memory import text_of

    return "" if found.nbytes is None else f" ({text_of(found.nbytes)})"
