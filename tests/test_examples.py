"""The programs in examples/, on the texts they may meet."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import rtfs
from policies.engines.standard import standard_engine
from policies.file.load import load_policy
from policies.rules.rulebook import Current, Rulebook
from policies.running.delegate import PolicyDelegate
from policies.running.runner import Allowance, Clock, Outcome
from rtfs.cli.main import main
from rtfs.delegation import ExecTarget, FunctionInfo

EXAMPLES = Path(__file__).parent.parent / "examples"

APP_LOG = "\n".join(
    [f"2026-11-01T08:{i // 20:02d}:{i % 20:02d}Z INFO  web[{i}]: GET /item/{i} took {i}ms" for i in range(100)]
    + [f"2026-11-01T08:07:00Z ERROR db: user {name} timed out" for name in ("ann", "bob") for _ in range(40)]
    + ["", "2026-11-01T08:08:00Z WARN pool: id 550e8400-e29b-41d4-a716-446655440000 at 0xdeadbeef"]
)


def triage(text: Any, backend: Any = "python") -> Any:
    source = (EXAMPLES / "log_triage.rtfs").read_text(encoding="utf-8")
    args = {"lines": text, "as": "data"}
    limits = rtfs.Limits(deadline_s=60)
    summary = rtfs.evaluate(source, args=args, limits=limits, source_name="log_triage.rtfs", backend=backend)
    return rtfs.to_python(summary)


@pytest.mark.parametrize(
    ("arguments", "greeting"), [([], "Hello, world!"), (["--arg", "who=Al"], "Hello, Al!")]
)
def test_hello(arguments: list[str], greeting: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(EXAMPLES / "hello.rtfs"), *arguments]) == 0
    assert capsys.readouterr() == (f"{greeting}\n", "")


@pytest.mark.parametrize("backend", ["python", "interpreter"])
def test_triage_counts_and_masks(backend: str) -> None:
    found = triage(APP_LOG, backend)
    assert (found["lines"], found["blank"]) == (181, 1)
    assert found["levels"] == [["INFO", 100], ["ERROR", 80], ["WARNING", 1]]
    assert found["components"] == [["web", 100], ["db", 80], ["pool", 1]]
    templates = [(each["template"], each["count"]) for each in found["templates"]]
    assert templates[0] == ("INFO web[#]: GET /item/# took #ms", 100)
    assert ("WARN pool: id <uuid> at <hex>", 1) in templates
    assert found["bursts"]["unit"] == "lines per minute"
    assert found["bursts"]["buckets"][0] == ["2026-11-01T08:07", 80]


def test_triage_finds_places_that_vary_without_digits() -> None:
    names = ["ann", "bob", "cid", "dan", "eve", "fay", "gus", "hal", "ivy", "jim"]
    found = triage(
        "\n".join(f"Nov  1 08:00:0{i} box sshd[{i}]: user {name} left" for i, name in enumerate(names))
    )
    assert [each["template"] for each in found["templates"]] == ["box sshd[#]: user <*> left"]
    assert found["from"] == "Nov  1 08:00"


def test_triage_without_times_counts_bad_lines_per_hundred() -> None:
    lines = ["INFO all is well"] * 500
    lines[200:220] = ["ERROR disk full"] * 20
    found = triage("\n".join(lines))
    assert found["bursts"] == {
        "unit": "warnings and errors per 100 lines",
        "buckets": [["lines 201-300", 20]],
    }


@pytest.mark.parametrize(
    ("text", "lines", "blank"),
    [
        ("", 0, 0),
        ("\n", 0, 1),
        ("\n\n\n", 0, 3),
        ("one line", 1, 0),
        ("a\r\nb\r\n", 2, 0),
        ([], 0, 0),
        (["a", "", 3], 2, 1),
        ("x" * 1_000_000, 1, 0),
        ("\x1b[31mred\x1b[0m\x00 \ufffd é 日本語 🙂\n" * 3, 3, 0),
        ("[ERROR]\n(((\n%s%n\\d+\n{}\n", 4, 0),
        ("9" * 400 + "\n" + "2026-99-99 99:99:99 x\n", 2, 0),
    ],
)
def test_triage_takes_any_text(text: Any, lines: int, blank: int) -> None:
    found = triage(text)
    assert (found["lines"], found["blank"]) == (lines, blank)


def test_triage_prints_no_control_characters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.log"
    path.write_text("\x1b[2Jboo\a 1\n\x1b[2Jboo\a 2\n")
    assert main(["run", str(EXAMPLES / "log_triage.rtfs"), "--arg", f"lines=@{path}"]) == 0
    out = capsys.readouterr().out
    assert "2 lines, 0 blank, 1 template\n" in out
    assert all(char.isprintable() or char == "\n" for char in out)


def test_triage_without_a_log_says_how(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(EXAMPLES / "log_triage.rtfs")]) == 0
    assert "--arg lines=@FILE" in capsys.readouterr().out


def test_the_support_desk_drafts_answers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(EXAMPLES / "support_desk.rtfs")]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    first = said.out.splitlines()[:3]
    assert first[0].startswith("[high, en, payment] Hello, I was charged twice for order <number>")
    assert first[1:] == [
        "  Ada Byron <ada@example.org>: asks for money back",
        "  Thank you for your mail about: payment. We are looking into it.",
    ]
    assert len(said.out.splitlines()) == 9


MAIL = {
    "from": "Zoe Quill <zoe@example.org>",
    "text": "Bitte call Zoe at 0170 5551234 or zoe@example.org, I was charged!",
}
SECRETS = ("Zoe", "Quill", "zoe@", "0170", "5551234")


@dataclass
class Model:
    """Answers whatever is asked with a value of the declared type; remembers what it was given."""

    answers: dict[str, str]
    asked: list[tuple[str, str]] = field(default_factory=list)

    def run(
        self, function: FunctionInfo, args: tuple[Any, ...], target: ExecTarget, allowance: Allowance
    ) -> Outcome:
        self.asked.append((function.symbol, " ".join(map(str, args))))
        return Outcome(value=self.answers[function.symbol], cost_usd=0.0001, confidence=1.0)


def desk(mails: list[dict[str, str]], backend: Any) -> tuple[Any, Model, Model]:
    """What the desk says under its policy, and the models it asked: that of this machine, those elsewhere."""
    program = rtfs.compile((EXAMPLES / "support_desk.rtfs").read_text(), source_name="support_desk.rtfs")
    here = Model({"language": "de", "urgency": "low", "topic": "other", "summary": "S.", "account-note": "N."})
    elsewhere = Model({"answer": "Dear customer", "topic": "other", "summary": "S."})
    current = Current(Rulebook(load_policy((EXAMPLES / "support_desk.toml").read_text())))
    clock = Clock(monotonic=time.monotonic, wall=time.time)
    runners = {"local-model": here, "remote": elsewhere}
    delegate = PolicyDelegate(standard_engine(current), current, runners, clock)
    found = program.link(delegate, backend=backend).run(args={"mails": mails, "as": "data"})
    return rtfs.to_python(found), here, elsewhere


@pytest.mark.parametrize("backend", ["python", "interpreter"])
def test_the_support_desk_sends_no_names_away(backend: str) -> None:
    (found,), here, elsewhere = desk([MAIL], backend)
    assert found == {
        "language": "de",
        "urgency": "low",
        "note": "N.",
        "topic": "other",
        "summary": "S.",
        "answer": "Dear customer",
    }
    assert [symbol for symbol, _ in elsewhere.asked] == ["answer"]
    assert [word for word in SECRETS for _, text in elsewhere.asked if word in text] == []
    read_here = " ".join(text for _, text in here.asked)
    assert [word for word in SECRETS if word not in read_here] == []


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.rtfs")), ids=lambda path: path.name)
def test_examples_are_in_standard_form_and_pass_the_checker(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fmt", "--check", str(path)]) == 0
    assert main(["check", str(path)]) == 0
    assert capsys.readouterr() == ("", "1 file, 0 errors, 0 warnings\n")
