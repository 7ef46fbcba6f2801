"""What it costs to keep a model's answers to a type. `python benchmarks/models.py [--json]`

The models are made here: random weights of a Llama with a vocabulary of 32 000 tokens, bytes, pieces of JSON
and made-up words, as many as small models have. The *tiny* one is 64 wide and has 2 layers, so that a token
takes it less time than any real model and whatever is done per token besides weighs most; the *small* one is
256 wide and has 4. Since their words mean nothing, hardly a token that they like best is one that the grammar
allows, which is the worst that can happen to a grammar.

Seconds are per token of the answer, on one thread, prompts read already. Constrained and unconstrained
answers are generated in turns. The last rows ask the same of llama-cpp-python, whose grammar looks at every
token of the vocabulary anew at each step."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/actors/models"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from measure import Row, report, seconds, text_of
from tiny_gguf import Tiny, write_tiny

from actors.models.generation.engine import Engine
from actors.models.generation.job import Job
from actors.models.generation.runtime import llama
from actors.models.generation.sampling import Sampler, SamplingSettings
from actors.models.generation.session import Session, SessionSettings
from actors.models.generation.vocabulary import Vocabulary

ROUNDS = 15
TOKENS = 120
VOCABULARY = 32_000
STRING = r'string ::= "\"" ([^"\\\x00-\x1f] | "\\" ["\\/bfnrt])* "\""'
GRAMMARS = {
    "a text": f"root ::= string\n{STRING}",
    "records": "\n".join((
        r'root ::= "[" item ("," item)* "]"',
        r'item ::= "{\"name\":" string ",\"count\":" count ",\"kind\":" kind "}"',
        r'count ::= "-"? ("0" | [1-9] [0-9]{0,17})',
        r'kind ::= "\":red\"" | "\":green\"" | "\":blue\""',
        r'string ::= "\"" [^"\\\x00-\x1f]{0,24} "\""',
    )),
    "any JSON": "\n".join((
        'root ::= "[" value ("," value)*',
        'value ::= object | array | string | number | "true" | "false" | "null"',
        'object ::= "{" (string ":" value ("," string ":" value)*)? "}"',
        'array ::= "[" (value ("," value)*)? "]"',
        'number ::= "-"? ("0" | [1-9] [0-9]*) ("." [0-9]+)?',
        STRING,
    )),
}  # fmt: skip

type PerToken = Callable[[], float]


class Bench:
    """A model, and how long its answers take."""

    def __init__(self, path: Path, parallel: int = 1) -> None:
        settings = SessionSettings(path=str(path), n_ctx=512, parallel=parallel, n_threads=1, gpu_layers=0)
        self.session = Session(settings)
        self.vocabulary = Vocabulary(self.session.texts(), self.session.ends)
        self.engine = Engine("bench", self.session, self.vocabulary)

    def job(self, grammar: str | None, prompt: str, settings: SamplingSettings) -> Job:
        return Job(
            prompt=self.session.tokens(prompt, begin=True),
            limit=TOKENS,
            grammar=grammar,
            sampler=Sampler(llama(), settings, self.vocabulary.room),
            deadline=time.monotonic() + 600,
        )

    def per_token(
        self, grammar: str | None, settings: SamplingSettings | None = None, answers: int = 1
    ) -> PerToken:
        """Measures seconds per token of answers with this grammar."""
        how = settings or SamplingSettings()
        prompts = self.talkative(grammar, how, answers)

        def measured() -> float:
            jobs = [self.job(grammar, prompt, how) for prompt in prompts]
            start = time.perf_counter()
            self.engine.run(jobs)
            return (time.perf_counter() - start) / sum(len(job.tokens) for job in jobs)

        return measured

    def talkative(self, grammar: str | None, settings: SamplingSettings, count: int) -> list[str]:
        """Prompts whose answers end only because they may have no more tokens."""
        found = []
        for number in range(500):
            job = self.job(grammar, f"hello {number}", settings)
            self.engine.run([job])
            if job.is_cut:
                found.append(f"hello {number}")
                if len(found) == count:
                    return found
        raise AssertionError(f"no prompt has a long answer: {grammar}")


def by_llama_cpp_python(path: Path, grammar: str, prompt_text: str) -> PerToken:
    import llama_cpp

    model = llama_cpp.Llama(str(path), n_ctx=512, n_threads=1, n_threads_batch=1, verbose=False)
    prompt = model.tokenize(prompt_text.encode())

    def measured() -> float:
        rules = llama_cpp.LlamaGrammar.from_string(grammar, verbose=False)
        start = time.perf_counter()
        found: Any = model.create_completion(prompt, max_tokens=TOKENS, temperature=0.0, grammar=rules)
        took = time.perf_counter() - start
        return took / found["usage"]["completion_tokens"]

    return measured


def row(what: str, ours: PerToken, peer: PerToken, peer_name: str, at_most: float) -> Row:
    """Medians of both, measured in turns."""
    ours()
    peer()
    pairs = [(ours(), peer()) for _ in range(ROUNDS)]
    a, b = (statistics.median(each) for each in zip(*pairs, strict=True))
    # of pairs, since the two of a pair met the same weather
    figure = statistics.median(one / other for one, other in pairs)
    return Row(what, a, b, peer_name, figure, "x", f"<= {at_most:.3g} x", figure <= at_most)


def first_row(bench: Bench, plain: PerToken) -> Row:
    """What a grammar costs at its first answer, when nothing of it is known yet."""
    plain_s, grammar = plain(), GRAMMARS["records"]
    (prompt,) = bench.talkative(grammar, SamplingSettings(), 1)

    def first(number: int) -> float:
        # another grammar each time, since an empty line is part of it
        job = bench.job(grammar + "\n" * number, prompt, SamplingSettings())
        return seconds(lambda: bench.engine.run([job])) / len(job.tokens)

    took = statistics.median(first(number) - plain_s for number in range(1, ROUNDS)) * TOKENS
    reach = 0.25
    what = "the first answer of a grammar: records, over later ones"
    return Row(what, took, None, "", took, "s", f"<= {text_of(reach)}", took <= reach)


def generation(path: Path, name: str) -> list[Row]:
    bench = Bench(path)
    plain, records = bench.per_token(None), GRAMMARS["records"]
    rows = [
        row(f"{name}: {what}", bench.per_token(grammar), plain, "no grammar", 1 / 0.9)
        for what, grammar in GRAMMARS.items()
    ]
    warm = SamplingSettings(temperature=0.8, seed=1)
    rows += [
        row(
            f"{name}: records, temperature 0.8",
            bench.per_token(records, warm),
            bench.per_token(None, warm),
            "no grammar",
            1 / 0.9,
        ),
        first_row(bench, plain),
        row(
            f"{name}: records",
            bench.per_token(records),
            by_llama_cpp_python(path, records, bench.talkative(records, SamplingSettings(), 1)[0]),
            "llama-cpp-python, its grammar",
            1.0,
        ),
    ]
    bench.engine.close()
    return rows


def together(path: Path, name: str) -> Row:
    many, one = Bench(path, parallel=4), Bench(path)
    labels = GRAMMARS["records"]
    found = row(
        f"{name}: records, 4 answers at once",
        many.per_token(labels, answers=4),
        one.per_token(labels, answers=4),
        "one after another",
        0.9,
    )
    many.engine.close()
    one.engine.close()
    return found


def main() -> int:
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        tiny = write_tiny(Path(folder) / "tiny.gguf", Tiny(n_vocab=VOCABULARY, n_embd=64))
        rows += generation(tiny, "tiny")
        small = write_tiny(
            Path(folder) / "small.gguf",
            Tiny(n_vocab=VOCABULARY, n_embd=256, n_layer=4, n_head=8, n_ff=704),
        )
        rows += generation(small, "small")
        rows.append(together(small, "small"))
    return report("Generated answers, seconds per token; 32 000 tokens in the vocabulary", rows)


if __name__ == "__main__":
    sys.exit(main())
