from __future__ import annotations

from pathlib import Path

import pytest

from actors.models.errors import RulesFileError
from actors.models.rules_file import MAX_BYTES, read_rules, read_rules_file
from rtfs.values import Keyword

GOOD = """
# what a customer feels
default neutral 0.3
negation not Never
window 2

[glad]
3  word    Thanks great
4\tphrase  well   done

[cross = "angry"]
-1 phrase no problem
2.5 regex   # \\d{2,}

[neutral = 0]
"""


def problems(text: str) -> list[tuple[int | None, str, str | None]]:
    with pytest.raises(RulesFileError) as raised:
        read_rules(text.encode(), "m.rules")
    return [(each.line, each.message, each.hint) for each in raised.value.problems]


def test_what_a_file_says() -> None:
    rules = read_rules(GOOD.encode(), "m.rules")
    assert [(label.name, label.value) for label in rules.labels] == [
        ("glad", Keyword.of("glad")),
        ("cross", "angry"),
        ("neutral", 0),
    ]
    assert rules.rules == ((0, 3.0), (0, 4.0), (1, -1.0), (1, 2.5))
    assert rules.phrases == {
        "thanks": ((("thanks",), 0),),
        "great": ((("great",), 0),),
        "well": ((("well", "done"), 1),),
        "no": ((("no", "problem"), 2),),
    }
    assert [(pattern.source, rule) for pattern, rule in rules.regexes] == [("# \\d{2,}", 3)]
    assert (rules.default, rules.default_confidence, rules.threshold) == (2, 0.3, 0.0)
    assert (rules.negations, rules.window) == (frozenset({"not", "never"}), 2)


def test_line_ends_and_marks_do_not_matter_but_to_the_version() -> None:
    plain, other = (
        read_rules(GOOD.encode(), "m"),
        read_rules(b"\xef\xbb\xbf" + GOOD.encode().replace(b"\n", b"\r\n"), "m"),
    )
    assert (plain.labels, plain.rules) == (other.labels, other.rules)
    assert plain.version != other.version
    assert plain.version == read_rules(GOOD.encode(), "elsewhere").version


