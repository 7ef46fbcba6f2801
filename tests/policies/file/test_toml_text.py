from __future__ import annotations

import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policies.errors import PolicyFileError, PolicyProblem
from policies.file.load import load_policy
from policies.file.toml_text import MAX_BYTES, parse

MIB = 1_000_000  # just below the limit
#: of texts that are more than parsed; what takes quadratic time takes minutes all the same
LARGE = 400_000

BROKEN = [
    ("a", 1, "expected `=` after the key"),
    ("a = ", 1, "expected a value: a quoted text, a number, `true`, `false`, `[…]` or `{…}`"),
    ("a = 1\n? = 2", 2, "expected a key, a `[table]` or a comment"),
    ("a = 1 2", 1, "expected the end of the line after the value or the table's name"),
    ("[a", 1, "expected `]` after the table's name"),
    ("[[a]", 1, "expected `]]` after the table's name"),
    ("[]", 1, "expected a name: letters, digits, `-`, `_`, or a quoted text"),
    ('a = "x\nb = 1', 1, 'expected the end of a string, `"`, before the end of the line'),
    ("a = 'x\nb = '1'", 1, "expected the end of a string, `'`, before the end of the line"),
    ("a = 'x", 1, "expected the end of a string, `'`"),
    ('a = 1\nb = """x', 2, 'expected the end of a string, `"`'),
    ('a = "\\q"', 1, 'expected one of `\\b \\t \\n \\f \\r \\" \\\\ \\uXXXX` after a backslash'),
    ('a = "\\uXYZW"', 1, "expected the hexadecimal digits of a character after `\\u` or `\\U`"),
    ('a = "\\ud800"', 1, "expected the number of a character after `\\u` or `\\U`"),
    ("a = [1, 2", 1, "expected `,` or `]` in an array"),
    ("a = {b = 1", 1, "expected `,` or `}` in an inline table, all on one line"),
    ("a = 2024-13-01T00:00:00Z", 1, "expected the end of the line after the value or the table's name"),
    ("a = 2023-02-30", 1, "expected a date that exists"),
    ('a = "\x00"', 1, "control characters cannot stand in a text"),
    ("a = 1 # \x07", 1, "control characters cannot stand in a text or a comment"),
    ("a = 1\n\na = 2", 3, "`a` is set twice, first in line 1"),
    ("[a]\n[b]\n[a]", 3, "`a` is set twice, first in line 1"),
    ("a = {b = 1, b = 2}", 1, "the key is set twice"),
    ("a = {b = 1}\na.c = 2", 2, "what was written as a value, `{…}` or `[…]`, cannot be added to"),
    ("a.b = 1\n[a]", 2, "the table was declared before"),
    ("a = 1\na.b = 1", 2, "the key is set twice"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "message"), BROKEN)
def test_broken_text(text: str, line: int, message: str) -> None:
    with pytest.raises(PolicyFileError) as caught:
        parse(text, "policy.toml")
    (problem,) = caught.value.problems
    assert (problem.source, problem.line) == ("policy.toml", line)
    assert problem.message.partition(" (")[0] == message


def test_a_text_without_quotes_is_guessed() -> None:
    with pytest.raises(PolicyFileError, match="a text stands in quotes"):
        parse("[delegation]\ndefault_target = local-pure\n", "policy.toml")


def test_a_byte_order_mark_is_no_key() -> None:
    assert parse("\ufeffa = 1", "policy.toml")[0] == {"a": 1}


