"""Everything that the guides show is run.

In a page under docs/:

- ```rtfs: a program. A form followed by `; => value` or `; !Category` (at its end, or on the next line) is a
  case, run on both backends after the forms before it that are no cases. `; !Category: text` asks for a part
  of the message.
  A fence whose info string goes on with a file name is saved under it; the page's other fences can import and
  run that file.
- ```text beginning with ❌, directly after such a program: the report of its error.
- ```python: run one after the other in one namespace, `>>>` lines as doctests.
- ```toml: a policy, saved under its name; tests/docs/test_policies.py loads it.
- ```console: `$ command` lines with what the shell shows, or an `rtfs repl` session after `rtfs> `.
  The folder that commands run in has the page's files and the programs under examples/.
"""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

import rtfs
from rtfs.check.unit import CODES
from rtfs.cli.console import Console, Exit, Output
from rtfs.cli.options import HARMLESS
from rtfs.errors import ReadError, RtfsError
from rtfs.host import ConsoleHost
from rtfs.program import BACKENDS, FileModules
from rtfs.reader import read
from rtfs.repl.answers import PeoplesAnswers
from rtfs.repl.loop import PROMPT, Repl, ready
from rtfs.report import render
from rtfs.security import RuntimeContext
from rtfs.session import Session

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
LANGUAGES = {"rtfs", "text", "python", "py", "console", "sh", "toml"}
LIMITS = rtfs.Limits(deadline_s=20)
CONTEXT = RuntimeContext.controlled(HARMLESS)
#: the name that programs have in reports
EXAMPLE = "example.rtfs"


class Fence(NamedTuple):
    page: str
    line: int
    language: str
    #: what the info string says after the language
    name: str
    text: str

    @property
    def id(self) -> str:
        return f"{self.page}:{self.line}"


def fences(page: Path) -> Iterator[Fence]:
    info, begin, lines = None, 0, []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if not line.startswith("```"):
            lines.append(line)
        elif info is None:
            info, begin, lines = line.removeprefix("```"), number, []
        else:
            language, _, name = info.partition(" ")
            yield Fence(page.name, begin, language, name, "\n".join(lines) + "\n")
            info = None
    assert info is None, f"{page.name}:{begin} is never closed"


FENCES = {page.name: list(fences(page)) for page in PAGES}
ALL = [fence for each in FENCES.values() for fence in each]


def of(language: str) -> list[object]:
    return [pytest.param(fence, id=fence.id) for fence in ALL if fence.language == language]


@pytest.fixture
def folder(request, tmp_path):
    """A folder with the files of the fence's page."""
    for fence in FENCES[request.getfixturevalue("fence").page]:
        if fence.name:
            path = tmp_path / fence.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(fence.text, encoding="utf-8")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    return tmp_path


# ---------------------------------------------------------------- programs


class Case(NamedTuple):
    program: str
    expected: str


CASE = re.compile(r"[^\S\n]*\n?[^\S\n]*; ?(=> ?|(?=!))(?P<expected>.*)")


def cases(text: str) -> Iterator[Case]:
    before = ""
    for form, rest in pieces(text):
        case = CASE.match(rest)
        if case:
            yield Case(before + form, case["expected"].strip())
        else:
            before += form + "\n"


def pieces(text: str) -> Iterator[tuple[str, str]]:
    """Each top-level form, and the text after it up to the next one."""
    lines = [0]
    for line in text.splitlines(keepends=True):
        lines.append(lines[-1] + len(line))
    spans = read(text, EXAMPLE).spans
    marks = [(lines[s.line - 1] + s.column - 1, lines[s.end_line - 1] + s.end_column - 1) for s in spans]
    for (begin, end), (following, _) in pairwise([*marks, (len(text), len(text))]):
        yield text[begin:end], text[end:following]


def run(program: str, backend: str, folder: Path) -> str:
    """The printed value, or `!Category: text`."""
    try:
        return rtfs.pr_str(evaluate(program, backend, folder))
    except RtfsError as error:
        return f"!{error.code if isinstance(error, ReadError) else error.category}: {error.text()}"


def evaluate(program: str, backend: str, folder: Path) -> object:
    return rtfs.evaluate(
        program,
        host=ConsoleHost(StringIO()),
        context=CONTEXT,
        limits=LIMITS,
        source_name=EXAMPLE,
        backend=backend,
        modules=FileModules(folder),
    )


def report_after(fence: Fence) -> str | None:
    """The report that the page shows for the program `fence`."""
    page = FENCES[fence.page]
    following = page[page.index(fence) + 1 :][:1]
    if following and following[0].language == "text" and following[0].text.startswith("❌"):
        return following[0].text
    return None


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("fence", of("rtfs"))
def test_program(fence, backend, folder):
    expected_report = report_after(fence)
    if expected_report is not None:
        with pytest.raises(RtfsError) as raised:
            evaluate(fence.text, backend, folder)
        report = render(raised.value, fence.text) + "\n"
        if backend == "interpreter":  # its traces and places are its own; what is wrong is not
            report, expected_report = report.split("\n")[0], expected_report.split("\n")[0]
        assert report == expected_report
        return
    found = list(cases(fence.text))
    if not found and not fence.name:  # the page's other fences use files
        assert not run(fence.text, backend, folder).startswith("!")
    for case in found:
        outcome = run(case.program, backend, folder)
        if case.expected.startswith("!"):
            category, _, text = case.expected.partition(": ")
            assert outcome.startswith(f"{category}:"), case.program
            assert text in outcome, case.program
        else:
            assert outcome == case.expected, case.program


