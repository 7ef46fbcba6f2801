"""What `rtfs doctor` looks at. A check gives findings; none raises, and none starts or changes anything."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from cluster.cli import place, ray_side
from cluster.cli.model_facts import OF_LLAMA, has_llama, known_models
from cluster.cli.tokens import tokens_file
from rtfs.cli.console import UsageError

if TYPE_CHECKING:
    from policies.file.policy import Policy

type Level = Literal["ok", "warn", "fail"]

#: bytes that Ray's memory for large values should have, and a disk should have left
_LEAST_SHM: Final = 1 << 30
_LEAST_DISK: Final = 512 << 20
#: open files that a process should be allowed
_LEAST_FILES: Final = 4_096
_PYTHONS: Final = ((3, 12), (3, 13))
_GIB: Final = 1 << 30
#: loads llama.cpp, and tells its version and whether it can use a GPU
_TRY_LLAMA: Final = """
import llama_cpp
llama_cpp.llama_backend_init()
gpu = "with" if llama_cpp.llama_supports_gpu_offload() else "without"
print(f"llama-cpp-python {llama_cpp.__version__}, {gpu} GPU support")
"""
_LLAMA_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the report."""

    level: Level
    #: what was looked at, in a word
    check: str
    message: str
    #: what to do; empty: nothing
    advice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is looked at."""

    environ: Mapping[str, str]
    policy: str | None
    address: str | None
    name: str
    host: str
    port: int
    state_dir: str | None
    tokens: str | None


type Check = Callable[[Subject], Iterator[Finding]]


def python(what: Subject) -> Iterator[Finding]:
    """Its version."""
    version = platform.python_version()
    if sys.version_info[:2] in _PYTHONS:
        yield Finding(level="ok", check="python", message=f"{version} at {sys.executable}")
    else:
        yield Finding(
            level="fail",
            check="python",
            message=f"{version} is not supported",
            advice="install Python 3.12 or 3.13",
        )


def packages(what: Subject) -> Iterator[Finding]:
    """Those that RTFS names are there, in versions that it names."""
    try:
        required = metadata.requires("rtfs") or []
    except metadata.PackageNotFoundError:
        yield Finding(
            level="warn",
            check="packages",
            message="RTFS runs from its folder and is not installed",
            advice="make setup",
        )
        return
    wrong = [line for line in map(_wrong_package, required) if line]
    for line in wrong:
        yield Finding(
            level="fail", check="packages", message=line, advice="make setup, or pip install 'rtfs[ray]'"
        )
    if not wrong:
        yield Finding(level="ok", check="packages", message=f"all {len(required)} are there")


def _wrong_package(text: str) -> str:
    from packaging.requirements import Requirement

    wanted = Requirement(text)
    if wanted.marker is not None and not wanted.marker.evaluate({"extra": "ray"}):
        return ""
    try:
        version = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        return f"{wanted.name} is missing"
    if version not in wanted.specifier:
        return f"{wanted.name} is {version}, and {wanted.specifier} is needed"
    return ""


def cluster(what: Subject) -> Iterator[Finding]:
    """The Ray cluster that is named answers."""
    named = what.address or what.environ.get("RAY_ADDRESS")
    served = place.found(what.name, what.environ)
    address = named or (served.address if served else None)
    if address is None:
        yield Finding(
            level="ok", check="ray", message=f"no runtime `{what.name}` runs here; `rtfs serve` starts one"
        )
        return
    try:
        ray_side.check_address(address)
    except UsageError as error:
        yield Finding(level="fail", check="ray", message=str(error), advice=error.hint or "")
        return
    by = f", with HTTP at {served.url} by process {served.pid}" if served and not named else ""
    yield Finding(level="ok", check="ray", message=f"a cluster answers at {address}{by}")


def ray_token(what: Subject) -> Iterator[Finding]:
    """Whoever can read Ray's token can run anything on the cluster."""
    where = ray_side.token_file(what.environ)
    if where is None:
        yield Finding(level="ok", check="ray token", message="there is none yet; Ray makes one when it starts")
    elif where == "RAY_AUTH_TOKEN":
        yield Finding(level="ok", check="ray token", message="in RAY_AUTH_TOKEN")
    elif Path(where).stat().st_mode & 0o077:
        yield Finding(
            level="warn",
            check="ray token",
            message=f"others on this machine can read {where}, and with it run anything on the cluster",
            advice=f"chmod 600 {where}",
        )
    else:
        yield Finding(level="ok", check="ray token", message=where)


