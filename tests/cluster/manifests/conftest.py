"""How the manifests are read."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
#: a line that is an example: `#: key: value`
OPTION = re.compile(r"^( *)#: ?", re.MULTILINE)

type Read = Callable[..., list[dict[str, Any]]]


def read_documents(path: str, *, options: bool = False) -> list[dict[str, Any]]:
    """The documents of a YAML file; with `options` as if all its examples were taken up."""
    text = (ROOT / path).read_text(encoding="utf-8")
    return list(yaml.safe_load_all(OPTION.sub(r"\1", text) if options else text))


@pytest.fixture
def read() -> Read:
    return read_documents


@pytest.fixture
def root() -> Path:
    return ROOT
