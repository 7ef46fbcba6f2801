"""Ray options that all actors of a runtime share.

Actors are named and detached: what belongs to a runtime outlives whoever started one of its parts, a supervisor
above all, and is ended by name. A dead one is started anew by Ray, as often as it dies.
"""

from __future__ import annotations

from typing import Any, Final

#: times that Ray starts an actor anew; -1: always
ALWAYS: Final = -1


def actor_options(name: str, namespace: str, *, concurrency: int, **more: Any) -> dict[str, Any]:
    """Options of the actor `name` of the runtime in `namespace`.

    Args:
        concurrency: calls at once: threads of a class with plain methods, tasks of one with coroutines.
        more: further options of Ray.
    """
    return {
        "name": name,
        "namespace": namespace,
        "lifetime": "detached",
        "get_if_exists": True,
        "max_restarts": ALWAYS,
        "max_concurrency": concurrency,
        "num_cpus": 0,
        **more,
    }
