"""The actor around a `ModelHost`, and the one place where Ray is told what a model needs.

Ray counts cores; which ones they are is settled on each machine by `actors.models.cores`.
"""

from __future__ import annotations

import os
from typing import Any, Final, Literal

import ray

from actors.garbage import collect_less
from actors.local_socket import local_server
from actors.models.cores import Cores
from actors.models.host import ModelHost
from actors.models.registry import ModelRegistry
from policies.file.device import share_of
from policies.file.schema import LocalModelEntry

#: group of threads that answer `cancel`, `stats`, `reload` and the like while all others wait for the model:
#: `handle.stats.options(concurrency_group=CONTROL).remote()`
CONTROL: Final = "control"
#: calls of `infer` at once: each has a thread that waits, or works
CALLS_AT_ONCE: Final = 64


class ModelActor(ModelHost):
    """A `ModelHost` whose batches are measured, and which has cores of its own if the model is to have some."""

    def __init__(self, name: str, entry: LocalModelEntry, *, registry: ModelRegistry | None) -> None:
        from actors.telemetry import instruments, logs
        from actors.telemetry.meter import RayMeter

        logs.configure(os.environ)
        meter = RayMeter()
        meter.start()

        def told(size: int, took_s: float) -> None:
            meter.record(instruments.BATCH_SIZE, {"model": name}, size)
            meter.record(instruments.MODEL_LATENCY, {"model": name}, took_s * 1000)

        super().__init__(
            name, entry, registry=registry, queue_bound=entry.queue_bound, told=told, cores=Cores()
        )
        collect_less()
        self._local = local_server(self.infer)

    def process(self) -> int:
        """The id of its process."""
        return os.getpid()

    def local_path(self) -> str | None:
        """The path of the socket by which callers on this machine reach it; None: they cannot."""
        return None if self._local is None else str(self._local.path)


def model_actor(
    name: str,
    entry: LocalModelEntry,
    *,
    actor_name: str,
    namespace: str,
    lifetime: Literal["detached"] | None = None,
    registry: ModelRegistry | None = None,
) -> Any:
    """The handle of the actor `actor_name` that hosts the model `name`. It is started if there is none."""
    remote: Any = ray.remote
    share = share_of(entry.device)
    return (
        remote(concurrency_groups={CONTROL: 2})(ModelActor)
        .options(
            name=actor_name,
            namespace=namespace,
            lifetime=lifetime,
            get_if_exists=True,
            num_gpus=share.gpus,
            num_cpus=share.threads or 0,
            max_concurrency=CALLS_AT_ONCE,
            max_restarts=-1,
            max_task_retries=0,  # whoever called knows better whether to try again, and where
        )
        .remote(name, entry, registry=registry)
    )
