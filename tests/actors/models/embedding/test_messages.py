"""The texts that the classifier is measured by, examples/data."""

from __future__ import annotations

from collections import Counter

from actors.models.embedding.labels import labels_of
from benchmarks.classifying import Judged, functions, read_texts

TEXTS = read_texts()


def test_there_are_enough_texts_and_each_is_there_once() -> None:
    assert len(TEXTS) >= 300
    assert len({text.text for text in TEXTS}) == len(TEXTS)
    assert {text.kind for text in TEXTS} == {"log", "message"}


def test_labels_are_those_of_the_functions_and_balanced() -> None:
    for task, function in functions().items():
        wanted = {label.name for label in labels_of(function)}
        for half in (TEXTS, [each for each in TEXTS if each.calibrates]):
            counts = Counter(text.labels[task] for text in half if task in text.labels)
            assert set(counts) == wanted
            assert max(counts.values()) <= 2 * min(counts.values())


def test_no_text_is_an_example() -> None:
    shown = {text for function in functions().values() for label in labels_of(function) for text in label.texts}
    assert not shown & {text.text for text in TEXTS}


def test_coverage_is_the_largest_share_that_is_right_often_enough() -> None:
    assert Judged([True, True, False, False], [0.9, 0.8, 0.7, 0.6]).coverage == 0.5
    assert Judged([True] * 9 + [False], [0.5] * 10).coverage == 1
    assert Judged([False, True], [0.9, 0.8]).coverage == 0
    # answers that are as sure as one another are taken or left together
    assert Judged([True, True, False], [0.9, 0.5, 0.5]).coverage == 1 / 3


def test_calibration_error() -> None:
    assert Judged([True, False], [1.0, 0.0]).calibration_error == 0
    assert Judged([True, False], [0.75, 0.75]).calibration_error == 0.25