def state(what: Subject) -> Iterator[Finding]:
    """The folder for state can be written to, and its disk has room."""
    from actors.folders import state_folder

    folder = Path(what.state_dir) / what.name if what.state_dir else state_folder(what.name, what.environ)
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        yield Finding(
            level="fail",
            check="state",
            message=f"{folder} cannot be written to: {there} may not be changed",
            advice="set RTFS_STATE_DIR to a folder of yours",
        )
        return
    free = shutil.disk_usage(there).free
    if free < _LEAST_DISK:
        yield Finding(
            level="warn",
            check="state",
            message=f"the disk of {folder} has {free >> 20} MB left",
            advice="make room, or set RTFS_STATE_DIR to a folder on another disk",
        )
    else:
        yield Finding(level="ok", check="state", message=f"{folder}, {free / _GIB:.0f} GB free")


def ports(what: Subject) -> Iterator[Finding]:
    """That of the endpoint is free; that of Ray's job server is free or Ray takes another."""
    from cluster.cli.serving import free_port

    served = place.found(what.name, what.environ)
    if served is not None and served.url.endswith(f":{what.port}"):
        yield Finding(
            level="ok", check="port", message=f"{what.port} is that of `rtfs serve`, process {served.pid}"
        )
        return
    try:
        free_port(what.host, what.port)
    except UsageError as error:
        yield Finding(level="fail", check="port", message=str(error), advice=f"rtfs serve {error.hint}")
    else:
        yield Finding(level="ok", check="port", message=f"{what.port} of {what.host} is free")


def shared_memory(what: Subject) -> Iterator[Finding]:
    """Ray keeps large values there."""
    try:
        size = shutil.disk_usage("/dev/shm").total
    except OSError:
        yield Finding(level="ok", check="/dev/shm", message="this system has none; Ray uses files instead")
        return
    if size < _LEAST_SHM:
        yield Finding(
            level="warn",
            check="/dev/shm",
            message=f"{size >> 20} MB are little: Ray then keeps large values on the disk",
            advice="in a container: docker run --shm-size=2g",
        )
    else:
        yield Finding(level="ok", check="/dev/shm", message=f"{size / _GIB:.1f} GB")