HEAD = "default a\n[a]\n"
WRONG = [
    ("", [(None, "expected labels and their rules, got none", None)]),
    ("default a", [(None, "expected labels and their rules, got none", None)]),
    ("[a]\n1 word x", [(None, "expected a default for texts that no rule speaks for, it is missing",
                        "begin with `default a`")]),
    ("default glda\n[glad]\n1 word x\n[cross]\n1 word y",
     [(1, "there is no label `glda`", "did you mean `glad`?")]),
    ("default other\n[glad]\n1 word x\n[cross]\n1 word y",
     [(1, "there is no label `other`", "known are `glad`, `cross`")]),
    (HEAD + "1 word x\n[b]\n", [(4, "the label `b` has no rules, so that it is never answered", None)]),
    (HEAD + "1 word x\n[a]\n1 word y", [(4, "the label `a` was begun before, in line 2", None)]),
    ("default a\n[a b]\n1 word x\n[a]",
     [(2, "expected a label in brackets, got `[a b]`", 'such as `[glad]` or `[glad = "happy"]`')]),
    ("default a\n[a = (f)]\n1 word x",
     [(2, "expected a value, got `(f)`", "a keyword, a string, a number, `true` or `false`")]),
    ("default a\n[a = \"x]\n1 word x",
     [(2, 'expected a value, got `"x`', "a keyword, a string, a number, `true` or `false`")]),
    ("defualt a\n[a]\n1 word x", [
        (None, "expected a default for texts that no rule speaks for, it is missing", "begin with `default a`"),
        (1, "unknown setting `defualt`", "did you mean `default`?")]),
    ("mode fast\ndefault a\n[a]\n1 word x",
     [(1, "unknown setting `mode`", "known are `default`, `threshold`, `negation`, `window`")]),
    ("default a\n1 word x\n[a]\n1 word x",
     [(2, "a rule stands before the first label", "such as `[glad]`, on a line before it")]),
    ("default a\ndefault a\n[a]\n1 word x", [(2, "`default` was set before, in line 1", None)]),
    ("default a 1.5\n[a]\n1 word x",
     [(1, "expected a label and perhaps a number from 0 to 1, got `a 1.5`", "such as `default other 0.2`")]),
    ("default\n[a]\n1 word x",
     [(1, "expected a label and perhaps a number from 0 to 1, got ``", "such as `default other 0.2`")]),
    ("threshold high\n" + HEAD + "1 word x", [(1, "expected a number from 0 to 1, got `high`", None)]),
    ("threshold -1\n" + HEAD + "1 word x", [(1, "expected a number from 0 to 1, got `-1`", None)]),
    ("negation !\n" + HEAD + "1 word x",
     [(1, "expected words that negate, got none", "such as `negation no not never`")]),
    ("window 2.5\n" + HEAD + "1 word x", [(1, "expected a whole number from 1 to 20, got `2.5`", None)]),
    ("window inf\n" + HEAD + "1 word x", [(1, "expected a whole number from 1 to 20, got `inf`", None)]),
    (HEAD + "much word x",
     [(3, "expected a weight, got `much`", "a rule is a weight, a kind and a pattern: `3 word thanks`")]),
    (HEAD + "window 3", [(3, "`window` stands among the rules of a label", "settings come first")]),
    (HEAD + "0 word x", [(3, "expected a weight up to 1000 that is not 0, got `0`", None)]),
    (HEAD + "1e9 word x", [(3, "expected a weight up to 1000 that is not 0, got `1e9`", None)]),
    (HEAD + "1 words x", [(3, "expected `word`, `phrase` or `regex`, got `words`", "did you mean `word`?")]),
    (HEAD + "1 glob x*", [(3, "expected `word`, `phrase` or `regex`, got `glob`", None)]),
    (HEAD + "1", [(3, "expected `word`, `phrase` or `regex`, got nothing after the weight", None)]),
    (HEAD + "1 regex", [(3, "expected what to look for after `regex`, got nothing", None)]),
    (HEAD + "1 regex (a", [(3, "invalid regex pattern '(a': missing ): (a", None)]),
    (HEAD + "1 word !!", [(3, "expected letters or digits after `word`, got `!!`", "use `regex`")]),
    (HEAD + "x\n1 regex (a\n2 wrd y", [
        (3, "expected a weight, got `x`", "a rule is a weight, a kind and a pattern: `3 word thanks`"),
        (4, "invalid regex pattern '(a': missing ): (a", None),
        (5, "expected `word`, `phrase` or `regex`, got `wrd`", "did you mean `word`?")]),
    (HEAD + "\x1b[31m word x", [(3, "expected a weight, got `\\x1b[31m`",
                                 "a rule is a weight, a kind and a pattern: `3 word thanks`")]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), WRONG)
def test_what_may_be_wrong(text: str, expected: list[tuple[int | None, str, str | None]]) -> None:
    assert problems(text) == expected


def test_problems_name_file_and_line() -> None:
    with pytest.raises(RulesFileError) as raised:
        read_rules((HEAD + "1 wrod x").encode(), "models/m.rules")
    assert (
        str(raised.value)
        == "models/m.rules:3: expected `word`, `phrase` or `regex`, got `wrod`; did you mean `word`?"
    )


def test_a_file_full_of_errors_is_not_read_to_its_end() -> None:
    assert len(problems(HEAD + "x\n" * 10_000)) == 100


def test_too_many_rules() -> None:
    ((line, message, _),) = problems(HEAD + "1 word x\n" * 5001)
    assert (line, message) == (5003, "expected at most 5000 rules, got more")


@pytest.mark.parametrize(
    ("data", "line", "message"),
    [
        (b"default a\n\xff", 2, "expected UTF-8, got the byte 0xff"),
        (b"#" * (MAX_BYTES + 1), None, f"expected at most {MAX_BYTES} bytes, got more"),
    ],
)
def test_files_that_are_no_text(data: bytes, line: int | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "m.rules"
    path.write_bytes(data)
    with pytest.raises(RulesFileError) as raised:
        read_rules_file(path)
    (problem,) = raised.value.problems
    assert (problem.source, problem.line, problem.message) == (str(path), line, message)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "none.rules", tmp_path, "nul\0"):
        with pytest.raises(RulesFileError, match="cannot read the file: "):
            read_rules_file(path)
