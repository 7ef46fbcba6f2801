"""How well texts are told apart, by rules, by the classifier, and by both. `python benchmarks/classifying.py`

Three tasks over texts that were written by hand, examples/data/messages.tsv: how bad a line of a log is, how
a customer feels, and what a message is about. Half of the texts, by a hash of their words, are there to
calibrate; all figures are of the other half. Texts and rules are by the same hand, which flatters the rules.

    accuracy     share of the texts that got their label
    coverage     largest share of the texts, the surest answers first, of which 90 % are right
    error        expected calibration error: how far confidence and accuracy are apart, mean over ten bins

`--fit` prints the temperatures of `actors.models.embedding.prototypes`, fitted to the first half. `--json`
prints the figures. Exit code 1 if one of them is not reached.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from actors.models.embedding.classifier import ClassifierModel
from actors.models.embedding.embedder import Embedder
from actors.models.embedding.labels import labels_of
from actors.models.embedding.loading import load_embedder
from actors.models.errors import ModelError
from actors.models.inference import FunctionFacts, InferenceRequest, InferenceResponse
from actors.models.provider import ModelProvider
from actors.models.rules import RulesModel
from policies.file.schema import LocalModelEntry
from rtfs.function_info import functions_of
from rtfs.program import compile as compiled
from rtfs.values import Keyword

EXAMPLES: Final = Path(__file__).resolve().parents[1] / "examples"
#: rules below this confidence ask the classifier
ESCALATE_BELOW: Final = 0.5
PRECISION: Final = 0.9
_BINS: Final = 10
#: task → its rules
RULES: Final = {
    "severity": "log-severity.rules",
    "tone": "message-tone.rules",
    "topic": "message-topic.rules",
}


@dataclass(frozen=True, slots=True)
class Figures:
    """What one way of judging reached in one task."""

    task: str
    judge: str
    texts: int
    accuracy: float
    coverage: float
    calibration_error: float
    #: None: nothing was to be reached
    reach: float | None

    @property
    def reached(self) -> bool:
        return self.reach is None or self.accuracy >= self.reach


#: accuracy to be reached, by task and judge: what it had when it was written, less three points
REACH: Final[Mapping[tuple[str, str], float]] = {
    ("severity", "classifier"): 0.7,
    ("severity", "rules, then classifier"): 0.77,
    ("tone", "classifier"): 0.7,
    ("tone", "rules, then classifier"): 0.79,
    ("topic", "classifier"): 0.82,
    ("topic", "rules, then classifier"): 0.89,
}


@dataclass(frozen=True, slots=True)
class Text:
    """A line of the data."""

    kind: str
    labels: Mapping[str, str]
    text: str

    @property
    def calibrates(self) -> bool:
        """Whether it is in the half that may be learnt from."""
        return hashlib.sha256(self.text.encode()).digest()[0] % 2 == 0


def read_texts(path: Path = EXAMPLES / "data" / "messages.tsv") -> list[Text]:
    """The texts of a file, in their order."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            kind, labels, text = line.split("\t")
            found.append(Text(kind, dict(label.split("=") for label in labels.split()), text))
    return found


def functions() -> dict[str, FunctionFacts]:
    """The function of each task, as a model is told of it."""
    program = compiled((EXAMPLES / "data" / "tasks.rtfs").read_text(encoding="utf-8"))
    return {info.symbol: FunctionFacts.of(info) for _, info in functions_of(program.unit)}


# ---------------------------------------------------------------- judging


@dataclass(frozen=True, slots=True)
class Judged:
    """Answers to the texts of one task."""

    is_right: Sequence[bool]
    confidence: Sequence[float]

    @property
    def accuracy(self) -> float:
        return sum(self.is_right) / len(self.is_right)

    @property
    def coverage(self) -> float:
        """The largest share of the texts, the surest first, of which `PRECISION` are right."""
        order = sorted(range(len(self.confidence)), key=lambda at: -self.confidence[at])
        right, best = 0, 0
        for count, at in enumerate(order, 1):
            right += self.is_right[at]
            is_tie = count < len(order) and self.confidence[order[count]] == self.confidence[at]
            if right >= PRECISION * count and not is_tie:
                best = count
        return best / len(order)

    @property
    def calibration_error(self) -> float:
        """The distance of confidence and accuracy in each of ten bins, weighted by what is in them."""
        bins: dict[int, list[int]] = {}
        for at, confidence in enumerate(self.confidence):
            bins.setdefault(min(int(confidence * _BINS), _BINS - 1), []).append(at)
        gaps = (abs(sum(self.confidence[at] - self.is_right[at] for at in each)) for each in bins.values())
        return sum(gaps) / len(self.confidence)