def test_the_limit_of_size_is_one_of_bytes() -> None:
    comment = "#" + "x" * (MAX_BYTES - 1)
    assert parse(comment, "policy.toml")[0] == {}
    for larger in (comment + "x", "#" + "é" * (MAX_BYTES // 2)):
        with pytest.raises(PolicyFileError, match="expected at most 1048576 bytes"):
            parse(larger, "policy.toml")


def filled(text: str, size: int = MIB) -> str:
    return text * (size // len(text))


def numbered(text: str, head: str = "", size: int = LARGE) -> str:
    """`text` with numbers for `#`, as often as it fits."""
    count = size // (len(text) + 6)
    return head + "".join(text.replace("#", f"{index:06}") for index in range(count))


def providers(count: int) -> str:
    return "".join(f"[delegation.remote_providers.x{index:06}]\nendpoint='e'\n" for index in range(count))


#: each takes longer than the limit for one test unless it is read in linear time
HOSTILE = {
    "blanks": " " * MIB,
    "lines": "\n" * MIB,
    "quotes": '"' * MIB,
    "apostrophes": "'" * MIB,
    "nul": "\0" * MIB,
    "carriage returns": "\r" * MIB,
    "brackets": "[" * MIB,
    "nested arrays": "a = " + "[" * (MIB - 4),
    "nested tables": "a = " + filled("{a="),
    "dotted key": filled("a."),
    "dotted header": "[" + filled("a."),
    "dots with quotes": filled('"a".'),
    "long number": "a = " + "9" * (MIB - 4),
    "long hexadecimal number": "a = 0x" + "f" * (MIB - 6),
    "long float": "a = 1." + "0" * (MIB - 6),
    "long date": "a = " + "2024-01-01" * (MIB // 11),
    "long word": "a" * MIB,
    "long key": f'"{"k" * (MIB - 10)}" = 1',
    "long escaped key": f'"{filled(chr(92) + "n")[: MIB - 10]}" = 1',
    "unclosed string": 'a = """' + filled('\\"""'),
    "unclosed strings": filled("a = '\n"),
    "escapes": 'a = "' + filled("\\n")[: MIB - 10] + '"',
    "one array": "a = [" + filled("1,")[: MIB - 10] + "]",
    "one key twice": filled("a = 1\n"),
    "arrays of tables": filled("[[a]]\n"),
    "unknown keys": numbered("k# = 1\n"),
    "unknown keys in the table": numbered("k# = 1\n", "[delegation]\n"),
    "unknown tables": numbered("[a.b.c.d.e.f.g.h.x#]\n"),
    "empty rules": filled("[[delegation.rules]]\n", LARGE),
    "rules for all": filled('[[delegation.rules]]\ntargets=["local-pure"]\n', LARGE),
    "rules with globs": numbered('[[delegation.rules]]\nsymbols=["*a#*"]\ntargets=["local-pure"]\n'),
    "rules for tenants": numbered('[[delegation.rules]]\ntenants=["*a#*"]\ntargets=["local-pure"]\n'),
    "rules for labels": numbered("[delegation.security.privacy.l#]\n", size=LARGE // 2)
    + numbered('[[delegation.rules]]\nprivacy=["l#"]\ntargets=["local-pure"]\n', size=LARGE // 2),
    "rule with globs": 2
    * ('[[delegation.rules]]\ntargets=["local-pure"]\nsymbols=[' + numbered('"*y#*",') + "]\n"),
    "routes": numbered('"*a#*b" = "local-pure"\n', "[delegation.static_routes]\n"),
    "routes of stars": "[delegation.static_routes]\n"
    + "".join(f'"{"*a" * 230}{index}*" = "local-pure"\n' for index in range(1_900)),
    "routes to nowhere": numbered('"*#" = "remote-nope#"\n', "[delegation.static_routes]\n"),
    "names nearly served": providers(4_000) + numbered('a# = "remote-y#"\n', "[delegation.static_routes]\n"),
    "budgets for nobody": providers(4_000)
    + numbered('[delegation.budgets.b#]\nscope="provider"\nlimit_usd=1\nmatch="q#*[ab]"\n'),
    "denied targets": providers(4_000)
    + "[[delegation.rules]]\ntargets=["
    + numbered('"remote-x#",', size=80_000)
    + "]\ndeny=["
    + numbered('"*y#*",')
    + "]\n",
    "unknown types": "[[delegation.rules]]\narg_types=[" + filled('"strin",') + "]",
    "wrong values": numbered("k#=[1.5,2.5]\n", "[[delegation.rules]]\n[delegation.rules.when]\n"),
    "chain of one": "[delegation]\nfallback=[" + filled('"local-pure",', LARGE) + "]",
    "half a character": "\ud800",
    "more than the limit": "a" * (4 * MIB),
}  # fmt: skip


def found_in(text: str) -> tuple[PolicyProblem, ...]:
    """Errors, or warnings if there are none."""
    try:
        return load_policy(text, environ={}).warnings
    except PolicyFileError as error:
        return error.problems


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text(name: str) -> None:
    """Either it is a policy, or it is refused in few words."""
    problems = found_in(HOSTILE[name])
    assert len(problems) <= 501
    assert all(len(str(problem)) < 4_000 for problem in problems)


def test_nesting_is_refused_whatever_is_left_of_the_stack() -> None:
    text = "a = " + "[" * 16 + "]" * 16

    def deep(left: int) -> None:
        if left:
            deep(left - 1)
        else:
            load_policy(text)

    frames, frame = 0, sys._getframe()
    while frame is not None:  # type: ignore[redundant-expr]
        frames, frame = frames + 1, frame.f_back  # type: ignore[assignment]
    with pytest.raises(PolicyFileError):
        deep(sys.getrecursionlimit() - frames - 40)


SNIPPETS = st.sampled_from(
    ["[delegation]\n", "[[delegation.rules]]\n", "[delegation", ".rules", "targets", " = ", '["local-pure"]',
     "true", "30", '"30"', "1e9", "nan", "-0", "{", "}", "[", "]", ",", "\n", "#", '"', "'", '"""', ".", "when",
     "hour", '"22-6"', "cache_ttl = ", "2024-01-01", "0x1", "é", "\t", "\\", "static_routes", "endpoint",
     "remote_providers", "[delegation.security.privacy.x]\n", "allow", "1" * 40]
)  # fmt: skip


@given(st.one_of(st.text(max_size=300), st.lists(SNIPPETS, max_size=30).map("".join)))
@example("[delegation]\ncache_ttl = nan")
@example("[delegation]\nfallback = [[]]")
@example("delegation = 1")
@example("[[delegation]]")
def test_no_text_raises_anything_else(text: str) -> None:
    assert "Input should" not in "".join(map(str, found_in(text)))
