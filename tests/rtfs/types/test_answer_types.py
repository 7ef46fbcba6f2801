"""Each type of the table: supported or named as not, its schema valid, its grammar one of llama.cpp's."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

import pytest
from answer_types import ALIASES, CASES, Case
from jsonschema import Draft202012Validator

from rtfs.types.answerable import unsupported
from rtfs.types.check import TypeEnv
from rtfs.types.from_json import from_json
from rtfs.types.grammar import NoGrammar, grammar
from rtfs.types.json_data import NotOfType
from rtfs.types.json_schema import json_schema
from rtfs.types.literals import library_predicate
from rtfs.types.parser import parse_type_text
from rtfs.types.type_words import type_words

pytest.importorskip("llama_cpp")

from grammar_texts import GrammarTexts
from llama_grammar import LlamaGrammars

ENV = TypeEnv(aliases=ALIASES, function=library_predicate)
SUPPORTED = [case for case in CASES if case.verdict != "none"]
TEXTS_PER_TYPE = 12


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaGrammars]:
    with LlamaGrammars(tmp_path_factory.mktemp("llama")) as engine:
        yield engine


def test_the_table_is_long_enough() -> None:
    assert len({case.text for case in CASES}) == len(CASES) >= 150


@pytest.mark.parametrize("case", [case for case in CASES if case.verdict == "none"], ids=lambda case: case.text)
def test_what_no_model_can_answer_is_named(case: Case) -> None:
    found = unsupported(parse_type_text(case.text), ALIASES)
    assert found is not None
    assert found[0] == case.part
    assert found[1]


@pytest.mark.parametrize("case", SUPPORTED, ids=lambda case: case.text)
def test_what_a_model_can_answer_has_a_schema_a_grammar_and_words(case: Case, llama: LlamaGrammars) -> None:
    wanted = parse_type_text(case.text)
    assert unsupported(wanted, ALIASES) is None
    Draft202012Validator.check_schema(json_schema(wanted, ALIASES))
    made = grammar(wanted, ALIASES)
    assert llama.parses(made.text), made.text
    assert made == grammar(wanted, ALIASES)
    assert bool(made.partly) is (case.verdict == "part"), made.partly
    assert type_words(wanted, ALIASES)


@pytest.mark.parametrize("case", SUPPORTED, ids=lambda case: case.text)
def test_texts_of_the_grammar_are_values(case: Case, llama: LlamaGrammars) -> None:
    wanted = parse_type_text(case.text)
    made = grammar(wanted, ALIASES)
    texts, rng = GrammarTexts(made.text), random.Random(case.text)
    schema = Draft202012Validator(json_schema(wanted, ALIASES))
    for _ in range(TEXTS_PER_TYPE):
        text = texts.one(rng)
        assert llama.accepts(made.text, text), text
        data = json.loads(text)
        try:
            from_json(text, wanted, ENV)
        except NotOfType:
            assert made.partly, text
        else:
            if not made.partly and '"uniqueItems"' not in json.dumps(json_schema(wanted, ALIASES)):
                schema.validate(data)


def test_a_type_without_values_has_no_grammar() -> None:
    with pytest.raises(NoGrammar):
        grammar(parse_type_text("[:tuple int never]"))
