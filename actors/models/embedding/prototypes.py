"""Which label a text is nearest to, and how sure that is.

Each label has a prototype: the mean of the vectors of what is said about it, of length 1. Texts of one task
have much in common (they are all lines of logs, say), and so have the prototypes; what they have in common
tells nothing apart and is taken away from the prototypes. With `v` a text's vector and `u_l` the label's
prototype without the mean of all, of length 1 again, the probability of the label is

    p_l = exp(v·u_l / T) / Σ exp(v·u_k / T)

and the confidence that of the likeliest. T makes it honest: of answers with confidence 0.8 four of five are
right.

Source: prototypes as in "Prototypical Networks for Few-shot Learning" (Snell et al., 2017); temperature scaling
as in "On Calibration of Modern Neural Networks" (Guo et al., 2017).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from actors.models.embedding.embedder import Embedder, Vectors
from actors.models.embedding.labels import Label

type Numbers = NDArray[np.int64]

#: T where most labels have a description at best, and where they have three examples or more. Fitted to MiniLM
#: by least negative log-likelihood over the tasks of the calibrating half of examples/data/messages.tsv, each
#: task counting the same: `python benchmarks/classifying.py --fit`
TEMPERATURE: Final = 0.087
TEMPERATURE_WITH_EXAMPLES: Final = 0.075
#: examples of a label on the average that make the difference
_ENOUGH: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prototypes:
    """The labels of a function, as vectors."""

    labels: tuple[Label, ...]
    #: float32, shape (labels, dimensions), rows of length 1
    vectors: Vectors
    temperature: float

    def probabilities(self, texts: Vectors) -> Vectors:
        """
        Return how probable each label is for each text.

        Args:
            texts: float32, shape (n, dimensions), rows of length 1.

        Returns:
            float32, shape (n, labels), rows that add up to 1.
        """
        scores = texts @ self.vectors.T / self.temperature
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def prototypes(labels: tuple[Label, ...], embedder: Embedder, temperature: float | None = None) -> Prototypes:
    """The prototypes of labels. Without a temperature, that which suits them."""
    vectors = embedder.embed([text for label in labels for text in label.texts])
    means = np.empty((len(labels), embedder.dimensions), np.float32)
    at = 0
    for number, label in enumerate(labels):
        means[number] = vectors[at : at + len(label.texts)].mean(axis=0)
        at += len(label.texts)
    means = _normal(means)
    if temperature is None:
        is_shown = sum(len(label.examples) for label in labels) >= _ENOUGH * len(labels)
        temperature = TEMPERATURE_WITH_EXAMPLES if is_shown else TEMPERATURE
    return Prototypes(labels=labels, vectors=_normal(means - means.mean(axis=0)), temperature=temperature)


def fitted_temperature(scores: Sequence[Vectors], wanted: Sequence[Numbers]) -> float:
    """
    Return the temperature under which what was wanted was likeliest, each task counting the same.

    Args:
        scores: of each task, shape (n, labels): `v·u_l`.
        wanted: of each task, shape (n,): numbers of labels.
    """
    candidates = np.geomspace(0.005, 1.0, 400)
    losses = [
        sum((_loss(each / temperature, right) for each, right in zip(scores, wanted, strict=True)), 0.0)
        for temperature in candidates
    ]
    return float(candidates[int(np.argmin(losses))])


def _loss(scores: NDArray[np.floating], wanted: Numbers) -> float:
    """The mean negative logarithm of the probability of what was wanted."""
    top = scores.max(axis=1)
    totals = top + np.log(np.exp(scores - top[:, None]).sum(axis=1))
    return float((totals - scores[np.arange(len(wanted)), wanted]).mean())


def _normal(rows: Vectors) -> Vectors:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    # what all labels have is no difference between them: such a row stays 0
    return np.asarray(np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 1e-6), np.float32)
