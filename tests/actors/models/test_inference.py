from __future__ import annotations

import gc

from actors.models.inference import FunctionFacts
from rtfs.delegation import DelegationHint, FunctionInfo
from rtfs.values import Map


def info(symbol: str) -> FunctionInfo:
    return FunctionInfo(
        symbol=symbol,
        doc="Sorts.",
        parameters=("text",),
        parameter_types=("string",),
        return_type="[:enum :a :b]",
        hint=DelegationHint("local-model", "m"),
        metadata={"owner": "me"},
        ir_hash="0" * 64,
        aliases={"Mood": "[:enum :a :b]"},
    )


def test_facts_of_a_function() -> None:
    assert FunctionFacts.of(info("sort")) == FunctionFacts(
        symbol="sort",
        doc="Sorts.",
        parameters=("text",),
        parameter_types=("string",),
        return_type="[:enum :a :b]",
        metadata=Map({"owner": "me"}),
        aliases={"Mood": "[:enum :a :b]"},
    )


def test_names_of_types_are_written_where_there_are_some() -> None:
    without, of_it = FunctionFacts(symbol="f"), FunctionFacts(symbol="f", aliases={"A": "int"})
    assert without != of_it
    assert hash(without) == hash(of_it)
    assert len(without.encoded) < len(of_it.encoded)


def test_they_are_made_once_for_a_function_and_never_taken_for_those_of_another() -> None:
    one = info("one")
    assert FunctionFacts.of(one) is FunctionFacts.of(one)
    for number in range(3000):  # more than are kept; most of the objects are at places where others were
        assert FunctionFacts.of(info(f"f{number}")).symbol == f"f{number}"
        if number % 1000 == 0:
            gc.collect()
    assert FunctionFacts.of(one).symbol == "one"
