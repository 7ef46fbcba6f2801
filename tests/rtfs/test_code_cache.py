"""Compiled programs on disk: found when nothing changed, absent when anything did."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import rtfs
from rtfs import code_cache, sealed_files
from rtfs.code_cache import CachedProgram, load_or_compile
from rtfs.program import FileModules, LinkedProgram
from rtfs.sealed_files import default_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The cache."""
    return tmp_path / "cache"


@pytest.fixture
def modules(tmp_path: Path) -> FileModules:
    (tmp_path / "lib").mkdir()
    return FileModules(tmp_path / "lib")


def load(text: str, folder: Path, modules: FileModules, name: str = "plan") -> CachedProgram | LinkedProgram:
    return load_or_compile(text, name, modules, folder)


def is_kept(text: str, folder: Path, modules: FileModules, name: str = "plan") -> bool:
    return isinstance(load(text, folder, modules, name), CachedProgram)


def entry(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


#: programs of every kind of content
PROGRAMS = [
    "",
    "(+ 1 2)",
    "(defn fib [n] (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2))))) (fib 15)",
    """'[a :k "s" 1 2.5 -0.0 ##NaN ##Inf true nil (1 [2]) {:a {"b" #{1}}} () {} #{}]""",
    "'[2025-01-31T10:20:30Z 123e4567-e89b-12d3-a456-426614174000 resource://a]",
    '(defn f "doc" ^{:cost 3} [x :int & r :int] :float (+ x 0.5)) [(f 1 2) (meta f)]',
    "(defstruct P :x :int :y [:union int string]) (P {:x 1 :y 2})",
    "(deftype Small [:and int [:< 9] [custom]]) (defn custom [x] true) (let [x :Small 3] x)",
    "(let [x :int :a] x)",
    "(defmacro twice [x] `(do ~x ~x)) (twice 3)",
    "(module m (:exports [f]) (module n (:exports [g]) (defn g [] '[a])) (defn f [] (n/g))) (import m) (m/f)",
    "(match [:ok 5] [:ok (:type int)] :typed _ :other)",
    '(defn f ^:delegation :remote "m" [x] (f2 x)) (defn f2 [x] [x]) (f 1)',
    "(try (throw {:type :t :data [1]}) (catch :t e [(ex-type e) (ex-data e)]) (finally (str 1)))",
    '(step "s" :params {"k" 1} (get %params "k"))',
    "(+ 1 (nope))",
    "(defn f [x] (/ x 0))\n(defn g [x]\n (f x))\n(+ 1 (g 1))",
    "(defn f [a] a)\n(f)",
    "(for [x [1 2] :let [f (fn [] x)]] (f))",
    '"\\n ünï \0 text"',
    "'" + "[" * 500 + "]" * 500,
]


def outcome(run: Callable[[], object]) -> object:
    try:
        return rtfs.pr_str(run())
    except rtfs.RtfsError as error:
        return error.category, error.text(), error.span, error.source, error.trace, error.hint


@pytest.mark.parametrize("text", PROGRAMS, ids=lambda text: ascii(text[:30]))
def test_a_kept_program_does_what_the_program_does(text: str, folder: Path, modules: FileModules) -> None:
    context = rtfs.RuntimeContext.full()
    direct = outcome(lambda: rtfs.evaluate(text, source_name="plan", context=context))
    assert outcome(lambda: load(text, folder, modules).run(context=context)) == direct
    kept = load(text, folder, modules)
    assert isinstance(kept, CachedProgram)
    for _ in range(2):
        assert outcome(lambda: kept.run(context=context)) == direct


def test_arguments_and_limits(folder: Path, modules: FileModules) -> None:
    for _ in range(2):
        program = load("(if (= n 0) (loop [] (recur)) n)", folder, modules)
        assert program.run(args={"n": 2}) == 2
        with pytest.raises(rtfs.errors.BudgetExhausted):
            program.run(args={"n": 0}, limits=rtfs.Limits(deadline_s=0.05))


# ---------------------------------------------------------------- what makes another entry


def test_text_and_name_make_an_entry(folder: Path, modules: FileModules) -> None:
    assert not is_kept("1", folder, modules)
    assert is_kept("1", folder, modules)
    assert not is_kept("2", folder, modules)
    assert not is_kept("1", folder, modules, "other")
    assert len(list(folder.iterdir())) == 3


@pytest.mark.parametrize("name", ["VERSION", "_package"])
def test_another_version_makes_another_entry(
    name: str, folder: Path, modules: FileModules, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not is_kept("1", folder, modules)
    monkeypatch.setattr(code_cache, name, "0.0.0" if name == "VERSION" else lambda: "edited")
    assert not is_kept("1", folder, modules)


def test_a_refused_program_is_not_kept(folder: Path, modules: FileModules) -> None:
    for _ in range(2):
        with pytest.raises(rtfs.RtfsError):
            load("(let [x])", folder, modules)
    assert not folder.exists()


@pytest.mark.parametrize("text", ["(try 0 (finally " * 7 + "1" + "))" * 7, "'" + "[" * 3_000 + "]" * 3_000])
def test_what_cannot_be_kept_runs_all_the_same(text: str, folder: Path, modules: FileModules) -> None:
    expected = rtfs.pr_str(rtfs.evaluate(text))
    for _ in range(2):
        program = load(text, folder, modules)
        assert isinstance(program, LinkedProgram)
        assert rtfs.pr_str(program.run()) == expected


# ---------------------------------------------------------------- modules


def write(modules: FileModules, name: str, body: str) -> None:
    (Path(modules.paths[0]) / f"{name}.rtfs").write_text(f"(module {name} (:exports [x t]) {body})")


def values(text: str, folder: Path, modules: FileModules) -> tuple[bool, str]:
    program = load(text, folder, modules)
    return isinstance(program, CachedProgram), rtfs.pr_str(program.run())


def test_a_changed_module_is_read_again(folder: Path, modules: FileModules) -> None:
    write(modules, "low", "(def x 1) (def t 0)")
    write(modules, "high", "(import low) (def x [low/x]) (def t 0)")
    text = "(import high) high/x"
    assert [values(text, folder, modules) for _ in range(2)] == [(False, "[1]"), (True, "[1]")]
    write(modules, "low", "(def x 2) (def t 0)")
    assert [values(text, folder, modules) for _ in range(2)] == [(False, "[2]"), (True, "[2]")]
    write(modules, "high", "(def x :own) (def t 0)")
    assert [values(text, folder, modules) for _ in range(2)] == [(False, ":own"), (True, ":own")]
    (Path(modules.paths[0]) / "high.rtfs").unlink()
    with pytest.raises(rtfs.errors.ModuleNotFound):
        load(text, folder, modules).run()


def test_a_changed_macro_is_expanded_again(folder: Path, modules: FileModules) -> None:
    text = "(import m :only [t]) (t)"
    for value in ("1", "2"):
        write(modules, "m", f"(def x 0) (defmacro t [] {value})")
        assert [values(text, folder, modules) for _ in range(2)] == [(False, value), (True, value)]


def test_a_module_that_was_missed_may_come(folder: Path, modules: FileModules) -> None:
    text = "(try m/x (catch ModuleNotFound e :none))"
    assert [values(text, folder, modules) for _ in range(2)] == [(False, ":none"), (True, ":none")]
    write(modules, "m", "(def x 1) (def t 0)")
    assert [values(text, folder, modules) for _ in range(2)] == [(False, "1"), (True, "1")]


def test_the_file_of_a_module_may_move(folder: Path, modules: FileModules, tmp_path: Path) -> None:
    write(modules, "m", "(defn x [] (/ 1 0)) (def t 0)")
    for _ in range(2):
        load("(import m) (m/x)", folder, modules)
    (tmp_path / "moved").mkdir()
    moved = FileModules(tmp_path / "moved")
    (Path(modules.paths[0]) / "m.rtfs").rename(Path(moved.paths[0]) / "m.rtfs")
    with pytest.raises(rtfs.errors.DivisionByZero) as caught:
        load("(import m) (m/x)", folder, moved).run()
    assert caught.value.source == str(Path(moved.paths[0]) / "m.rtfs")


# ---------------------------------------------------------------- damage


def flip(at: int) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[at] ^= 1
        path.write_bytes(data)

    return damage


def cut(size: int) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(path.read_bytes()[:size])


def replaced_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def replaced_by_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def behind_a_link(path: Path) -> None:
    path.rename(path.parent.parent / "elsewhere")
    path.symlink_to(path.parent.parent / "elsewhere")


DAMAGE: dict[str, Callable[[Path], object]] = {
    **{f"byte {at}": flip(at) for at in (*range(45), 60, -1)},
    **{f"cut to {size}": cut(size) for size in (0, 1, 7, 8, 39, 40, 41, 100, -1)},
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "writable by the group": lambda path: path.chmod(0o620),
    "writable by all": lambda path: path.chmod(0o602),
    "a folder": replaced_by_folder,
    "a pipe": replaced_by_pipe,
    "a link": behind_a_link,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_entry_counts_as_absent(
    damage: Callable[[Path], object], folder: Path, modules: FileModules
) -> None:
    load("'[a b c]", folder, modules)
    path = entry(folder)
    damage(path)
    program = load("'[a b c]", folder, modules)
    assert isinstance(program, LinkedProgram)
    assert rtfs.pr_str(program.run()) == "[a b c]"
    # and it is made anew, where that can be
    assert is_kept("'[a b c]", folder, modules) != path.is_dir()


def test_an_entry_belongs_to_its_name(folder: Path, modules: FileModules) -> None:
    load("1", folder, modules)
    one = entry(folder)
    load("2", folder, modules)
    (two,) = set(folder.iterdir()) - {one}
    two.write_bytes(one.read_bytes())
    assert load("2", folder, modules).run() == 2


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can give a file away")
def test_an_entry_of_another_user_counts_as_absent(folder: Path, modules: FileModules) -> None:
    load("1", folder, modules)
    os.chown(entry(folder), 12_345, -1)
    assert not is_kept("1", folder, modules)


# ---------------------------------------------------------------- the folder


def test_an_unusable_folder_is_no_error(tmp_path: Path, modules: FileModules) -> None:
    (tmp_path / "file").write_text("no folder")
    for folder in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/none"), tmp_path / ("n" * 300)):
        for _ in range(2):
            assert load("(+ 1 2)", folder, modules).run() == 3
    assert (tmp_path / "file").read_text() == "no folder"


def test_only_the_folder_is_written_to(tmp_path: Path, folder: Path, modules: FileModules) -> None:
    write(modules, "m", "(def x 1) (def t 0)")
    before = set(tmp_path.rglob("*"))
    for text in ("m/x", "1", "'a"):
        load(text, folder, modules)
    assert {path for path in set(tmp_path.rglob("*")) - before if folder not in (path, path.parent)} == set()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_the_folder_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    monkeypatch.setenv("RTFS_CACHE_DIR", "/y")
    assert default_folder() == "/y"
    monkeypatch.delenv("RTFS_CACHE_DIR")
    assert default_folder() == "/x/rtfs"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_folder() == str(Path.home() / ".cache" / "rtfs")


def test_many_writers(folder: Path, modules: FileModules) -> None:
    found: list[object] = []

    def work(n: int) -> None:
        for i in range(10):
            found.append((i, load(f"[{i}]", folder, modules).run()))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 60
    assert {rtfs.pr_str(value) for _, value in found} == {f"[{i}]" for i in range(10)}  # type: ignore[misc]
    assert len(list(folder.iterdir())) == 10
    assert all(is_kept(f"[{i}]", folder, modules) for i in range(10))


def aged(path: Path, seconds: float) -> None:
    status = path.stat()
    os.utime(path, (status.st_atime - seconds, status.st_mtime - seconds))


def test_the_folder_holds_so_many_entries(
    folder: Path, modules: FileModules, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed_files, "MOST_ENTRIES", 3)
    for text in ("1", "2", "3"):
        load(text, folder, modules)
        for path in folder.iterdir():
            aged(path, 100)
    assert is_kept("1", folder, modules)  # which makes "2" the one that was not used for the longest time
    load("4", folder, modules)
    assert len(list(folder.iterdir())) == 3
    assert [is_kept(text, folder, modules) for text in ("1", "3", "4")] == [True, True, True]
    assert not is_kept("2", folder, modules)


def test_the_folder_holds_so_many_bytes(
    folder: Path, modules: FileModules, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "'[" + " ".join(f"symbol-{i}" for i in range(200)) + "]"
    load(text, folder, modules)
    size = entry(folder).stat().st_size
    aged(entry(folder), 100)
    monkeypatch.setattr(sealed_files, "MOST_BYTES", 3 * size)
    for i in range(6):
        load(f"{text} {i}", folder, modules)
        for path in folder.iterdir():
            aged(path, 100)
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 3 * size
    monkeypatch.setattr(sealed_files, "MOST_BYTES", size)
    assert not is_kept(f"{text} :large", folder, modules)
    assert not is_kept(f"{text} :large", folder, modules)


def test_what_dead_writers_left_is_removed(folder: Path, modules: FileModules) -> None:
    folder.mkdir()
    names = ["0123.rtfsc.tmp", "4567.rtfsc.tmp", "notes.txt"]
    for name in names:
        (folder / name).write_text("")
    aged(folder / names[0], 10_000)
    aged(folder / names[2], 10_000)
    load("1", folder, modules)
    assert {path.name for path in folder.iterdir()} & set(names) == {"4567.rtfsc.tmp", "notes.txt"}
