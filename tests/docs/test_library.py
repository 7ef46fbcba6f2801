"""docs/library.md is made from the library, and says what the library says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rtfs.analyze.core import SPECIAL
from rtfs.analyze.forms.removed import SUBSTITUTES
from rtfs.repl.special import SPECIAL_FORMS
from rtfs.stdlib.table import BUILTINS, MODULES, TITLES

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "library.md"


def test_the_committed_page_is_up_to_date():
    command = [sys.executable, str(ROOT / "scripts" / "gen-docs"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stderr, done.returncode) == ("", 0)


def test_every_group_has_a_heading():
    assert list(TITLES) == [module.__name__.rpartition(".")[2] for module in MODULES]


@pytest.mark.parametrize("name", BUILTINS)
def test_every_name_is_on_the_page(name):
    assert f"`{name}`" in PAGE.read_text(encoding="utf-8")


def test_every_special_form_is_described():
    """But those that are gone, and those that a template or another name stands for."""
    gone = {*SUBSTITUTES, "unquote", "unquote-splicing"}
    assert {name for name in SPECIAL if name not in SPECIAL_FORMS and name not in BUILTINS} == gone
