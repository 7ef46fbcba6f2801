"""A program as a job of a Ray cluster: what travels with it, and what its log tells.

The program, its modules and its arguments go to the cluster as a folder in which the job begins. Names of files
stay what they are where that is possible, so that errors name the file that the user knows.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from cluster.cli import ray_side
from cluster.cli.programs import Asked
from rtfs.convert import to_python

ARGUMENTS: Final = "arguments.json"
MODULES: Final = "modules"
POLICY: Final = "policy.toml"
#: variables that Ray's client prefers to the address it is given
_PREFERRED: Final = ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS")
#: pause before a log is asked for again whose connection broke, seconds, and how often
_PAUSE_S: Final = 1.0
_TIMES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a job ended."""

    #: `SUCCEEDED`, `FAILED` or `STOPPED`
    status: str
    #: of its process; None: it had none, or was killed
    exit_code: int | None
    message: str
    log: str


def pack(folder: Path, what: Asked, policy: str | None = None) -> list[str]:
    """Write what the job needs into a folder; the arguments of `cluster.job` that name it."""
    file = _file_name(what.source.name)
    _write(folder / file, what.source.text)
    words = [file]
    if what.args:
        data = {name: to_python(value) for name, value in what.args.items()}
        _write(folder / ARGUMENTS, json.dumps(data))
        words += ["--args-json", f"@{ARGUMENTS}"]
    if what.modules:
        for name, text in what.modules.items():
            _write(folder / MODULES / f"{name.replace('.', '/')}.rtfs", text)
        words += ["--path", MODULES]
    if policy is not None:
        _write(folder / POLICY, policy)
        words += ["--policy", POLICY]
    return words


def entrypoint(words: Sequence[str]) -> str:
    """The command line of a job."""
    return shlex.join(["python", "-m", "cluster.job", *words])


def _file_name(name: str) -> str:
    """Where the program lies in the job's folder."""
    path = PurePosixPath(name)
    inside = not path.is_absolute() and ".." not in path.parts and not name.startswith(("-", "<"))
    found = str(path) if inside else path.name.strip("<>").lstrip("-")
    reserved = found in ("", ARGUMENTS, POLICY) or PurePosixPath(found).parts[0] == MODULES
    return "program.rtfs" if reserved else found


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8", errors="surrogatepass", newline="")


class JobServer:
    """The job server of a Ray cluster.

    Raises:
        UsageError: nobody listens there.
        RuntimeError, ConnectionError: it is no job server, or of another Ray.
    """

    def __init__(self, url: str) -> None:
        ray_side.check_url(
            url,
            "job server of a Ray cluster",
            hint="`ray start --head` starts a cluster with one, and so does `rtfs serve`; "
            "--address URL names another",
        )
        from ray.job_submission import JobSubmissionClient

        self.url = url
        with _without(_PREFERRED):
            self._client: Any = JobSubmissionClient(url)

    def submit(self, folder: Path, words: Sequence[str], metadata: Mapping[str, str]) -> str:
        """Submit a job that begins in a copy of `folder`; its id."""
        job_id: str = self._client.submit_job(
            entrypoint=entrypoint(words),
            runtime_env={"working_dir": str(folder)},
            metadata=dict(metadata),
        )
        return job_id

    def follow(self, job_id: str, show: Callable[[str], None]) -> Ended:
        """Wait for the end of a job, telling `show` each piece of its log."""
        asyncio.run(self._follow(job_id, show))
        info = self._client.get_job_info(job_id)
        return Ended(
            status=str(info.status),
            exit_code=info.driver_exit_code,
            message=info.message or "",
            log=self._client.get_job_logs(job_id),
        )

    async def _follow(self, job_id: str, show: Callable[[str], None]) -> None:
        """Show the log; one that breaks off is asked for again, and what was shown is not shown twice."""
        shown, broken = 0, 0
        while True:
            seen = 0
            try:
                async for piece in self._client.tail_job_logs(job_id):
                    seen += len(piece)
                    if seen > shown:
                        show(piece[max(0, len(piece) - (seen - shown)) :])
                        shown = seen
            except (RuntimeError, OSError):
                broken += 1
                if broken > _TIMES:
                    raise
            if self._client.get_job_status(job_id).is_terminal():
                return
            await asyncio.sleep(_PAUSE_S)


@contextmanager
def _without(variables: Sequence[str]) -> Iterator[None]:
    """The environment without some variables."""
    kept = {name: os.environ.pop(name) for name in variables if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)