# ---------------------------------------------------------------- Python, the shell, the prompt


@pytest.mark.parametrize("page", [page for page in FENCES if any(f.language == "python" for f in FENCES[page])])
def test_python(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "docs"}
    for fence in FENCES[page]:
        if fence.name:
            (tmp_path / fence.name).write_text(fence.text, encoding="utf-8")
        if fence.language == "python":
            run_python(fence, names)


def run_python(fence: Fence, names: dict[str, object]) -> None:
    if ">>>" not in fence.text:
        exec(compile("\n" * fence.line + fence.text, fence.id, "exec"), names)
        return
    parser = doctest.DocTestParser()
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    test = parser.get_doctest(fence.text, names, fence.id, fence.page, fence.line)
    test.globs = names
    problems = StringIO()
    runner.run(test, out=problems.write, clear_globs=False)
    assert problems.getvalue() == ""


@pytest.mark.parametrize("fence", of("console"))
def test_console(fence, folder):
    if f"\n{PROMPT}" in fence.text:
        converse(fence)
    else:
        assert list(shell(fence, folder)) == list(commands(fence.text))


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Each command and what it shows."""
    command, shown = "", []
    for line in text.splitlines():
        if line.startswith("$ "):
            if command:
                yield command, "\n".join(shown)
            command, shown = line.removeprefix("$ "), []
        else:
            shown.append(line)
    yield command, "\n".join(shown)


END = "\x1e"


def shell(fence: Fence, folder: Path) -> Iterator[tuple[str, str]]:
    """The same, with what is shown in fact."""
    words = [command for command, _ in commands(fence.text)]
    script = "".join(f"{word}\nrc=$?; printf '{END}'; (exit $rc)\n" for word in words)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", f"exec 2>&1\n{script}"],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return zip(words, [part.rstrip("\n") for part in done.stdout.split(END)[: len(words)]], strict=True)


def converse(fence: Fence) -> None:
    out = StringIO()
    console = Console(Output(out), Output(out), "repl")
    session = lambda: Session(ConsoleHost(out), CONTEXT, LIMITS)  # noqa: E731
    repl = Repl(session, PeoplesAnswers(console))
    lines = fence.text.splitlines()[1:]
    while lines:
        assert lines[0].startswith(PROMPT), lines[0]
        text = lines.pop(0).removeprefix(PROMPT)
        while not ready(text):
            text += "\n" + lines.pop(0).removeprefix(" " * len(PROMPT))
        shown = []
        while lines and not lines[0].startswith(PROMPT):
            shown.append(lines.pop(0))
        out.seek(0)
        out.truncate()
        repl.handle(text)
        assert out.getvalue().splitlines() == shown, text


# ---------------------------------------------------------------- the pages as a whole


def test_every_fence_is_of_a_kind_that_is_checked():
    assert [(fence.id, fence.language) for fence in ALL if fence.language not in LANGUAGES] == []
    reports = {report_after(fence) for fence in ALL if fence.language == "rtfs"}
    assert [f.id for f in ALL if f.language == "text" and "❌" in f.text and f.text not in reports] == []


@pytest.mark.parametrize("fence", of("py"))
def test_python_that_needs_a_runtime_is_python(fence):
    """What it does is tested on Ray: tests/on_ray."""
    compile(fence.text, fence.id, "exec")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", text)
    missing = [target for target, _ in links if target and not (page.parent / target).exists()]
    lost = [
        f"{target}#{anchor}"
        for target, anchor in links
        if anchor and (not target or target.endswith(".md")) and target not in missing
        if anchor not in anchors(page.parent / target if target else page)
    ]
    assert missing + lost == []


def anchors(page: Path) -> set[str]:
    """The anchors that headings get where such pages are shown."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


# ---------------------------------------------------------------- every error has an example


def categories(base: type[RtfsError] = RtfsError) -> Iterator[str]:
    for kind in base.__subclasses__():
        if not kind.__name__.startswith("_") and kind.text is not RtfsError.text:
            yield kind.category
        yield from categories(kind)


#: what can be reported → the text by which an example in errors.md shows it
REPORTED = {
    **{code: rf"\({code}\)$" for code in ReadError.KINDS.values()},
    **{
        category: rf"^❌ .*\({category}\)$|^rtfs\.errors\.{category}: "
        for category in sorted(set(categories()))
    },
    **{code: rf"^{EXAMPLE}:\d+:\d+: \w+: .* \({code}\)$" for code in CODES},
    **{f"exit code {code}": rf"^\$ .*(\?|PIPESTATUS.*)\n((?!\$ ).*\n)*?{code}$" for code in map(int, Exit)},
}
#: ParseError is shown by its codes, exit code 70 would be a bug to be mended
WITHOUT_EXAMPLE = {"ParseError", "exit code 70"}


@pytest.mark.parametrize("what", sorted(REPORTED.keys() - WITHOUT_EXAMPLE))
def test_errors_page_shows_it(what):
    """The fences are checked above, so what they show is what comes."""
    shown = "".join(fence.text for fence in FENCES["errors.md"])
    assert re.search(REPORTED[what], shown, re.MULTILINE)