def answers(model: ModelProvider, function: FunctionFacts, texts: Sequence[str]) -> list[InferenceResponse]:
    """A model's answers, all of which it has to give."""
    found = []
    for start in range(0, len(texts), model.max_batch):
        batch = [InferenceRequest(function, (text,)) for text in texts[start : start + model.max_batch]]
        for reply in model.infer_batch(batch):
            assert isinstance(reply, InferenceResponse), reply
            found.append(reply)
    return found


def judged(replies: Sequence[InferenceResponse], wanted: Sequence[str]) -> Judged:
    """How the replies compare with the labels that were wanted."""
    return Judged(
        [reply.value == Keyword.of(label) for reply, label in zip(replies, wanted, strict=True)],
        [reply.confidence or 0.0 for reply in replies],
    )


def chained(first: Sequence[InferenceResponse], second: Sequence[InferenceResponse]) -> list[InferenceResponse]:
    """The first answers where they are sure enough, else the second ones."""
    return [
        one if (one.confidence or 0.0) >= ESCALATE_BELOW else other
        for one, other in zip(first, second, strict=True)
    ]


def measured(classifier: ClassifierModel, texts: Sequence[Text]) -> Iterator[Figures]:
    """All figures, task by task."""
    for task, function in functions().items():
        asked = [text for text in texts if task in text.labels]
        wanted = [text.labels[task] for text in asked]
        words = [text.text for text in asked]
        with RulesModel(task, EXAMPLES / "models" / RULES[task]) as rules:
            by_rules = answers(rules, function, words)
        by_meaning = answers(classifier, function, words)
        for judge, replies in (
            ("rules", by_rules),
            ("classifier", by_meaning),
            ("rules, then classifier", chained(by_rules, by_meaning)),
        ):
            found = judged(replies, wanted)
            reach = REACH.get((task, judge))
            figures = found.accuracy, found.coverage, found.calibration_error
            yield Figures(task, judge, len(asked), *figures, reach)


def fit(embedder: Embedder, texts: Sequence[Text]) -> dict[str, float]:
    """The temperatures for functions without and with examples, fitted to `texts`."""
    import numpy as np

    from actors.models.embedding.prototypes import fitted_temperature, prototypes

    found = {}
    for name, has_examples in (("TEMPERATURE", False), ("TEMPERATURE_WITH_EXAMPLES", True)):
        scores, wanted = [], []
        for task, function in functions().items():
            labels = labels_of(function)
            if not has_examples:
                labels = tuple(replace(label, examples=()) for label in labels)
            asked = [text for text in texts if task in text.labels]
            known = prototypes(labels, embedder)
            scores.append(embedder.embed([text.text for text in asked]) @ known.vectors.T)
            names = [label.name for label in labels]
            wanted.append(np.array([names.index(text.labels[task]) for text in asked], np.int64))
        found[name] = fitted_temperature(scores, wanted)
    return found


# ---------------------------------------------------------------- the table


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--fit", action="store_true", help="fit the temperatures to the other half")
    options = parser.parse_args(argv)
    entry = LocalModelEntry(kind="classifier", path="minilm", device="cpu:2")
    texts = read_texts()
    try:
        if options.fit:
            embedder = load_embedder(entry)
            for name, value in fit(embedder, [text for text in texts if text.calibrates]).items():
                print(f"{name} = {value:.3f}")
            embedder.close()
            return 0
        with ClassifierModel.of("classifier", entry) as classifier:
            rows = list(measured(classifier, [text for text in texts if not text.calibrates]))
    except ModelError as error:
        print(f"classifying: {error}", file=sys.stderr)
        return 1
    print(json.dumps([asdict(row) for row in rows], indent=2) if options.json else table(rows))
    return 0 if all(row.reached for row in rows) else 1


def table(rows: Sequence[Figures]) -> str:
    """The figures for people."""
    head = ("task", "judged by", "texts", "accuracy", "coverage at 90 %", "error", "reach", "")
    lines = [
        head,
        *(
            (
                row.task, row.judge, str(row.texts), f"{row.accuracy:.3f}", f"{row.coverage:.2f}",
                f"{row.calibration_error:.2f}", "" if row.reach is None else f">= {row.reach:g}",
                "" if row.reach is None else "reached" if row.reached else "MISSED",
            )
            for row in rows
        ),
    ]  # fmt: skip
    widths = [max(len(line[at]) for line in lines) for at in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


if __name__ == "__main__":
    sys.exit(main())
