"""The rules about who may import whom, and about what importing costs."""

from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
#: low to high; each may import what stands before it
LAYERS = ["rtfs", "policies", "actors", "cluster"]
#: layers that may import Ray
WITH_RAY = {"actors", "cluster"}
#: slow to import, or reaching outside; only functions that need them do
HEAVY = {
    *("ray", "numpy", "prompt_toolkit", "pygments", "sly", "re2", "immutables", "greenlet"),
    *("asyncio", "socket", "urllib.request", "http", "ssl", "multiprocessing", "logging"),
}
#: the rest that a program which is compiled on disk must not wait for
NEEDLESS = {
    *("rtfs.reader", "rtfs.analyze", "rtfs.ir", "rtfs.interpret"),
    *("rtfs.forms", "rtfs.delegation", "rtfs.spell"),
    *("pathlib", "hashlib", "shutil", "urllib.parse", "json", "tempfile", "importlib.metadata"),
}


def imports(path: Path) -> Iterator[str]:
    """Top-level names of all imports in a file; lazy ones and those for types count too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            yield node.module.split(".")[0]


def forbidden(layer: str) -> set[str]:
    above = set(LAYERS[LAYERS.index(layer) + 1 :])
    return above if layer in WITH_RAY else above | {"ray"}


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_imports_only_downwards(layer: str) -> None:
    files = list((ROOT / layer).rglob("*.py"))
    assert files
    wrong = [
        (str(file.relative_to(ROOT)), name)
        for file in files
        for name in imports(file)
        if name in forbidden(layer)
    ]
    assert wrong == []


def test_the_language_does_not_import_its_command_line() -> None:
    own = {"cli", "repl", "__main__.py"}
    wrong = []
    for file in (ROOT / "rtfs").rglob("*.py"):
        if file.relative_to(ROOT / "rtfs").parts[0] in own:
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[:2][-1] in own:
                wrong.append((file.name, node.module))
    assert wrong == []


def loaded_after(statement: str, **variables: str) -> set[str]:
    """Modules in a fresh interpreter after `statement`."""
    code = f"import sys; before = set(sys.modules); {statement}; print(*set(sys.modules) - before)"
    environment = {**os.environ, **variables}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, env=environment
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("statement", ["import rtfs", "import rtfs.cli.main"])
def test_importing_loads_nothing_heavy(statement: str) -> None:
    loaded = loaded_after(statement)
    assert any(name.startswith("rtfs") for name in loaded)
    assert sorted(HEAVY & loaded) == []


def test_a_compiled_program_waits_for_nothing_it_does_not_need(tmp_path: Path) -> None:
    statement = "from rtfs.cli.main import main; main(['run', 'examples/hello.rtfs'])"
    first = loaded_after(statement, RTFS_CACHE_DIR=str(tmp_path))
    assert {"rtfs.reader", "rtfs.analyze", "rtfs.ir", "rtfs.forms", "rtfs.delegation"} <= first
    second = loaded_after(statement, RTFS_CACHE_DIR=str(tmp_path))
    assert "rtfs.code_cache" in second
    assert sorted((HEAVY | NEEDLESS) & second) == []


def test_help_needs_nothing_of_the_language() -> None:
    code = "import sys; from rtfs.cli.main import main; main(['--help']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "rtfs.cli.main" in loaded
    assert {"rtfs.reader", "rtfs.values", "rtfs.ir"} & loaded == set()


def modules_with_all() -> list[str]:
    found = []
    for file in sorted(ROOT.joinpath("rtfs").rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        names = [
            t.id for n in tree.body if isinstance(n, ast.Assign) for t in n.targets if isinstance(t, ast.Name)
        ]
        if "__all__" in names:
            parts = file.relative_to(ROOT).with_suffix("").parts
            found.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return found


@pytest.mark.parametrize("name", modules_with_all())
def test_all_names_what_is_there_once_and_in_order(name: str) -> None:
    module = importlib.import_module(name)
    names = list(module.__all__)
    assert names == sorted(set(names), key=names.index)
    assert [each for each in names if not hasattr(module, each)] == []


def test_the_api_of_the_package_is_exactly_its_all() -> None:
    """`rtfs.__all__` is the API: whatever else can be reached is a submodule or private."""
    import rtfs

    public = {name for name in dir(rtfs) if not name.startswith("_")}
    submodules = {path.stem for path in (ROOT / "rtfs").iterdir()}
    assert public - submodules - set(rtfs.__all__) - {"annotations"} == set()
