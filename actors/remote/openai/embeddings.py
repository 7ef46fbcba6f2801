"""Texts as vectors, by a service: `POST …/embeddings`.

Vectors come back as rows of length 1, in the order of the texts, whatever order the service answers in. All
vectors of one service have one dimension; an answer with another is refused, since it would be compared with
those that were made before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from actors.models.embedding.embedder import Embedder
from actors.remote.openai.completion import read_usage
from actors.remote.openai.dialects import ServiceKey
from actors.remote.openai.service import EMBEDDINGS, Attempts, FieldRefused, Service, as_json
from policies.errors import TargetFailed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: texts in one request, and characters in them together unless one alone has more
MOST_TEXTS: Final = 256
MOST_CHARACTERS: Final = 200_000
#: what is embedded to find out about vectors that are not known yet
_PROBE: Final = "text"


class OpenAiEmbedder(Embedder):
    """An embedder behind a service. Safe to use from many threads.

    Args:
        dimensions: of its vectors; None: as its first answer has.
        max_cost_usd: for one call of `embed`; None: no bound.
    """

    def __init__(
        self, service: Service, *, dimensions: int | None = None, max_cost_usd: float | None = None
    ) -> None:
        self.service = service
        self._dimensions = dimensions
        self._max_cost_usd = max_cost_usd
        #: what all calls did cost so far, US dollars
        self.spent_usd = 0.0

    @cached_property
    def version(self) -> str:  # type: ignore[override]  # computed once
        """A hash of the service and its model; what the service changes is not known."""
        provider = self.service.provider
        return hashlib.sha256(f"openai {provider.endpoint} {provider.model}".encode()).hexdigest()[:16]

    @property
    def dimensions(self) -> int:  # type: ignore[override]  # asked for where nobody said it
        """Numbers in a vector. Raises as `embed` if the service has to be asked, and cannot."""
        if self._dimensions is None:
            self.embed([_PROBE])
        assert self._dimensions is not None
        return self._dimensions

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of the texts.

        Returns:
            float32, shape (n, dimensions), rows of length 1.

        Raises:
            TargetFailed: there are none; it names the model, and what the call did cost.
            LimitError: the run must stop.
        """
        import numpy as np

        if not texts:
            return np.zeros((0, self.dimensions), dtype=np.float32)
        timeout_s = self.service.provider.timeout / 1000
        attempts = Attempts(self.service, timeout_s=timeout_s, max_cost_usd=self._max_cost_usd)
        _ = self.service.model  # or nothing is asked
        try:
            parts = [self._batch(attempts, batch) for batch in batches(texts)]
        except TargetFailed as failure:
            raise attempts.told(failure) from failure
        finally:
            self.spent_usd += attempts.money.spent
        return np.concatenate(parts)

    def _batch(self, attempts: Attempts, texts: Sequence[str]) -> NDArray[np.float32]:
        """The vectors of texts that one request takes."""
        body = b""

        def make_body(key: ServiceKey) -> bytes:
            nonlocal body
            body = as_json({"model": key.model, "input": list(texts)})
            return body

        while True:
            try:
                reply = attempts.send(EMBEDDINGS, make_body)
            except FieldRefused as refused:  # none of those is in the request
                raise refused.error.failure from None
            except TargetFailed as failure:
                attempts.after(failure)
                continue
            try:
                found = reply.json()
                vectors = read_embeddings(found, len(texts), self._dimensions)
            except TargetFailed:
                attempts.money.spent += attempts.lost(body)
                raise
            self._dimensions = vectors.shape[1]
            attempts.money.spent += attempts.money.prices.cost(read_usage(found))
            return vectors


def batches(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """The texts in their order, in parts that one request takes."""
    first = length = 0
    for place, text in enumerate(texts):
        full = place - first >= MOST_TEXTS or length + len(text) > MOST_CHARACTERS
        if full and place > first:
            yield texts[first:place]
            first, length = place, 0
        length += len(text)
    if first < len(texts):
        yield texts[first:]


def read_embeddings(found: Any, n: int, dimensions: int | None) -> NDArray[np.float32]:
    """The vectors in a reply.

    Args:
        dimensions: what they must have; None: any number.

    Returns:
        float32, shape (n, dimensions), rows of length 1.

    Raises:
        TargetFailed: they are none, or not those (`bad-reply`).
    """
    import numpy as np

    data = found.get("data") if isinstance(found, dict) else None
    if not isinstance(data, list) or len(data) != n:
        raise TargetFailed("bad-reply", f"expected {n} embeddings in its `data`")
    rows: list[Any] = [None] * n
    for place, each in enumerate(data):
        index, vector = (
            (each.get("index", place), each.get("embedding")) if isinstance(each, dict) else (-1, None)
        )
        if type(index) is not int or not 0 <= index < n or rows[index] is not None:
            raise TargetFailed("bad-reply", "the indices of its embeddings are not those of the texts")
        rows[index] = _row(vector)
    width = dimensions or len(rows[0])
    if any(len(row) != width for row in rows):
        raise TargetFailed("bad-reply", f"expected embeddings of {width} numbers each")
    try:
        vectors = np.array(rows, dtype=np.float64)
    except OverflowError as error:  # a whole number that no float comes near
        raise TargetFailed("bad-reply", "an embedding of it has no direction") from error
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.sqrt((vectors * vectors).sum(axis=1, keepdims=True))
    if not (np.isfinite(lengths).all() and (lengths > 0).all()):
        raise TargetFailed("bad-reply", "an embedding of it has no direction")
    return (vectors / lengths).astype(np.float32)


def _row(vector: Any) -> list[float]:
    if not isinstance(vector, list) or not vector or any(type(each) not in (int, float) for each in vector):
        raise TargetFailed("bad-reply", "expected an embedding that is a list of numbers")
    return vector