def open_files(what: Subject) -> Iterator[Finding]:
    """How many a process may have; each client and each process of Ray takes some."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < _LEAST_FILES:
        most = "more" if hard == resource.RLIM_INFINITY else str(hard)
        yield Finding(
            level="warn",
            check="open files",
            message=f"a process may have {soft}, which many clients exhaust",
            advice=f"ulimit -n {min(65_536, hard) if most != 'more' else 65_536}",
        )
    else:
        yield Finding(level="ok", check="open files", message=f"a process may have {soft}")


def tokens(what: Subject) -> Iterator[Finding]:
    """The file of bearer tokens can be read."""
    from actors.access.errors import TokenStoreError
    from actors.access.store import TokenStore

    file = tokens_file(what.tokens, what.environ)
    try:
        found = TokenStore(file).listed()
    except TokenStoreError as error:
        yield Finding(level="fail", check="tokens", message=str(error), advice="until then nobody is let in")
        return
    if not found:
        message = f"none in {file}: HTTP answers this machine alone"
    else:
        message = f"{sum(each.revoked is None for each in found)} in {file}"
    yield Finding(level="ok", check="tokens", message=message)


def llama(what: Subject) -> Iterator[Finding]:
    """llama.cpp loads, in a process of its own: one that was compiled for another machine ends its process."""
    if not has_llama():
        kinds = f"{', '.join(OF_LLAMA[:-1])} and {OF_LLAMA[-1]}"
        message = f"it is not installed; models of the kinds {kinds} need it"
        yield Finding(level="ok", check="llama.cpp", message=message)
        return
    words = [sys.executable, "-P", "-c", _TRY_LLAMA]
    try:
        tried = subprocess.run(
            words, capture_output=True, text=True, errors="replace", timeout=_LLAMA_S, check=False
        )
    except subprocess.TimeoutExpired:
        problem = f"it did not load within {_LLAMA_S:.0f} s"
    else:
        if tried.returncode == 0 and tried.stdout.strip():
            yield Finding(level="ok", check="llama.cpp", message=tried.stdout.strip().splitlines()[-1])
            return
        lines = tried.stderr.strip().splitlines()
        died = f"its process ended by signal {-tried.returncode}"
        problem = f"it does not load: {died if tried.returncode < 0 or not lines else lines[-1]}"
    yield Finding(
        level="fail",
        check="llama.cpp",
        message=problem,
        advice="pip install --force-reinstall --no-binary llama-cpp-python llama-cpp-python compiles it here",
    )


# ---------------------------------------------------------------- the policy


def policy(what: Subject) -> Iterator[Finding]:
    """It can be used: its text, its models, its secrets."""
    from policies.cli.files import policy_in_force
    from policies.errors import PolicyFileError

    try:
        loaded = policy_in_force(what.policy)
    except UsageError as error:
        yield Finding(level="fail", check="policy", message=str(error), advice=error.hint or "")
        return
    except PolicyFileError as error:
        for problem in error.problems:
            yield Finding(level="fail", check="policy", message=str(problem), advice="rtfs policy check")
        return
    for warning in loaded.warnings:
        yield Finding(level="warn", check="policy", message=str(warning))
    if not loaded.warnings:
        yield Finding(level="ok", check="policy", message=f"{loaded.source}, version {loaded.version[:12]}")
    yield from _models(loaded, what.environ)
    yield from _secrets(loaded, what.environ)


def _models(loaded: Policy, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Their files are there, and what they are said to be."""
    for each in known_models(loaded, environ):
        if each.device is None:  # a service
            continue
        if each.state == "ok":
            about = each.where or each.kind
            yield Finding(level="ok", check="model", message=f"`{each.name}`: {about}")
        elif each.state == "missing":
            yield Finding(
                level="fail",
                check="model",
                message=f"`{each.name}`: the file {each.where} is not there",
                advice="correct its `path` in the policy",
            )
        else:
            yield Finding(level="fail", check="model", message=f"`{each.name}`: {each.problem}")


def _secrets(loaded: Policy, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Those that routes need are set; those that a program might ask for by a hint may be missing."""
    from policies.errors import PolicyFileError
    from policies.file.load import load_policy_file

    missing: dict[str | None, str] = {}
    if Path(loaded.source).is_file():
        try:
            load_policy_file(loaded.source, environ=environ)
        except PolicyFileError as error:
            missing = {each.key: f"{each.message}" for each in error.problems if each.code == "missing-secret"}
    for message in missing.values():
        yield Finding(
            level="fail", check="secret", message=message, advice="set the variable, or take the route out"
        )
    needed = " ".join(missing.values())
    for name, provider in loaded.settings.remote_providers.items():
        variable = provider.api_key_env
        if variable is None or f"`{variable}`" in needed:
            continue
        target = f"remote-{name.removeprefix('remote-')}"
        if environ.get(variable):
            yield Finding(level="ok", check="secret", message=f"`{variable}`, of `{target}`, is set")
        else:
            yield Finding(
                level="ok",
                check="secret",
                message=f"`{variable}`, of `{target}`, is not set; no route needs it",
            )


#: in the order of the report
CHECKS: Final[tuple[Check, ...]] = (
    *(python, packages, cluster, ray_token, state, ports, shared_memory, open_files, tokens, llama, policy),
)
